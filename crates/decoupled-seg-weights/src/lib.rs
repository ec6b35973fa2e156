#![doc = include_str!("../README.md")]

mod error;
mod fitted;
mod format;
mod limits;
mod load;
mod mismatch;
#[cfg(feature = "pytorch")]
mod own_containers;
#[cfg(feature = "pytorch")]
mod pickle_scan;
mod prefix;
#[cfg(feature = "pytorch")]
mod python_names;
#[cfg(feature = "pytorch")]
mod pytorch;
mod safetensors_file;
mod save;
mod weights_file;
#[cfg(feature = "pytorch")]
mod zip_directory;

pub use error::WeightsError;
pub use fitted::FittedImage;
pub use format::Format;
pub use load::{LoadPolicy, LoadReport, LoadedPart, count_fitting, load};
pub use mismatch::{Mismatch, Misshaped};
pub use save::{Placeholder, SaveOptions, convert, save, save_with};
pub use weights_file::{Entry, WeightsFile};
