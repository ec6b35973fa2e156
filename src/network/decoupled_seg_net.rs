use burn::config::Config;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, assert_shape};
use decoupled_seg_body_edge::{BodyEdgeModuleConfig, DecoupledHeadConfig, PlainDecoderConfig};
use decoupled_seg_heads::{AuxiliaryHead, AuxiliaryHeadConfig};
use decoupled_seg_nn::{
    BodyEdgeLogits, ConvInit, Inspection, SegmentationModel, SegmentationOutput, resize,
};

use super::backbone::{Backbone, BackboneConfig};
use super::context::{Context, ContextConfig};
use super::decoder::{Decoder, DecoderConfig};

/// Configuration of a [`DecoupledSegNet`]; [`init`](DecoupledSegNetConfig::init) builds it.
///
/// Start from a preset, such as [`fcn_resnet50`](Self::fcn_resnet50), and change what you need. The twin to compare
/// with is the same configuration with [`DecoderConfig::Plain`].
///
/// # Example
///
/// ```
/// use burn::tensor::Device;
/// use decoupled_seg::prelude::*;
///
/// let device = Device::default();
/// let config = DecoupledSegNetConfig::tiny(11);
/// let decoupled = config.init(&device);
/// let plain = config.clone().with_decoder(DecoderConfig::Plain).init(&device);
///
/// assert_eq!(decoupled.num_classes(), plain.num_classes());
/// ```
#[derive(Config, Debug)]
pub struct DecoupledSegNetConfig {
    /// Number of classes.
    pub num_classes: usize,
    /// An image in, the features of four stages out.
    pub backbone: BackboneConfig,
    /// The last stage in, the context features out.
    #[config(default = "ContextConfig::Fcn")]
    pub context: ContextConfig,
    /// Context and low-level features in, logits out.
    #[config(default = "DecoderConfig::Decoupled")]
    pub decoder: DecoderConfig,
    /// Body generation. Its `channels` are those of the context features, in a plain network too;
    /// [`with_channels`](Self::with_channels) sets them.
    #[config(default = "BodyEdgeModuleConfig::new(256)")]
    pub body_edge: BodyEdgeModuleConfig,
    /// Channels that the first stage's features are reduced to for the decoder; `None` to go without them.
    #[config(default = "Some(48)")]
    pub fine_channels: Option<usize>,
    /// Hidden channels of the edge prediction.
    #[config(default = 48)]
    pub edge_channels: usize,
    /// Whether an auxiliary head predicts the classes from the third stage.
    #[config(default = false)]
    pub auxiliary: bool,
    /// How the convolutions behind the backbone start. The authors use [`ConvInit::Uniform`] for decoupled networks and
    /// [`ConvInit::HeNormal`] for plain ones; with one setting for both, twins differ in the module only.
    #[config(default = "ConvInit::Uniform")]
    pub conv_init: ConvInit,
}

/// A whole segmentation network: backbone, context head, and a decoder with or without body and edge.
///
/// ```text
/// c1 .. c4 = backbone(images)
/// F        = context(c4)
/// logits.. = decoder(F, c1)
/// ```
///
/// Built by [`DecoupledSegNetConfig`]; used through [`SegmentationModel`].
#[doc(alias("DeepLabV3Plus", "FCN", "PSPNet"))]
#[derive(Module, Debug)]
pub struct DecoupledSegNet {
    /// An image in, the features of four stages out.
    pub backbone: Backbone,
    /// The last stage in, the context features out.
    pub context: Context,
    /// Context and low-level features in, logits out.
    pub decoder: Decoder,
    /// Predicts the classes from the third stage, if configured.
    pub auxiliary: Option<AuxiliaryHead>,
    /// Whether the decoder reads the first stage.
    pub low_level: bool,
    /// See [`DecoupledSegNetConfig::num_classes`].
    pub num_classes: usize,
}

impl DecoupledSegNetConfig {
    /// Replaces the backbone of a preset.
    #[must_use]
    pub fn with_backbone(mut self, backbone: BackboneConfig) -> Self {
        self.backbone = backbone;
        self
    }

    /// Sets the channels of the context features, and so of the decoder.
    #[must_use]
    pub fn with_channels(mut self, channels: usize) -> Self {
        self.body_edge.channels = channels;
        self
    }

    /// Channels of the context features.
    pub fn channels(&self) -> usize {
        self.body_edge.channels
    }

