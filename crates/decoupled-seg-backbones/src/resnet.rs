use burn::config::Config;
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, assert_shape};
use serde::{Deserialize, Serialize};

use crate::{
    ConvNorm, ConvNormConfig, Features, OutputStride, ResidualBlock, ResidualBlockConfig,
    ResidualKind,
};

/// The convolutions in front of a ResNet's max pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stem {
    /// Three 3x3 convolutions to 64, 64 and 128 channels, the first of stride 2: what the paper's networks use.
    Deep,
    /// One 7x7 convolution of stride 2 to 64 channels: the original, and torchvision's weights.
    Torchvision,
}

/// Configuration of a [`ResNet`]; [`init`](ResNetConfig::init) builds it. Start from
/// [`resnet18`](ResNetConfig::resnet18) to [`resnet101`](ResNetConfig::resnet101).
#[derive(Config, Debug)]
pub struct ResNetConfig {
    /// Which blocks.
    pub kind: ResidualKind,
    /// Number of blocks in each stage.
    pub blocks: [usize; 4],
    /// Resolution of the last stages.
    #[config(default = "OutputStride::Os8")]
    pub output_stride: OutputStride,
    /// The first convolutions.
    #[config(default = "Stem::Deep")]
    pub stem: Stem,
    /// Channels in the middle of the first stage's blocks; each stage doubles them. Published weights have 64.
    #[config(default = 64)]
    pub width: usize,
}

/// A ResNet without classifier, dilated in its last stages.
///
/// Source: He et al., CVPR 2016, [arXiv:1512.03385](https://arxiv.org/abs/1512.03385), table 1; dilation as in Zhao
/// et al., CVPR 2017, [arXiv:1612.01105](https://arxiv.org/abs/1612.01105). The shortcut is the plain strided 1x1
/// convolution, also with the deep stem. Built by [`ResNetConfig`].
#[derive(Module, Debug)]
pub struct ResNet {
    /// One or three convolutions, each followed by a ReLU; see [`Stem`].
    pub stem: Vec<ConvNorm>,
    /// 3x3, stride 2.
    pub pool: MaxPool2d,
    /// First stage, stride 4.
    pub layer1: Vec<ResidualBlock>,
    /// Second stage, stride 8.
    pub layer2: Vec<ResidualBlock>,
    /// Third stage.
    pub layer3: Vec<ResidualBlock>,
    /// Fourth stage.
    pub layer4: Vec<ResidualBlock>,
}

impl ResNetConfig {
    /// ResNet-18: 2, 2, 2, 2 basic blocks.
    pub fn resnet18() -> Self {
        Self::new(ResidualKind::Basic, [2, 2, 2, 2])
    }

    /// ResNet-34: 3, 4, 6, 3 basic blocks.
    pub fn resnet34() -> Self {
        Self::new(ResidualKind::Basic, [3, 4, 6, 3])
    }

    /// ResNet-50: 3, 4, 6, 3 bottlenecks.
    pub fn resnet50() -> Self {
        Self::new(ResidualKind::Bottleneck, [3, 4, 6, 3])
    }

    /// ResNet-101: 3, 4, 23, 3 bottlenecks.
    pub fn resnet101() -> Self {
        Self::new(ResidualKind::Bottleneck, [3, 4, 23, 3])
    }

    /// Builds the network on `device`: convolutions normal with variance `2 / fan_out`, batch norms 1 and 0.
    ///
    /// # Panics
    ///
    /// Panics if `width` or a number of blocks is zero.
    pub fn init(&self, device: &Device) -> ResNet {
        let stage = |index| {
            let blocks: Vec<ResidualBlockConfig> = self.stage(index);
            blocks.iter().map(|block| block.init(device)).collect()
        };

        ResNet {
            stem: self
                .stem_convs()
                .iter()
                .map(|conv| conv.init(device))
                .collect(),
            pool: MaxPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(),
            layer1: stage(0),
            layer2: stage(1),
            layer3: stage(2),
            layer4: stage(3),
        }
    }

    /// Channels of `c1` to `c4`.
    pub const fn channels(&self) -> [usize; 4] {
        let first = self.width * self.kind.expansion();
        [first, 2 * first, 4 * first, 8 * first]
    }

