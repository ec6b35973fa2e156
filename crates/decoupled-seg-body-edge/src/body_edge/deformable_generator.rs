use burn::module::{Initializer, Module};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig, DeformConv2d, DeformConv2dConfig};
use burn::tensor::{Device, Tensor};
use decoupled_seg_nn::{Cost, CostCounter, KeyMap, MapShape};

use super::body_edge_module::{BodyEdgeDetail, BodyEdgeModuleConfig};

/// Horizontal and vertical displacement of each of the 3x3 taps.
const OFFSETS: usize = 2 * 9;

/// Padding that keeps the size.
const PADDING: PaddingConfig2d = PaddingConfig2d::Explicit(1, 1, 1, 1);

/// The body by deformable convolution, the rival "DCN" of the paper's Table 1(f).
///
/// ```text
/// offset = conv3x3(F)                 where each of the 3x3 taps is read, in pixels from its place
/// F_body = deformable_conv3x3(F, offset)
/// F_edge = F - F_body
/// ```
///
/// The offsets start at 0, as in the work on deformable convolutions. The paper gives only the name of this rival; the
/// layout is our reading of it.
///
/// Source: Dai et al., ICCV 2017, [arXiv:1703.06211](https://arxiv.org/abs/1703.06211), section 2.1.
#[derive(Module, Debug)]
pub struct DeformableGenerator {
    /// 3x3 convolution from `channels` to the 18 offsets.
    pub offset: Conv2d,
    /// The deformable convolution, 3x3, without bias.
    pub conv: DeformConv2d,
}

impl DeformableGenerator {
    pub(super) fn new(config: &BodyEdgeModuleConfig, device: &Device) -> Self {
        Self {
            offset: offset(config).init(device),
            conv: DeformConv2dConfig::new([config.channels; 2], [3, 3])
                .with_padding(PADDING)
                .with_bias(false)
                .init(device),
        }
    }

    /// The deformable convolution is counted like a plain one.
    pub(super) fn cost(
        config: &BodyEdgeModuleConfig,
        features: MapShape,
        counter: &mut CostCounter,
    ) {
        offset(config).cost(features, counter);
        Conv2dConfig::new([config.channels; 2], [3, 3])
            .with_padding(PADDING)
            .with_bias(false)
            .cost(features, counter);
    }

    pub(super) fn forward(&self, features: Tensor<4>) -> BodyEdgeDetail {
        let offset = self.offset.forward(features.clone());
        let body = self.conv.forward(features.clone(), offset, None);
        BodyEdgeDetail::without_flow(features, body)
    }

    pub(super) fn official_keys() -> KeyMap {
        // The authors' code has no such generator.
        KeyMap::new()
            .conv("offset", "offset", true)
            .conv("conv", "conv", false)
    }
}

fn offset(config: &BodyEdgeModuleConfig) -> Conv2dConfig {
    Conv2dConfig::new([config.channels, OFFSETS], [3, 3])
        .with_padding(PADDING)
        .with_initializer(Initializer::Zeros)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tolerance};

    use super::*;

    #[test]
    fn without_offsets_it_is_a_convolution() {
        let device = Device::default();
        let generator = DeformableGenerator::new(&BodyEdgeModuleConfig::new(3), &device);
        let features = Tensor::random([2, 3, 6, 7], Distribution::Default, &device);
        let mut conv = Conv2dConfig::new([3, 3], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_bias(false)
            .init(&device);
        conv.weight = generator.conv.weight.clone();

        let body = generator.forward(features.clone()).body;

        let expected = conv.forward(features).into_data();
        body.into_data()
            .assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-5));
    }

    #[test]
    fn the_offsets_are_trained() {
        let device = Device::default().autodiff();
        let generator = DeformableGenerator::new(&BodyEdgeModuleConfig::new(3), &device);
        let features = Tensor::random([1, 3, 6, 7], Distribution::Default, &device);
        let weights = Tensor::random([1, 3, 6, 7], Distribution::Default, &device);
        let gradients = (generator.forward(features).body * weights)
            .sum()
            .backward();
        let gradient = generator.offset.weight.val().grad(&gradients);
        let largest: f32 = gradient
            .expect("the offsets are part of the graph")
            .abs()
            .max()
            .into_scalar();
        assert!(largest > 0.0);
    }
}
