use burn::module::Module;
use burn::tensor::{Device, Tensor};
use decoupled_seg_backbones::Features;
use decoupled_seg_body_edge::{
    DecoupledHead, DecoupledHeadConfig, PlainDecoder, PlainDecoderConfig,
};
use decoupled_seg_gated::{GatedDecoder, GatedDecoderConfig, GatedInput, ShapeStreamConfig};
use decoupled_seg_nn::cost::Outputs;
use decoupled_seg_nn::{
    ConfigError, ConvInit, CostCounter, Fold, Inspection, KeyMap, MapShape, SegmentationOutput,
    Size, map_size,
};
use serde::{Deserialize, Serialize};

/// Whether a network decouples body and edge, or has a shape stream; [`init`](DecoderConfig::init) builds the decoder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecoderConfig {
    /// With body and edge: a [`DecoupledHead`].
    Decoupled(DecoupledHeadConfig),
    /// Without body and edge: a [`PlainDecoder`], the twin to compare with.
    Plain(PlainDecoderConfig),
    /// With a shape stream instead (GSCNN): a [`GatedDecoder`], the rival to compare with.
    Gated(GatedDecoderConfig),
}

/// The decoder of a network: context features, stages and images in, logits out. Built by [`DecoderConfig`].
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
    /// With a shape stream.
    Gated(GatedDecoder),
}

impl DecoderConfig {
    /// Checks that the decoder can be built.
    ///
    /// # Errors
    ///
    /// As the `validate` of the decoder's own configuration; the key stands inside the decoder's name.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let result = match self {
            Self::Decoupled(config) => config.validate(),
            Self::Plain(config) => config.validate(),
            Self::Gated(config) => config.validate(),
        };
        result.map_err(|error| error.inside(self.name()))
    }

    /// The decoder's name in a description.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Decoupled(_) => "decoupled",
            Self::Plain(_) => "plain",
            Self::Gated(_) => "gated",
        }
    }

    /// Builds the decoder on `device`.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> Decoder {
        match self {
            Self::Decoupled(config) => Decoder::Decoupled(config.init(device)),
            Self::Plain(config) => Decoder::Plain(config.init(device)),
            Self::Gated(config) => Decoder::Gated(config.init(device)),
        }
    }

    /// The plain twin: the same classes and channels, without body and edge.
    #[must_use]
    pub fn plain(self) -> Self {
        Self::Plain(self.without_edges())
    }

    /// The twin with a shape stream over stages of so many channels.
    #[must_use]
    pub fn gated(self, stages: [usize; 4]) -> Self {
        let plain = self.without_edges();
        let shape = ShapeStreamConfig::new(stages).with_conv_init(plain.conv_init);
        Self::Gated(GatedDecoderConfig::new(plain, shape))
    }

    fn without_edges(self) -> PlainDecoderConfig {
        match self {
            Self::Decoupled(config) => PlainDecoderConfig::new(config.num_classes)
                .with_channels(config.body_edge.channels)
                .with_fine(config.fine)
                .with_conv_init(config.conv_init),
            Self::Plain(config) => config,
            Self::Gated(config) => config.plain,
        }
    }

    /// Number of classes.
    pub fn num_classes(&self) -> usize {
        match self {
            Self::Decoupled(config) => config.num_classes,
            Self::Plain(config) => config.num_classes,
            Self::Gated(config) => config.plain.num_classes,
        }
    }

    /// Channels of the context features.
    pub fn channels(&self) -> usize {
        match self {
            Self::Decoupled(config) => config.body_edge.channels,
            Self::Plain(config) => config.channels,
            Self::Gated(config) => config.plain.channels,
        }
    }

    /// Channels `[in, out]` of the convolution of the low-level features; `None` for a decoder without them.
    pub fn fine(&self) -> Option<[usize; 2]> {
        match self {
            Self::Decoupled(config) => config.fine,
            Self::Plain(config) => config.fine,
            Self::Gated(config) => config.plain.fine,
        }
    }

    /// Sets the channels of the context features.
    #[must_use]
    pub fn with_channels(self, channels: usize) -> Self {
        match self {
            Self::Decoupled(config) => Self::Decoupled(config.with_channels(channels)),
            Self::Plain(config) => Self::Plain(config.with_channels(channels)),
            Self::Gated(mut config) => {
                config.plain = config.plain.with_channels(channels);
                Self::Gated(config)
            }
        }
    }

    /// Sets the channels of the low-level features.
    #[must_use]
    pub fn with_fine(self, fine: Option<[usize; 2]>) -> Self {
        match self {
            Self::Decoupled(config) => Self::Decoupled(config.with_fine(fine)),
            Self::Plain(config) => Self::Plain(config.with_fine(fine)),
            Self::Gated(mut config) => {
                config.plain = config.plain.with_fine(fine);
                Self::Gated(config)
            }
        }
    }

    /// Channels of the backbone's stages that a shape stream reads; `None` for a decoder without one.
    pub fn stages(&self) -> Option<[usize; 4]> {
        match self {
            Self::Gated(config) => Some(config.shape.stages),
            Self::Decoupled(_) | Self::Plain(_) => None,
        }
    }

    /// Sets the channels of the backbone's stages, where a shape stream reads them.
    #[must_use]
    pub fn with_stages(self, stages: [usize; 4]) -> Self {
        match self {
            Self::Gated(config) => Self::Gated(config.with_stages(stages)),
            others => others,
        }
    }

    /// Sets how the convolutions are initialised.
    #[must_use]
    pub fn with_conv_init(self, conv_init: ConvInit) -> Self {
        match self {
            Self::Decoupled(config) => Self::Decoupled(config.with_conv_init(conv_init)),
            Self::Plain(config) => Self::Plain(config.with_conv_init(conv_init)),
            Self::Gated(config) => Self::Gated(config.with_conv_init(conv_init)),
        }
    }

    /// Smallest height and width of the context features, in pixels.
    pub fn min_size(&self) -> usize {
        match self {
            Self::Decoupled(config) => config.body_edge.min_size(),
            Self::Plain(_) | Self::Gated(_) => 1,
        }
    }

    /// The authors' names of the decoder's tensors.
    pub fn official_keys(&self) -> KeyMap {
        match self {
            Self::Decoupled(config) => config.official_keys(),
            Self::Plain(config) => config.official_keys(),
            Self::Gated(config) => config.official_keys(),
        }
    }

    /// Counts the decoder's cost for an image, from the shapes of the context features and the backbone's stages.
    pub fn cost(
        &self,
        context: MapShape,
        stages: [MapShape; 4],
        image: MapShape,
        outputs: Outputs,
        counter: &mut CostCounter,
    ) {
        let [low_level, ..] = stages;
        match self {
            Self::Decoupled(config) => {
                config.cost(context, low_level, image.size, outputs, counter);
            }
            Self::Plain(config) => config.cost(context, low_level, image.size, counter),
            Self::Gated(config) => config.cost(context, stages, image, counter),
        }
    }
}

