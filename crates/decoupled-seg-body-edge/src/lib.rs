#![doc = include_str!("../README.md")]

mod body_edge;
mod head;

pub use body_edge::{
    BodyEdgeDetail, BodyEdgeModule, BodyEdgeModuleConfig, BodyGeneration, BodyGenerator,
    DeconvNormAct, DeformableGenerator, Downsampling, FlowGenerator, PropagationGenerator,
    Upsampling,
};
pub use head::{
    DecoupledHead, DecoupledHeadConfig, EdgePreservation, EdgePreservationConfig, PlainDecoder,
    PlainDecoderConfig, PredictionBranch, PredictionBranchConfig,
};
