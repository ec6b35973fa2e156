use serde::{Deserialize, Serialize};

/// When checkpoints are written and which are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointRecipe {
    /// Also write one every so many optimizer steps, not only at the end of an epoch and at an interrupt.
    pub every_steps: Option<usize>,
    /// Newest checkpoints to keep, at least 1; the best one is kept besides.
    pub keep_last: usize,
    /// By what the best one is chosen.
    pub best_by: BestMetric,
}

impl Default for CheckpointRecipe {
    /// One at the end of each epoch; the last two and the best by mean IoU are kept.
    fn default() -> Self {
        Self {
            every_steps: None,
            keep_last: 2,
            best_by: BestMetric::MeanIou,
        }
    }
}

/// By what the best checkpoint is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BestMetric {
    /// Mean intersection over union.
    #[default]
    MeanIou,
    /// Share of labelled pixels that are right.
    PixelAccuracy,
    /// Boundary F-score at the first distance of the validation.
    BoundaryF,
}
