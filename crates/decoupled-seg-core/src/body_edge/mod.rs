//! Body generation: splitting a feature map into a smooth body and the edge it leaves.

mod body_edge_module;
mod deconv_norm_act;
mod flow_generator;
mod options;

pub use body_edge_module::{BodyEdgeDetail, BodyEdgeModule, BodyEdgeModuleConfig, BodyGenerator};
pub use deconv_norm_act::DeconvNormAct;
pub use flow_generator::FlowGenerator;
pub use options::{BodyGeneration, Downsampling, Upsampling};
