use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor};
use decoupled_seg_nn::{
    ConvNormAct, ConvNormActConfig, Cost, CostCounter, Fold, KeyMap, MapShape, batch_norm_sum,
    channel_dropout, conv2d,
};

/// Configuration of a [`PreActivationBlock`]; [`init`](PreActivationBlockConfig::init) builds it.
#[derive(Config, Debug)]
pub struct PreActivationBlockConfig {
    /// Channels in.
    pub channels_in: usize,
    /// Channels out of each convolution. Two entries mean two 3x3 convolutions, three mean 1x1, 3x3 and 1x1.
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
/// Norm and ReLU stand between the convolutions, but neither behind the last convolution nor behind the sum.
///
/// Source: He et al., ECCV 2016, [arXiv:1603.05027](https://arxiv.org/abs/1603.05027), figure 4(e). Built by
/// [`PreActivationBlockConfig`].
#[doc(alias = "IdentityResidualBlock")]
#[derive(Module, Debug)]
pub struct PreActivationBlock {
    /// The norm at the start of the block.
    pub norm: BatchNorm,
    /// Two or three convolutions; all but the last have norm and ReLU behind them.
    pub convs: Vec<ConvNormAct>,
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
    fn convs(&self) -> Vec<ConvNormActConfig> {
        let sides: &[usize] = match self.channels.len() {
            2 => &[3, 3],
            3 => &[1, 3, 1],
            other => panic!("a block has 2 or 3 convolutions, got channels for {other}"),
        };
        let mut channels_in = self.channels_in;
        let mut convs = Vec::with_capacity(sides.len());
        for (&side, &channels_out) in sides.iter().zip(&self.channels) {
            let dilation = if side == 1 { 1 } else { self.dilation };
            let conv = ConvNormActConfig::new([channels_in, channels_out], [side; 2])
                .with_dilation([dilation; 2])
                .with_same_padding();
            convs.push(conv);
            channels_in = channels_out;
        }
        convs[0].stride = [self.stride; 2];
        let last = sides.len() - 1;
        convs[last].norm = false;
        convs[last].activation = None;
        convs
    }

    /// The convolution on the shortcut, if it has one.
    fn shortcut(&self) -> Option<Conv2dConfig> {
        let channels = [self.channels_in, self.channels_out()];
        (self.stride != 1 || channels[0] != channels[1]).then(|| {
            Conv2dConfig::new(channels, [1, 1])
                .with_stride([self.stride; 2])
                .with_bias(false)
        })
    }

    /// The authors' names of the block's tensors.
    pub fn official_keys(&self) -> KeyMap {
        let mut keys = KeyMap::new().norm("bn1.0", "norm");
        for (index, conv) in self.convs().iter().enumerate() {
            keys = keys.conv_norm_act(
                &format!("convs.conv{}", index + 1),
                // The norm in front of the block is number 1.
                &format!("convs.bn{}.0", index + 2),
                &format!("convs.{index}"),
                conv,
            );
        }
        match self.shortcut() {
            Some(_) => keys.conv("proj_conv", "shortcut", false),
            None => keys,
        }
    }
}

impl Cost for PreActivationBlockConfig {
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape {
        counter.batch_norm(input);
        counter.activation(input);
        if let Some(shortcut) = self.shortcut() {
            shortcut.cost(input, counter);
        }
        let output = self.convs().cost(input, counter);
        counter.other(output);
        output
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
        let activated = batch_norm_sum(&self.norm, input.clone(), None, true);
        let shortcut = match &self.shortcut {
            Some(conv) => conv2d(conv, activated.clone()),
            None => input,
        };
        let mut residual = activated;
        for (index, conv) in self.convs.iter().enumerate() {
            if index + 1 == self.convs.len() {
                residual = channel_dropout(&self.dropout, residual);
            }
            residual = conv.forward(residual);
        }

        residual + shortcut
    }
}

/// The first norm stays: no convolution stands in front of it that could take it in.
impl Fold for PreActivationBlock {
    fn fold(self) -> Self {
        Self {
            norm: self.norm.fold(),
            convs: self.convs.fold(),
            ..self
        }
    }
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
        let dilations: Vec<usize> = config.convs().iter().map(|conv| conv.dilation[0]).collect();
        let norms: Vec<bool> = config.convs().iter().map(|conv| conv.norm).collect();
        assert_eq!(dilations, [1, 4, 1]);
        assert_eq!(norms, [true, true, false]);
    }

    #[test]
    #[should_panic(expected = "a block has 2 or 3 convolutions, got channels for 1")]
    fn other_numbers_of_convolutions_are_refused() {
        PreActivationBlockConfig::new(1, vec![1]).init(&Device::default());
    }
}
