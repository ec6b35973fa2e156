//! The heavy parts of losses and targets, with a fast path for the CPU each. Nothing here reads a tensor back to the host.

mod edge_entropy;
#[cfg(feature = "flex")]
mod flex;
mod kth_largest;
mod likelihood;
mod set_loss;

pub(crate) use edge_entropy::edge_entropy;
pub(crate) use kth_largest::kth_largest;
pub(crate) use likelihood::label_nll;
pub(crate) use set_loss::set_loss;

use burn::tensor::{Bool, Int, Tensor};
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

/// The mean of the losses over the candidates of at least a limit, where the device is the host:
///
/// ```text
/// limit = min(easiest, min_kept-th largest loss of a candidate)     none if there are fewer, or `min_kept` is 0
/// ```
///
/// NaN is kept. Without a candidate the mean is 0, with a zero gradient.
pub(crate) fn hard_mean(
    losses: &Tensor<3>,
    candidates: &Tensor<3, Bool>,
    min_kept: usize,
    easiest: f32,
) -> Option<Tensor<1>> {
    #[cfg(feature = "flex")]
    if flex::serves(&losses.device()) {
        let (losses, candidates) = (losses.clone(), candidates.clone());
        return Some(flex::hard_mean(losses, candidates, min_kept, easiest));
    }
    let _ = (losses, candidates, min_kept, easiest);
    None
}
