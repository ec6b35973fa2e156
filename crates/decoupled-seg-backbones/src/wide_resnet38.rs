use burn::config::Config;
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::{Device, Tensor, assert_shape};
use decoupled_seg_nn::{
    ConfigError, Cost, CostCounter, Fold, KeyMap, MAX_CHANNELS, MapShape, conv2d, max_pool2d,
};
use serde::{Deserialize, Serialize};

use crate::chain::chain;
use crate::image_channels::{self, image_channels};
use crate::{BackboneNames, Features, OutputStride, PreActivationBlock, PreActivationBlockConfig};

/// Where a [`WideResNet38`] takes [`Features::c1`] from. It is 128 channels of the second stage either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LowLevelStage {
    /// The stage's output, at stride 2, as in the authors' code. The decoder then works on maps with four times as many
    /// pixels as behind a ResNet.
    Stride2,
    /// The output of the max pooling behind that stage, at stride 4 as in the ResNets. Both choices take the same
    /// weights; the paper's operation counts fit only this one.
    Stride4,
}

/// Configuration of a [`WideResNet38`]; [`init`](WideResNet38Config::init) builds it.
#[derive(Config, Debug)]
pub struct WideResNet38Config {
    /// Resolution of the last stages. Published weights belong to [`OutputStride::Os8`].
    #[config(default = "OutputStride::Os8")]
    pub output_stride: OutputStride,
    /// Where the low-level features come from.
    #[config(default = "LowLevelStage::Stride2")]
    pub low_level: LowLevelStage,
    /// Channels of the first convolution; each stage doubles them. Published weights have 64.
    #[config(default = 64)]
    pub width: usize,
    /// Share of the channels dropped in the last two stages, in training.
    #[config(default = "[0.3, 0.5]")]
    pub dropout: [f64; 2],
    /// Channels of the images; none: 3, RGB. See [`image_channels`](Self::image_channels).
    #[config(default = "None")]
    pub in_channels: Option<usize>,
}

/// The wide residual network with 38 layers of In-Place-ABN, variant A2, with plain batch norm and ReLU.
///
/// The output is the last block's sum, without norm or ReLU: the classifier's last norm is not part of the segmentation
/// networks.
///
/// Source: Wu et al., [arXiv:1611.10080](https://arxiv.org/abs/1611.10080), table 1 (model A2); Rota Bulò et al., CVPR
/// 2018, [arXiv:1712.02616](https://arxiv.org/abs/1712.02616), section 4. Built by [`WideResNet38Config`].
#[doc(alias("WiderResNetA2", "wider_resnet38_a2"))]
#[derive(Module, Debug)]
pub struct WideResNet38 {
    /// 3x3 convolution at full resolution, without norm and ReLU.
    pub mod1: Conv2d,
    /// 3x3, stride 2; in front of `mod2` and of `mod3`.
    pub pool: MaxPool2d,
    /// Three blocks, stride 2.
    pub mod2: Vec<PreActivationBlock>,
    /// Three blocks, stride 4.
    pub mod3: Vec<PreActivationBlock>,
    /// Six blocks, stride 8.
    pub mod4: Vec<PreActivationBlock>,
    /// Three blocks.
    pub mod5: Vec<PreActivationBlock>,
    /// One bottleneck.
    pub mod6: Vec<PreActivationBlock>,
    /// One bottleneck.
    pub mod7: Vec<PreActivationBlock>,
    #[module(skip)]
    low_level: LowLevelStage,
}

impl WideResNet38Config {
    /// Checks that the network can be built.
    ///
    /// # Errors
    ///
    /// `width` is not in 1 to 1024, a share of `dropout` is not in `0..1`, or `in_channels` is 0 or too large.
    pub fn validate(&self) -> Result<(), ConfigError> {
        // The last stage has 64 times as many channels.
        ConfigError::check("width", self.width, 1..=MAX_CHANNELS / 64)?;
        for share in self.dropout {
            ConfigError::check_dropout("dropout", share)?;
        }
        image_channels::validate(self.in_channels)
    }

    /// Builds the network on `device`, with burn-nn's default initializers.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> WideResNet38 {
        ConfigError::assert_none(self.validate());
        let stage = |number| {
            let blocks: Vec<PreActivationBlockConfig> = self.stage(number);
            blocks.iter().map(|block| block.init(device)).collect()
        };

