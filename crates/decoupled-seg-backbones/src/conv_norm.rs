use burn::config::Config;
use burn::module::{Initializer, Module, Param, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

/// Configuration of a [`ConvNorm`]; [`init`](ConvNormConfig::init) builds it.
#[derive(Config, Debug)]
pub struct ConvNormConfig {
    /// Channels in and out.
    pub channels: [usize; 2],
    /// Side of the square kernel, odd. The padding keeps the size at stride 1: `dilation * (kernel_size - 1) / 2`.
    pub kernel_size: usize,
    /// Step of the kernel, in pixels.
    #[config(default = 1)]
    pub stride: usize,
    /// Distance between the taps of the kernel, in pixels.
    #[config(default = 1)]
    pub dilation: usize,
    /// Whether a batch norm follows.
    #[config(default = true)]
    pub norm: bool,
    /// Whether the convolution has a bias. A batch norm behind it makes one redundant.
    #[config(default = false)]
    pub bias: bool,
    /// How the convolution starts: by default normal with variance `2 / fan_out`, the ResNets' own rule.
    #[config(default = "fan_out_normal()")]
    pub initializer: Initializer,
}

/// A convolution and its batch norm (epsilon 1e-5, momentum 0.1). Built by [`ConvNormConfig`].
#[derive(Module, Debug)]
pub struct ConvNorm {
    /// The convolution.
    pub conv: Conv2d,
    /// The norm over its output, if any.
    pub norm: Option<BatchNorm>,
}

impl ConvNormConfig {
    /// Builds the layers on `device`.
    ///
    /// # Panics
    ///
    /// Panics if the kernel size is even, or a number is zero.
    pub fn init(&self, device: &Device) -> ConvNorm {
        assert!(
            self.kernel_size % 2 == 1,
            "kernel_size must be odd, got {}",
            self.kernel_size
        );
        assert!(
            self.channels.iter().all(|&channels| channels > 0),
            "channels must be greater than zero, got {:?}",
            self.channels
        );
        let padding = self.padding();
        let conv = Conv2dConfig::new(self.channels, [self.kernel_size; 2])
            .with_stride([self.stride; 2])
            .with_dilation([self.dilation; 2])
            .with_padding(PaddingConfig2d::Explicit(
                padding, padding, padding, padding,
            ))
            .with_bias(self.bias)
            .with_initializer(self.initializer.clone());

        ConvNorm {
            conv: conv.init(device),
            norm: self
                .norm
                .then(|| BatchNormConfig::new(self.channels[1]).init(device)),
        }
    }

    /// Zero pixels added on each side.
    pub const fn padding(&self) -> usize {
        self.dilation * (self.kernel_size - 1) / 2
    }
}

impl ConvNorm {
    /// Convolves, then normalises.
    ///
    /// # Shapes
    ///
    /// - `input`: `[batch, channels_in, height, width]`
    /// - output: `[batch, channels_out, ceil(height / stride), ceil(width / stride)]`
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let output = self.conv.forward(input);
        match &self.norm {
            Some(norm) => normalize(norm, output),
            None => output,
        }
    }

    /// The same map as one convolution with bias, see [`fold_batch_norm`].
    pub fn fold_batch_norm(mut self) -> Self {
        if let Some(norm) = self.norm.take() {
            self.conv = fold_batch_norm(self.conv, &norm);
        }
        self
    }
}

/// Applies a batch norm in the float type of its weights, to an input of any.
pub(crate) fn normalize(norm: &BatchNorm, input: Tensor<4>) -> Tensor<4> {
    let (own, given) = (norm.gamma.val().dtype(), input.dtype());
    if own == given {
        norm.forward(input)
    } else {
        norm.forward(input.cast(own)).cast(given)
    }
}

