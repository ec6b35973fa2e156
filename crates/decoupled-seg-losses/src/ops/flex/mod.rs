//! Fast paths for the Flex backend, which works on the host: fused, and on all cores.
//!
//! They compute what the tensor code beside them computes for every backend; the tests compare the two.

mod blocks;
mod edge_entropy;
mod entropy_kernel;
mod functions;
mod hard_kernel;
mod hard_mean;
mod label_kernel;
mod likelihood;
mod set_kernel;
mod set_loss;
mod targets;

pub(super) use edge_entropy::edge_entropy;
pub(super) use hard_mean::hard_mean;
pub(super) use likelihood::label_nll;
pub(super) use set_loss::set_loss;
pub(super) use targets::host_targets;

use burn::backend::ops::IntTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{DispatchDevice, Flex};
use burn::tensor::{DType, Device, IntDType, Tensor, TensorData};

/// Whether the fast paths serve tensors on this device.
pub(super) fn serves(device: &Device) -> bool {
    matches!(
        device.clone().inner().as_dispatch(),
        DispatchDevice::Flex(_)
    )
}

/// [`kth_largest`](super::kth_largest) by selection on the host, where the values are.
pub(super) fn kth_largest(rows: Tensor<2>, k: usize, at_most: f32) -> Tensor<2> {
    let [count, length] = rows.dims();
    let device = rows.device();
    let values: Vec<f32> = rows
        .try_into_vec_as()
        .expect("losses are floats, and the host has them");
    let of_row = |row: &[f32]| {
        let certain = row.iter().filter(|&&value| value >= at_most).count();
        if certain >= k {
            return at_most;
        }
        let mut below: Vec<f32> = row
            .iter()
            .copied()
            .filter(|&value| value >= 0.0 && value < at_most)
            .collect();
        let place = k - certain - 1;
        if place >= below.len() {
            return -1.0;
        }
        *below.select_nth_unstable_by(place, |a, b| b.total_cmp(a)).1
    };
    let found: Vec<f32> = values.chunks_exact(length.max(1)).map(of_row).collect();
    Tensor::from_data(TensorData::new(found, [count, 1]), &device)
}

/// The same numbers in `i32`, contiguous.
fn plain_ints(ints: IntTensor<Flex>) -> IntTensor<Flex> {
    let ints = match ints.dtype() {
        DType::I32 => ints,
        _ => Flex::int_cast(ints, IntDType::I32),
    };
    ints.to_contiguous()
}

/// The numbers of a tensor that is contiguous.
fn floats(tensor: &FloatTensor<Flex>) -> &[f32] {
    tensor
        .as_slice()
        .expect("the tensor was made contiguous, and is of f32")
}

/// As [`floats`].
fn ints(tensor: &IntTensor<Flex>) -> &[i32] {
    tensor
        .as_slice()
        .expect("the tensor was made contiguous, and is of i32")
}
