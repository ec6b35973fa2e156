use burn::config::Config;
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::{Device, Tensor, assert_shape};
use decoupled_seg_nn::{
    ConfigError, ConvNormAct, ConvNormActConfig, Cost, CostCounter, Fold, KeyMap, MAX_CHANNELS,
    MapShape, max_pool2d,
};
use serde::{Deserialize, Serialize};

use crate::chain::chain;
use crate::image_channels::{self, image_channels};
use crate::residual_block::conv;
use crate::{
    BackboneNames, Features, OutputStride, ResidualBlock, ResidualBlockConfig, ResidualKind,
};

/// The convolutions in front of a ResNet's max pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stem {
    /// Three 3x3 convolutions to 64, 64 and 128 channels, the first of stride 2: what the paper's networks use.
    Deep,
    /// One 7x7 convolution of stride 2 to 64 channels: the original stem, which torchvision's weights have.
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
    /// Channels of the images; none: 3, RGB. See [`image_channels`](Self::image_channels).
    #[config(default = "None")]
    pub in_channels: Option<usize>,
}

/// A ResNet without classifier, dilated in its last stages.
///
/// Source: He et al., CVPR 2016, [arXiv:1512.03385](https://arxiv.org/abs/1512.03385), table 1; dilation as in Zhao et
/// al., CVPR 2017, [arXiv:1612.01105](https://arxiv.org/abs/1612.01105). The shortcut is the plain strided 1x1
/// convolution, with the deep stem too. Built by [`ResNetConfig`].
#[derive(Module, Debug)]
pub struct ResNet {
    /// One or three convolutions; see [`Stem`].
    pub stem: Vec<ConvNormAct>,
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

    /// Checks that the network can be built.
    ///
    /// # Errors
    ///
    /// `width` is not in 1 to 2048, a stage has no block or more than 1000, or `in_channels` is 0 or too large.
    pub fn validate(&self) -> Result<(), ConfigError> {
        // The last stage has 32 times as many channels, where it has bottlenecks.
        ConfigError::check("width", self.width, 1..=MAX_CHANNELS / 32)?;
        ConfigError::check_all("blocks", &self.blocks, 1..=1000)?;
        image_channels::validate(self.in_channels)
    }

    /// Builds the network on `device`: convolutions normal with variance `2 / fan_out`, batch norms 1 and 0.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> ResNet {
        ConfigError::assert_none(self.validate());
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

    /// Channels of the images: [`in_channels`](Self::in_channels), or 3.
    pub fn image_channels(&self) -> usize {
        image_channels(self.in_channels)
    }

    /// Channels of `c1` to `c4`.
    pub const fn channels(&self) -> [usize; 4] {
        let first = self.width * self.kind.expansion();
        [first, 2 * first, 4 * first, 8 * first]
    }

    /// The convolutions of the stem, in order.
    fn stem_convs(&self) -> Vec<ConvNormActConfig> {
        let width = self.width;
        match self.stem {
            Stem::Deep => vec![
                conv([self.image_channels(), width], 3, 1).with_stride([2, 2]),
                conv([width, width], 3, 1),
                conv([width, 2 * width], 3, 1),
            ],
            Stem::Torchvision => {
                vec![conv([self.image_channels(), width], 7, 1).with_stride([2, 2])]
            }
        }
    }

