use std::io;
use std::path::PathBuf;

#[cfg(feature = "pytorch")]
use burn::store::PytorchStoreError;
use burn::store::{SafetensorsStoreError, burn_pack};
use burn::tensor::DType;

use crate::Mismatch;

/// Why weights could not be read, written, or put into a network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The operating system could not read the file.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A copy of the file, in which what burn-store does not read is overwritten, could not be made.
    #[error(
        "`{path}`: no copy of it can be made in `{folder}`, from which it is read: {source}; TMPDIR names another folder"
    )]
    Copy {
        /// The file.
        path: PathBuf,
        /// The folder for temporary files.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file could not be written. An older file of that name is still whole.
    #[error("cannot write `{path}`: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The name of the file to write promises another format.
    #[error(
        "cannot write `{path}`: only safetensors is written, so its name has to end in .safetensors"
    )]
    Ending {
        /// The file.
        path: PathBuf,
    },
    /// A tensor holds a type of number that safetensors does not have.
    #[error(
        "cannot write `{path}`: safetensors has no {dtype:?}, the type of `{key}`; convert the tensor first"
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        key: String,
        /// Its type of number.
        dtype: DType,
    },
    /// A value is too large for the type of number to write.
    #[error(
        "cannot write `{path}`: `{key}` holds values that {dtype:?} does not reach; write it in single precision"
    )]
    OutOfRange {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        key: String,
        /// The type of number to write.
        dtype: DType,
    },
    /// The bytes of a tensor could not be read, from the file or from the device.
    #[error("`{path}`: `{key}` cannot be read: {source}")]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        key: String,
        /// Why.
        source: burn_pack::Error,
    },
    /// Neither a PyTorch checkpoint nor a safetensors file.
    #[error("`{path}` holds no weights: {found}; expected a PyTorch checkpoint or safetensors")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// What it looks like instead.
        found: String,
    },
    /// A known format that this crate does not read.
    #[error("`{path}` is not read: {reason}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// Which feature of the format, and what to do about it.
        reason: String,
    },
    /// The file contradicts itself: it was cut short, or altered.
    #[error("`{path}` is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What contradicts what.
        reason: String,
    },
    /// The pickle inside asks Python for something that runs programs, which no checkpoint needs. Nothing was called.
    #[error(
        "`{path}` is refused: its pickle asks for `{global}`, which runs programs when Python loads it; get the file from \
         somebody you trust"
    )]
    UnsafePickle {
        /// The file.
        path: PathBuf,
        /// The Python name.
        global: String,
    },
    /// The file claims more memory than its size can account for.
    #[error("`{path}` is refused: {what} would take {declared} bytes, the file has {length}")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The part of the file that claims it.
        what: String,
        /// Bytes it declares.
        declared: u64,
        /// Bytes of the file.
        length: u64,
    },
    /// A tensor holds a value that is not finite: the training that wrote it had diverged. Nothing was loaded.
    #[error(
        "`{path}`: `{key}` holds a value that is not finite; take an earlier file of that training"
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        key: String,
    },
    /// A batch norm's variance is below 0, of which no root can be taken. Nothing was loaded.
    #[error("`{path}`: `{key}` holds a variance below 0: the file is damaged, take another one")]
    NegativeVariance {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        key: String,
    },
    /// burn-store's PyTorch reader refused the file.
    #[cfg(feature = "pytorch")]
    #[error(
        "`{path}`: {source}; if there are objects of a program beside the weights, save the weights alone: \
         `torch.save(checkpoint[\"state_dict\"], FILE)`"
    )]
    Pytorch {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PytorchStoreError,
    },
    /// burn-store's safetensors reader refused the file.
    #[error("`{path}`: {source}")]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SafetensorsStoreError,
    },
    /// The tensors are not those of the network. Nothing was loaded.
    #[error("`{path}`{} does not fit the network: {mismatch}", behind(.prefix))]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The prefix of all names in the file.
        prefix: String,
        /// What does not fit.
        mismatch: Box<Mismatch>,
    },
}

fn behind(prefix: &str) -> String {
    match prefix {
        "" => String::new(),
        prefix => format!(" (names behind `{prefix}`)"),
    }
}
