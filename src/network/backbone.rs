use burn::module::Module;
use burn::tensor::{Device, Tensor};
use decoupled_seg_backbones::{
    BackboneNames, Features, MobileNetV3, MobileNetV3Config, OutputStride, ResNet, ResNetConfig,
    WideResNet38, WideResNet38Config,
};
use decoupled_seg_nn::{ConfigError, CostCounter, Fold, KeyMap, MapShape};
use serde::{Deserialize, Serialize};

/// Which backbone a network has; [`init`](BackboneConfig::init) builds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackboneConfig {
    /// A dilated ResNet.
    #[serde(rename = "resnet")]
    ResNet(ResNetConfig),
    /// WideResNet-38 (A2), the backbone of the paper's best results.
    #[serde(rename = "wide_resnet38")]
    WideResNet38(WideResNet38Config),
    /// MobileNetV3-Large, for phones and the browser.
    #[serde(rename = "mobilenet_v3")]
    MobileNetV3(MobileNetV3Config),
}

/// The backbone of a network: an image in, the features of four stages out. Built by [`BackboneConfig`].
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "one per network")]
pub enum Backbone {
    /// A dilated ResNet.
    ResNet(ResNet),
    /// WideResNet-38 (A2).
    WideResNet38(WideResNet38),
    /// MobileNetV3-Large.
    MobileNetV3(MobileNetV3),
}

impl From<ResNetConfig> for BackboneConfig {
    fn from(config: ResNetConfig) -> Self {
        Self::ResNet(config)
    }
}

impl From<WideResNet38Config> for BackboneConfig {
    fn from(config: WideResNet38Config) -> Self {
        Self::WideResNet38(config)
    }
}

impl From<MobileNetV3Config> for BackboneConfig {
    fn from(config: MobileNetV3Config) -> Self {
        Self::MobileNetV3(config)
    }
}

impl BackboneConfig {
    /// Checks that the backbone can be built.
    ///
    /// # Errors
    ///
    /// As the `validate` of the backbone's own configuration; the key stands inside the backbone's name.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let result = match self {
            Self::ResNet(config) => config.validate(),
            Self::WideResNet38(config) => config.validate(),
            Self::MobileNetV3(config) => config.validate(),
        };
        result.map_err(|error| error.inside(self.name()))
    }

    /// The backbone's name in a description.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::ResNet(_) => "resnet",
            Self::WideResNet38(_) => "wide_resnet38",
            Self::MobileNetV3(_) => "mobilenet_v3",
        }
    }

    /// Builds the backbone on `device`.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> Backbone {
        match self {
            Self::ResNet(config) => Backbone::ResNet(config.init(device)),
            Self::WideResNet38(config) => Backbone::WideResNet38(config.init(device)),
            Self::MobileNetV3(config) => Backbone::MobileNetV3(config.init(device)),
        }
    }

    /// Channels of the images.
    pub fn image_channels(&self) -> usize {
        match self {
            Self::ResNet(config) => config.image_channels(),
            Self::WideResNet38(config) => config.image_channels(),
            Self::MobileNetV3(config) => config.image_channels(),
        }
    }

    /// Sets the channels of the images: 1 for grey, 3 for RGB, 4 with a fourth band.
    #[must_use]
    pub fn with_in_channels(mut self, channels: usize) -> Self {
        let in_channels = match &mut self {
            Self::ResNet(config) => &mut config.in_channels,
            Self::WideResNet38(config) => &mut config.in_channels,
            Self::MobileNetV3(config) => &mut config.in_channels,
        };
        *in_channels = (channels != 3).then_some(channels);
        self
    }

    /// Channels of the four stages.
    pub fn channels(&self) -> [usize; 4] {
        match self {
            Self::ResNet(config) => config.channels(),
            Self::WideResNet38(config) => config.channels(),
            Self::MobileNetV3(config) => config.channels(),
        }
    }

    /// How many times smaller the last stage is than the image.
    pub fn output_stride(&self) -> OutputStride {
        match self {
            Self::ResNet(config) => config.output_stride,
            Self::WideResNet38(config) => config.output_stride,
            Self::MobileNetV3(config) => config.output_stride,
        }
    }

    /// The names of the backbone's tensors.
    pub fn official_keys(&self, names: BackboneNames) -> KeyMap {
        match self {
            Self::ResNet(config) => config.official_keys(names),
            Self::WideResNet38(config) => config.official_keys(names),
            Self::MobileNetV3(config) => config.official_keys(names),
        }
    }

    /// Counts the backbone's cost for an image; returns the shapes of the four stages.
    pub fn cost(&self, image: MapShape, counter: &mut CostCounter) -> [MapShape; 4] {
        match self {
            Self::ResNet(config) => config.cost(image, counter),
            Self::WideResNet38(config) => config.cost(image, counter),
            Self::MobileNetV3(config) => config.cost(image, counter),
        }
    }
}

impl Backbone {
    /// Computes the features of `images`.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, image_channels, height, width]`
    /// - features: see [`Features`]
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not the number of channels that the backbone reads.
    pub fn forward(&self, images: Tensor<4>) -> Features {
        match self {
            Self::ResNet(backbone) => backbone.forward(images),
            Self::WideResNet38(backbone) => backbone.forward(images),
            Self::MobileNetV3(backbone) => backbone.forward(images),
        }
    }
}

impl Fold for Backbone {
    fn fold(self) -> Self {
        match self {
            Self::ResNet(backbone) => Self::ResNet(backbone.fold()),
            Self::WideResNet38(backbone) => Self::WideResNet38(backbone.fold()),
            Self::MobileNetV3(backbone) => Self::MobileNetV3(backbone.fold()),
        }
    }
}
