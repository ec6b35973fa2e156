//! What the tests of the ops share.
#![allow(dead_code)] // Every test file compiles its own copy and uses a part of it.

use burn::tensor::{Device, Tensor};

/// The device under test.
pub fn device() -> Device {
    Device::default()
}

/// The device under test, recording gradients.
pub fn autodiff_device() -> Device {
    device().autodiff()
}

/// The elements of a tensor in row-major order.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .convert::<f32>()
        .into_vec()
        .expect("converted to f32")
}
