//! The losses of decoupled body and edge supervision, and their targets on the device.
//!
//! [`DecoupledLoss`] is the weighted sum that a network with the body/edge module is trained with; each of its terms
//! is a loss of its own:
//!
//! | loss | of | source |
//! |---|---|---|
//! | [`BoundaryRelaxationLoss`] | the body map | `L_body`, eq. 3 |
//! | [`EdgeLoss`] | the edge map | `L_bce`, eq. 4 |
//! | [`EdgeAttentionLoss`] | the final map, on predicted edges | `L_ce`, eq. 5 |
//! | [`OhemCrossEntropyLoss`], [`SegmentationCrossEntropyLoss`] | the final map | `L_final`, eq. 3 |
//! | [`AuxiliaryLoss`] | an auxiliary head | PSPNet |
//!
//! Equations are those of Li et al., ECCV 2020, [arXiv:2007.10035](https://arxiv.org/abs/2007.10035). [`Targets`] makes
//! what they are trained towards from a label map, on its device. Where the authors' code does something else than
//! the paper, both are typed options, and [`DecoupledLossConfig`] and [`TargetsConfig`] have presets of them.
//!
//! No loss reads a tensor back: histograms, class weights and mining limits are computed on the device. Logits are
//! taken as f32 whatever their type. A loss of no pixel is 0 with a zero gradient; NaN logits give NaN
//! (but for the official double sigmoid on devices whose sigmoid of NaN is a number, as WGSL allows).

mod auxiliary;
mod boundary_relaxation;
mod check;
mod class_weights;
mod cross_entropy;
mod decoupled;
mod edge;
mod edge_attention;
mod edges;
mod label_sets;
mod mining;
mod ohem;
mod ops;
mod relaxed_labels;
mod targets;

pub use auxiliary::{AuxiliaryLoss, AuxiliaryLossConfig};
pub use boundary_relaxation::{
    BodyReduction, BorderWeights, BoundaryRelaxationLoss, BoundaryRelaxationLossConfig,
};
pub use class_weights::ClassWeights;
pub use cross_entropy::{SegmentationCrossEntropyLoss, SegmentationCrossEntropyLossConfig};
pub use decoupled::{DecoupledLoss, DecoupledLossConfig, DecoupledLossOutput, LabelSource};
pub use edge::{EdgeActivation, EdgeBalance, EdgeLoss, EdgeLossConfig, EdgeReduction};
pub use edge_attention::{EdgeAttentionLoss, EdgeAttentionLossConfig, EdgeScope};
pub use edges::EdgeConfig;
pub use label_sets::LabelSets;
pub use mining::{AtLimit, PixelCount, PixelMining};
pub use ohem::{OhemCrossEntropyLoss, OhemCrossEntropyLossConfig};
pub use relaxed_labels::{RelaxationConfig, RelaxedLabels};
pub use targets::{EdgeSource, IgnoredPixels, Targets, TargetsConfig};

/// The label that stands for "no class" in every data set of this project.
pub const IGNORE_INDEX: i64 = 255;
