//! What a backend must bring for convolutions. The bodies here are Burn's own ops; the CPU has others.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata, backend_extension};
use burn::tensor::Shape;
use burn::tensor::ops::ConvOptions;

/// The differentiable op.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
    Capture: cfg(feature = "capture"),
    Remote: cfg(feature = "remote"),
    Fusion: cfg(feature = "fusion"),
)]
pub(crate) trait ConvBackend: Backend {
    /// Convolves `x` and makes negative results zero if `relu`.
    #[fusion(default)]
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions<2>,
        relu: bool,
    ) -> FloatTensor<Self> {
        finish::<Self>(Self::conv2d(x, weight, None, options), None, relu)
    }

    /// Convolves `x`, adds a number a channel, and makes negative results zero if `relu`.
    #[fusion(default)]
    fn convolve_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
        relu: bool,
    ) -> FloatTensor<Self> {
        finish::<Self>(Self::conv2d(x, weight, Some(bias), options), None, relu)
    }

    /// As [`convolve_bias`](Self::convolve_bias), with more rounding where that is faster.
    #[fusion(default)]
    fn convolve_fast(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
        relu: bool,
    ) -> FloatTensor<Self> {
        Self::convolve_bias(x, weight, bias, options, relu)
    }

    /// As [`convolve_sum`](Self::convolve_sum), with more rounding where that is faster.
    #[fusion(default)]
    fn convolve_fast_sum(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        addend: FloatTensor<Self>,
        options: ConvOptions<2>,
        relu: bool,
    ) -> FloatTensor<Self> {
        Self::convolve_sum(x, weight, bias, addend, options, relu)
    }

    /// Convolves `x` with weights that are multiplied by a number an output channel, adds another, and makes negative results
    /// zero if `relu`.
    #[fusion(default)]
    fn convolve_scaled(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
        relu: bool,
    ) -> FloatTensor<Self> {
        Self::convolve_bias(x, scaled::<Self>(weight, scale), bias, options, relu)
    }

    /// As [`convolve_scaled`](Self::convolve_scaled), with a tensor that is added before negative results become zero.
    #[fusion(default)]
    fn convolve_scaled_sum(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        addend: FloatTensor<Self>,
        options: ConvOptions<2>,
        relu: bool,
    ) -> FloatTensor<Self> {
        let weight = scaled::<Self>(weight, scale);
        Self::convolve_sum(x, weight, bias, addend, options, relu)
    }

    /// Convolves `x`, adds a number a channel and a tensor, and makes negative results zero if `relu`.
    #[fusion(default)]
    fn convolve_sum(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        addend: FloatTensor<Self>,
        options: ConvOptions<2>,
        relu: bool,
    ) -> FloatTensor<Self> {
        finish::<Self>(
            Self::conv2d(x, weight, Some(bias), options),
            Some(addend),
            relu,
        )
    }
}

/// Weights times a number an output channel.
pub(in super::super) fn scaled<B: Backend>(
    weight: FloatTensor<B>,
    scale: FloatTensor<B>,
) -> FloatTensor<B> {
    let channels = weight.shape()[0];
    B::float_mul(
        weight,
        B::float_reshape(scale, Shape::new([channels, 1, 1, 1])),
    )
}

/// Adds `addend` to `output` and makes negative results zero if `relu`.
pub(in super::super) fn finish<B: Backend>(
    mut output: FloatTensor<B>,
    addend: Option<FloatTensor<B>>,
    relu: bool,
) -> FloatTensor<B> {
    if let Some(addend) = addend {
        output = B::float_add(output, addend);
    }
    if relu {
        output = B::relu(output);
    }
    output
}

/// Its gradients.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
    Remote: cfg(feature = "remote"),
    Fusion: cfg(feature = "fusion"),
)]
pub(crate) trait ConvGradients: Backend {
    /// The gradient of the input.
    #[fusion(default)]
    fn convolve_input_gradient(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        Self::conv2d_x_backward(x, weight, grad, options)
    }

    /// The gradient of the weights.
    #[fusion(default)]
    fn convolve_weight_gradient(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        Self::conv2d_weight_backward(x, weight, grad, options)
    }
}

#[cfg(feature = "cube")]
impl ConvBackend for burn_cubecl::CubeBackend {}
#[cfg(feature = "cube")]
impl ConvGradients for burn_cubecl::CubeBackend {}

#[cfg(feature = "capture")]
impl ConvBackend for burn::backend::Capture {}
#[cfg(feature = "capture")]
impl ConvGradients for burn::backend::Capture {}
