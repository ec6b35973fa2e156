//! Body and edge decoupling: flow warp, resize, `BodyEdgeModule` and `DecoupledHead`.

mod body_edge;
mod conv_init;
mod conv_norm_act;
mod head;
mod key_map;
mod memory;
mod norm;
pub mod ops;
mod segmentation;

pub use body_edge::{
    BodyEdgeDetail, BodyEdgeModule, BodyEdgeModuleConfig, BodyGeneration, BodyGenerator,
    DeconvNormAct, DeformableGenerator, Downsampling, FlowGenerator, PropagationGenerator,
    Upsampling,
};
pub use conv_init::ConvInit;
pub use conv_norm_act::{ConvNormAct, ConvNormActConfig};
pub use head::{
    DecoupledHead, DecoupledHeadConfig, DecoupledOutput, EdgePreservation, EdgePreservationConfig,
    PlainDecoder, PlainDecoderConfig, PredictionBranch, PredictionBranchConfig,
};
pub use key_map::{Key, KeyMap};
pub use memory::keep_freed_memory;
pub use norm::batch_norm;
pub use ops::{
    BodyEdge, FlowUnit, WarpGradient, WarpOptions, WarpPadding, flow_warp, flow_warp_split, resize,
};
pub use segmentation::{BodyEdgeLogits, Inspection, SegmentationModel, SegmentationOutput};
