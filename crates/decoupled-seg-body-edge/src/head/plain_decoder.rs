use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor, assert_shape};

use super::edge_preservation::fine_features;
use super::prediction_branch::{PredictionBranch, PredictionBranchConfig};
use decoupled_seg_nn::ConvInit;
use decoupled_seg_nn::KeyMap;
use decoupled_seg_nn::resize;

/// Configuration of a [`PlainDecoder`]; [`init`](PlainDecoderConfig::init) builds it.
#[derive(Config, Debug)]
pub struct PlainDecoderConfig {
    /// Number of classes.
    pub num_classes: usize,
    /// Channels of the context features, and of the hidden layers.
    #[config(default = 256)]
    pub channels: usize,
    /// Channels of the low-level features, `None` to go without them.
    #[config(default = "None")]
    pub low_level_channels: Option<usize>,
    /// Channels that the low-level features are reduced to.
    #[config(default = 48)]
    pub fine_channels: usize,
    /// How the convolutions start. The authors' plain ResNet networks use [`ConvInit::HeNormal`], their decoupled ones
    /// [`ConvInit::Uniform`]; the default is the latter for both, so that twins differ in the module only.
    #[config(default = "ConvInit::Uniform")]
    pub conv_init: ConvInit,
}

/// The decoder of a network without body and edge: the twin that a [`DecoupledHead`](super::DecoupledHead) is compared
/// with.
///
/// ```text
/// logits = conv1x1(conv3x3(conv3x3([fine ; up(context)])))      fine first
/// ```
///
/// Source: `final` in the authors' baselines. Built by [`PlainDecoderConfig`].
#[derive(Module, Debug)]
pub struct PlainDecoder {
    /// 1x1 convolution of the low-level features, if they are used.
    pub fine: Option<Conv2d>,
    /// Two 3x3 convolutions and the classifier.
    pub segmentation: PredictionBranch,
    /// See [`PlainDecoderConfig::channels`].
    pub channels: usize,
}

impl PlainDecoderConfig {
    /// Builds the decoder on `device`.
    pub fn init(&self, device: &Device) -> PlainDecoder {
        PlainDecoder {
            fine: self.low_level_channels.map(|low| {
                Conv2dConfig::new([low, self.fine_channels], [1, 1])
                    .with_bias(false)
                    .with_initializer(self.conv_init.weight())
                    .init(device)
            }),
            segmentation: self.segmentation().init(device),
            channels: self.channels,
        }
    }

    fn segmentation(&self) -> PredictionBranchConfig {
        let fine_channels = self.low_level_channels.map_or(0, |_| self.fine_channels);
        PredictionBranchConfig::new([
            fine_channels + self.channels,
            self.channels,
            self.num_classes,
        ])
        .with_layers(2)
        .with_conv_init(self.conv_init)
    }

    /// The authors' names of its tensors.
    pub fn official_keys(&self) -> KeyMap {
        let map = match self.low_level_channels {
            Some(_) => KeyMap::new().conv("bot_fine", "fine", false),
            None => KeyMap::new(),
        };
        map.nest("final", "segmentation", self.segmentation().official_keys())
    }
}

impl PlainDecoder {
    /// Predicts the classes of an image.
    ///
    /// # Shapes
    ///
    /// - `context`: `[batch, channels, height, width]`
    /// - `low_level`: `[batch, low_level_channels, fine_height, fine_width]`
    /// - `output_size`: `[height, width]` of the image
    /// - logits: `[batch, num_classes, height, width]` of the image
    ///
    /// # Panics
    ///
    /// Panics if axis 1 of an input has another length than configured, or if `low_level` is missing where the config
    /// asks for it or the other way round.
    pub fn forward(
        &self,
        context: Tensor<4>,
        low_level: Option<Tensor<4>>,
        output_size: [usize; 2],
    ) -> Tensor<4> {
        assert_shape!(context, [_, self.channels, _, _]);
        let features = match fine_features(self.fine.as_ref(), low_level) {
            Some(fine) => {
                let [_, _, height, width] = fine.dims();
                Tensor::cat(vec![fine, resize(context, [height, width], true)], 1)
            }
            None => context,
        };
        resize(self.segmentation.forward(features), output_size, true)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::with_low_level(Some(6))]
    #[case::without(None)]
    fn predicts_at_the_size_of_the_image(#[case] low_level_channels: Option<usize>) {
        let device = Device::default();
        let decoder = PlainDecoderConfig::new(3)
            .with_channels(8)
            .with_low_level_channels(low_level_channels)
            .init(&device);
        let low_level =
            low_level_channels.map(|channels| Tensor::zeros([2, channels, 10, 12], &device));

        let logits = decoder.forward(Tensor::zeros([2, 8, 5, 6], &device), low_level, [40, 48]);

        assert_eq!(logits.dims(), [2, 3, 40, 48]);
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 8, got 7")]
    fn wrong_context_channels_panic() {
        let device = Device::default();
        let decoder = PlainDecoderConfig::new(3).with_channels(8).init(&device);
        let _ = decoder.forward(Tensor::zeros([2, 7, 5, 6], &device), None, [40, 48]);
    }
}
