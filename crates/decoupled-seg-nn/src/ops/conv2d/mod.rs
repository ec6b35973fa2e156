//! Convolution: kernels of our own on the CPU, Burn's elsewhere.

mod autodiff;
mod backend;

use burn::backend::Dispatch;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, PaddingConfig2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, activation};

use super::is_flex;
#[cfg(any(feature = "flex", feature = "remote"))]
pub(super) use backend::ConvGradients;
#[cfg(feature = "flex")]
pub(super) use backend::scaled;
pub(super) use backend::{ConvBackend, finish};

/// Applies a convolution: the same result as [`Conv2d::forward`], faster on a CPU.
///
/// # Shapes
///
/// - `input`: `[batch, in, height, width]`
/// - result: `[batch, out, height', width']`, as of [`Conv2d::forward`]
///
/// # Panics
///
/// Panics if axis 1 is not the number of input channels, or if the kernel is larger than the padded input.
pub fn conv2d(conv: &Conv2d, input: Tensor<4>) -> Tensor<4> {
    conv2d_sum(conv, input, None, false)
}

/// Applies a convolution, adds `addend` and, if `relu`, makes negative results zero, in one pass over the output where
/// no gradient is asked for.
///
/// # Shapes
///
/// - `input`: `[batch, in, height, width]`
/// - `addend`, result: `[batch, out, height', width']`, as of [`Conv2d::forward`]
///
/// # Panics
///
/// Panics if axis 1 is not the number of input channels, if the kernel is larger than the padded input, or if `addend` is not of the
/// result's shape.
pub fn conv2d_sum(
    conv: &Conv2d,
    input: Tensor<4>,
    addend: Option<Tensor<4>>,
    relu: bool,
) -> Tensor<4> {
    let Some(options) = options(conv, &input) else {
        // Burn alone knows how it splits an odd sum of zeros.
        let output = conv.forward(input);
        let output = match addend {
            Some(addend) => output + addend,
            None => output,
        };
        return if relu {
            activation::relu(output)
        } else {
            output
        };
    };
    let weight = conv.weight.val();
    let (x, weight) = (input.into_dispatch(), weight.into_dispatch());
    let bias = conv.bias.as_ref().map(|bias| bias.val());
    let output = match (bias, addend) {
        (None, None) => Dispatch::convolve(x, weight, options, relu),
        (Some(bias), None) => {
            Dispatch::convolve_bias(x, weight, bias.into_dispatch(), options, relu)
        }
        (bias, Some(addend)) => {
            let bias = bias.unwrap_or_else(|| {
                Tensor::zeros([conv.weight.dims()[0]], (&addend.device(), addend.dtype()))
            });
            let (bias, addend) = (bias.into_dispatch(), addend.into_dispatch());
            Dispatch::convolve_sum(x, weight, bias, addend, options, relu)
        }
    };
    Tensor::from_dispatch(output)
}

/// As [`conv2d_sum`] of a convolution with bias, with more rounding where that is faster.
pub(crate) fn conv2d_fast(
    conv: &Conv2d,
    input: Tensor<4>,
    addend: Option<Tensor<4>>,
    relu: bool,
) -> Tensor<4> {
    let (Some(bias), Some(options)) = (&conv.bias, options(conv, &input)) else {
        return conv2d_sum(conv, input, addend, relu);
    };
    let (x, weight) = (input.into_dispatch(), conv.weight.val().into_dispatch());
    let bias = bias.val().into_dispatch();
    Tensor::from_dispatch(match addend {
        None => Dispatch::convolve_fast(x, weight, bias, options, relu),
        Some(addend) => {
            let addend = addend.into_dispatch();
            Dispatch::convolve_fast_sum(x, weight, bias, addend, options, relu)
        }
    })
}

/// Applies a convolution and the batch norm behind it with its running statistics, adds `addend` and, if `relu`, makes
/// negative results zero, in one pass over the output. `None` on devices that have no kernel for that.
pub(crate) fn conv2d_norm(
    conv: &Conv2d,
    norm: &BatchNorm,
    input: &Tensor<4>,
    addend: Option<&Tensor<4>>,
    relu: bool,
) -> Option<Tensor<4>> {
    let device = input.device();
    let same = input.dtype() == norm.gamma.val().dtype();
    if device.is_autodiff() || !same || !is_flex(&device) {
        return None;
    }
    let options = options(conv, input)?;
    let (scale, bias) = folded(conv, norm);
    let (x, weight) = (
        input.clone().into_dispatch(),
        conv.weight.val().into_dispatch(),
    );
    let (scale, bias) = (scale.into_dispatch(), bias.into_dispatch());
    Some(Tensor::from_dispatch(match addend {
        None => Dispatch::convolve_scaled(x, weight, scale, bias, options, relu),
        Some(addend) => {
            let addend = addend.clone().into_dispatch();
            Dispatch::convolve_scaled_sum(x, weight, scale, bias, addend, options, relu)
        }
    }))
}

/// What the weights are multiplied by, and the bias, of a convolution that takes the norm behind it in.
pub(crate) fn folded(conv: &Conv2d, norm: &BatchNorm) -> (Tensor<1>, Tensor<1>) {
    let variance = norm.running_var.value_sync();
    let scale = norm.gamma.val().detach() / (variance + norm.epsilon).sqrt();
    let mean = norm.running_mean.value_sync();
    let offset = match &conv.bias {
        Some(bias) => bias.val().detach() - mean,
        None => -mean,
    };
    let bias = norm.beta.val().detach() + offset * scale.clone();
    (scale, bias)
}

/// How `conv` goes over `input`; `None` if Burn alone knows.
fn options(conv: &Conv2d, input: &Tensor<4>) -> Option<ConvOptions<2>> {
    let weight = conv.weight.val();
    let [_, channels, height, width] = input.dims();
    let expected = weight.dims()[1] * conv.groups;
    assert_eq!(
        channels, expected,
        "axis 1 expected {expected}, got {channels}: the channels that the convolution reads"
    );
    let (rows, columns) = match &conv.padding {
        PaddingConfig2d::Valid => ((0, 0), (0, 0)),
        &PaddingConfig2d::Explicit(top, left, bottom, right) => ((top, bottom), (left, right)),
        PaddingConfig2d::Same => return None,
    };
    for (side, (padding, axis)) in [(height, (rows, 0)), (width, (columns, 1))] {
        let padded = side + padding.0 + padding.1;
        let reach = conv.dilation[axis] * (conv.kernel_size[axis] - 1) + 1;
        assert!(
            reach <= padded,
            "a kernel of {reach} pixels does not fit into {padded}: the input is {height}x{width} before padding"
        );
    }
    let padding = [rows, columns];
    Some(ConvOptions::new_with_padding(
        conv.stride,
        padding,
        conv.dilation,
        conv.groups,
    ))
}
