#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

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
