//! Pretrained weights by name: their address, their hash, their licence, and how pictures were prepared for them. The
//! crate does not depend on Burn.
//!
//! - [`PretrainedWeights`]: one entry. [`PretrainedWeights::find`] looks one up by name; [`TABLE`] lists all.
//! - [`fetch`]: gets the file from the cache or from its address. A file has its final name only after its SHA-256 was
//!   checked.
//!
//! # Features
//!
//! - `fetch`: downloads over https; needs a C compiler (for `ring`). Without it [`fetch`] still finds cached files, and
//!   its error names the address, the hash and the place where the file belongs.
//! - `http`: downloads over plain http only, in pure Rust.
//!
//! # Example
//!
//! ```
//! use decoupled_seg_pretrained::PretrainedWeights;
//!
//! let weights = PretrainedWeights::find("resnet18")?;
//! assert_eq!(weights.file_name(), "resnet18-f37072fd.pth");
//! assert_eq!(weights.preprocessing.mean, [0.485, 0.456, 0.406]);
//! # Ok::<(), decoupled_seg_pretrained::PretrainedError>(())
//! ```

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
