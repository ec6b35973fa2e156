//! Random changes of a sample: typed, serialisable, and the same for a seed on every machine.

mod augmentation;
mod bilateral_blur;
mod blur;
mod color_jitter;
mod gaussian_blur;
mod geometry;
mod normalization;
mod random;
mod resize;

/// `Ok` where `fine`, else what is wrong.
fn ensure(fine: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    if fine { Ok(()) } else { Err(wrong()) }
}

/// Panics with what is wrong.
#[track_caller]
fn required(valid: Result<(), String>) {
    if let Err(wrong) = valid {
        panic!("{wrong}");
    }
}

pub use augmentation::{Augmentation, CropSize, RandomScale};
pub use bilateral_blur::{BilateralBlur, bilateral_blur};
pub use blur::Blur;
pub use color_jitter::{
    ColorJitter, adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation,
};
pub use gaussian_blur::{GaussianBlur, gaussian_blur};
pub use geometry::Geometry;
pub use normalization::Normalization;
pub use random::{epoch_rng, sample_rng};
pub use resize::{ResizeFilter, nearest_indices, resize_image, resize_labels};
