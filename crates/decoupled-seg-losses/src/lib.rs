//! The losses of decoupled body and edge supervision, and their targets on the device.
//!
//! [`DecoupledLoss`] takes what a network predicts, [`SegmentationOutput`](decoupled_seg_nn::SegmentationOutput), and gives
//! named [`LossTerms`]; each term is a loss of its own:
//!
//! | loss | of | source |
//! |---|---|---|
//! | [`BoundaryRelaxationLoss`] | the body map | `L_body`, eq. 3 |
//! | [`EdgeLoss`] | the edge map | `L_bce`, eq. 4 |
//! | [`EdgeAttentionLoss`] | the final map, on predicted edges | `L_ce`, eq. 5 |
//! | [`OhemCrossEntropyLoss`] | the final map, an auxiliary head | `L_final`, eq. 3 |
//! | [`DiceLoss`], [`FocalLoss`], [`LovaszLoss`] | the final map, beside the cross entropy | not in the paper |
//!
//! The equations stand in Li et al., ECCV 2020, [arXiv:2007.10035](https://arxiv.org/abs/2007.10035). [`Targets`] are
//! what they are trained towards, made from labels on their device. Where the authors' code does something else than
//! the paper, both are typed options, and [`DecoupledLossConfig`] and [`TargetsOptions`] have presets of them.
//!
//! A label that is no class, 255 by convention, is ignored. No loss reads a tensor back but the Lovász loss, whose sort Burn does on the host: histograms, class weights and mining
//! limits are computed on the device. Logits are
//! taken as f32 whatever their type. A loss of no pixel is 0 with a zero gradient; NaN logits give NaN
//! (but for the official double sigmoid on devices whose sigmoid of NaN is a number, as WGSL allows).

mod body_edge_targets;
mod boundary_relaxation;
mod class_weights;
mod decoupled;
mod dice;
mod edge;
mod edge_attention;
mod edge_labels;
mod error;
mod focal;
mod label_sets;
mod lovasz;
mod mining;
mod ohem;
mod ops;
mod pixel_losses;
mod relaxed_labels;
mod targets;
mod tensors;
mod terms;

pub use body_edge_targets::BodyEdgeTargets;
pub use boundary_relaxation::{
    BodyReduction, BorderWeights, BoundaryRelaxationLoss, BoundaryRelaxationLossConfig,
};
pub use class_weights::ClassWeights;
pub use decoupled::{DecoupledLoss, DecoupledLossConfig, LabelSource};
pub use decoupled_seg_targets::{EdgeSource, IgnoredPixels, TargetsOptions, TargetsOptionsError};
pub use dice::{DiceLoss, DiceLossConfig};
pub use edge::{EdgeActivation, EdgeBalance, EdgeLoss, EdgeLossConfig, EdgeReduction};
pub use edge_attention::{EdgeAttentionLoss, EdgeAttentionLossConfig, EdgeScope};
pub use error::LossConfigError;
pub use focal::{FocalLoss, FocalLossConfig};
pub use label_sets::LabelSets;
pub use lovasz::{LovaszLoss, LovaszLossConfig};
pub use mining::{AtLimit, PixelCount, PixelMining};
pub use ohem::{OhemCrossEntropyLoss, OhemCrossEntropyLossConfig};
pub use relaxed_labels::RelaxedLabels;
pub use targets::Targets;
pub use terms::{LossTerm, LossTerms, LossValues, Terms};

/// The label that stands for "no class": what [`Targets`] write where an edge is not known.
pub const IGNORE_INDEX: i64 = decoupled_seg_targets::IGNORE_LABEL as i64;
