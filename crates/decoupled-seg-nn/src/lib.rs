//! The ground floor of the networks: sampling operations, the convolution block, the batch norm, and the vocabulary of
//! names and outputs that every part of a network shares.

mod conv_init;
mod conv_norm_act;
mod key_map;
mod memory;
mod norm;
pub mod ops;
mod segmentation;

pub use conv_init::ConvInit;
pub use conv_norm_act::{ConvNormAct, ConvNormActConfig};
pub use decoupled_seg_types::Size;
pub use key_map::{Key, KeyMap};
pub use memory::keep_freed_memory;
pub use norm::batch_norm;
pub use ops::{
    BodyEdge, FlowUnit, WarpGradient, WarpOptions, WarpPadding, flow_warp, flow_warp_split, resize,
};
pub use segmentation::{BodyEdgeLogits, Inspection, SegmentationModel, SegmentationOutput};
