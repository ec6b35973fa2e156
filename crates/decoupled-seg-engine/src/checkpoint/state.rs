use std::collections::BTreeMap;

use decoupled_seg_datasets::ClassTable;
use serde::{Deserialize, Serialize};

use super::{FileDigest, TrainingImages};
use crate::recipe::Recipe;
use crate::record::{EpochRecord, LossMeans, Position, Scores};

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
    /// (`Trainer::with_network`); null if not.
    #[serde(default)]
    pub network: serde_json::Value,
    /// The images that it is trained on; `None` in checkpoints of before they were noted.
    #[serde(default)]
    pub images: Option<TrainingImages>,
    /// The images that it is validated by; `None` without validation, and in checkpoints of before they were noted.
    #[serde(default)]
    pub validation: Option<TrainingImages>,
    /// [Fingerprint](decoupled_seg_datasets::SegmentationDataset::fingerprint) of their labels; `None` where there is none,
    /// and in checkpoints of before it was noted.
    #[serde(default)]
    pub validation_labels: Option<u64>,
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
            images: None,
            validation: None,
            validation_labels: None,
            scores: None,
            running: LossMeans::default(),
            history: Vec::new(),
            seconds: 0.0,
            parameters: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }
}
