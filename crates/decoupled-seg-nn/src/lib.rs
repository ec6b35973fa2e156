#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod activation;
mod batch_norm;
mod channel_dropout;
mod config_error;
mod conv_init;
mod conv_norm_act;
pub mod cost;
mod fold;
mod key_map;
mod memory;
pub mod ops;
mod segmentation;

pub use activation::Activation;
pub use batch_norm::{batch_norm, batch_norm_sum};
pub use channel_dropout::channel_dropout;
pub use config_error::{ConfigError, MAX_CHANNELS};
pub use conv_init::ConvInit;
pub use conv_norm_act::{ConvNormAct, ConvNormActConfig};
pub use cost::{Cost, CostCounter, MapShape};
pub use decoupled_seg_types::Size;
pub use fold::{Arithmetic, Fold, for_inference};
pub use key_map::{Key, KeyMap};
pub use memory::keep_freed_memory;
#[cfg(feature = "remote")]
pub use ops::remote;
pub use ops::{
    BodyEdge, FlowUnit, MomentumStep, WarpGradient, WarpOptions, WarpPadding, conv2d, conv2d_sum,
    flow_warp, flow_warp_split, map_size, max_pool2d, momentum_step, resize,
};
pub use segmentation::{BodyEdgeLogits, Inspection, SegmentationModel, SegmentationOutput};
