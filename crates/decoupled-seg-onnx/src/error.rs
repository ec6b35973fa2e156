use std::io;
use std::path::PathBuf;

use burn::backend::capture::CaptureError;
use burn::tensor::DType;

/// Why a network could not be written as ONNX.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The network uses an operation that is not translated.
    #[error(
        "`{operation}` of the network has no counterpart in ONNX here: {reason}; write that part of the network with other \
         operations"
    )]
    Unsupported {
        /// Burn's name of the operation.
        operation: String,
        /// Which form of it, or what is missing.
        reason: String,
    },
    /// What the network does with a picture depends on how many pictures come with it.
    #[error(
        "`{operation}` of the network depends on the number of pictures in the batch ({reason}): fix that number in the export"
    )]
    BatchDependent {
        /// Burn's name of the operation.
        operation: String,
        /// What differs between a batch of 2 and one of 3.
        reason: String,
    },
    /// Body, edge and flow are asked for, and the network has none.
    #[error("the network has no body, edge and flow to look at: export it without the inspection")]
    NothingToInspect,
    /// A parameter is of another type than `f32`.
    #[error(
        "parameter `{parameter}` is of type {found:?}, expected F32: export the network before it is cast"
    )]
    NotF32 {
        /// Its path in the network.
        parameter: String,
        /// Its type.
        found: DType,
    },
    /// Labels are bytes, and there are more classes than those tell apart.
    #[error("the network has {found} classes, expected at most 256: labels are written as bytes")]
    TooManyClasses {
        /// Number of classes.
        found: usize,
    },
    /// Burn could not record the network.
    #[error("the network cannot be recorded: {0}")]
    NotRecorded(CaptureError),
    /// Protobuf cannot hold so much.
    #[error(
        "the file would have {bytes} bytes, and ONNX holds less than {limit}: export a smaller network"
    )]
    TooLarge {
        /// What the file would have.
        bytes: usize,
        /// What a file may have.
        limit: usize,
    },
    /// rten cannot read the file.
    #[cfg(feature = "rten")]
    #[error("rten cannot read the file: {0}; try onnxruntime")]
    NotLoaded(#[source] rten::LoadError),
    /// rten cannot run the file.
    #[cfg(feature = "rten")]
    #[error("rten cannot run the file: {0}; try onnxruntime")]
    NotRun(#[source] rten::RunError),
    /// The file could not be written; one that was there before is still whole.
    #[error("cannot write `{path}`: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}