    /// The convolutions of the stem, in order.
    ///
    /// # Panics
    ///
    /// Panics if `width` is zero.
    pub fn stem_convs(&self) -> Vec<ConvNormConfig> {
        assert!(self.width > 0, "width must be greater than zero");
        let width = self.width;
        match self.stem {
            Stem::Deep => vec![
                ConvNormConfig::new([3, width], 3).with_stride(2),
                ConvNormConfig::new([width, width], 3),
                ConvNormConfig::new([width, 2 * width], 3),
            ],
            Stem::Torchvision => vec![ConvNormConfig::new([3, width], 7).with_stride(2)],
        }
    }

    /// The blocks of a stage, in order; `index` counts from 0.
    ///
    /// # Panics
    ///
    /// Panics if `index` is 4 or more, `width` is zero, or the stage has no blocks.
    pub fn stage(&self, index: usize) -> Vec<ResidualBlockConfig> {
        assert!(index < 4, "a ResNet has stages 0 to 3, got {index}");
        assert!(
            self.blocks[index] > 0,
            "every stage needs a block, got {:?}",
            self.blocks
        );
        let channels_mid = self.width << index;
        let channels_out = self.channels()[index];
        let channels_in = match index {
            0 => self.stem_convs().last().map_or(0, |conv| conv.channels[1]),
            _ => self.channels()[index - 1],
        };
        let [third, fourth] = self.output_stride.last_stages();
        let (stride, dilation) = [(1, 1), (2, 1), third, fourth][index];

        let block = |number| {
            // Only the first block of a stage changes channels and resolution; all are dilated.
            let (channels_in, stride) = match number {
                0 => (channels_in, stride),
                _ => (channels_out, 1),
            };
            ResidualBlockConfig::new(self.kind, channels_in, channels_mid)
                .with_stride(stride)
                .with_dilation(dilation)
        };
        (0..self.blocks[index]).map(block).collect()
    }
}

impl ResNet {
    /// Computes the features of `images`, which are RGB, normalised as in the weights' training.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, 3, height, width]`
    /// - `c1`: `[batch, channels[0], ceil(height / 4), ceil(width / 4)]`, `c2` at stride 8, `c3` and `c4` as
    ///   [`ResNetConfig::output_stride`] says
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not 3.
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let c1 = run(&self.layer1, self.forward_stem(images));
        let c2 = run(&self.layer2, c1.clone());
        let c3 = run(&self.layer3, c2.clone());
        let c4 = run(&self.layer4, c3.clone());

        Features { c1, c2, c3, c4 }
    }

    /// The part before the first stage, max pooling included: stride 4.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, 3, height, width]`
    /// - output: `[batch, channels, ceil(height / 4), ceil(width / 4)]`
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not 3.
    pub fn forward_stem(&self, images: Tensor<4>) -> Tensor<4> {
        assert_shape!(images, [_, 3, _, _]);
        let stem = self
            .stem
            .iter()
            .fold(images, |features, conv| relu(conv.forward(features)));
        self.pool.forward(stem)
    }

    /// The network with its batch norms folded, for inference; see [`ConvNorm::fold_batch_norm`].
    pub fn fold_batch_norm(self) -> Self {
        let fold = |stage: Vec<ResidualBlock>| {
            stage
                .into_iter()
                .map(ResidualBlock::fold_batch_norm)
                .collect()
        };
        Self {
            stem: self
                .stem
                .into_iter()
                .map(ConvNorm::fold_batch_norm)
                .collect(),
            pool: self.pool,
            layer1: fold(self.layer1),
            layer2: fold(self.layer2),
            layer3: fold(self.layer3),
            layer4: fold(self.layer4),
        }
    }
}

fn run(stage: &[ResidualBlock], input: Tensor<4>) -> Tensor<4> {
    stage
        .iter()
        .fold(input, |features, block| block.forward(features))
}

#[cfg(test)]
mod tests {
    use burn::store::ModuleSnapshot;
    use burn::tensor::{Distribution, Tolerance};
    use rstest::rstest;

    use super::*;

    fn small(config: ResNetConfig) -> ResNetConfig {
        config.with_width(4)
    }

