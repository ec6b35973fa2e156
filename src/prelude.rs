//! What most programs use: `use decoupled_seg::prelude::*;`.

pub use crate::body_edge::{
    BodyEdgeModule, BodyEdgeModuleConfig, DecoupledHead, DecoupledHeadConfig,
};
pub use crate::network::{
    BackboneConfig, ContextConfig, DecoderConfig, DecoupledSegNet, DecoupledSegNetConfig,
};
pub use crate::nn::{
    BodyEdge, SegmentationModel, SegmentationOutput, WarpOptions, flow_warp, resize,
};
