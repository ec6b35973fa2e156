use serde::{Deserialize, Serialize};

use super::{LossValues, Scores};

/// Where in a run a checkpoint was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Epochs that are done; also the epoch to go on with, from 0.
    pub epoch: usize,
    /// Batches of that epoch that are done.
    pub batch: usize,
    /// Optimizer steps that are done.
    pub step: usize,
}

/// An epoch in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Optimizer steps done at its end.
    pub step: usize,
    /// Mean of every loss term over its steps.
    pub loss: LossValues,
    /// Learning rate of its last step.
    pub learning_rate: f64,
    /// Its validation, if there was one.
    #[serde(default)]
    pub scores: Option<Scores>,
    /// Training time since the run began.
    pub seconds: f64,
}
