//! What most programs use: `use decoupled_seg::prelude::*;`.

pub use crate::core::{
    BodyEdge, BodyEdgeModule, BodyEdgeModuleConfig, DecoupledHead, DecoupledHeadConfig,
    SegmentationModel, SegmentationOutput, WarpOptions, flow_warp, resize,
};
pub use crate::network::{
    BackboneConfig, ContextConfig, DecoderConfig, DecoupledSegNet, DecoupledSegNetConfig,
};
