use burn::config::Config;
use burn::module::{Initializer, Module};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use crate::activation::Activation;
use crate::batch_norm::batch_norm_sum;
use crate::conv_init::ConvInit;
use crate::cost::{Cost, CostCounter, MapShape};
use crate::fold::{Arithmetic, Fold, fold_norm};
use crate::ops::{conv2d, conv2d_fast, conv2d_norm, conv2d_sum};

/// Configuration of a [`ConvNormAct`]; [`init`](ConvNormActConfig::init) builds it.
#[derive(Config, Debug)]
pub struct ConvNormActConfig {
    /// Channels `[in, out]`.
    pub channels: [usize; 2],
    /// Kernel `[height, width]`.
    pub kernel_size: [usize; 2],
    /// Stride `[vertical, horizontal]`.
    #[config(default = "[1, 1]")]
    pub stride: [usize; 2],
    /// Zeros added on both sides, `[vertical, horizontal]`.
    #[config(default = "[0, 0]")]
    pub padding: [usize; 2],
    /// Distance between the taps of the kernel.
    #[config(default = "[1, 1]")]
    pub dilation: [usize; 2],
    /// Groups of channels that do not see each other; `in` for a depthwise convolution.
    #[config(default = 1)]
    pub groups: usize,
    /// Whether the convolution has a bias. A batch norm behind it makes one redundant.
    #[config(default = false)]
    pub bias: bool,
    /// Whether a batch norm follows.
    #[config(default = true)]
    pub norm: bool,
    /// What is added to the variance in the batch norm.
    #[config(default = 1e-5)]
    pub norm_epsilon: f64,
    /// Share of a batch in the running statistics of the batch norm.
    #[config(default = 0.1)]
    pub norm_momentum: f64,
    /// What it ends in, if anything.
    #[config(default = "Some(Activation::Relu)")]
    pub activation: Option<Activation>,
    /// How the convolution starts.
    #[config(default = "ConvInit::Uniform")]
    pub conv_init: ConvInit,
}

/// A convolution, a batch norm and a ReLU, the last two optional. Built by [`ConvNormActConfig`].
#[doc(alias = "ConvBnRelu")]
#[derive(Module, Debug)]
pub struct ConvNormAct {
    /// The convolution.
    pub conv: Conv2d,
    /// The batch norm, if any.
    pub norm: Option<BatchNorm>,
    /// What it ends in, if anything.
    #[module(skip)]
    pub activation: Option<Activation>,
    /// How it calculates on a CPU once the norm is folded in.
    #[module(skip)]
    pub arithmetic: Arithmetic,
}

impl ConvNormActConfig {
    /// Pads so that a stride of 1 keeps the size: half of the dilated kernel on every side.
    ///
    /// # Panics
    ///
    /// Panics if the kernel is even along an axis.
    #[must_use]
    pub fn with_same_padding(mut self) -> Self {
        let [height, width] = self.kernel_size;
        assert!(
            height % 2 == 1 && width % 2 == 1,
            "same padding needs an odd kernel, got {height}x{width}"
        );
        self.padding = [
            self.dilation[0] * (height / 2),
            self.dilation[1] * (width / 2),
        ];
        self
    }

    /// Builds the block on `device`.
    ///
    /// # Panics
    ///
    /// Panics if a number is zero, or the channels are not divisible by `groups`.
    pub fn init(&self, device: &Device) -> ConvNormAct {
        assert!(
            self.channels.iter().all(|&channels| channels > 0),
            "channels must be greater than zero, got {:?}",
            self.channels
        );
        let mut conv = self.conv().init(device);
        if self.bias && self.conv_init.zero_bias() {
            conv.bias = Some(Initializer::Zeros.init([self.channels[1]], device));
        }

        ConvNormAct {
            conv,
            norm: self.norm.then(|| {
                BatchNormConfig::new(self.channels[1])
                    .with_epsilon(self.norm_epsilon)
                    .with_momentum(self.norm_momentum)
                    .init(device)
            }),
            activation: self.activation,
            arithmetic: Arithmetic::Exact,
        }
    }

    fn conv(&self) -> Conv2dConfig {
        let [vertical, horizontal] = self.padding;
        Conv2dConfig::new(self.channels, self.kernel_size)
            .with_stride(self.stride)
            .with_padding(PaddingConfig2d::Explicit(
                vertical, horizontal, vertical, horizontal,
            ))
            .with_dilation(self.dilation)
            .with_groups(self.groups)
            .with_bias(self.bias)
            .with_initializer(self.conv_init.weight())
    }
}

impl Cost for ConvNormActConfig {
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape {
        let output = self.conv().cost(input, counter);
        if self.norm {
            counter.batch_norm(output);
        }
        if self.activation.is_some() {
            counter.activation(output);
        }
        output
    }
}

