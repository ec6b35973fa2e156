//! Random changes of a sample. Their settings are typed and serialisable; a seed gives the same changes on every
//! machine.

mod augmentation;
mod blur;
mod color_jitter;
mod gaussian_blur;
mod geometry;
mod normalization;
mod random;
mod resize;

use crate::DatasetError;

/// Returns an error that names a setting, unless `fine`.
fn ensure(
    fine: bool,
    field: &'static str,
    found: impl FnOnce() -> String,
    expected: &'static str,
) -> Result<(), DatasetError> {
    if fine {
        return Ok(());
    }
    Err(DatasetError::Setting {
        field,
        found: found(),
        expected,
    })
}

/// Checks a probability.
fn ensure_share(share: f64, field: &'static str) -> Result<(), DatasetError> {
    let fine = (0.0..=1.0).contains(&share);
    ensure(fine, field, || share.to_string(), "a share of 0 to 1")
}

/// Panics with the message of an error.
#[track_caller]
fn required(valid: Result<(), DatasetError>) {
    if let Err(wrong) = valid {
        panic!("{wrong}");
    }
}

pub use augmentation::{Augmentation, RandomScale};
pub use blur::Blur;
pub use color_jitter::ColorJitter;
pub use gaussian_blur::{GaussianBlur, gaussian_blur};
pub use geometry::Geometry;
pub use normalization::Normalization;
pub(crate) use random::epoch_rng;
pub use random::sample_rng;
pub(crate) use resize::nearest_indices;
pub use resize::{ResizeFilter, resize_bands, resize_image, resize_labels};
