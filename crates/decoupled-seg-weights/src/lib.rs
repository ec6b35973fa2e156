#![doc = include_str!("../README.md")]

mod error;
mod fitted;
mod format;
mod load;
mod mismatch;
mod pickle_scan;
mod prefix;
mod save;
mod weights_file;
mod zip_directory;

pub use error::WeightsError;
pub use fitted::FittedImage;
pub use format::Format;
pub use load::{LoadPolicy, LoadReport, LoadedPart, count_fitting, load};
pub use mismatch::{Mismatch, Misshaped};
pub use save::{Placeholder, convert, save};
pub use weights_file::{Entry, WeightsFile};
