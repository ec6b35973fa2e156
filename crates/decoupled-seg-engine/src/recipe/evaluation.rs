use decoupled_seg_metrics::{AbsentClass, BoundaryThreshold};
use serde::{Deserialize, Serialize};

use super::Protocol;

/// How a network is judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationRecipe {
    /// How predictions are made.
    pub protocol: Protocol,
    /// Distances at which boundary F-scores are taken; none: boundaries are not looked at, which saves time.
    pub boundary: Vec<BoundaryThreshold>,
    /// What a class scores at boundaries in images that do not show it; the authors' figures take
    /// [`AbsentClass::Perfect`].
    pub absent_class: AbsentClass,
    /// Images to evaluate at most, the first ones of the data set; none: all of them.
    pub max_images: Option<usize>,
}

impl EvaluationRecipe {
    /// Sets [`protocol`](Self::protocol).
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// The same without what changes the time alone: recipes that are equal then give equal scores.
    #[must_use]
    pub fn without_time(mut self) -> Self {
        self.protocol.tile_batch = Protocol::default().tile_batch;
        self
    }

    /// Sets [`boundary`](Self::boundary).
    pub fn with_boundary(mut self, thresholds: impl Into<Vec<BoundaryThreshold>>) -> Self {
        self.boundary = thresholds.into();
        self
    }
}