impl ConvNormAct {
    /// Applies convolution, norm and ReLU.
    ///
    /// # Shapes
    ///
    /// - `input`: `[batch, in, height, width]`
    /// - output: `[batch, out, height', width']` with
    ///   `height' = (height + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1`
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not `in`, or as [`batch_norm`](crate::batch_norm).
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        match self.activation {
            None => self.linear(input, None, false),
            Some(Activation::Relu) => self.linear(input, None, true),
            Some(activation) => activation.forward(self.linear(input, None, false)),
        }
    }

    /// Applies convolution and norm, adds `addend`, and applies the ReLU that ends a residual block, whatever the block's own
    /// activation is.
    ///
    /// # Shapes
    ///
    /// - `input`: as of [`forward`](Self::forward)
    /// - `addend`, output: as the output of [`forward`](Self::forward)
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), and if `addend` is not of the output's shape.
    pub fn forward_residual(&self, input: Tensor<4>, addend: Tensor<4>) -> Tensor<4> {
        self.linear(input, Some(addend), true)
    }

    fn linear(&self, input: Tensor<4>, addend: Option<Tensor<4>>, relu: bool) -> Tensor<4> {
        match &self.norm {
            Some(norm) => conv2d_norm(&self.conv, norm, &input, addend.as_ref(), relu)
                .unwrap_or_else(|| batch_norm_sum(norm, conv2d(&self.conv, input), addend, relu)),
            None if self.arithmetic == Arithmetic::Fast => {
                conv2d_fast(&self.conv, input, addend, relu)
            }
            None => conv2d_sum(&self.conv, input, addend, relu),
        }
    }

    /// The smallest batch that the block can be trained on where it sees one value a channel of each image: 2, or 1 if
    /// its norm is absent or frozen.
    pub fn min_pooled_batch(&self) -> usize {
        let training = |norm: &BatchNorm| norm.training.is_enabled();
        1 + usize::from(self.norm.as_ref().is_some_and(training))
    }
}

impl Fold for ConvNormAct {
    fn fold(mut self) -> Self {
        if let Some(norm) = self.norm.take() {
            self.conv = fold_norm(self.conv, &norm);
            self.arithmetic = Arithmetic::of_fold();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::unpadded(ConvNormActConfig::new([4, 6], [3, 3]), [2, 6, 7, 9])]
    #[case::same(ConvNormActConfig::new([4, 6], [3, 3]).with_dilation([2, 2]).with_same_padding(), [2, 6, 9, 11])]
    #[case::strided(ConvNormActConfig::new([4, 4], [3, 3]).with_stride([2, 2]).with_groups(4), [2, 4, 4, 5])]
    #[case::pointwise(ConvNormActConfig::new([4, 1], [1, 1]), [2, 1, 9, 11])]
    fn shapes(#[case] config: ConvNormActConfig, #[case] expected: [usize; 4]) {
        let device = Device::default();
        let input = Tensor::<4>::ones([2, 4, 9, 11], &device);
        assert_eq!(config.init(&device).forward(input).dims(), expected);
    }

    #[test]
    fn without_norm_and_activation_it_is_the_convolution() {
        let device = Device::default();
        let block = ConvNormActConfig::new([1, 1], [1, 1])
            .with_norm(false)
            .with_activation(None)
            .with_bias(true)
            .init(&device);
        let input = Tensor::<4>::from_floats([[[[-2.0, 3.0]]]], &device);

        let expected = block.conv.forward(input.clone());

        assert_eq!(block.forward(input).into_data(), expected.into_data());
    }

    #[test]
    fn he_normal_starts_biases_at_zero() {
        let device = Device::default();
        let config = ConvNormActConfig::new([2, 3], [3, 3])
            .with_bias(true)
            .with_conv_init(ConvInit::HeNormal);
        let bias = config.init(&device).conv.bias.expect("asked for a bias");
        assert_eq!(bias.val().into_data(), TensorData::from([0.0_f32; 3]));
    }

    #[rstest]
    #[case::uniform(ConvInit::Uniform, (1.0 / 3.0_f32 / (32.0 * 9.0)).sqrt())]
    #[case::fan_in(ConvInit::HeNormal, (2.0_f32 / (32.0 * 9.0)).sqrt())]
    #[case::fan_out(ConvInit::HeNormalFanOut, (2.0_f32 / (64.0 * 9.0)).sqrt())]
    fn weights_start_with_the_standard_deviation_of_their_rule(
        #[case] conv_init: ConvInit,
        #[case] expected: f32,
    ) {
        let device = Device::default();
        device.seed(7);
        let config = ConvNormActConfig::new([32, 64], [3, 3]).with_conv_init(conv_init);
        let weight: Vec<f32> = config
            .init(&device)
            .conv
            .weight
            .val()
            .into_data()
            .try_into_vec()
            .expect("weights are f32");
        let mean_square =
            weight.iter().map(|value| value * value).sum::<f32>() / weight.len() as f32;
        // 18432 draws: the estimate is within 2 % at four standard errors and a bit.
        let ratio = mean_square.sqrt() / expected;
        assert!((ratio - 1.0).abs() < 0.03, "ratio {ratio}");
    }

    #[test]
    #[should_panic(expected = "same padding needs an odd kernel, got 2x3")]
    fn same_padding_refuses_even_kernels() {
        let _ = ConvNormActConfig::new([1, 1], [2, 3]).with_same_padding();
    }
}
