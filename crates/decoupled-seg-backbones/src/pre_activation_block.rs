use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::conv_norm::normalize;
use crate::{ConvNorm, ConvNormConfig, with_own_statistics};

/// Configuration of a [`PreActivationBlock`]; [`init`](PreActivationBlockConfig::init) builds it.
#[derive(Config, Debug)]
pub struct PreActivationBlockConfig {
    /// Channels in.
    pub channels_in: usize,
    /// Channels behind each convolution: two 3x3 ones, or 1x1, 3x3 and 1x1.
    pub channels: Vec<usize>,
    /// Stride of the block, on its first convolution, in pixels.
    #[config(default = 1)]
    pub stride: usize,
    /// Dilation of the 3x3 convolutions, in pixels.
    #[config(default = 1)]
    pub dilation: usize,
    /// Share of the channels dropped in front of the last convolution, in training.
    #[config(default = 0.0)]
    pub dropout: f64,
}

/// A residual block that normalises first and adds last.
///
/// ```text
/// a      = relu(norm(x))
/// result = convs(a) + shortcut       shortcut = conv1x1(a), or x where the shape stays
/// ```
///
/// With norm and ReLU between the convolutions, none behind the last, and none behind the sum.
///
/// Source: He et al., ECCV 2016, [arXiv:1603.05027](https://arxiv.org/abs/1603.05027), figure 4(e). Built by
/// [`PreActivationBlockConfig`].
#[doc(alias = "IdentityResidualBlock")]
#[derive(Module, Debug)]
pub struct PreActivationBlock {
    /// The norm in front of everything.
    pub norm: BatchNorm,
    /// Two or three convolutions; all but the last have a norm behind them.
    pub convs: Vec<ConvNorm>,
    /// 1x1 convolution where stride or channels change.
    pub shortcut: Option<Conv2d>,
    /// Drops whole channels in front of the last convolution, in training.
    pub dropout: Dropout,
}

impl PreActivationBlockConfig {
    /// Builds the block on `device`, with burn-nn's default initializers.
    ///
    /// # Panics
    ///
    /// Panics if there are not two or three convolutions, a number is zero, or `dropout` is not in `0..1`.
    pub fn init(&self, device: &Device) -> PreActivationBlock {
        PreActivationBlock {
            norm: BatchNormConfig::new(self.channels_in).init(device),
            convs: self
                .convs()
                .iter()
                .map(|config| config.init(device))
                .collect(),
            shortcut: self.shortcut().map(|config| config.init(device)),
            dropout: DropoutConfig::new(self.dropout).init(),
        }
    }

    /// Channels out.
    ///
    /// # Panics
    ///
    /// Panics if there are no convolutions.
    pub fn channels_out(&self) -> usize {
        *self.channels.last().expect("a block has convolutions")
    }

    /// The convolutions on the residual path, in order.
    ///
    /// # Panics
    ///
    /// Panics if there are not two or three.
    pub fn convs(&self) -> Vec<ConvNormConfig> {
        let kernel_sizes: &[usize] = match self.channels.len() {
            2 => &[3, 3],
            3 => &[1, 3, 1],
            other => panic!("a block has 2 or 3 convolutions, got channels for {other}"),
        };
        let mut channels_in = self.channels_in;
        let mut convs = Vec::with_capacity(kernel_sizes.len());
        for (index, (&kernel_size, &channels_out)) in
            kernel_sizes.iter().zip(&self.channels).enumerate()
        {
            let config = ConvNormConfig::new([channels_in, channels_out], kernel_size)
                .with_stride(if index == 0 { self.stride } else { 1 })
                .with_dilation(if kernel_size == 1 { 1 } else { self.dilation })
                .with_norm(index + 1 < kernel_sizes.len())
                .with_initializer(Conv2dConfig::new([1, 1], [1, 1]).initializer);
            convs.push(config);
            channels_in = channels_out;
        }
        convs
    }

    /// The convolution on the shortcut, if it has one.
    ///
    /// # Panics
    ///
    /// Panics if there are no convolutions.
    pub fn shortcut(&self) -> Option<Conv2dConfig> {
        let channels = [self.channels_in, self.channels_out()];
        (self.stride != 1 || channels[0] != channels[1]).then(|| {
            Conv2dConfig::new(channels, [1, 1])
                .with_stride([self.stride; 2])
                .with_bias(false)
        })
    }
}

