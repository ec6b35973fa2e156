use burn::module::Module;
use burn::tensor::{Device, Tensor};
use decoupled_seg_heads::{
    Aspp, AsppConfig, DenseAspp, DenseAsppConfig, FcnHead, FcnHeadConfig, PyramidPooling,
    PyramidPoolingConfig,
};
use decoupled_seg_nn::{ConfigError, ConvInit, Cost, CostCounter, Fold, KeyMap, MapShape, Size};
use serde::{Deserialize, Serialize};

/// Which context head a network has; [`init`](ContextConfig::init) builds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextConfig {
    /// One 3x3 convolution (FCN).
    Fcn(FcnHeadConfig),
    /// Average pooling into grids (PSPNet).
    PyramidPooling(PyramidPoolingConfig),
    /// Dilated 3x3 convolutions side by side (DeepLabV3+).
    Aspp(AsppConfig),
    /// Dilated 3x3 convolutions one behind another, each reading all before it.
    DenseAspp(DenseAsppConfig),
}

/// The context head of a network: the last stage in, the context features `F` out. Built by [`ContextConfig`].
#[derive(Module, Debug)]
pub enum Context {
    /// One 3x3 convolution (FCN).
    Fcn(FcnHead),
    /// Average pooling into grids (PSPNet).
    PyramidPooling(PyramidPooling),
    /// Dilated 3x3 convolutions side by side (DeepLabV3+).
    Aspp(Aspp),
    /// Dilated 3x3 convolutions one behind another, each reading all before it.
    DenseAspp(DenseAspp),
}

impl From<FcnHeadConfig> for ContextConfig {
    fn from(config: FcnHeadConfig) -> Self {
        Self::Fcn(config)
    }
}

impl From<PyramidPoolingConfig> for ContextConfig {
    fn from(config: PyramidPoolingConfig) -> Self {
        Self::PyramidPooling(config)
    }
}

impl From<AsppConfig> for ContextConfig {
    fn from(config: AsppConfig) -> Self {
        Self::Aspp(config)
    }
}

impl From<DenseAsppConfig> for ContextConfig {
    fn from(config: DenseAsppConfig) -> Self {
        Self::DenseAspp(config)
    }
}

impl ContextConfig {
    /// Checks that the head can be built.
    ///
    /// # Errors
    ///
    /// As the `validate` of the head's own configuration; the key stands inside the head's name.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let result = match self {
            Self::Fcn(config) => config.validate(),
            Self::PyramidPooling(config) => config.validate(),
            Self::Aspp(config) => config.validate(),
            Self::DenseAspp(config) => config.validate(),
        };
        result.map_err(|error| error.inside(self.name()))
    }

    /// The head's name in a description.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Fcn(_) => "fcn",
            Self::PyramidPooling(_) => "pyramid_pooling",
            Self::Aspp(_) => "aspp",
            Self::DenseAspp(_) => "dense_aspp",
        }
    }

    /// Builds the head on `device`.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> Context {
        match self {
            Self::Fcn(config) => Context::Fcn(config.init(device)),
            Self::PyramidPooling(config) => Context::PyramidPooling(config.init(device)),
            Self::Aspp(config) => Context::Aspp(config.init(device)),
            Self::DenseAspp(config) => Context::DenseAspp(config.init(device)),
        }
    }

    /// Channels `[in, out]`.
    pub fn channels(&self) -> [usize; 2] {
        match self {
            Self::Fcn(config) => config.channels,
            Self::PyramidPooling(config) => config.channels,
            Self::Aspp(config) => config.channels,
            Self::DenseAspp(config) => config.channels,
        }
    }

    /// Sets the channels in.
    #[must_use]
    pub fn with_channels_in(mut self, channels_in: usize) -> Self {
        let channels = match &mut self {
            Self::Fcn(config) => &mut config.channels,
            Self::PyramidPooling(config) => &mut config.channels,
            Self::Aspp(config) => &mut config.channels,
            Self::DenseAspp(config) => &mut config.channels,
        };
        channels[0] = channels_in;
        self
    }

    /// Sets how the convolutions are initialised.
    #[must_use]
    pub fn with_conv_init(self, conv_init: ConvInit) -> Self {
        match self {
            Self::Fcn(config) => config.with_conv_init(conv_init).into(),
            Self::PyramidPooling(config) => config.with_conv_init(conv_init).into(),
            Self::Aspp(config) => config.with_conv_init(conv_init).into(),
            Self::DenseAspp(config) => config.with_conv_init(conv_init).into(),
        }
    }

    /// The authors' names of the head's tensors.
    pub fn official_keys(&self) -> KeyMap {
        match self {
            Self::Fcn(config) => config.official_keys(),
            Self::PyramidPooling(config) => config.official_keys(),
            Self::Aspp(config) => config.official_keys(),
            Self::DenseAspp(config) => config.official_keys(),
        }
    }
}

impl Cost for ContextConfig {
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape {
        match self {
            Self::Fcn(config) => config.cost(input, counter),
            Self::PyramidPooling(config) => config.cost(input, counter),
            Self::Aspp(config) => config.cost(input, counter),
            Self::DenseAspp(config) => config.cost(input, counter),
        }
    }
}

impl Context {
    /// Computes the context features, which have the stage's size.
    ///
    /// # Shapes
    ///
    /// - `stage`: `[batch, in, height, width]`
    /// - context: `[batch, out, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not `in`, or in training on fewer images than
    /// [`min_training_batch`](Self::min_training_batch).
    pub fn forward(&self, stage: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Fcn(head) => head.forward(stage),
            Self::PyramidPooling(head) => head.forward(stage),
            Self::Aspp(head) => head.forward(stage),
            Self::DenseAspp(head) => head.forward(stage),
        }
    }

    /// The smallest batch of feature maps of the size `map` that can be trained on: 2 where a norm that is trained sees
    /// one value a channel of each image, else 1.
    pub fn min_training_batch(&self, map: Size) -> usize {
        match self {
            Self::Fcn(head) if map.pixels() == 1 => head.conv.min_pooled_batch(),
            Self::PyramidPooling(head) if map.pixels() == 1 => head.bottleneck.min_pooled_batch(),
            Self::DenseAspp(head) if map.pixels() == 1 => head.project.min_pooled_batch(),
            Self::Fcn(_) | Self::DenseAspp(_) => 1,
            Self::PyramidPooling(head) => head.min_training_batch(),
            Self::Aspp(head) => head.min_training_batch(),
        }
    }
}

impl Fold for Context {
    fn fold(self) -> Self {
        match self {
            Self::Fcn(head) => Self::Fcn(head.fold()),
            Self::PyramidPooling(head) => Self::PyramidPooling(head.fold()),
            Self::Aspp(head) => Self::Aspp(head.fold()),
            Self::DenseAspp(head) => Self::DenseAspp(head.fold()),
        }
    }
}
