//! Context heads: they read the deepest stage of a backbone and return context features of the same resolution.
//!
//! [`FcnHead`] (one 3x3 convolution), [`PyramidPooling`] (PSPNet), [`Aspp`] (DeepLabV3+) and [`DenseAspp`] all map
//! `[batch, channels_in, height, width]` to `[batch, channels_out, height, width]`. [`AuxiliaryHead`] predicts classes
//! from an earlier stage, for an extra loss in training. A head says everything about itself in its own file: how it is
//! built and runs, the names of its tensors, what it costs ([`Cost`](decoupled_seg_nn::Cost)), and its inference form
//! ([`Fold`](decoupled_seg_nn::Fold)).
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//! use decoupled_seg_heads::{AsppConfig, PyramidPoolingConfig};
//!
//! let device = Device::default();
//! let features = Tensor::random([2, 16, 9, 13], Distribution::Default, &device);
//!
//! let aspp = AsppConfig::new([16, 8]).init(&device);
//! assert_eq!(aspp.forward(features.clone()).dims(), [2, 8, 9, 13]);
//! let pyramid = PyramidPoolingConfig::new([16, 8]).init(&device);
//! assert_eq!(pyramid.forward(features).dims(), [2, 8, 9, 13]);
//! ```

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
