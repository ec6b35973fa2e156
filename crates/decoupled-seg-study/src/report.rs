use crate::{PairedDifference, Plan, PlannedRun, RunResult, RunState, StudyFile, Summary};

/// The comparison of a study's variants, as far as they are trained.
#[derive(Debug, Clone, PartialEq)]
pub struct StudyReport {
    /// Heading.
    pub title: String,
    /// Name of the variant that the others are compared with.
    pub baseline: String,
    /// Confidence of the intervals.
    pub confidence: f64,
    /// Whether there are folds.
    pub has_folds: bool,
    /// Variants in the order of the file.
    pub variants: Vec<VariantReport>,
    /// Names of the runs without a result.
    pub missing: Vec<String>,
}

/// One variant.
#[derive(Debug, Clone, PartialEq)]
pub struct VariantReport {
    /// Name.
    pub name: String,
    /// Scores in the order of the results.
    pub scores: Vec<ScoreReport>,
    /// Scores of single classes.
    pub classes: Vec<ClassRow>,
    /// Mean time of training, in seconds.
    pub seconds: Option<f64>,
    /// Number of parameters.
    pub parameters: Option<u64>,
    /// Multiplications of one forward pass.
    pub multiplications: Option<u64>,
}

/// One score of one variant.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreReport {
    /// Name.
    pub name: String,
    /// Of each run, in the order of the plan.
    pub values: Vec<PairValue>,
    /// Over all runs that have a value.
    pub summary: Option<Summary>,
    /// To the baseline, over the seeds and folds that both have; `None` for the baseline itself.
    pub difference: Option<PairedDifference>,
}

/// The score of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct PairValue {
    /// Seed.
    pub seed: u64,
    /// Name of the fold.
    pub fold: Option<String>,
    /// `None` where the run is missing or has no such score.
    pub value: Option<f64>,
}

/// One score of one class of one variant.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassRow {
    /// Name of the score.
    pub score: String,
    /// Name of the class.
    pub class: String,
    /// Over all runs that have a value.
    pub summary: Option<Summary>,
    /// See [`ScoreReport::difference`].
    pub difference: Option<PairedDifference>,
}

type Run<'a> = (&'a PlannedRun, Option<&'a RunResult>);

impl StudyReport {
    /// The report of what `plan` has.
    pub fn new(file: &StudyFile, plan: &Plan) -> Self {
        let runs_of = |name: &str| -> Vec<Run<'_>> {
            let of = plan.runs.iter().filter(|(run, _)| run.variant == name);
            of.map(|(run, state)| match state {
                RunState::Done(result) => (run, Some(result)),
                _ => (run, None),
            })
            .collect()
        };
        let baseline = runs_of(&file.baseline);
        let variants = file.variants.iter().map(|variant| {
            let rival = (variant.name != file.baseline).then_some(&*baseline);
            variant_report(
                &variant.name,
                &runs_of(&variant.name),
                rival,
                file.confidence,
            )
        });
        Self {
            title: file.title.clone(),
            baseline: file.baseline.clone(),
            confidence: file.confidence,
            has_folds: !file.folds.is_empty(),
            variants: variants.collect(),
            missing: plan.missing().map(PlannedRun::name).collect(),
        }
    }

    /// Names of the scores, in the order of their first appearance.
    pub(crate) fn score_names(&self) -> Vec<&str> {
        in_order(
            self.variants
                .iter()
                .flat_map(|variant| &variant.scores)
                .map(|score| &*score.name),
        )
    }
}

impl VariantReport {
    /// The score called `name`.
    pub fn score(&self, name: &str) -> Option<&ScoreReport> {
        self.scores.iter().find(|score| score.name == name)
    }
}

fn variant_report(
    name: &str,
    runs: &[Run<'_>],
    baseline: Option<&[Run<'_>]>,
    confidence: f64,
) -> VariantReport {
    let results = || runs.iter().filter_map(|(_, result)| *result);
    let compare = |value: &dyn Fn(&RunResult) -> Option<f64>| {
        let values: Vec<f64> = results().filter_map(value).collect();
        let difference = baseline
            .and_then(|baseline| PairedDifference::of(&pairs(baseline, runs, value), confidence));
        (Summary::of(&values), difference)
    };
    let scores = in_order(
        results()
            .flat_map(|result| &result.scores)
            .map(|score| &*score.name),
    );
    let classes = in_order(
        results()
            .flat_map(|result| &result.class_scores)
            .map(|score| (&*score.score, &*score.class)),
    );
    let seconds: Vec<f64> = results().filter_map(|result| result.seconds).collect();
    VariantReport {
        name: name.to_string(),
        scores: scores
            .into_iter()
            .map(|score| {
                let (summary, difference) = compare(&|result| result.value(score));
                ScoreReport {
                    name: score.to_string(),
                    values: runs
                        .iter()
                        .map(|(run, result)| PairValue {
                            seed: run.seed,
                            fold: run.fold.as_ref().map(|fold| fold.name.clone()),
                            value: result.and_then(|result| result.value(score)),
                        })
                        .collect(),
                    summary,
                    difference,
                }
            })
            .collect(),
        classes: classes
            .into_iter()
            .map(|(score, class)| {
                let (summary, difference) = compare(&|result| result.class_value(score, class));
                ClassRow {
                    score: score.to_string(),
                    class: class.to_string(),
                    summary,
                    difference,
                }
            })
            .collect(),
        seconds: Summary::of(&seconds).map(|summary| summary.mean),
        parameters: results().find_map(|result| result.parameters),
        multiplications: results().find_map(|result| result.multiplications),
    }
}

/// `[baseline, other]` of each seed and fold that both have.
fn pairs(
    baseline: &[Run<'_>],
    other: &[Run<'_>],
    value: &dyn Fn(&RunResult) -> Option<f64>,
) -> Vec<[f64; 2]> {
    other
        .iter()
        .filter_map(|(run, result)| {
            let (_, rival) = baseline
                .iter()
                .find(|(rival, _)| rival.seed == run.seed && rival.fold == run.fold)?;
            Some([value((*rival)?)?, value((*result)?)?])
        })
        .collect()
}

fn in_order<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}