    /// The blocks of a stage, in order; `index` counts from 0.
    fn stage(&self, index: usize) -> Vec<ResidualBlockConfig> {
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

    /// The names of the network's tensors.
    pub fn official_keys(&self, names: BackboneNames) -> KeyMap {
        let (conv1, bn1) = match names {
            BackboneNames::Segmentation => ("layer0.0", "layer0.1"),
            BackboneNames::Classifier => ("conv1", "bn1"),
        };
        let stem = self.stem_convs();
        let mut keys = KeyMap::new().image_weight("stem.0.conv.weight");
        for (index, conv) in stem.iter().enumerate() {
            let official_conv = match self.stem {
                Stem::Torchvision => conv1.to_string(),
                // Sequential of conv, norm, ReLU, conv, norm, ReLU, conv.
                Stem::Deep => format!("{conv1}.{}", 3 * index),
            };
            let official_norm = match index + 1 == stem.len() {
                true => bn1.to_string(),
                false => format!("{conv1}.{}", 3 * index + 1),
            };
            let path = format!("stem.{index}");
            keys = keys.conv_norm_act(&official_conv, &official_norm, &path, conv);
        }
        for stage in 0..4 {
            for (index, block) in self.stage(stage).iter().enumerate() {
                let prefix = format!("layer{}.{index}", stage + 1);
                keys = keys.nest(&prefix, &prefix, block.official_keys());
            }
        }
        match names {
            BackboneNames::Segmentation => keys,
            BackboneNames::Classifier => keys
                .without_counterpart("fc.weight")
                .without_counterpart("fc.bias"),
        }
    }

    /// Counts the network's cost for an image, one part for each of `layer0` to `layer4`; returns the shapes of `c1` to
    /// `c4`.
    pub fn cost(&self, image: MapShape, counter: &mut CostCounter) -> [MapShape; 4] {
        let stem = self.stem_convs().cost(image, counter);
        let mut map = counter.max_pool(stem);
        counter.end_part("layer0", map);
        std::array::from_fn(|index| {
            map = self.stage(index).cost(map, counter);
            counter.end_part(&format!("layer{}", index + 1), map);
            map
        })
    }
}

impl ResNet {
    /// Computes the features of `images`, which are normalised as in the weights' training.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, image_channels, height, width]`
    /// - `c1`: `[batch, channels[0], ceil(height / 4), ceil(width / 4)]`, `c2` at stride 8, `c3` and `c4` as
    ///   [`ResNetConfig::output_stride`] says
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not [`ResNetConfig::image_channels`].
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let run = |stage, input| chain(stage, input, ResidualBlock::forward);
        let c1 = run(&self.layer1, self.forward_stem(images));
        let c2 = run(&self.layer2, c1.clone());
        let c3 = run(&self.layer3, c2.clone());
        let c4 = run(&self.layer4, c3.clone());

        Features { c1, c2, c3, c4 }
    }

    /// Runs the stem and the max pooling, which come before the first stage: stride 4.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, image_channels, height, width]`
    /// - output: `[batch, channels, ceil(height / 4), ceil(width / 4)]`
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not [`ResNetConfig::image_channels`].
    pub fn forward_stem(&self, images: Tensor<4>) -> Tensor<4> {
        let [_, channels, _, _] = self.stem[0].conv.weight.dims();
        assert_shape!(images, [_, channels, _, _]);
        let stem = chain(&self.stem, images, ConvNormAct::forward);
        max_pool2d(&self.pool, stem)
    }
}