/// Folds the batch norm behind a convolution into it: one convolution with bias that computes the same.
///
/// ```text
/// scale   = gamma / sqrt(running_var + epsilon)
/// weight' = weight * scale
/// bias'   = beta + (bias - running_mean) * scale
/// ```
///
/// For inference: the result has no statistics to follow the data with.
pub fn fold_batch_norm(mut conv: Conv2d, norm: &BatchNorm) -> Conv2d {
    let variance = norm.running_var.value_sync();
    let scale = norm.gamma.val().detach() / (variance + norm.epsilon).sqrt();
    let weight = conv.weight.val().detach();
    let [channels_out, ..] = weight.dims();

    let mean = norm.running_mean.value_sync();
    let offset = match &conv.bias {
        Some(bias) => bias.val().detach() - mean,
        None => -mean,
    };
    let bias = norm.beta.val().detach() + offset * scale.clone();
    conv.weight = Param::from_tensor(weight * scale.reshape([channels_out, 1, 1, 1]));
    conv.bias = Some(Param::from_tensor(bias));
    conv
}

/// The norm with statistics of its own. A clone of a norm shares them with the original, so that whatever writes into
/// one, such as loading or a change of number type, writes into both.
pub fn with_own_statistics(norm: BatchNorm) -> BatchNorm {
    BatchNorm {
        running_mean: RunningState::new(norm.running_mean.value_sync()),
        running_var: RunningState::new(norm.running_var.value_sync()),
        ..norm
    }
}

/// The ResNets' own initialisation: normal, variance `2 / fan_out`.
fn fan_out_normal() -> Initializer {
    Initializer::KaimingNormal {
        gain: 2.0_f64.sqrt(),
        fan_out_only: true,
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tolerance};

    use super::*;

    #[test]
    fn strides_and_dilation_keep_the_centre() {
        let device = Device::default();
        let input = Tensor::zeros([1, 2, 9, 7], &device);
        let strided = ConvNormConfig::new([2, 3], 3).with_stride(2).init(&device);
        let dilated = ConvNormConfig::new([2, 3], 3)
            .with_dilation(4)
            .init(&device);

        assert_eq!(strided.forward(input.clone()).dims(), [1, 3, 5, 4]);
        assert_eq!(dilated.forward(input).dims(), [1, 3, 9, 7]);
    }

    #[test]
    fn starts_with_variance_two_over_fan_out() {
        let device = Device::default();
        device.seed(1);
        let layer = ConvNormConfig::new([8, 64], 3).init(&device);
        let (variance, mean) = layer.conv.weight.val().flatten::<1>(0, 3).var_mean(0);

        // 4608 draws: the standard errors are 2.1 % of the variance and 1.5 % of the deviation.
        let expected = 2.0 / (64.0 * 9.0);
        let variance: f32 = variance.into_scalar();
        assert!(
            (variance / expected - 1.0).abs() < 0.1,
            "variance {variance}"
        );
        assert!(mean.into_scalar::<f32>().abs() < 0.1 * expected.sqrt());
    }

    #[test]
    fn folding_keeps_the_map() {
        let device = Device::default();
        device.seed(2);
        let random = |shape: [usize; 1], low, high| {
            Tensor::<1>::random(shape, Distribution::Uniform(low, high), &device)
        };
        let mut layer = ConvNormConfig::new([3, 5], 3).init(&device);
        let norm = layer.norm.as_mut().expect("has a norm by default");
        norm.gamma = Param::from_tensor(random([5], 0.5, 1.5));
        norm.beta = Param::from_tensor(random([5], -1.0, 1.0));
        norm.running_mean = RunningState::new(random([5], -1.0, 1.0));
        norm.running_var = RunningState::new(random([5], 0.2, 2.0));
        let input = Tensor::random([2, 3, 6, 5], Distribution::Normal(0.0, 1.0), &device);

        let expected = layer.forward(input.clone());
        let folded = layer.fold_batch_norm();
        assert!(folded.norm.is_none());
        // A few f32 roundings of values around 1.
        folded
            .forward(input)
            .into_data()
            .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-5));
    }

    #[test]
    fn statistics_of_its_own_stay_when_the_original_moves() {
        let device = Device::default();
        let norm = BatchNormConfig::new(1).init(&device);
        let own = with_own_statistics(norm.clone());
        norm.running_mean.update(Tensor::ones([1], &device));
        assert_eq!(norm.running_mean.value_sync().into_scalar::<f32>(), 1.0);
        assert_eq!(own.running_mean.value_sync().into_scalar::<f32>(), 0.0);
    }

    #[test]
    #[should_panic(expected = "kernel_size must be odd, got 2")]
    fn even_kernels_are_refused() {
        ConvNormConfig::new([1, 1], 2).init(&Device::default());
    }
}
