use std::collections::BTreeMap;

use decoupled_seg_datasets::ClassTable;
use decoupled_seg_metrics::BoundaryThreshold;
use serde::{Deserialize, Serialize};

use super::FileDigest;
use crate::{EpochRecord, LossMeans, Recipe};

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

/// What validation measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// Mean intersection over union, a fraction.
    pub mean_iou: f64,
    /// Share of labelled pixels that are right.
    pub pixel_accuracy: f64,
    /// Mean boundary F-score at each distance that was asked for, fractions.
    #[serde(default)]
    pub boundary_f: Vec<BoundaryScore>,
    /// Intersection over union of each class; `None` where neither labels nor predictions have it.
    #[serde(default)]
    pub class_iou: Vec<Option<f64>>,
}

/// A boundary F-score and its distance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundaryScore {
    /// How far apart two boundaries may be to count as one.
    pub threshold: BoundaryThreshold,
    /// The score, a fraction.
    pub f_score: f64,
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

impl BestMetric {
    /// The number to make large; `None` if it was not measured.
    pub fn of(self, scores: &Scores) -> Option<f64> {
        let value = match self {
            Self::MeanIou => scores.mean_iou,
            Self::PixelAccuracy => scores.pixel_accuracy,
            Self::BoundaryF => scores.boundary_f.first()?.f_score,
        };
        value.is_finite().then_some(value)
    }
}

/// What a checkpoint says about itself, in its `state.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointState {
    /// Number of the format.
    pub format: u32,
    /// Where in the run it was written.
    pub position: Position,
    /// The recipe of the run.
    pub recipe: Recipe,
    /// Classes of the data set.
    pub classes: ClassTable,
    /// How to build the network again, as the caller described it
    /// ([`Trainer::with_network`](crate::Trainer::with_network)); null if not.
    #[serde(default)]
    pub network: serde_json::Value,
    /// The validation at this position, if there was one.
    #[serde(default)]
    pub scores: Option<Scores>,
    /// Losses of the running epoch so far.
    #[serde(default)]
    pub running: LossMeans,
    /// The epochs that are done.
    #[serde(default)]
    pub history: Vec<EpochRecord>,
    /// Time spent training so far, in seconds, over all sessions.
    #[serde(default)]
    pub seconds: f64,
    /// Identities of the network's parameters, which the optimizer's state is keyed by.
    pub parameters: BTreeMap<String, u64>,
    /// The other files of the checkpoint.
    pub files: BTreeMap<String, FileDigest>,
}

/// The format that this version writes.
pub(crate) const FORMAT: u32 = 1;

impl CheckpointState {
    /// A state with what every run has; the rest is empty.
    pub(crate) fn new(
        position: Position,
        recipe: Recipe,
        classes: ClassTable,
        network: serde_json::Value,
    ) -> Self {
        Self {
            format: FORMAT,
            position,
            recipe,
            classes,
            network,
            scores: None,
            running: LossMeans::default(),
            history: Vec::new(),
            seconds: 0.0,
            parameters: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }
}
