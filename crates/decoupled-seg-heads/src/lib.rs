#![doc = include_str!("../README.md")]
//!
//! # Files
//!
//! A head says everything about itself in its own file: how it is built and runs, the names of its tensors, its cost,
//! and its inference form.

mod aspp;
mod auxiliary_head;
mod dense_aspp;
mod fcn_head;
mod pyramid_pooling;

pub use aspp::{Aspp, AsppConfig};
pub use auxiliary_head::{AuxiliaryHead, AuxiliaryHeadConfig};
pub use dense_aspp::{DenseAspp, DenseAsppBlock, DenseAsppConfig};
pub use fcn_head::{FcnHead, FcnHeadConfig};
pub use pyramid_pooling::{PyramidPooling, PyramidPoolingConfig, PyramidStage};
