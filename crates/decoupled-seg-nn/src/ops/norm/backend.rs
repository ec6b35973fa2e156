//! What a backend must bring for batch norms in training. The bodies here are Burn's own ops; the CPU has others.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};

use super::super::conv2d::finish;

/// The differentiable op. Each returns output, mean and biased variance of the batch; gradients flow through the first only.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
    Remote: cfg(feature = "remote"),
    Fusion: cfg(feature = "fusion"),
)]
pub(crate) trait NormBackend: Backend {
    /// Normalises `x` by the statistics of the batch and makes negative results zero if `relu`.
    #[fusion(default)]
    fn normalize(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let batch = Self::batch_norm_train(x, gamma, beta, epsilon);
        let output = finish::<Self>(batch.output, None, relu);
        (output, batch.mean, batch.variance)
    }

    /// Normalises `x`, adds `addend` and makes negative results zero if `relu`.
    #[fusion(default)]
    fn normalize_sum(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        addend: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let batch = Self::batch_norm_train(x, gamma, beta, epsilon);
        let output = finish::<Self>(batch.output, Some(addend), relu);
        (output, batch.mean, batch.variance)
    }
}

/// Its gradients. `output` is what the op returned; it tells where the ReLU let something through. Without an addend, `x`,
/// `gamma` and `beta` tell the same.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
    Remote: cfg(feature = "remote"),
    Fusion: cfg(feature = "fusion"),
)]
pub(crate) trait NormGradients: Backend {
    /// The gradients of `x`, `gamma` and `beta`, then that of an addend: what the ReLU lets through.
    // The macro passes tensors on one by one and knows no struct of them.
    #[allow(clippy::too_many_arguments)]
    #[allow(clippy::type_complexity)]
    #[fusion(default)]
    fn normalize_backward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        output: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
        addend: bool,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
    ) {
        // Only the CPU saves a copy, and reading the output, by knowing that there is no addend.
        let _ = (addend, beta);
        let grad = match relu {
            true => Self::relu_backward(output, grad),
            false => grad,
        };
        let found =
            Self::batch_norm_train_backward(x, gamma, mean, variance, epsilon, grad.clone());
        (found.x_grad, found.gamma_grad, found.beta_grad, grad)
    }
}

#[cfg(feature = "cube")]
impl NormBackend for burn_cubecl::CubeBackend {}
#[cfg(feature = "cube")]
impl NormGradients for burn_cubecl::CubeBackend {}
