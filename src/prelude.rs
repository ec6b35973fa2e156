//! What most programs use: `use decoupled_seg::prelude::*;`.

#[cfg(feature = "train")]
pub use crate::engine::{Evaluator, Predictor, Recipe, Trainer};
pub use crate::losses::{DecoupledLoss, DecoupledLossConfig, Targets};

pub use crate::body_edge::{
    BodyEdgeModule, BodyEdgeModuleConfig, DecoupledHead, DecoupledHeadConfig,
};
pub use crate::network::{
    BackboneConfig, ContextConfig, DecoderConfig, DecoupledSegNet, DecoupledSegNetConfig,
    NetworkPreset,
};
pub use crate::nn::{
    BodyEdge, SegmentationModel, SegmentationOutput, Size, WarpOptions, flow_warp, resize,
};
