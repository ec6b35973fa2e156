//! The heavy parts of losses and targets, with a fast path for the CPU each. Nothing here reads a tensor back to the host.

mod edge_entropy;
#[cfg(feature = "flex")]
mod flex;
mod kth_largest;
mod likelihood;

pub(crate) use edge_entropy::edge_entropy;
pub(crate) use kth_largest::kth_largest;
pub(crate) use likelihood::{label_nll, set_nll};

use burn::tensor::{Int, Tensor};
use decoupled_seg_targets::TargetsOptions;

use crate::BodyEdgeTargets;

/// The targets by loops over the labels, where the device is the host and the sets of classes fit its words.
pub(crate) fn host_targets(
    labels: &Tensor<3, Int>,
    num_classes: usize,
    options: &TargetsOptions,
) -> Option<BodyEdgeTargets> {
    #[cfg(feature = "flex")]
    if flex::serves(&labels.device()) {
        return flex::host_targets(labels, num_classes, options);
    }
    let _ = (labels, num_classes, options);
    None
}