    /// Builds the network on `device`, with every parameter drawn: after [`Device::seed`] the same network comes out,
    /// whatever runs before its first forward pass.
    ///
    /// # Panics
    ///
    /// Panics if `num_classes` is 0, or as the configs of the parts.
    pub fn init(&self, device: &Device) -> DecoupledSegNet {
        assert!(
            self.num_classes > 0,
            "num_classes must be at least 1, got 0"
        );
        let [_, _, third, last] = self.backbone.channels();
        let network = DecoupledSegNet {
            backbone: self.backbone.init(device),
            context: self
                .context
                .init([last, self.channels()], self.conv_init, device),
            decoder: match self.decoder {
                DecoderConfig::Decoupled => Decoder::Decoupled(self.decoupled_head().init(device)),
                DecoderConfig::Plain => Decoder::Plain(self.plain_decoder().init(device)),
            },
            auxiliary: self.auxiliary.then(|| {
                AuxiliaryHeadConfig::new(third, self.num_classes)
                    .with_conv_init(self.conv_init)
                    .init(device)
            }),
            low_level: self.fine_channels.is_some(),
            num_classes: self.num_classes,
        };
        network.visit(&mut Draw);
        network
    }

    fn low_level_channels(&self) -> Option<usize> {
        self.fine_channels.map(|_| self.backbone.channels()[0])
    }

    pub(crate) fn decoupled_head(&self) -> DecoupledHeadConfig {
        let head = DecoupledHeadConfig::new(self.num_classes)
            .with_body_edge(self.body_edge.clone())
            .with_low_level_channels(self.low_level_channels())
            .with_edge_channels(self.edge_channels)
            .with_conv_init(self.conv_init);
        match self.fine_channels {
            Some(fine_channels) => head.with_fine_channels(fine_channels),
            None => head,
        }
    }

    pub(crate) fn plain_decoder(&self) -> PlainDecoderConfig {
        let decoder = PlainDecoderConfig::new(self.num_classes)
            .with_channels(self.channels())
            .with_low_level_channels(self.low_level_channels())
            .with_conv_init(self.conv_init);
        match self.fine_channels {
            Some(fine_channels) => decoder.with_fine_channels(fine_channels),
            None => decoder,
        }
    }
}

/// What the decoder and the auxiliary head read.
struct NetworkFeatures {
    context: Tensor<4>,
    low_level: Option<Tensor<4>>,
    third_stage: Tensor<4>,
    image_size: [usize; 2],
}

impl DecoupledSegNet {
    fn features(&self, images: Tensor<4>) -> NetworkFeatures {
        assert_shape!(images, [_, 3, _, _]);
        let [_, _, height, width] = images.dims();
        let stages = self.backbone.forward(images);
        NetworkFeatures {
            context: self.context.forward(stages.c4),
            low_level: self.low_level.then_some(stages.c1),
            third_stage: stages.c3,
            image_size: [height, width],
        }
    }
}

impl SegmentationModel for DecoupledSegNet {
    fn num_classes(&self) -> usize {
        self.num_classes
    }

    fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
        let features = self.features(images);
        let size = features.image_size;
        let aux_logits = self
            .auxiliary
            .as_ref()
            .map(|branch| resize(branch.forward(features.third_stage), size, true));
        let (logits, supervision) = match &self.decoder {
            Decoder::Decoupled(head) => {
                let output = head.forward(features.context, features.low_level, size);
                let supervision = BodyEdgeLogits {
                    body_logits: output.body_logits,
                    edge_logits: output.edge_logits,
                };
                (output.logits, Some(supervision))
            }
            Decoder::Plain(decoder) => {
                let logits = decoder.forward(features.context, features.low_level, size);
                (logits, None)
            }
        };
        SegmentationOutput {
            logits,
            supervision,
            aux_logits,
        }
    }

    fn predict(&self, images: Tensor<4>) -> Tensor<4> {
        let features = self.features(images);
        let NetworkFeatures {
            context,
            low_level,
            image_size,
            ..
        } = features;
        match &self.decoder {
            Decoder::Decoupled(head) => head.forward_logits(context, low_level, image_size),
            Decoder::Plain(decoder) => decoder.forward(context, low_level, image_size),
        }
    }

    fn inspect(&self, images: Tensor<4>) -> Option<Inspection> {
        match &self.decoder {
            Decoder::Decoupled(head) => {
                let features = self.features(images);
                Some(head.inspect(features.context, features.low_level, features.image_size))
            }
            Decoder::Plain(_) => None,
        }
    }
}

/// Burn draws a parameter when it is first read, so the order of reading decides who gets which number.
struct Draw;

impl ModuleVisitor for Draw {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let _ = param.val();
    }
}
