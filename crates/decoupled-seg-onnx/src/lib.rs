//! Segmentation networks as ONNX files, to run them in onnxruntime, rten and other programs that read opset 18.
//!
//! [`OnnxExport`] takes any [`SegmentationModel`], a network of this project or one that you put together from burn-nn
//! and our modules: it records the operations of a prediction on Burn's capture device, and translates them to ONNX,
//! opset 18. Nobody describes the network twice.
//!
//! ```
//! use burn::module::Module;
//! use burn::nn::PaddingConfig2d;
//! use burn::nn::conv::{Conv2d, Conv2dConfig};
//! use burn::tensor::{Device, Tensor};
//! use decoupled_seg_nn::{SegmentationModel, SegmentationOutput, Size};
//! use decoupled_seg_onnx::{OnnxExport, OnnxInput};
//!
//! #[derive(Module, Debug)]
//! struct OneConv {
//!     conv: Conv2d,
//! }
//!
//! impl SegmentationModel for OneConv {
//!     fn num_classes(&self) -> usize {
//!         5
//!     }
//!
//!     fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
//!         SegmentationOutput::plain(self.conv.forward(images))
//!     }
//! }
//!
//! let conv = Conv2dConfig::new([3, 5], [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
//! let network = OneConv { conv: conv.init(&Device::default()) };
//!
//! let file = OnnxExport::new(Size::new(48, 64))
//!     .with_input(OnnxInput::imagenet())
//!     .export(&network)?;
//! # let folder = tempfile::tempdir().expect("a folder");
//! # let path = folder.path().join("net.onnx");
//! file.save(&path)?;
//! assert_eq!(std::fs::metadata(&path).expect("it was written").len(), file.len() as u64);
//! # Ok::<(), decoupled_seg_onnx::OnnxError>(())
//! ```
//!
//! [`SegmentationModel`]: decoupled_seg_nn::SegmentationModel

#[cfg(target_endian = "big")]
compile_error!(
    "ONNX stores numbers with the lowest byte first, and Burn's are written as they lie in memory"
);

mod error;
mod export;
mod free_batch;
mod input;
mod lower;
mod onnx_file;
#[cfg(feature = "rten")]
mod parity;
mod proto;
mod recording;

pub use error::OnnxError;
pub use export::OnnxExport;
pub use input::OnnxInput;
pub use onnx_file::OnnxFile;
#[cfg(feature = "rten")]
pub use parity::{LabelParity, OnnxParity, OutputParity};
