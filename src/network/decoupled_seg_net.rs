use std::fmt;

use burn::config::{Config, config_to_json};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, FloatDType, Tensor, assert_shape};
use decoupled_seg_body_edge::DecoupledHeadConfig;
use decoupled_seg_gated::GatedDecoderConfig;
use decoupled_seg_heads::{AuxiliaryHead, AuxiliaryHeadConfig};
use decoupled_seg_nn::cost::{NetworkCost, Outputs};
use decoupled_seg_nn::{
    Arithmetic, ConfigError, ConvInit, Cost, CostCounter, Fold, Inspection, MapShape,
    SegmentationModel, SegmentationOutput, Size, for_inference, map_size, resize,
};
use serde::{Deserialize, Serialize};

use super::backbone::{Backbone, BackboneConfig};
use super::context::{Context, ContextConfig};
use super::decoder::{Decoder, DecoderConfig, DecoderInput};

/// Configuration of a [`DecoupledSegNet`]; [`init`](DecoupledSegNetConfig::init) builds it.
///
/// Start from a preset, such as [`fcn_resnet50`](Self::fcn_resnet50), or from [`new`](Self::new), and change what you
/// need. Each part states how many channels it reads; the methods here keep these numbers consistent between
/// neighbours.
///
/// # Example
///
/// ```
/// use burn::tensor::Device;
/// use decoupled_seg::backbones::ResNetConfig;
/// use decoupled_seg::heads::AsppConfig;
/// use decoupled_seg::prelude::*;
///
/// let device = Device::default();
/// let backbone = ResNetConfig::resnet18().with_width(8);
/// let config = DecoupledSegNetConfig::new(11, backbone, AsppConfig::new([64, 32]));
/// let decoupled = config.init(&device);
/// let plain = config.plain().init(&device); // the twin to compare with
///
/// assert_eq!(decoupled.num_classes(), plain.num_classes());
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DecoupledSegNetConfig {
    /// An image in, the features of four stages out.
    pub backbone: BackboneConfig,
    /// The last stage in, the context features out.
    pub context: ContextConfig,
    /// Context and low-level features in, logits out.
    pub decoder: DecoderConfig,
    /// Predicts the classes from the third stage, for a second loss; `None` for a network without this head.
    pub auxiliary: Option<AuxiliaryHeadConfig>,
}

impl Config for DecoupledSegNetConfig {}

/// As JSON.
impl fmt::Display for DecoupledSegNetConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&config_to_json(self))
    }
}

/// A whole segmentation network: backbone, context head, and a decoder with body and edge, without, or with a shape stream.
///
/// ```text
/// c1 .. c4 = backbone(images)
/// F        = context(c4)
/// logits.. = decoder(F, c1)                 with a shape stream: decoder(F, c1 .. c4, images)
/// ```
///
/// Built by [`DecoupledSegNetConfig`]; used through [`SegmentationModel`].
#[doc(alias("DeepLabV3Plus", "FCN", "PSPNet", "GSCNN"))]
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
    #[module(skip)]
    config: DecoupledSegNetConfig,
}

impl DecoupledSegNetConfig {
    /// A decoupled network without an auxiliary head. Its decoder reads low-level features reduced to 48 channels, as
    /// the paper's does.
    pub fn new(
        num_classes: usize,
        backbone: impl Into<BackboneConfig>,
        context: impl Into<ContextConfig>,
    ) -> Self {
        let (backbone, context) = (backbone.into(), context.into());
        let [low_level, ..] = backbone.channels();
        let [_, channels] = context.channels();
        let head = DecoupledHeadConfig::new(num_classes)
            .with_channels(channels)
            .with_fine(Some([low_level, 48]));
        Self {
            backbone,
            context,
            decoder: DecoderConfig::Decoupled(head),
            auxiliary: None,
        }
    }

