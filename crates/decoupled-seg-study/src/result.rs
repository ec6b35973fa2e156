use serde::{Deserialize, Serialize};

/// What a finished run hands to the report. Numbers that are not there (no such class, no validation) are `None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    /// Scores of the whole, in the order of the report's columns. More is better.
    pub scores: Vec<Score>,
    /// Boundary scores, the mean over classes, a distance each.
    #[serde(default)]
    pub boundary: Vec<BoundaryResult>,
    /// Scores of single classes or other parts, in the order of the report's rows.
    #[serde(default)]
    pub parts: Vec<PartScore>,
    /// What was recorded during the training.
    #[serde(default)]
    pub histories: Vec<History>,
    /// Time of training, in seconds.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// Number of parameters.
    #[serde(default)]
    pub parameters: Option<u64>,
    /// Multiply-accumulate operations of the network for one picture.
    #[serde(default)]
    pub macs: Option<u64>,
}

/// One number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Name, such as `mean IoU`.
    pub name: String,
    /// Value as the report prints it, so usually in percent.
    pub value: Option<f64>,
}

/// The boundary score at one distance, in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundaryResult {
    /// The distance, such as `1 px`.
    pub distance: String,
    /// Share of the predicted boundary that is near the labelled one.
    pub precision: Option<f64>,
    /// Share of the labelled boundary that is near the predicted one.
    pub recall: Option<f64>,
    /// Their harmonic mean.
    pub f: Option<f64>,
}

/// One number of one class, or of another part of what is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartScore {
    /// Name of the score and of what the parts are, such as `IoU by class`.
    pub score: String,
    /// Name of the part, such as `road`.
    pub part: String,
    /// Value as the report prints it, so usually in percent.
    pub value: Option<f64>,
}

/// A figure that was recorded during the training, such as the loss by epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Its name. Histories of equal names are drawn on one chart.
    pub name: String,
    /// Epoch and value.
    pub points: Vec<[f64; 2]>,
}
