//! What can be read off a run.

use super::{StudyReport, VariantReport, in_order};
use crate::{PairedDifference, RunResult, Summary};

/// A number of a run, with its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Measure {
    Score(String),
    /// Boundary F at a distance.
    F(String),
    Precision(String),
    Recall(String),
    Part {
        score: String,
        part: String,
    },
}

impl Measure {
    /// The scores of the whole and the boundary F-scores.
    pub fn main(report: &StudyReport) -> Vec<Self> {
        let results = || report.runs().map(|run| &run.result);
        let scores = in_order(
            results()
                .flat_map(|result| &result.scores)
                .map(|it| &*it.name),
        );
        let scores = scores.into_iter().map(|name| Self::Score(name.to_string()));
        let f = distances(report).into_iter().map(Self::F);
        present(scores.chain(f).collect(), report)
    }

    /// Precision and recall of the boundary at each distance.
    pub fn boundary(report: &StudyReport) -> Vec<Self> {
        let both = |distance: String| [Self::Precision(distance.clone()), Self::Recall(distance)];
        present(
            distances(report).into_iter().flat_map(both).collect(),
            report,
        )
    }

    /// The scores of parts, a list for each score.
    pub fn parts(report: &StudyReport) -> Vec<(String, Vec<Self>)> {
        let parts = report.runs().flat_map(|run| &run.result.parts);
        let all = in_order(parts.map(|it| (&*it.score, &*it.part)));
        let scores = in_order(all.iter().map(|(score, _)| *score));
        let of = |score: &str| {
            let measures = all.iter().filter(|(other, _)| *other == score);
            let measures = measures.map(|(score, part)| Self::Part {
                score: score.to_string(),
                part: part.to_string(),
            });
            (score.to_string(), present(measures.collect(), report))
        };
        let groups = scores.into_iter().map(of);
        groups
            .filter(|(_, measures)| !measures.is_empty())
            .collect()
    }

    /// The name: of the score and, where it has one, the part.
    pub fn names(&self) -> [String; 2] {
        match self {
            Self::Score(name) => [name.clone(), String::new()],
            Self::F(distance) => [format!("F {distance}"), String::new()],
            Self::Precision(distance) => [format!("precision {distance}"), String::new()],
            Self::Recall(distance) => [format!("recall {distance}"), String::new()],
            Self::Part { score, part } => [score.clone(), part.clone()],
        }
    }

    /// The value of a run; `None` where it has none, or none that is finite.
    pub fn value(&self, result: &RunResult) -> Option<f64> {
        let at = |distance: &String| {
            let mut boundary = result.boundary.iter();
            boundary.find(|known| known.distance == *distance)
        };
        let value = match self {
            Self::Score(name) => {
                let mut scores = result.scores.iter();
                scores.find(|known| known.name == *name)?.value
            }
            Self::F(distance) => at(distance)?.f,
            Self::Precision(distance) => at(distance)?.precision,
            Self::Recall(distance) => at(distance)?.recall,
            Self::Part { score, part } => {
                let mut parts = result.parts.iter();
                parts
                    .find(|known| known.score == *score && known.part == *part)?
                    .value
            }
        };
        value.filter(|value| value.is_finite())
    }

    /// Mean and spread over the runs of a variant.
    pub fn summary(&self, variant: &VariantReport) -> Option<Summary> {
        let runs = variant.runs.iter();
        let values: Vec<f64> = runs.filter_map(|run| self.value(&run.result)).collect();
        Summary::of(&values)
    }

    /// How far a variant is from its baseline, over the seeds and folds that both have; `None` for the baseline itself.
    pub fn difference(
        &self,
        report: &StudyReport,
        variant: &VariantReport,
    ) -> Option<PairedDifference> {
        let baseline = report.rival(variant)?;
        let pairs: Vec<[f64; 2]> = variant
            .runs
            .iter()
            .filter_map(|run| {
                let mut rivals = baseline.runs.iter();
                let rival =
                    rivals.find(|rival| rival.seed == run.seed && rival.fold == run.fold)?;
                Some([self.value(&rival.result)?, self.value(&run.result)?])
            })
            .collect();
        PairedDifference::of(&pairs, report.confidence)
    }
}

/// The distances of the boundary scores.
pub(super) fn distances(report: &StudyReport) -> Vec<String> {
    let results = report.runs().flat_map(|run| &run.result.boundary);
    in_order(results.map(|result| result.distance.clone()))
}

/// Leaves out the measures that no run has.
fn present(mut measures: Vec<Measure>, report: &StudyReport) -> Vec<Measure> {
    measures.retain(|measure| {
        report
            .runs()
            .any(|run| measure.value(&run.result).is_some())
    });
    measures
}
