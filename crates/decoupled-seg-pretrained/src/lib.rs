#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod cache;
#[cfg(feature = "http")]
mod download;
mod error;
mod progress;
mod sha256;
mod weights;

pub use cache::{default_cache_folder, fetch};
pub use error::PretrainedError;
pub use progress::Progress;
pub use sha256::Sha256Hex;
pub use weights::{Preprocessing, PretrainedWeights, TABLE};
