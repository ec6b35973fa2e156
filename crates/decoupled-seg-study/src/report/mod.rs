//! The comparison of a study's variants.

mod csv;
mod document;
mod html;
mod markdown;
mod measure;

use crate::{Plan, RunState, StudyFile};
use crate::{PlannedRun, RunResult};

/// The comparison of several variants, as far as they are trained. Written as Markdown, CSV and HTML.
///
/// # Example
///
/// ```
/// use decoupled_seg_study::{ReportedRun, RunResult, Score, StudyReport, VariantReport};
///
/// let run = |seed, mean_iou| ReportedRun {
///     seed,
///     fold: None,
///     result: RunResult {
///         scores: vec![Score { name: "mean IoU".into(), value: Some(mean_iou) }],
///         ..RunResult::default()
///     },
/// };
/// let plain = VariantReport::new("plain", vec![run(1, 50.0), run(2, 52.0), run(3, 51.0)]);
/// let module = VariantReport::new("module", vec![run(1, 53.0), run(2, 54.0), run(3, 54.0)]);
/// let report = StudyReport::of_variants("Does the module help?", vec![plain, module]);
///
/// let text = report.to_markdown();
/// assert!(text.contains("| module | 3 | 53.67 ± 0.58 |"));
/// assert!(text.contains("| module | plain | mean IoU | 3 | +2.67 | [+1.23, +4.10] | 0.015 | higher |"));
/// assert!(report.to_html().starts_with("<!DOCTYPE html>"));
/// assert!(report.to_csv().contains("module,,3,mean IoU,,54\n"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct StudyReport {
    /// Heading.
    pub title: String,
    /// Paragraphs below the heading: data, protocol, what counts as success.
    pub notes: Vec<String>,
    /// What keeps runs from being compared, such as scores on other pictures: above all else, each a sentence or two.
    pub warnings: Vec<String>,
    /// Name of the variant that the others are compared with.
    pub baseline: String,
    /// Confidence of the intervals, between 0 and 1.
    pub confidence: f64,
    /// Variants in the order of the file.
    pub variants: Vec<VariantReport>,
    /// Names of the runs without a result.
    pub missing: Vec<String>,
    /// Pictures, such as predictions side by side; only HTML shows them.
    pub figures: Vec<Figure>,
}

/// One variant.
#[derive(Debug, Clone, PartialEq)]
pub struct VariantReport {
    /// Name.
    pub name: String,
    /// How it differs from the baseline; may be empty.
    pub description: String,
    /// Name of the variant that this one is compared with; the report's baseline where there is none.
    pub baseline: Option<String>,
    /// Its finished runs, in the order of the plan.
    pub runs: Vec<ReportedRun>,
}

/// A finished run of a variant. It is compared with the run of the baseline that has the same seed and fold.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedRun {
    /// Seed.
    pub seed: u64,
    /// Name of the fold.
    pub fold: Option<String>,
    /// What it scored.
    pub result: RunResult,
}

/// A picture of the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Stands below the picture.
    pub caption: String,
    /// The content of a PNG file.
    pub png: Vec<u8>,
}

impl StudyReport {
    /// The report of what `plan` has.
    pub fn new(file: &StudyFile, plan: &Plan) -> Self {
        let variants = file.variants.iter().map(|variant| {
            let of = plan
                .runs
                .iter()
                .filter(|(run, _)| run.variant == variant.name);
            let runs = of.filter_map(|(run, state)| match state {
                RunState::Done(result) => Some(ReportedRun {
                    seed: run.seed,
                    fold: run.fold.as_ref().map(|fold| fold.name.clone()),
                    result: (**result).clone(),
                }),
                RunState::Missing | RunState::Started => None,
            });
            VariantReport {
                description: variant.description.clone(),
                baseline: variant.baseline.clone(),
                ..VariantReport::new(&variant.name, runs.collect())
            }
        });
        Self {
            title: file.title.clone(),
            notes: file.notes.clone(),
            warnings: Vec::new(),
            baseline: file.baseline.clone(),
            confidence: file.confidence,
            variants: variants.collect(),
            missing: plan.missing().map(PlannedRun::name).collect(),
            figures: Vec::new(),
        }
    }

    /// A report of runs that are no study. The first variant is the baseline, intervals are of 95 %.
    pub fn of_variants(title: impl Into<String>, variants: Vec<VariantReport>) -> Self {
        Self {
            title: title.into(),
            notes: Vec::new(),
            warnings: Vec::new(),
            baseline: variants
                .first()
                .map_or(String::new(), |first| first.name.clone()),
            confidence: crate::study_file::DEFAULT_CONFIDENCE,
            variants,
            missing: Vec::new(),
            figures: Vec::new(),
        }
    }

    /// The variant that `variant` is compared with; `None` where that is itself or not there.
    fn rival(&self, variant: &VariantReport) -> Option<&VariantReport> {
        let name = variant.baseline.as_ref().unwrap_or(&self.baseline);
        let mut others = self.variants.iter();
        others.find(|other| other.name == *name && other.name != variant.name)
    }

    fn has_folds(&self) -> bool {
        self.runs().any(|run| run.fold.is_some())
    }

    fn runs(&self) -> impl Iterator<Item = &ReportedRun> {
        self.variants.iter().flat_map(|variant| &variant.runs)
    }
}

impl VariantReport {
    /// A variant of which only name and runs are known.
    pub fn new(name: impl Into<String>, runs: Vec<ReportedRun>) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            baseline: None,
            runs,
        }
    }
}

/// The items without those that came before.
fn in_order<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}
