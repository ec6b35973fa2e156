//! Tensor functions that losses and targets share.

mod disk;
mod popcount;
mod window;

pub(crate) use disk::{DiskValues, differs_within};
pub(crate) use popcount::{bit_count, lowest_bit};
pub(crate) use window::{bits_in_window, differs_from_neighbour};

use burn::tensor::{DType, FloatDType, Int, IntDType, Tensor};

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
