//! Batch norm in training: kernels of our own on the CPU, Burn's elsewhere.

mod autodiff;
mod backend;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

pub(super) use backend::NormBackend;
#[cfg(any(feature = "flex", feature = "remote"))]
pub(super) use backend::NormGradients;

/// What a batch norm in training returns.
pub(crate) struct Normalized {
    /// `[batch, channels, height, width]`
    pub(crate) output: Tensor<4>,
    /// `[channels]`, without a gradient.
    pub(crate) mean: Tensor<1>,
    /// Biased, `[channels]`, without a gradient.
    pub(crate) variance: Tensor<1>,
}

/// Normalises `input`, `[batch, channels, height, width]`, by the mean and the variance that each channel has in it:
///
/// ```text
/// output = (input - mean) / sqrt(variance + epsilon) * gamma + beta + addend      negative results zero if `relu`
/// ```
pub(crate) fn normalize(
    input: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    addend: Option<Tensor<4>>,
    epsilon: f64,
    relu: bool,
) -> Normalized {
    if let Some(addend) = &addend {
        assert_eq!(
            addend.dims(),
            input.dims(),
            "the addend is of the input's shape"
        );
    }
    let (x, gamma, beta) = (
        input.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
    );
    let (output, mean, variance) = match addend {
        Some(addend) => {
            Dispatch::normalize_sum(x, gamma, beta, addend.into_dispatch(), epsilon, relu)
        }
        None => Dispatch::normalize(x, gamma, beta, epsilon, relu),
    };
    Normalized {
        output: Tensor::from_dispatch(output),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}
