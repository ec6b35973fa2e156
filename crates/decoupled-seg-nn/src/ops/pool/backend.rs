//! What a backend must bring for max pooling. Only the CPU is asked: elsewhere Burn's op is used, which keeps indices.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};

use super::Window;

/// The differentiable op.
#[backend_extension(Autodiff, Flex: cfg(feature = "flex"))]
pub(crate) trait PoolBackend: Backend {
    /// The largest number in each window.
    fn largest(x: FloatTensor<Self>, window: Window) -> FloatTensor<Self>;
}

/// Its gradient.
#[backend_extension(Flex: cfg(feature = "flex"))]
pub(crate) trait PoolGradients: Backend {
    /// The gradient of `x`: that of each output goes to the first number that is as large.
    fn largest_backward(
        x: FloatTensor<Self>,
        output: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        window: Window,
    ) -> FloatTensor<Self>;
}
