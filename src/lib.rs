//! Semantic segmentation with decoupled body and edge supervision, on [Burn](https://burn.dev).
//!
//! Li et al., *Improving Semantic Segmentation via Decoupled Body and Edge Supervision*, ECCV 2020,
//! [arXiv:2007.10035](https://arxiv.org/abs/2007.10035): a learned flow splits a feature map into a smooth body and the
//! edge it leaves, and each is supervised on its own.
//!
//! This crate joins the parts: [`DecoupledSegNet`] is a whole network, and the modules below are the crates that it is
//! made of. For the module alone, behind a context head of your own, [`body_edge::BodyEdgeModule`] is all you need.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use decoupled_seg::prelude::*;
//!
//! let device = Device::default();
//! let network = DecoupledSegNetConfig::tiny(5).init(&device);
//! let images = Tensor::zeros([1, 3, 64, 96], &device);
//!
//! let output = network.forward(images);
//!
//! assert_eq!(output.logits.dims(), [1, 5, 64, 96]);
//! let supervision = output.supervision.expect("a decoupled network");
//! assert_eq!(supervision.edge_logits.dims(), [1, 1, 64, 96]);
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod cost;
pub mod network;
pub mod prelude;
pub mod weights;

pub use decoupled_seg_backbones as backbones;
pub use decoupled_seg_body_edge as body_edge;
#[cfg(feature = "train")]
pub use decoupled_seg_datasets as datasets;
#[cfg(feature = "train")]
pub use decoupled_seg_engine as engine;
pub use decoupled_seg_gated as gated;
pub use decoupled_seg_heads as heads;
pub use decoupled_seg_losses as losses;
#[cfg(feature = "train")]
pub use decoupled_seg_metrics as metrics;
pub use decoupled_seg_nn as nn;
pub use decoupled_seg_nn::keep_freed_memory;
#[cfg(feature = "onnx")]
pub use decoupled_seg_onnx as onnx;
#[cfg(feature = "train")]
pub use decoupled_seg_synthetic as synthetic;
pub use decoupled_seg_targets as targets;
pub use decoupled_seg_types as types;
#[cfg(feature = "train")]
pub use decoupled_seg_viz as viz;

pub use network::{
    Backbone, BackboneConfig, Context, ContextConfig, Decoder, DecoderConfig, DecoupledSegNet,
    DecoupledSegNetConfig,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
