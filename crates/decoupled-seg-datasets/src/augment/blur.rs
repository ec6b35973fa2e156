use image::RgbImage;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::GaussianBlur;
use crate::DatasetError;

/// How images are blurred.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Blur {
    /// Blurs everything alike, edges too.
    Gaussian(GaussianBlur),
}

impl Blur {
    pub(super) fn validate(&self) -> Result<(), DatasetError> {
        match self {
            Self::Gaussian(blur) => blur.validate(),
        }
    }

    /// Changes an image.
    ///
    /// # Panics
    ///
    /// As [`GaussianBlur::apply`].
    pub fn apply(&self, image: &mut RgbImage, rng: &mut impl Rng) {
        match self {
            Self::Gaussian(blur) => blur.apply(image, rng),
        }
    }
}