    /// The twin without body and edge.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.decoder = self.decoder.plain();
        self
    }

    /// The twin with a shape stream in place of body and edge: GSCNN. With an [`Aspp`](crate::heads::Aspp) as the context
    /// head it is the paper's fusion; with another head the boundary map is added behind it.
    #[must_use]
    pub fn gated(mut self) -> Self {
        self.decoder = self.decoder.gated(self.backbone.channels());
        self
    }

    /// Changes the decoder of a network with a shape stream; another one stays as it is.
    #[must_use]
    pub fn map_gated(
        mut self,
        change: impl FnOnce(GatedDecoderConfig) -> GatedDecoderConfig,
    ) -> Self {
        self.decoder = match self.decoder {
            DecoderConfig::Gated(decoder) => DecoderConfig::Gated(change(decoder)),
            others => others,
        };
        self
    }

    /// Replaces the backbone; the other parts then read its channels.
    #[must_use]
    pub fn with_backbone(mut self, backbone: impl Into<BackboneConfig>) -> Self {
        self.backbone = backbone.into();
        let [low_level, _, third, last] = self.backbone.channels();
        self.context = self.context.with_channels_in(last);
        let fine = self.decoder.fine().map(|[_, fine]| [low_level, fine]);
        let stages = self.backbone.channels();
        self.decoder = self.decoder.with_fine(fine).with_stages(stages);
        self.auxiliary = self.auxiliary.map(|head| AuxiliaryHeadConfig {
            channels: third,
            ..head
        });
        self
    }

    /// Sets the channels of the images: 1 for grey, 3 for RGB, 4 with a fourth band.
    #[must_use]
    pub fn with_in_channels(mut self, channels: usize) -> Self {
        self.backbone = self.backbone.with_in_channels(channels);
        self
    }

    /// Replaces the context head; the decoder then reads its channels.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<ContextConfig>) -> Self {
        self.context = context.into();
        let [_, channels] = self.context.channels();
        self.decoder = self.decoder.with_channels(channels);
        self
    }

    /// Sets to how many channels the decoder reduces the first stage's features; `None` makes a decoder without them.
    #[must_use]
    pub fn with_fine_channels(mut self, fine_channels: Option<usize>) -> Self {
        let [low_level, ..] = self.backbone.channels();
        let fine = fine_channels.map(|fine| [low_level, fine]);
        self.decoder = self.decoder.with_fine(fine);
        self
    }

    /// Changes the head of a decoupled network; a plain one stays as it is.
    #[must_use]
    pub fn map_head(
        mut self,
        change: impl FnOnce(DecoupledHeadConfig) -> DecoupledHeadConfig,
    ) -> Self {
        self.decoder = match self.decoder {
            DecoderConfig::Decoupled(head) => DecoderConfig::Decoupled(change(head)),
            others => others,
        };
        self
    }

    /// Sets whether an auxiliary head predicts the classes from the third stage.
    #[must_use]
    pub fn with_auxiliary(mut self, auxiliary: bool) -> Self {
        let [_, _, third, _] = self.backbone.channels();
        self.auxiliary = auxiliary.then(|| AuxiliaryHeadConfig::new(third, self.num_classes()));
        self
    }

    /// Sets how the convolutions behind the backbone are initialised. The authors use [`ConvInit::Uniform`] for
    /// decoupled networks and [`ConvInit::HeNormal`] for plain ones. The default is [`ConvInit::Uniform`] for both, so
    /// that twins differ in the module only.
    #[must_use]
    pub fn with_conv_init(mut self, conv_init: ConvInit) -> Self {
        self.context = self.context.with_conv_init(conv_init);
        self.decoder = self.decoder.with_conv_init(conv_init);
        self.auxiliary = self.auxiliary.map(|head| head.with_conv_init(conv_init));
        self
    }

    /// Number of classes.
    pub fn num_classes(&self) -> usize {
        self.decoder.num_classes()
    }

    /// Builds the network on `device` and draws every parameter at once. So after [`Device::seed`] the same network
    /// comes out, whatever runs before its first forward pass.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> DecoupledSegNet {
        ConfigError::assert_none(self.validate());
        let network = DecoupledSegNet {
            backbone: self.backbone.init(device),
            context: self.context.init(device),
            decoder: self.decoder.init(device),
            auxiliary: self.auxiliary.as_ref().map(|head| head.init(device)),
            config: self.clone(),
        };
        network.visit(&mut Draw);
        network
    }

    /// Least height and width of an image, in pixels; see
    /// [`SegmentationModel::min_image_side`](decoupled_seg_nn::SegmentationModel::min_image_side).
    pub fn min_image_side(&self) -> usize {
        // The sizes of stages are rounded up, so one pixel beyond `min_size - 1` whole strides is enough.
        let stride = self.backbone.output_stride().pixels();
        (self.decoder.min_size() - 1) * stride + 1
    }

    /// Counts the network's cost for one image of `image_size`, without building the network.
    ///
    /// # Panics
    ///
    /// Panics if a side of the image is below [`min_image_side`](Self::min_image_side), or if the configuration is not
    /// [valid](Self::validate). However many parameters there are, they are counted.
    ///
    /// # Example
    ///
    /// ```
    /// use decoupled_seg::cost::Outputs;
    /// use decoupled_seg::prelude::*;
    ///
    /// let config = DecoupledSegNetConfig::deeplabv3plus_resnet50(19);
    /// let cost = config.cost(Size::square(512), Outputs::Segmentation);
    /// assert_eq!(cost.total().conv_macs, 198_809_072_128);
    /// assert_eq!(cost.part("layer4").map(|part| part.counts.conv_macs), Some(61_203_283_968));
    /// ```
    pub fn cost(&self, image_size: Size, outputs: Outputs) -> NetworkCost {
        ConfigError::assert_none(self.validate_parts());
        self.count(image_size, outputs)
    }

    /// The cost of a network whose parts are valid.
    pub(super) fn count(&self, image_size: Size, outputs: Outputs) -> NetworkCost {
        let mut counter = CostCounter::new();
        let image = MapShape::new(self.backbone.image_channels(), image_size);
        let stages = self.backbone.cost(image, &mut counter);
        let [_, _, c3, c4] = stages;
        let context = self.context.cost(c4, &mut counter);
        self.decoder
            .cost(context, stages, image, outputs, &mut counter);
        if let Some(head) = &self.auxiliary
            && outputs == Outputs::All
        {
            let logits = head.cost(c3, &mut counter);
            let logits = counter.resize(logits, image_size);
            counter.end_part("aux_classifier", logits);
        }
        counter.finish(image_size)
    }
}