impl PreActivationBlock {
    /// Runs the block.
    ///
    /// # Shapes
    ///
    /// - `input`: `[batch, channels_in, height, width]`
    /// - output: `[batch, channels_out, ceil(height / stride), ceil(width / stride)]`
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let activated = relu(normalize(&self.norm, input.clone()));
        let shortcut = match &self.shortcut {
            Some(conv) => conv.forward(activated.clone()),
            None => input,
        };
        let mut residual = activated;
        for (index, conv) in self.convs.iter().enumerate() {
            if index > 0 {
                residual = relu(residual);
            }
            if index + 1 == self.convs.len() {
                residual = channel_dropout(&self.dropout, residual);
            }
            residual = conv.forward(residual);
        }

        residual + shortcut
    }

    /// The block with its batch norms folded, see [`ConvNorm::fold_batch_norm`]. The first one stays: it stands
    /// behind a sum, not behind a convolution. Its statistics become a copy, where a clone of the block shares them.
    pub fn fold_batch_norm(self) -> Self {
        Self {
            norm: with_own_statistics(self.norm),
            convs: self
                .convs
                .into_iter()
                .map(ConvNorm::fold_batch_norm)
                .collect(),
            ..self
        }
    }
}

/// Drops whole channels rather than single elements (PyTorch's `Dropout2d`).
fn channel_dropout(dropout: &Dropout, features: Tensor<4>) -> Tensor<4> {
    let device = features.device();
    if !device.is_autodiff() || !dropout.training.is_enabled() || dropout.prob == 0.0 {
        return features;
    }
    let [batch, channels, _, _] = features.dims();
    let ones = Tensor::ones([batch, channels, 1, 1], (&device, features.dtype()));
    features * dropout.forward(ones)
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::tensor::TensorData;

    use super::*;

    /// One channel, every convolution the centre tap `1`.
    fn identity_convs(config: PreActivationBlockConfig, device: &Device) -> PreActivationBlock {
        let mut block = config.init(device);
        for conv in &mut block.convs {
            let [_, _, height, width] = conv.conv.weight.dims();
            let weight = Tensor::<4>::zeros([1, 1, height, width], device).slice_assign(
                [
                    0..1,
                    0..1,
                    height / 2..height / 2 + 1,
                    width / 2..width / 2 + 1,
                ],
                Tensor::ones([1, 1, 1, 1], device),
            );
            conv.conv.weight = Param::from_tensor(weight);
        }
        block
    }

    #[test]
    fn the_identity_shortcut_takes_the_raw_input() {
        let device = Device::default();
        for channels in [vec![1, 1], vec![1, 1, 1]] {
            let block = identity_convs(PreActivationBlockConfig::new(1, channels), &device);
            let input = Tensor::<4>::from_floats([[[[-2.0, 3.0]]]], &device);
            let output = block.forward(input);
            // relu(x) + x; norms at their start divide by sqrt(1 + 1e-5) each.
            output.into_data().assert_approx_eq::<f32>(
                &TensorData::from([[[[-2.0, 6.0]]]]),
                burn::tensor::Tolerance::absolute(1e-4),
            );
        }
    }

    #[test]
    fn only_the_3x3_convolutions_are_dilated() {
        let config = PreActivationBlockConfig::new(4, vec![2, 4, 8]).with_dilation(4);
        let dilations: Vec<usize> = config.convs().iter().map(|conv| conv.dilation).collect();
        let norms: Vec<bool> = config.convs().iter().map(|conv| conv.norm).collect();
        assert_eq!(dilations, [1, 4, 1]);
        assert_eq!(norms, [true, true, false]);
    }

    #[test]
    fn dropout_takes_whole_channels_in_training_only() {
        let device = Device::default();
        device.seed(3);
        let training = device.clone().autodiff();
        let dropout = DropoutConfig::new(0.5).init();
        let ones = |device: &Device| Tensor::<4>::ones([2, 32, 2, 2], device);

        let kept = channel_dropout(&dropout, ones(&training)).into_data();
        let kept: Vec<f32> = kept.try_into_vec().expect("features are f32");
        assert!(
            kept.chunks(4)
                .all(|channel| channel == [0.0; 4] || channel == [2.0; 4])
        );
        assert!(kept.contains(&0.0) && kept.contains(&2.0));
        let inference = channel_dropout(&dropout, ones(&device));
        assert_eq!(inference.sum().into_scalar::<f32>(), 256.0);
    }

    #[test]
    #[should_panic(expected = "a block has 2 or 3 convolutions, got channels for 1")]
    fn other_numbers_of_convolutions_are_refused() {
        PreActivationBlockConfig::new(1, vec![1]).init(&Device::default());
    }
}
