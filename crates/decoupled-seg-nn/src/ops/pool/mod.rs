//! Max pooling: kernels of our own on the CPU, Burn's elsewhere.

#[cfg(feature = "flex")]
mod autodiff;
#[cfg(feature = "flex")]
mod backend;

use burn::nn::pool::MaxPool2d;
use burn::tensor::Tensor;

#[cfg(feature = "flex")]
pub(super) use backend::{PoolBackend, PoolGradients};

/// The windows of a pooling.
#[cfg(feature = "flex")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    /// What is left out above and to the left, and below and to the right.
    pub(crate) padding: [usize; 2],
}

#[cfg(feature = "flex")]
impl Window {
    /// Of the poolings that the kernels know: all but dilated ones, ones that round up, and ones padded unevenly or by so
    /// much that a window sees nothing.
    fn of(pool: &MaxPool2d, input: &Tensor<4>) -> Option<Self> {
        use burn::nn::PaddingConfig2d;
        use burn::tensor::DType;

        let padding = match pool.padding {
            PaddingConfig2d::Valid => [0, 0],
            PaddingConfig2d::Explicit(top, left, bottom, right)
                if top == bottom && left == right =>
            {
                [top, left]
            }
            _ => return None,
        };
        let [_, _, height, width] = input.dims();
        let fits = |axis: usize, side: usize| {
            2 * padding[axis] <= pool.kernel_size[axis]
                && pool.kernel_size[axis] <= side + 2 * padding[axis]
                && side > 0
        };
        let known = pool.dilation == [1, 1]
            && !pool.ceil_mode
            && input.dtype() == DType::F32
            && fits(0, height)
            && fits(1, width);
        (known && super::is_flex(&input.device())).then_some(Self {
            kernel: pool.kernel_size,
            stride: pool.stride,
            padding,
        })
    }
}

/// Applies a max pooling: the same result as [`MaxPool2d::forward`], faster on a CPU.
///
/// The gradient of a maximum that a window has several times goes to the first of them, as in PyTorch.
///
/// # Shapes
///
/// - `input`: `[batch, channels, height, width]`
/// - result: `[batch, channels, height', width']`, as of [`MaxPool2d::forward`]
pub fn max_pool2d(pool: &MaxPool2d, input: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if let Some(window) = Window::of(pool, &input) {
        use burn::backend::Dispatch;
        let output = <Dispatch as PoolBackend>::largest(input.into_dispatch(), window);
        return Tensor::from_dispatch(output);
    }
    pool.forward(input)
}
