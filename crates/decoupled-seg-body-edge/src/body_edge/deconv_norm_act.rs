use burn::module::Module;
use burn::nn::conv::{ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor};
use decoupled_seg_nn::{Cost, CostCounter, Fold, KeyMap, MapShape, batch_norm_sum};

use super::body_edge_module::BodyEdgeModuleConfig;

/// A depthwise transposed 3x3 convolution of stride 2 with bias, a batch norm and a ReLU: the mirror image of a strided
/// step down.
#[derive(Module, Debug)]
pub struct DeconvNormAct {
    /// The transposed convolution.
    pub conv: ConvTranspose2d,
    /// The batch norm.
    pub norm: BatchNorm,
}

impl DeconvNormAct {
    pub(super) fn new(config: &BodyEdgeModuleConfig, device: &Device) -> Self {
        Self {
            conv: conv(config).init(device),
            norm: BatchNormConfig::new(config.channels).init(device),
        }
    }

    pub(super) fn cost(
        config: &BodyEdgeModuleConfig,
        input: MapShape,
        counter: &mut CostCounter,
    ) -> MapShape {
        let output = conv(config).cost(input, counter);
        counter.batch_norm(output);
        counter.activation(output);
        output
    }

    /// Doubles the size, up to a pixel or two.
    ///
    /// # Shapes
    ///
    /// - `input`: `[batch, channels, height, width]`
    /// - output: `[batch, channels, 2 * height + 1 - 2 * padding, 2 * width + 1 - 2 * padding]`
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        batch_norm_sum(&self.norm, self.conv.forward(input), None, true)
    }

    pub(super) fn official_keys(index: usize) -> KeyMap {
        // The authors' code has no such layer. The names follow its `down`, which is an `nn.Sequential`.
        KeyMap::new()
            .conv(
                &format!("up.{}", 3 * index),
                &format!("up.{index}.conv"),
                true,
            )
            .norm(
                &format!("up.{}", 3 * index + 1),
                &format!("up.{index}.norm"),
            )
    }
}

/// The norm stays: folding does not cover transposed convolutions.
impl Fold for DeconvNormAct {
    fn fold(self) -> Self {
        Self {
            norm: self.norm.fold(),
            ..self
        }
    }
}

fn conv(config: &BodyEdgeModuleConfig) -> ConvTranspose2dConfig {
    ConvTranspose2dConfig::new([config.channels; 2], [3, 3])
        .with_stride([2, 2])
        .with_padding([config.padding; 2])
        .with_groups(config.channels)
}
