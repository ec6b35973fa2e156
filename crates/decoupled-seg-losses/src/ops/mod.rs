//! Tensor functions that the losses and targets share. Nothing here reads a tensor back to the host.

mod disk;
#[cfg(feature = "flex")]
mod flex;
mod kth_largest;
mod likelihood;
mod popcount;
mod window;

pub(crate) use disk::{DiskValues, differs_within};
pub(crate) use kth_largest::kth_largest;
pub(crate) use likelihood::{label_nll, set_nll};
pub(crate) use popcount::{bit_count, lowest_bit};
pub(crate) use window::{bits_in_window, differs_from_neighbour};

use burn::tensor::{DType, FloatDType, Int, IntDType, Tensor};
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

/// The logits in f32: a sum over a million pixels has no digits left in f16 or bf16.
pub(crate) fn in_f32(logits: Tensor<4>) -> Tensor<4> {
    match logits.dtype() {
        DType::F32 => logits,
        _ => logits.cast(FloatDType::F32),
    }
}

/// Labels off the autodiff graph, in a type that has room for -1 and for `num_classes + 1`.
pub(crate) fn plain<const D: usize>(labels: Tensor<D, Int>) -> Tensor<D, Int> {
    let labels = labels.inner();
    match labels.dtype() {
        DType::I32 | DType::I64 => labels,
        _ => labels.cast(IntDType::I32),
    }
}