        WideResNet38 {
            mod1: self.first_conv().init(device),
            pool: MaxPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(),
            mod2: stage(2),
            mod3: stage(3),
            mod4: stage(4),
            mod5: stage(5),
            mod6: stage(6),
            mod7: stage(7),
            low_level: self.low_level,
        }
    }

    /// Channels of the images: [`in_channels`](Self::in_channels), or 3.
    pub fn image_channels(&self) -> usize {
        image_channels(self.in_channels)
    }

    /// Channels of `c1` to `c4`.
    pub const fn channels(&self) -> [usize; 4] {
        let width = self.width;
        [2 * width, 8 * width, 16 * width, 64 * width]
    }

    /// The convolution of `mod1`.
    fn first_conv(&self) -> Conv2dConfig {
        Conv2dConfig::new([self.image_channels(), self.width], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_bias(false)
    }

    /// The blocks of a stage, in order; `number` is the number in its name, 2 for `mod2`.
    fn stage(&self, number: usize) -> Vec<PreActivationBlockConfig> {
        let width = self.width;
        let [third, fourth] = self.output_stride.last_stages();
        let (channels_in, channels, blocks) = match number {
            2 => (width, vec![2 * width; 2], 3),
            3 => (2 * width, vec![4 * width; 2], 3),
            4 => (4 * width, vec![8 * width; 2], 6),
            5 => (8 * width, vec![8 * width, 16 * width], 3),
            6 => (16 * width, vec![8 * width, 16 * width, 32 * width], 1),
            _ => (32 * width, vec![16 * width, 32 * width, 64 * width], 1),
        };
        // `mod2` and `mod3` need no stride: max pooling in front of them halves the resolution.
        let (stride, dilation) = match number {
            4 => (2, 1),
            5 => third,
            6 => fourth,
            7 => (1, fourth.1),
            _ => (1, 1),
        };
        let dropout = match number {
            6 => self.dropout[0],
            7 => self.dropout[1],
            _ => 0.0,
        };

        let channels_out = channels[channels.len() - 1];
        let block = |index| {
            let (channels_in, stride) = match index {
                0 => (channels_in, stride),
                _ => (channels_out, 1),
            };
            PreActivationBlockConfig::new(channels_in, channels.clone())
                .with_stride(stride)
                .with_dilation(dilation)
                .with_dropout(dropout)
        };
        (0..blocks).map(block).collect()
    }

    /// The names of the network's tensors.
    pub fn official_keys(&self, names: BackboneNames) -> KeyMap {
        let mut keys = KeyMap::new()
            .conv("mod1.conv1", "mod1", false)
            .image_weight("mod1.weight");
        for number in 2..=7 {
            for (index, block) in self.stage(number).iter().enumerate() {
                keys = keys.nest(
                    &format!("mod{number}.block{}", index + 1),
                    &format!("mod{number}.{index}"),
                    block.official_keys(),
                );
            }
        }
        match names {
            BackboneNames::Segmentation => keys,
            BackboneNames::Classifier => [
                "bn_out.0.weight",
                "bn_out.0.bias",
                "bn_out.0.running_mean",
                "bn_out.0.running_var",
                "bn_out.0.num_batches_tracked",
                "classifier.fc.weight",
                "classifier.fc.bias",
            ]
            .into_iter()
            .fold(keys, KeyMap::without_counterpart),
        }
    }

    /// Counts the network's cost for an image, one part for each of `mod1` to `mod7`; returns the shapes of `c1` to
    /// `c4`.
    pub fn cost(&self, image: MapShape, counter: &mut CostCounter) -> [MapShape; 4] {
        let full = self.first_conv().cost(image, counter);
        counter.end_part("mod1", full);
        let pooled = counter.max_pool(full);
        let half = self.stage_cost(2, pooled, counter);
        let quarter = counter.max_pool(half);
        let third = self.stage_cost(3, quarter, counter);
        let c2 = self.stage_cost(4, third, counter);
        let c3 = self.stage_cost(5, c2, counter);
        let sixth = self.stage_cost(6, c3, counter);
        let c4 = self.stage_cost(7, sixth, counter);
        let c1 = match self.low_level {
            LowLevelStage::Stride2 => half,
            LowLevelStage::Stride4 => quarter,
        };
        [c1, c2, c3, c4]
    }

    fn stage_cost(&self, number: usize, input: MapShape, counter: &mut CostCounter) -> MapShape {
        let output = self.stage(number).cost(input, counter);
        counter.end_part(&format!("mod{number}"), output);
        output
    }
}

