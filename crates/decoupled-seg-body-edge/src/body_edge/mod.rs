//! Body generation: splitting a feature map into a smooth body and the edge it leaves.

mod body_edge_module;
mod deconv_norm_act;
mod deformable_generator;
mod flow_generator;
mod options;
mod propagation_generator;

pub use body_edge_module::{BodyEdgeDetail, BodyEdgeModule, BodyEdgeModuleConfig, BodyGenerator};
pub use deconv_norm_act::DeconvNormAct;
pub use deformable_generator::DeformableGenerator;
pub use flow_generator::FlowGenerator;
pub use options::{BodyGeneration, Downsampling, Upsampling};
pub use propagation_generator::PropagationGenerator;