    #[rstest]
    #[case(OutputStride::Os8, [9, 9, 13, 13])]
    #[case(OutputStride::Os16, [5, 5, 7, 7])]
    #[case(OutputStride::Os32, [5, 3, 7, 4])]
    fn stages_have_their_strides(
        #[case] output_stride: OutputStride,
        #[case] expected: [usize; 4],
        #[values(Stem::Deep, Stem::Torchvision)] stem: Stem,
        #[values(ResNetConfig::resnet18(), ResNetConfig::resnet50())] config: ResNetConfig,
    ) {
        let device = Device::default();
        let config = small(config)
            .with_output_stride(output_stride)
            .with_stem(stem);
        let [c1, c2, c3, c4] = config.channels();
        let [height3, height4, width3, width4] = expected;

        let images = Tensor::zeros([1, 3, 65, 97], &device);
        let features = config.init(&device).forward(images);
        assert_eq!(features.c1.dims(), [1, c1, 17, 25]);
        assert_eq!(features.c2.dims(), [1, c2, 9, 13]);
        assert_eq!(features.c3.dims(), [1, c3, height3, width3]);
        assert_eq!(features.c4.dims(), [1, c4, height4, width4]);
    }

    // Counts of torchvision's networks, less the 1000-class layer.
    #[rstest]
    #[case(ResNetConfig::resnet18(), 11_689_512 - 513_000)]
    #[case(ResNetConfig::resnet34(), 21_797_672 - 513_000)]
    #[case(ResNetConfig::resnet50(), 25_557_032 - 2_049_000)]
    #[case(ResNetConfig::resnet101(), 44_549_160 - 2_049_000)]
    fn parameters_are_those_of_torchvision(#[case] config: ResNetConfig, #[case] expected: usize) {
        let network = config.with_stem(Stem::Torchvision).init(&Device::default());
        // Burn's own count includes the running statistics.
        let parameters: usize = network
            .collect(None, None, false)
            .iter()
            .filter(|tensor| !tensor.name.contains("running_"))
            .map(|tensor| tensor.shape.iter().product::<usize>())
            .sum();
        assert_eq!(parameters, expected);
    }

    #[test]
    fn dilation_reaches_every_block_of_the_last_stages() {
        let config = ResNetConfig::resnet50();
        let dilations: Vec<Vec<usize>> = (0..4)
            .map(|stage| {
                let blocks = config.stage(stage);
                blocks
                    .iter()
                    .map(|block| block.convs()[1].dilation)
                    .collect()
            })
            .collect();
        assert_eq!(dilations, [vec![1; 3], vec![1; 4], vec![2; 6], vec![4; 3]]);
        assert!(
            config
                .stage(3)
                .iter()
                .all(|block| block.convs().iter().all(|conv| conv.stride == 1))
        );
    }

    #[test]
    fn bottlenecks_stride_on_the_3x3() {
        let first = &ResNetConfig::resnet50().stage(1)[0];
        let strides: Vec<usize> = first.convs().iter().map(|conv| conv.stride).collect();
        assert_eq!(strides, [1, 2, 1]);
    }

    #[test]
    fn trains_on_an_autodiff_device() {
        let device = Device::default().autodiff();
        let network = small(ResNetConfig::resnet18()).init(&device);
        let images = Tensor::random([2, 3, 33, 33], Distribution::Default, &device);
        let gradients = network.forward(images).c4.sum().backward();
        let gradient = network.stem[0]
            .conv
            .weight
            .val()
            .grad(&gradients)
            .expect("the first convolution is part of the graph");
        assert!(gradient.abs().sum().into_scalar::<f32>() > 0.0);
    }

    #[test]
    fn folding_keeps_the_features() {
        let device = Device::default();
        device.seed(3);
        let network = small(ResNetConfig::resnet50()).init(&device);
        let images = Tensor::random([1, 3, 33, 49], Distribution::Normal(0.0, 1.0), &device);
        let expected = network.forward(images.clone()).c4;
        let folded = network.fold_batch_norm().forward(images).c4;
        // Relative: 16 residual blocks without trained norms let the features grow.
        folded
            .into_data()
            .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::rel_abs(1e-4, 1e-4));
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 3, got 4")]
    fn images_have_three_channels() {
        let device = Device::default();
        let network = small(ResNetConfig::resnet18()).init(&device);
        network.forward(Tensor::zeros([1, 4, 32, 32], &device));
    }

    #[test]
    #[should_panic(expected = "every stage needs a block, got [1, 0, 1, 1]")]
    fn empty_stages_are_refused() {
        ResNetConfig::new(ResidualKind::Basic, [1, 0, 1, 1]).init(&Device::default());
    }

    #[test]
    #[should_panic(expected = "width must be greater than zero")]
    fn a_width_of_zero_is_refused() {
        ResNetConfig::resnet18()
            .with_width(0)
            .init(&Device::default());
    }
}
