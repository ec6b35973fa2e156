//! What can be read off a run.

use crate::statistics::{Difference, Summary};
use crate::{Run, Study, Variant};

/// A score of a run, with its name.
pub(crate) struct Measure {
    pub name: String,
    score: Box<Score>,
}

type Score = dyn Fn(&Run) -> Option<f64>;

impl Measure {
    fn new(name: impl Into<String>, score: impl Fn(&Run) -> Option<f64> + 'static) -> Self {
        Self {
            name: name.into(),
            score: Box::new(score),
        }
    }

    /// Mean IoU, pixel accuracy and the boundary F-scores: those that any run has.
    pub fn main(study: &Study) -> Vec<Self> {
        let mut measures = vec![
            Self::new("mean IoU", |run| run.mean_iou),
            Self::new("pixel accuracy", |run| run.pixel_accuracy),
        ];
        for (i, threshold) in thresholds(study).into_iter().enumerate() {
            let f = move |run: &Run| Some(run.boundary.get(i)?.score?.f);
            measures.push(Self::new(format!("F at {threshold}"), f));
        }
        present(measures, study)
    }

    /// IoU of each class.
    pub fn classes(study: &Study) -> Vec<Self> {
        let classes = study.classes.iter().enumerate();
        let iou = |i: usize| move |run: &Run| *run.class_iou.get(i)?;
        present(
            classes.map(|(i, name)| Self::new(name, iou(i))).collect(),
            study,
        )
    }

    /// Precision and recall of the boundary at each distance.
    pub fn boundary(study: &Study) -> Vec<Self> {
        let mut measures = Vec::new();
        for (i, threshold) in thresholds(study).into_iter().enumerate() {
            let score = move |run: &Run| run.boundary.get(i)?.score;
            let precision = move |run: &Run| Some(score(run)?.precision);
            let recall = move |run: &Run| Some(score(run)?.recall);
            measures.push(Self::new(format!("precision at {threshold}"), precision));
            measures.push(Self::new(format!("recall at {threshold}"), recall));
        }
        present(measures, study)
    }

    /// IoU by size of object.
    pub fn sizes(study: &Study) -> Vec<Self> {
        let first = runs(study).max_by_key(|run| run.sizes.len());
        let names = first.into_iter().flat_map(|run| &run.sizes);
        let iou = |i: usize| move |run: &Run| run.sizes.get(i)?.iou;
        let measures = names
            .enumerate()
            .map(|(i, size)| Self::new(&size.name, iou(i)));
        present(measures.collect(), study)
    }

    pub fn score(&self, run: &Run) -> Option<f64> {
        (self.score)(run)
    }

    /// Seed and score of each run that has one.
    fn values(&self, variant: &Variant) -> Vec<(u64, f64)> {
        let value = |run: &Run| Some((run.seed, self.score(run)?));
        variant.runs.iter().filter_map(value).collect()
    }

    /// Mean and spread over the runs of a variant.
    pub fn summary(&self, variant: &Variant) -> Option<Summary> {
        let values: Vec<f64> = self
            .values(variant)
            .iter()
            .map(|&(_, value)| value)
            .collect();
        Summary::of(&values)
    }

    /// How far a variant is from the baseline.
    pub fn difference(&self, variant: &Variant, baseline: &Variant) -> Option<Difference> {
        Difference::paired(&self.values(variant), &self.values(baseline))
    }
}

fn runs(study: &Study) -> impl Iterator<Item = &Run> {
    study.variants.iter().flat_map(|variant| &variant.runs)
}

/// The distances of the boundary scores.
pub(crate) fn thresholds(study: &Study) -> Vec<String> {
    let longest = runs(study).max_by_key(|run| run.boundary.len());
    let results = longest.into_iter().flat_map(|run| &run.boundary);
    results.map(|result| result.threshold.to_string()).collect()
}

/// Leaves out the measures that no run has.
fn present(mut measures: Vec<Measure>, study: &Study) -> Vec<Measure> {
    measures.retain(|measure| runs(study).any(|run| measure.score(run).is_some()));
    measures
}
