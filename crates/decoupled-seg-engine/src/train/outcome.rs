use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::record::{EpochRecord, Position};

/// Why a run ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// All epochs are done.
    Finished,
    /// [`patience`](crate::Recipe::patience) ended: no validation was better for too long.
    NoImprovement,
    /// It was asked to stop.
    Interrupted,
}

/// What a run leaves.
#[derive(Debug)]
pub struct Trained<M> {
    /// The network out of training, at the end of the run; its moving average if the recipe keeps one.
    pub model: M,
    /// Every epoch, those of earlier sessions included.
    pub history: Vec<EpochRecord>,
    /// Where the run ended.
    pub position: Position,
    /// Why.
    pub stop: Stop,
    /// The best checkpoint, if one was validated.
    pub best: Option<Checkpoint>,
}
