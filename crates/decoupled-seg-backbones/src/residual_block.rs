use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use decoupled_seg_nn::{
    ConvInit, ConvNormAct, ConvNormActConfig, Cost, CostCounter, Fold, KeyMap, MapShape,
};
use serde::{Deserialize, Serialize};

use crate::chain::chain;

/// Which convolutions a [`ResidualBlock`] has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResidualKind {
    /// Two 3x3 convolutions (ResNet-18, 34). The stride sits on the first, the dilation on both.
    Basic,
    /// 1x1, 3x3, 1x1, with four times the channels at the end (ResNet-50, 101).
    Bottleneck,
}

impl ResidualKind {
    /// Channels out for each channel in the middle.
    pub const fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// Configuration of a [`ResidualBlock`]; [`init`](ResidualBlockConfig::init) builds it.
#[derive(Config, Debug)]
pub struct ResidualBlockConfig {
    /// Which convolutions.
    pub kind: ResidualKind,
    /// Channels in.
    pub channels_in: usize,
    /// Channels of the 3x3 convolutions; the block returns [`expansion`](ResidualKind::expansion) times as many.
    pub channels_mid: usize,
    /// Stride of the block, in pixels.
    #[config(default = 1)]
    pub stride: usize,
    /// Dilation of the 3x3 convolutions, in pixels.
    #[config(default = 1)]
    pub dilation: usize,
}

/// A residual block: `relu(convs(x) + shortcut(x))`, with a ReLU between the convolutions.
///
/// Source: He et al., CVPR 2016, [arXiv:1512.03385](https://arxiv.org/abs/1512.03385), section 3.3 and figure 5.
/// Built by [`ResidualBlockConfig`].
#[doc(alias("BasicBlock", "Bottleneck"))]
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// Two or three convolutions, see [`ResidualKind`].
    pub convs: Vec<ConvNormAct>,
    /// Strided 1x1 convolution where stride or channels change; the identity elsewhere.
    pub shortcut: Option<ConvNormAct>,
}

impl ResidualBlockConfig {
    /// Builds the block on `device`: convolutions normal with variance `2 / fan_out`, batch norms 1 and 0.
    ///
    /// # Panics
    ///
    /// Panics if a number is zero.
    pub fn init(&self, device: &Device) -> ResidualBlock {
        ResidualBlock {
            convs: self
                .convs()
                .iter()
                .map(|config| config.init(device))
                .collect(),
            shortcut: self.shortcut().map(|config| config.init(device)),
        }
    }

    /// Channels out.
    pub const fn channels_out(&self) -> usize {
        self.channels_mid * self.kind.expansion()
    }

    /// The convolutions on the residual path, in order. The last one has no ReLU: the block applies it to the sum.
    fn convs(&self) -> Vec<ConvNormActConfig> {
        let mid = self.channels_mid;
        let spatial = |channels_in, stride| {
            conv([channels_in, mid], 3, self.dilation).with_stride([stride; 2])
        };
        match self.kind {
            ResidualKind::Basic => vec![
                spatial(self.channels_in, self.stride),
                spatial(mid, 1).with_activation(None),
            ],
            // Stride sits on the 3x3, not the 1x1 (ResNet V1.5): the ImageNet weights expect it.
            ResidualKind::Bottleneck => vec![
                conv([self.channels_in, mid], 1, 1),
                spatial(mid, self.stride),
                conv([mid, self.channels_out()], 1, 1).with_activation(None),
            ],
        }
    }

    /// The convolution on the shortcut, if it has one.
    fn shortcut(&self) -> Option<ConvNormActConfig> {
        let channels = [self.channels_in, self.channels_out()];
        (self.stride != 1 || channels[0] != channels[1]).then(|| {
            conv(channels, 1, 1)
                .with_stride([self.stride; 2])
                .with_activation(None)
        })
    }

    /// torchvision's names of the block's tensors, which the authors use too.
    pub fn official_keys(&self) -> KeyMap {
        let mut keys = KeyMap::new();
        for (index, conv) in self.convs().iter().enumerate() {
            let number = index + 1;
            keys = keys.conv_norm_act(
                &format!("conv{number}"),
                &format!("bn{number}"),
                &format!("convs.{index}"),
                conv,
            );
        }
        match self.shortcut() {
            Some(conv) => keys.conv_norm_act("downsample.0", "downsample.1", "shortcut", &conv),
            None => keys,
        }
    }
}

/// A square convolution with norm and ReLU, padded to keep the size, initialised as ResNets are.
pub(crate) fn conv(channels: [usize; 2], side: usize, dilation: usize) -> ConvNormActConfig {
    ConvNormActConfig::new(channels, [side; 2])
        .with_dilation([dilation; 2])
        .with_same_padding()
        .with_conv_init(ConvInit::HeNormalFanOut)
}

impl Cost for ResidualBlockConfig {
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape {
        if let Some(shortcut) = self.shortcut() {
            shortcut.cost(input, counter);
        }
        let output = self.convs().cost(input, counter);
        counter.other(output);
        counter.activation(output);
        output
    }
}

impl ResidualBlock {
    /// Runs the block.
    ///
    /// # Shapes
    ///
    /// - `input`: `[batch, channels_in, height, width]`
    /// - output: `[batch, channels_out, ceil(height / stride), ceil(width / stride)]`
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.shortcut {
            Some(conv) => conv.forward(input.clone()),
            None => input.clone(),
        };
        let (last, first) = self.convs.split_last().expect("a block has convolutions");
        let features = chain(first, input, ConvNormAct::forward);

        last.forward_residual(features, shortcut)
    }
}

impl Fold for ResidualBlock {
    fn fold(self) -> Self {
        Self {
            convs: self.convs.fold(),
            shortcut: self.shortcut.fold(),
        }
    }
}