impl DecoupledSegNet {
    /// The configuration that the network was built from.
    pub fn config(&self) -> &DecoupledSegNetConfig {
        &self.config
    }

    /// The same network for inference: batch norms folded into the convolutions before them, and parameters of type
    /// `dtype`. On a CPU it calculates with [`Arithmetic::Fast`]: on whole networks the logits are less than 1e-4 of the largest one
    /// away from the exact ones, and labels are the same but where two logits are that close. See
    /// [`for_inference`](decoupled_seg_nn::for_inference).
    ///
    /// Norms without a convolution in front of them remain: one in each block of a WideResNet-38.
    ///
    /// # Panics
    ///
    /// Panics if the device does not compute in `dtype`.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::tensor::{Device, FloatDType, Tensor};
    /// use decoupled_seg::prelude::*;
    ///
    /// let device = Device::default();
    /// let network = DecoupledSegNetConfig::tiny(5).init(&device);
    /// let fast = network.for_inference(FloatDType::F32);
    ///
    /// let images = Tensor::ones([1, 3, 64, 96], &device);
    /// let difference = fast.predict(images.clone()) - network.predict(images);
    /// assert!(difference.abs().max().into_scalar::<f32>() < 1e-4);
    /// ```
    pub fn for_inference(&self, dtype: FloatDType) -> DecoupledSegNet {
        self.for_inference_with(dtype, Arithmetic::default())
    }

    /// As [`for_inference`](Self::for_inference), with the arithmetic named: [`Arithmetic::Exact`] rounds no more than training does.
    ///
    /// # Panics
    ///
    /// Panics if the device does not compute in `dtype`.
    pub fn for_inference_with(&self, dtype: FloatDType, arithmetic: Arithmetic) -> DecoupledSegNet {
        for_inference(self, dtype, arithmetic)
    }

    fn decoder_input(&self, images: Tensor<4>) -> DecoderInput {
        assert_shape!(images, [_, self.config.backbone.image_channels(), _, _]);
        let stages = self.backbone.forward(images.clone());
        DecoderInput {
            context: self.context.forward(stages.c4.clone()),
            stages,
            images,
        }
    }
}

impl SegmentationModel for DecoupledSegNet {
    fn num_classes(&self) -> usize {
        self.config.num_classes()
    }

    fn in_channels(&self) -> usize {
        self.config.backbone.image_channels()
    }

    fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
        let input = self.decoder_input(images);
        let size = map_size(&input.images);
        let third = input.stages.c3.clone();
        let output = self.decoder.forward(input);
        match &self.auxiliary {
            Some(head) => output.with_auxiliary(resize(head.forward(third), size, true)),
            None => output,
        }
    }

    fn predict(&self, images: Tensor<4>) -> Tensor<4> {
        self.decoder.predict(self.decoder_input(images))
    }

    fn min_training_batch(&self, images: Size) -> usize {
        // The sizes of stages are rounded up.
        let stride = self.config.backbone.output_stride().pixels();
        let map = Size::new(
            images.height.div_ceil(stride),
            images.width.div_ceil(stride),
        );
        let context = self.context.min_training_batch(map);
        context.max(self.decoder.min_training_batch(map))
    }

    fn min_image_side(&self) -> usize {
        self.config.min_image_side()
    }

    fn inspect(&self, images: Tensor<4>) -> Option<Inspection> {
        let Decoder::Decoupled(_) = self.decoder else {
            return None;
        };
        self.decoder.inspect(self.decoder_input(images))
    }
}

impl Fold for DecoupledSegNet {
    fn fold(self) -> Self {
        Self {
            backbone: self.backbone.fold(),
            context: self.context.fold(),
            decoder: self.decoder.fold(),
            auxiliary: self.auxiliary.fold(),
            config: self.config,
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
