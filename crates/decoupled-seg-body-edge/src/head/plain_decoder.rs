use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor, assert_shape};
use decoupled_seg_nn::{
    ConfigError, ConvInit, Cost, CostCounter, Fold, KeyMap, MapShape, SegmentationOutput, Size,
    map_size, resize,
};

use super::edge_preservation::{fine_cost, fine_features, fine_keys, pointwise, validate_fine};
use super::prediction_branch::{PredictionBranch, PredictionBranchConfig};

/// Configuration of a [`PlainDecoder`]; [`init`](PlainDecoderConfig::init) builds it.
#[derive(Config, Debug)]
pub struct PlainDecoderConfig {
    /// Number of classes.
    pub num_classes: usize,
    /// Channels of the context features, and of the hidden layers.
    #[config(default = 256)]
    pub channels: usize,
    /// Channels `[in, out]` of the 1x1 convolution of the low-level features; `None` for a decoder without them.
    #[config(default = "None")]
    pub fine: Option<[usize; 2]>,
    /// How the convolutions are initialised. The authors use [`ConvInit::HeNormal`] in plain ResNet networks and
    /// [`ConvInit::Uniform`] in decoupled ones. The default is [`ConvInit::Uniform`] in both, so that twins differ in
    /// the module only.
    #[config(default = "ConvInit::Uniform")]
    pub conv_init: ConvInit,
}

/// The decoder of a network without body and edge: the twin to compare a [`DecoupledHead`](super::DecoupledHead) with.
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
    /// Checks that the decoder can be built.
    ///
    /// # Errors
    ///
    /// A number of classes or of channels is 0 or too large.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check_channels("num_classes", &[self.num_classes])?;
        ConfigError::check_channels("channels", &[self.channels])?;
        validate_fine(self.fine)
    }

    /// Builds the decoder on `device`.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> PlainDecoder {
        ConfigError::assert_none(self.validate());
        PlainDecoder {
            fine: self
                .fine
                .map(|channels| pointwise(channels, self.conv_init).init(device)),
            segmentation: self.segmentation().init(device),
            channels: self.channels,
        }
    }

    fn segmentation(&self) -> PredictionBranchConfig {
        let fine_channels = self.fine.map_or(0, |[_, fine]| fine);
        PredictionBranchConfig::new([
            fine_channels + self.channels,
            self.channels,
            self.num_classes,
        ])
        .with_layers(2)
        .with_conv_init(self.conv_init)
    }

    /// The authors' names of the decoder's tensors.
    pub fn official_keys(&self) -> KeyMap {
        let segmentation = self.segmentation().official_keys();
        fine_keys(self.fine).nest("final", "segmentation", segmentation)
    }

    /// Counts the decoder's cost for an image, one part for each of `bot_fine` and `final`.
    pub fn cost(
        &self,
        context: MapShape,
        low_level: MapShape,
        image_size: Size,
        counter: &mut CostCounter,
    ) {
        let features = match fine_cost(self.fine, low_level, counter) {
            Some(fine) => {
                let context = counter.resize(context, fine.size);
                counter.concatenate(&[fine, context])
            }
            None => context,
        };
        let logits = self.segmentation().cost(features, counter);
        let logits = counter.resize(logits, image_size);
        counter.end_part("final", logits);
    }
}

impl PlainDecoder {
    /// Predicts the classes of an image.
    ///
    /// # Shapes
    ///
    /// - `context`: `[batch, channels, height, width]`
    /// - `low_level`: `[batch, fine[0], fine_height, fine_width]`
    /// - logits: `[batch, num_classes, height, width]` of `output_size`, the image's
    ///
    /// # Panics
    ///
    /// Panics if axis 1 of an input has another length than configured, if `low_level` is missing where the config asks
    /// for it, or if it is given where the config does not ask for it.
    pub fn forward(
        &self,
        context: Tensor<4>,
        low_level: Option<Tensor<4>>,
        output_size: Size,
    ) -> SegmentationOutput {
        assert_shape!(context, [_, self.channels, _, _]);
        let features = match fine_features(self.fine.as_ref(), low_level) {
            Some(fine) => {
                let context = resize(context, map_size(&fine), true);
                Tensor::cat(vec![fine, context], 1)
            }
            None => context,
        };
        let logits = self.segmentation.forward(features);
        SegmentationOutput::plain(resize(logits, output_size, true))
    }
}

impl Fold for PlainDecoder {
    fn fold(self) -> Self {
        Self {
            segmentation: self.segmentation.fold(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::with_low_level(Some(6))]
    #[case::without(None)]
    fn predicts_at_the_size_of_the_image(#[case] low_level: Option<usize>) {
        let device = Device::default();
        let decoder = PlainDecoderConfig::new(3)
            .with_channels(8)
            .with_fine(low_level.map(|channels| [channels, 4]))
            .init(&device);
        let low_level = low_level.map(|channels| Tensor::zeros([2, channels, 10, 12], &device));

        let context = Tensor::zeros([2, 8, 5, 6], &device);
        let output = decoder.forward(context, low_level, Size::new(40, 48));

        assert_eq!(output.logits.dims(), [2, 3, 40, 48]);
        assert!(output.supervision.is_none());
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 8, got 7")]
    fn wrong_context_channels_panic() {
        let device = Device::default();
        let decoder = PlainDecoderConfig::new(3).with_channels(8).init(&device);
        let _ = decoder.forward(
            Tensor::zeros([2, 7, 5, 6], &device),
            None,
            Size::new(40, 48),
        );
    }
}
