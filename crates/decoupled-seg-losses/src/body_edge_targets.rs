use burn::tensor::{Int, Tensor};

use crate::RelaxedLabels;

/// What the body and the edge are trained towards.
#[derive(Clone, Debug)]
pub struct BodyEdgeTargets {
    /// The classes near every pixel: the target of the body.
    pub relaxed: RelaxedLabels,
    /// 1 near a border between classes, 0 elsewhere, or [`IGNORE_INDEX`](crate::IGNORE_INDEX), `[batch, height, width]`.
    pub edge_labels: Tensor<3, Int>,
}
