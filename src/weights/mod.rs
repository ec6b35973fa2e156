//! Weights in and out: PyTorch checkpoints, safetensors, and the names that other code gives to the tensors.

mod backbone_keys;
mod checkpoint;
mod error;
mod format;
mod load;
mod network;
mod pickle_scan;
mod save;
mod zip_directory;

pub use backbone_keys::{BackboneNames, resnet_keys, wide_resnet38_keys};
pub use checkpoint::{Checkpoint, Entry};
pub use error::{Mismatch, Misshaped, WeightsError};
pub use format::Format;
pub use load::{LoadPolicy, LoadReport, load};
pub use save::{Placeholder, convert, save};
