//! Loads and saves the weights of Burn modules: PyTorch checkpoints and safetensors, under the names that other code
//! gives to the tensors.
//!
//! | to | use |
//! |---|---|
//! | open a file and see what is in it | [`WeightsFile`] |
//! | put its tensors into a module, whole or in part | [`load`], [`LoadPolicy`], [`LoadReport`] |
//! | write a module | [`save`], with a [`Placeholder`] for what only the other code has |
//! | turn a `.pth` into a `.safetensors` | [`convert`] |
//!
//! Nothing in a file is executed. Reading a file takes at most four times its size in memory (4 MiB for small files).

mod error;
mod format;
mod load;
mod mismatch;
mod pickle_scan;
mod prefix;
mod save;
mod weights_file;
mod zip_directory;

pub use error::WeightsError;
pub use format::Format;
pub use load::{LoadPolicy, LoadReport, LoadedPart, count_fitting, load};
pub use mismatch::{Mismatch, Misshaped};
pub use save::{Placeholder, convert, save};
pub use weights_file::{Entry, WeightsFile};
