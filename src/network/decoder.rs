use burn::module::Module;
use burn::tensor::{Device, Tensor};
use decoupled_seg_body_edge::{
    DecoupledHead, DecoupledHeadConfig, PlainDecoder, PlainDecoderConfig,
};
use decoupled_seg_nn::cost::Outputs;
use decoupled_seg_nn::{
    ConvInit, CostCounter, Fold, Inspection, KeyMap, MapShape, SegmentationOutput, Size,
};
use serde::{Deserialize, Serialize};

/// Whether a network decouples body and edge; [`init`](DecoderConfig::init) builds the decoder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecoderConfig {
    /// With body and edge: a [`DecoupledHead`].
    Decoupled(DecoupledHeadConfig),
    /// Without body and edge: a [`PlainDecoder`], the twin to compare with.
    Plain(PlainDecoderConfig),
}

/// The decoder of a network: context and low-level features in, logits out. Built by [`DecoderConfig`].
#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one per network, and parameters live behind pointers anyway"
)]
pub enum Decoder {
    /// With body and edge.
    Decoupled(DecoupledHead),
    /// Without body and edge.
    Plain(PlainDecoder),
}

impl DecoderConfig {
    /// Builds the decoder on `device`.
    pub fn init(&self, device: &Device) -> Decoder {
        match self {
            Self::Decoupled(config) => Decoder::Decoupled(config.init(device)),
            Self::Plain(config) => Decoder::Plain(config.init(device)),
        }
    }

    /// The plain twin: the same classes and channels, without body and edge.
    #[must_use]
    pub fn plain(self) -> Self {
        match self {
            Self::Decoupled(config) => Self::Plain(
                PlainDecoderConfig::new(config.num_classes)
                    .with_channels(config.body_edge.channels)
                    .with_fine(config.fine)
                    .with_conv_init(config.conv_init),
            ),
            plain => plain,
        }
    }

    /// Number of classes.
    pub fn num_classes(&self) -> usize {
        match self {
            Self::Decoupled(config) => config.num_classes,
            Self::Plain(config) => config.num_classes,
        }
    }

    /// Channels of the context features.
    pub fn channels(&self) -> usize {
        match self {
            Self::Decoupled(config) => config.body_edge.channels,
            Self::Plain(config) => config.channels,
        }
    }

    /// Channels `[in, out]` of the convolution of the low-level features; `None` for a decoder without them.
    pub fn fine(&self) -> Option<[usize; 2]> {
        match self {
            Self::Decoupled(config) => config.fine,
            Self::Plain(config) => config.fine,
        }
    }

    /// Sets the channels of the context features.
    #[must_use]
    pub fn with_channels(self, channels: usize) -> Self {
        match self {
            Self::Decoupled(config) => Self::Decoupled(config.with_channels(channels)),
            Self::Plain(config) => Self::Plain(config.with_channels(channels)),
        }
    }

    /// Sets the channels of the low-level features.
    #[must_use]
    pub fn with_fine(self, fine: Option<[usize; 2]>) -> Self {
        match self {
            Self::Decoupled(config) => Self::Decoupled(config.with_fine(fine)),
            Self::Plain(config) => Self::Plain(config.with_fine(fine)),
        }
    }

    /// Sets how the convolutions are initialised.
    #[must_use]
    pub fn with_conv_init(self, conv_init: ConvInit) -> Self {
        match self {
            Self::Decoupled(config) => Self::Decoupled(config.with_conv_init(conv_init)),
            Self::Plain(config) => Self::Plain(config.with_conv_init(conv_init)),
        }
    }

    /// Smallest height and width of the context features, in pixels.
    pub fn min_size(&self) -> usize {
        match self {
            Self::Decoupled(config) => config.body_edge.min_size(),
            Self::Plain(_) => 1,
        }
    }

    /// The authors' names of the decoder's tensors.
    pub fn official_keys(&self) -> KeyMap {
        match self {
            Self::Decoupled(config) => config.official_keys(),
            Self::Plain(config) => config.official_keys(),
        }
    }

    /// Counts the decoder's cost for an image.
    pub fn cost(
        &self,
        context: MapShape,
        low_level: MapShape,
        image_size: Size,
        outputs: Outputs,
        counter: &mut CostCounter,
    ) {
        match self {
            Self::Decoupled(config) => {
                config.cost(context, low_level, image_size, outputs, counter);
            }
            Self::Plain(config) => config.cost(context, low_level, image_size, counter),
        }
    }
}

impl Decoder {
    /// The smallest batch of context features of the size `map` that can be trained on: 2 where the module's last
    /// strided convolution leaves one pixel and its norm is trained, else 1.
    pub fn min_training_batch(&self, map: Size) -> usize {
        match self {
            Self::Decoupled(head) => head.body_edge.min_training_batch(map),
            Self::Plain(_) => 1,
        }
    }

    fn low_level(&self, stage: Tensor<4>) -> Option<Tensor<4>> {
        let fine = match self {
            Self::Decoupled(head) => &head.edge_preservation.fine,
            Self::Plain(decoder) => &decoder.fine,
        };
        fine.is_some().then_some(stage)
    }

    /// Predicts all outputs that a loss can supervise.
    ///
    /// # Shapes
    ///
    /// - `context`: `[batch, channels, height, width]`
    /// - `first_stage`: `[batch, low_level_channels, fine_height, fine_width]`; a decoder without low-level features
    ///   ignores it
    /// - the outputs have `output_size`, the image's
    ///
    /// # Panics
    ///
    /// As [`DecoupledHead::forward`] and [`PlainDecoder::forward`].
    pub fn forward(
        &self,
        context: Tensor<4>,
        first_stage: Tensor<4>,
        output_size: Size,
    ) -> SegmentationOutput {
        let low_level = self.low_level(first_stage);
        match self {
            Self::Decoupled(head) => head.forward(context, low_level, output_size),
            Self::Plain(decoder) => decoder.forward(context, low_level, output_size),
        }
    }

    /// Predicts the segmentation only.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward); returns `[batch, num_classes, height, width]`.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn predict(
        &self,
        context: Tensor<4>,
        first_stage: Tensor<4>,
        output_size: Size,
    ) -> Tensor<4> {
        let low_level = self.low_level(first_stage);
        match self {
            Self::Decoupled(head) => head.forward_logits(context, low_level, output_size),
            Self::Plain(decoder) => decoder.forward(context, low_level, output_size).logits,
        }
    }

    /// Body, edge and flow, for pictures; `None` from a plain decoder.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn inspect(
        &self,
        context: Tensor<4>,
        first_stage: Tensor<4>,
        output_size: Size,
    ) -> Option<Inspection> {
        let low_level = self.low_level(first_stage);
        match self {
            Self::Decoupled(head) => Some(head.inspect(context, low_level, output_size)),
            Self::Plain(_) => None,
        }
    }
}

impl Fold for Decoder {
    fn fold(self) -> Self {
        match self {
            Self::Decoupled(head) => Self::Decoupled(head.fold()),
            Self::Plain(decoder) => Self::Plain(decoder.fold()),
        }
    }
}