/// What a decoder reads.
#[derive(Debug, Clone)]
pub struct DecoderInput {
    /// The context features, `[batch, channels, height, width]`.
    pub context: Tensor<4>,
    /// The backbone's stages. The first is the low-level features; a shape stream reads all.
    pub stages: Features,
    /// The normalised images, `[batch, _, image_height, image_width]`. The outputs have their size; a shape stream looks for
    /// their edges.
    pub images: Tensor<4>,
}

impl DecoderInput {
    fn gated(self) -> GatedInput {
        let Features { c1, c2, c3, c4 } = self.stages;
        GatedInput {
            context: self.context,
            stages: [c1, c2, c3, c4],
            images: self.images,
        }
    }

    /// The low-level features, for a decoder with a convolution of them.
    fn low_level(&self, wanted: bool) -> Option<Tensor<4>> {
        wanted.then(|| self.stages.c1.clone())
    }
}

impl Decoder {
    /// The smallest batch of context features of the size `map` that can be trained on: 2 where the module's last
    /// strided convolution leaves one pixel and its norm is trained, else 1.
    pub fn min_training_batch(&self, map: Size) -> usize {
        match self {
            Self::Decoupled(head) => head.body_edge.min_training_batch(map),
            Self::Gated(_) | Self::Plain(_) => 1,
        }
    }

    /// Predicts all outputs that a loss can supervise.
    ///
    /// # Panics
    ///
    /// As [`DecoupledHead::forward`], [`PlainDecoder::forward`] and [`GatedDecoder::forward`].
    pub fn forward(&self, input: DecoderInput) -> SegmentationOutput {
        let size = map_size(&input.images);
        match self {
            Self::Decoupled(head) => {
                let low_level = input.low_level(head.edge_preservation.fine.is_some());
                head.forward(input.context, low_level, size)
            }
            Self::Plain(decoder) => {
                let low_level = input.low_level(decoder.fine.is_some());
                decoder.forward(input.context, low_level, size)
            }
            Self::Gated(decoder) => decoder.forward(input.gated()),
        }
    }

    /// Predicts the segmentation `[batch, num_classes, image_height, image_width]` only.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn predict(&self, input: DecoderInput) -> Tensor<4> {
        let size = map_size(&input.images);
        match self {
            Self::Decoupled(head) => {
                let low_level = input.low_level(head.edge_preservation.fine.is_some());
                head.forward_logits(input.context, low_level, size)
            }
            Self::Plain(_) => self.forward(input).logits,
            Self::Gated(decoder) => decoder.forward_logits(input.gated()),
        }
    }

    /// Body, edge and flow, for pictures; `None` from a decoder without them.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn inspect(&self, input: DecoderInput) -> Option<Inspection> {
        let size = map_size(&input.images);
        match self {
            Self::Decoupled(head) => {
                let low_level = input.low_level(head.edge_preservation.fine.is_some());
                Some(head.inspect(input.context, low_level, size))
            }
            Self::Plain(_) | Self::Gated(_) => None,
        }
    }
}

impl Fold for Decoder {
    fn fold(self) -> Self {
        match self {
            Self::Decoupled(head) => Self::Decoupled(head.fold()),
            Self::Plain(decoder) => Self::Plain(decoder.fold()),
            Self::Gated(decoder) => Self::Gated(decoder.fold()),
        }
    }
}
