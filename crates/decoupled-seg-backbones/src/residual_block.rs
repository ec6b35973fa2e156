use burn::config::Config;
use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{ConvNorm, ConvNormConfig};

/// Which convolutions a [`ResidualBlock`] has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    pub convs: Vec<ConvNorm>,
    /// Strided 1x1 convolution where stride or channels change; the identity elsewhere.
    pub shortcut: Option<ConvNorm>,
}

impl ResidualBlockConfig {
    /// Builds the block on `device`; see [`ConvNormConfig::init`] for the initial values.
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

    /// The convolutions on the residual path, in order.
    pub fn convs(&self) -> Vec<ConvNormConfig> {
        let mid = self.channels_mid;
        let spatial = |channels_in, stride| {
            ConvNormConfig::new([channels_in, mid], 3)
                .with_stride(stride)
                .with_dilation(self.dilation)
        };
        match self.kind {
            ResidualKind::Basic => vec![spatial(self.channels_in, self.stride), spatial(mid, 1)],
            // Stride sits on the 3x3, not the 1x1 (ResNet V1.5): the ImageNet weights expect it.
            ResidualKind::Bottleneck => vec![
                ConvNormConfig::new([self.channels_in, mid], 1),
                spatial(mid, self.stride),
                ConvNormConfig::new([mid, self.channels_out()], 1),
            ],
        }
    }

    /// The convolution on the shortcut, if it has one.
    pub fn shortcut(&self) -> Option<ConvNormConfig> {
        let channels = [self.channels_in, self.channels_out()];
        (self.stride != 1 || channels[0] != channels[1])
            .then(|| ConvNormConfig::new(channels, 1).with_stride(self.stride))
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
        let mut residual = input;
        for (index, conv) in self.convs.iter().enumerate() {
            if index > 0 {
                residual = relu(residual);
            }
            residual = conv.forward(residual);
        }

        relu(residual + shortcut)
    }

    /// The block with its batch norms folded, see [`ConvNorm::fold_batch_norm`].
    pub fn fold_batch_norm(self) -> Self {
        Self {
            convs: self
                .convs
                .into_iter()
                .map(ConvNorm::fold_batch_norm)
                .collect(),
            shortcut: self.shortcut.map(ConvNorm::fold_batch_norm),
        }
    }
}
