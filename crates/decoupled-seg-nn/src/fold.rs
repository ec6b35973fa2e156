use std::cell::Cell;

use burn::module::{Module, ModuleMapper, Param, RunningState};
use burn::nn::BatchNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::{FloatDType, Tensor};

use crate::ops::folded;

/// The inference form of a module: the same map in fewer operations.
pub trait Fold: Sized {
    /// Folds every batch norm that stands behind a convolution into it:
    ///
    /// ```text
    /// scale   = gamma / sqrt(running_var + epsilon)
    /// weight' = weight * scale
    /// bias'   = beta + (bias - running_mean) * scale
    /// ```
    ///
    /// Other norms stay, with statistics of their own: a clone of a norm shares them with the original, so that
    /// whatever writes into one, such as loading or a change of number type, writes into both.
    #[must_use]
    fn fold(self) -> Self;
}

impl<T: Fold> Fold for Vec<T> {
    fn fold(self) -> Self {
        self.into_iter().map(T::fold).collect()
    }
}

impl<T: Fold> Fold for Option<T> {
    fn fold(self) -> Self {
        self.map(T::fold)
    }
}

/// A norm that stands behind no convolution.
impl Fold for BatchNorm {
    fn fold(self) -> Self {
        Self {
            running_mean: RunningState::new(self.running_mean.value_sync()),
            running_var: RunningState::new(self.running_var.value_sync()),
            ..self
        }
    }
}

/// One convolution with bias that computes what the convolution and the norm behind it do.
pub(crate) fn fold_norm(mut conv: Conv2d, norm: &BatchNorm) -> Conv2d {
    let (scale, bias) = folded(&conv, norm);
    let weight = conv.weight.val().detach();
    let [channels_out, ..] = weight.dims();
    conv.weight = Param::from_tensor(weight * scale.reshape([channels_out, 1, 1, 1]));
    conv.bias = Some(Param::from_tensor(bias));
    conv
}

/// How a network that only predicts calculates on a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arithmetic {
    /// Winograd's F(4x4, 3x3) in the layers whose size makes it faster: a quarter of the products, ten times the rounding,
    /// about 5e-6 of the largest output of a layer.
    #[default]
    Fast,
    /// The products and sums of the definition.
    Exact,
}

thread_local! {
    static OF_FOLD: Cell<Arithmetic> = const { Cell::new(Arithmetic::Exact) };
}

impl Arithmetic {
    /// What blocks that are being folded on this thread are to use.
    pub(crate) fn of_fold() -> Self {
        OF_FOLD.get()
    }

    /// Folds `network` into one that uses it.
    fn fold<M: Fold>(self, network: M) -> M {
        /// Puts the old one back, also if folding panics.
        struct Reset(Arithmetic);
        impl Drop for Reset {
            fn drop(&mut self) {
                OF_FOLD.set(self.0);
            }
        }
        let _reset = Reset(OF_FOLD.replace(self));
        network.fold()
    }
}

/// A folded copy of a network whose parameters are of type `dtype`. The network itself stays as it is.
///
/// Images have to be of that type too (`images.cast(dtype)`), and so are the logits. `arithmetic` matters in `f32` on a CPU;
/// the weights are the same with both.
///
/// # Panics
///
/// Panics if the network has no parameters, or if its device does not compute in `dtype`;
/// [`Device::supports_dtype`](burn::tensor::Device::supports_dtype) says so beforehand.
pub fn for_inference<M: Module + Fold>(
    network: &M,
    dtype: FloatDType,
    arithmetic: Arithmetic,
) -> M {
    let device = network
        .devices()
        .into_iter()
        .next()
        .expect("a network has parameters");
    assert!(
        device.supports_dtype(dtype),
        "the device does not compute in {dtype:?}"
    );
    let network = arithmetic.fold(network.clone());
    match dtype {
        FloatDType::F32 => network,
        _ => network.map(&mut Cast(dtype)),
    }
}

struct Cast(FloatDType);

impl ModuleMapper for Cast {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.cast(self.0))
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::BatchNormConfig;
    use burn::tensor::{Device, Distribution, Tolerance};

    use super::*;
    use crate::ConvNormActConfig;

    #[test]
    fn folding_keeps_the_map() {
        let device = Device::default();
        device.seed(2);
        let random =
            |low, high| Tensor::<1>::random([5], Distribution::Uniform(low, high), &device);
        for bias in [false, true] {
            let config = ConvNormActConfig::new([3, 5], [3, 3]).with_bias(bias);
            let mut block = config.with_norm_epsilon(1e-3).init(&device);
            let norm = block.norm.as_mut().expect("has a norm by default");
            norm.gamma = Param::from_tensor(random(0.5, 1.5));
            norm.beta = Param::from_tensor(random(-1.0, 1.0));
            norm.running_mean = RunningState::new(random(-1.0, 1.0));
            norm.running_var = RunningState::new(random(0.2, 2.0));
            let input = Tensor::random([2, 3, 6, 5], Distribution::Normal(0.0, 1.0), &device);

            let expected = block.forward(input.clone());
            let folded = block.fold();

            assert!(folded.norm.is_none());
            // A few f32 roundings of values around 1.
            folded
                .forward(input)
                .into_data()
                .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-5));
        }
    }

    #[test]
    fn a_norm_that_stays_has_statistics_of_its_own() {
        let device = Device::default();
        let norm = BatchNormConfig::new(1).init(&device);
        let own = norm.clone().fold();
        norm.running_mean.update(Tensor::ones([1], &device));
        assert_eq!(norm.running_mean.value_sync().into_scalar::<f32>(), 1.0);
        assert_eq!(own.running_mean.value_sync().into_scalar::<f32>(), 0.0);
    }
}
