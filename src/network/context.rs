use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use decoupled_seg_heads::{
    Aspp, AsppConfig, FcnHead, FcnHeadConfig, PyramidPooling, PyramidPoolingConfig,
};
use decoupled_seg_nn::{ConvInit, KeyMap};

/// Which context head a network has; [`init`](ContextConfig::init) builds it.
#[derive(Config, Debug)]
pub enum ContextConfig {
    /// One 3x3 convolution (FCN).
    Fcn,
    /// Average pooling into grids of 1, 2, 3 and 6 cells (PSPNet).
    PyramidPooling,
    /// Dilated 3x3 convolutions side by side (DeepLabV3+).
    Aspp {
        /// Their dilations, in pixels of the feature map.
        atrous_rates: Vec<usize>,
    },
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
}

impl ContextConfig {
    /// Builds the head on `device`; `channels` are `[in, out]`.
    pub fn init(&self, channels: [usize; 2], conv_init: ConvInit, device: &Device) -> Context {
        match self {
            Self::Fcn => Context::Fcn(fcn(channels, conv_init).init(device)),
            Self::PyramidPooling => {
                Context::PyramidPooling(pyramid(channels, conv_init).init(device))
            }
            Self::Aspp { atrous_rates } => {
                Context::Aspp(aspp(channels, atrous_rates, conv_init).init(device))
            }
        }
    }

    /// The authors' names of its tensors.
    pub fn official_keys(&self, channels: [usize; 2]) -> KeyMap {
        let conv_init = ConvInit::default();
        match self {
            Self::Fcn => fcn(channels, conv_init).official_keys(),
            Self::PyramidPooling => pyramid(channels, conv_init).official_keys(),
            Self::Aspp { atrous_rates } => aspp(channels, atrous_rates, conv_init).official_keys(),
        }
    }
}

fn fcn(channels: [usize; 2], conv_init: ConvInit) -> FcnHeadConfig {
    FcnHeadConfig::new(channels).with_conv_init(conv_init)
}

fn pyramid(channels: [usize; 2], conv_init: ConvInit) -> PyramidPoolingConfig {
    PyramidPoolingConfig::new(channels).with_conv_init(conv_init)
}

fn aspp(channels: [usize; 2], atrous_rates: &[usize], conv_init: ConvInit) -> AsppConfig {
    AsppConfig::new(channels)
        .with_atrous_rates(atrous_rates.to_vec())
        .with_conv_init(conv_init)
}

impl Context {
    /// Computes the context features, at the size of the stage.
    ///
    /// # Shapes
    ///
    /// - `stage`: `[batch, in, height, width]`
    /// - context: `[batch, out, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not `in`.
    pub fn forward(&self, stage: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Fcn(head) => head.forward(stage),
            Self::PyramidPooling(head) => head.forward(stage),
            Self::Aspp(head) => head.forward(stage),
        }
    }
}