impl WideResNet38 {
    /// Computes the features of `images`, which are normalised as in the weights' training.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, image_channels, height, width]`
    /// - `c1`: stride 2 or 4, see [`LowLevelStage`]; `c2` at stride 8, `c3` and `c4` (`mod5` and `mod7`) as
    ///   [`WideResNet38Config::output_stride`] says; sizes are rounded up
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not [`WideResNet38Config::image_channels`].
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let [_, channels, _, _] = self.mod1.weight.dims();
        assert_shape!(images, [_, channels, _, _]);
        let run = |stage, input| chain(stage, input, PreActivationBlock::forward);
        let full = conv2d(&self.mod1, images);
        let half = run(&self.mod2, max_pool2d(&self.pool, full));
        let quarter = max_pool2d(&self.pool, half.clone());
        let c2 = run(&self.mod4, run(&self.mod3, quarter.clone()));
        let c3 = run(&self.mod5, c2.clone());
        let c4 = run(&self.mod7, run(&self.mod6, c3.clone()));
        let c1 = match self.low_level {
            LowLevelStage::Stride2 => half,
            LowLevelStage::Stride4 => quarter,
        };

        Features { c1, c2, c3, c4 }
    }
}

impl Fold for WideResNet38 {
    fn fold(self) -> Self {
        Self {
            mod2: self.mod2.fold(),
            mod3: self.mod3.fold(),
            mod4: self.mod4.fold(),
            mod5: self.mod5.fold(),
            mod6: self.mod6.fold(),
            mod7: self.mod7.fold(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::tests::{assert_folding_keeps_features, assert_named, assert_strides};

    #[rstest]
    fn stages_have_their_strides(
        #[values(OutputStride::Os8, OutputStride::Os16, OutputStride::Os32)]
        output_stride: OutputStride,
    ) {
        let device = Device::default();
        let config = WideResNet38Config::new()
            .with_width(2)
            .with_output_stride(output_stride);
        let images = Tensor::zeros([1, 3, 65, 97], &device);
        let features = config.init(&device).forward(images.clone());
        assert_strides(features, output_stride, config.channels(), [33, 49]);

        let config = config.with_low_level(LowLevelStage::Stride4);
        let features = config.init(&device).forward(images);
        assert_strides(features, output_stride, config.channels(), [17, 25]);
    }

    #[test]
    fn dilations_and_shortcuts_are_those_of_variant_a2() {
        let network = WideResNet38Config::new()
            .with_width(2)
            .init(&Device::default());
        let stages = [
            &network.mod2,
            &network.mod3,
            &network.mod4,
            &network.mod5,
            &network.mod6,
            &network.mod7,
        ];
        let described = stages.map(|blocks| {
            let shortcuts = blocks.iter().filter(|block| block.shortcut.is_some());
            // The middle convolution of three, or the second of two.
            let spatial = &blocks[0].convs[1].conv;
            let stride = blocks[0].convs[0].conv.stride[0];
            (blocks.len(), stride, spatial.dilation[0], shortcuts.count())
        });
        assert_eq!(
            described,
            [
                (3, 1, 1, 1),
                (3, 1, 1, 1),
                (6, 2, 1, 1),
                (3, 1, 2, 1),
                (1, 1, 4, 1),
                (1, 1, 4, 1),
            ]
        );
        assert_eq!(WideResNet38Config::new().channels(), [128, 512, 1024, 4096]);
    }

    #[rstest]
    fn every_tensor_has_a_name(
        #[values(BackboneNames::Segmentation, BackboneNames::Classifier)] names: BackboneNames,
    ) {
        let config = WideResNet38Config::new().with_width(2);
        let network = config.init(&Device::default());
        assert_named(&network, &config.official_keys(names));
    }

    #[test]
    fn folding_keeps_the_features() {
        let device = Device::default();
        device.seed(4);
        let network = WideResNet38Config::new().with_width(2).init(&device);
        assert_folding_keeps_features(network, WideResNet38::forward, &device);
    }
}
