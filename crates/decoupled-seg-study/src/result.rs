use serde::{Deserialize, Serialize};

/// What a finished run hands to the report. Numbers that are not there (no such class, no validation) are `None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    /// Scores of the whole, in the order of the report's columns. More is better.
    pub scores: Vec<Score>,
    /// Scores of single classes, in the order of the report's rows.
    #[serde(default)]
    pub class_scores: Vec<ClassScore>,
    /// Time of training, in seconds.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// Number of parameters.
    #[serde(default)]
    pub parameters: Option<u64>,
    /// Multiplications of one forward pass.
    #[serde(default)]
    pub multiplications: Option<u64>,
}

/// One number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Name, such as `mean IoU` or `F 1 px`.
    pub name: String,
    /// Value as the report prints it, so usually in percent.
    pub value: Option<f64>,
}

/// One number of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassScore {
    /// Name of the score, such as `IoU`.
    pub score: String,
    /// Name of the class.
    pub class: String,
    /// Value as the report prints it, so usually in percent.
    pub value: Option<f64>,
}

impl RunResult {
    pub(crate) fn value(&self, score: &str) -> Option<f64> {
        let score = self.scores.iter().find(|known| known.name == score)?;
        score.value.filter(|value| value.is_finite())
    }

    pub(crate) fn class_value(&self, score: &str, class: &str) -> Option<f64> {
        let known = self
            .class_scores
            .iter()
            .find(|known| known.score == score && known.class == class)?;
        known.value.filter(|value| value.is_finite())
    }
}
