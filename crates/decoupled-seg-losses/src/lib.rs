#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body_edge_targets;
mod boundary_relaxation;
mod class_weights;
mod decoupled;
mod dice;
mod duality;
mod edge;
mod edge_attention;
mod edge_labels;
mod error;
mod focal;
mod gated;
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
pub use duality::{DualityLoss, DualityLossConfig};
pub use edge::{EdgeActivation, EdgeBalance, EdgeLoss, EdgeLossConfig, EdgeReduction};
pub use edge_attention::{EdgeAttentionLoss, EdgeAttentionLossConfig, EdgeScope};
pub use error::LossConfigError;
pub use focal::{FocalLoss, FocalLossConfig};
pub use gated::GatedLossConfig;
pub use label_sets::LabelSets;
pub use lovasz::{LovaszLoss, LovaszLossConfig};
pub use mining::{AtLimit, PixelCount, PixelMining};
pub use ohem::{OhemCrossEntropyLoss, OhemCrossEntropyLossConfig};
pub use relaxed_labels::RelaxedLabels;
pub use targets::Targets;
pub use terms::{LossTerm, LossTerms, LossValues, Terms};

/// The label that stands for "no class": what [`Targets`] write where an edge is not known.
pub const IGNORE_INDEX: i64 = decoupled_seg_targets::IGNORE_LABEL as i64;