impl Fold for ResNet {
    fn fold(self) -> Self {
        Self {
            stem: self.stem.fold(),
            pool: self.pool,
            layer1: self.layer1.fold(),
            layer2: self.layer2.fold(),
            layer3: self.layer3.fold(),
            layer4: self.layer4.fold(),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::store::ModuleSnapshot;
    use burn::tensor::Distribution;
    use decoupled_seg_nn::Size;
    use rstest::rstest;

    use super::*;
    use crate::tests::{assert_folding_keeps_features, assert_named, assert_strides};

    fn small(config: ResNetConfig) -> ResNetConfig {
        config.with_width(4)
    }

    #[rstest]
    fn stages_have_their_strides(
        #[values(OutputStride::Os8, OutputStride::Os16, OutputStride::Os32)]
        output_stride: OutputStride,
        #[values(Stem::Deep, Stem::Torchvision)] stem: Stem,
        #[values(ResNetConfig::resnet18(), ResNetConfig::resnet50())] config: ResNetConfig,
    ) {
        let device = Device::default();
        let config = small(config)
            .with_output_stride(output_stride)
            .with_stem(stem);
        let images = Tensor::zeros([1, 3, 65, 97], &device);
        let features = config.init(&device).forward(images);
        assert_strides(features, output_stride, config.channels(), [17, 25]);
    }

    // Counts of torchvision's networks, less the 1000-class layer.
    #[rstest]
    #[case(ResNetConfig::resnet18(), 11_689_512 - 513_000)]
    #[case(ResNetConfig::resnet34(), 21_797_672 - 513_000)]
    #[case(ResNetConfig::resnet50(), 25_557_032 - 2_049_000)]
    #[case(ResNetConfig::resnet101(), 44_549_160 - 2_049_000)]
    fn parameters_are_those_of_torchvision(#[case] config: ResNetConfig, #[case] expected: usize) {
        let config = config.with_stem(Stem::Torchvision);
        let network = config.init(&Device::default());
        // Burn's own count includes the running statistics.
        let parameters: usize = network
            .collect(None, None, false)
            .iter()
            .filter(|tensor| !tensor.name.contains("running_"))
            .map(|tensor| tensor.shape.iter().product::<usize>())
            .sum();
        assert_eq!(parameters, expected);
        let mut counter = CostCounter::new();
        config.cost(MapShape::new(3, Size::square(64)), &mut counter);
        assert_eq!(counter.total().parameters, expected as u64);
    }

    #[test]
    fn dilation_reaches_every_block_of_the_last_stages() {
        let network = small(ResNetConfig::resnet50()).init(&Device::default());
        let stages = [
            &network.layer1,
            &network.layer2,
            &network.layer3,
            &network.layer4,
        ];
        let dilations = stages.map(|stage| {
            let spatial = stage.iter().map(|block| &block.convs[1].conv);
            spatial.map(|conv| conv.dilation[0]).collect::<Vec<_>>()
        });
        assert_eq!(dilations, [vec![1; 3], vec![1; 4], vec![2; 6], vec![4; 3]]);
        let mut convs = network.layer4.iter().flat_map(|block| &block.convs);
        assert!(convs.all(|conv| conv.conv.stride == [1, 1]));
    }

    #[test]
    fn bottlenecks_stride_on_the_3x3() {
        let network = small(ResNetConfig::resnet50()).init(&Device::default());
        let convs = network.layer2[0].convs.iter();
        let strides: Vec<usize> = convs.map(|conv| conv.conv.stride[0]).collect();
        assert_eq!(strides, [1, 2, 1]);
    }

    #[rstest]
    fn every_tensor_has_a_name(
        #[values(ResNetConfig::resnet18(), ResNetConfig::resnet50())] config: ResNetConfig,
        #[values(Stem::Deep, Stem::Torchvision)] stem: Stem,
        #[values(BackboneNames::Segmentation, BackboneNames::Classifier)] names: BackboneNames,
    ) {
        let config = config.with_width(2).with_stem(stem);
        let network = config.init(&Device::default());
        assert_named(&network, &config.official_keys(names));
    }

    #[rstest]
    #[case(
        Stem::Deep,
        BackboneNames::Segmentation,
        "layer0.0.6.weight",
        "stem.2.conv.weight"
    )]
    #[case(
        Stem::Deep,
        BackboneNames::Segmentation,
        "layer0.1.bias",
        "stem.2.norm.beta"
    )]
    #[case(
        Stem::Deep,
        BackboneNames::Classifier,
        "conv1.4.running_mean",
        "stem.1.norm.running_mean"
    )]
    #[case(
        Stem::Torchvision,
        BackboneNames::Classifier,
        "conv1.weight",
        "stem.0.conv.weight"
    )]
    #[case(
        Stem::Torchvision,
        BackboneNames::Classifier,
        "bn1.weight",
        "stem.0.norm.gamma"
    )]
    #[case(
        Stem::Deep,
        BackboneNames::Classifier,
        "layer1.0.downsample.1.weight",
        "layer1.0.shortcut.norm.gamma"
    )]
    fn official_names(
        #[case] stem: Stem,
        #[case] names: BackboneNames,
        #[case] official: &str,
        #[case] path: &str,
    ) {
        let keys = ResNetConfig::resnet50()
            .with_stem(stem)
            .official_keys(names);
        assert_eq!(keys.path_of(official), Some(path));
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
        assert_folding_keeps_features(network, ResNet::forward, &device);
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 3, got 4")]
    fn images_have_three_channels() {
        let device = Device::default();
        let network = small(ResNetConfig::resnet18()).init(&device);
        network.forward(Tensor::zeros([1, 4, 32, 32], &device));
    }

    #[test]
    #[should_panic(expected = "`blocks` is [1, 0, 1, 1], expected numbers of 1 to 1000")]
    fn empty_stages_are_refused() {
        ResNetConfig::new(ResidualKind::Basic, [1, 0, 1, 1]).init(&Device::default());
    }

    #[test]
    #[should_panic(expected = "`width` is 0, expected 1 to 2048")]
    fn a_width_of_zero_is_refused() {
        ResNetConfig::resnet18()
            .with_width(0)
            .init(&Device::default());
    }
}
