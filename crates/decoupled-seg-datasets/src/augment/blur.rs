use image::RgbImage;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{BilateralBlur, GaussianBlur};

/// How images are blurred.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blur {
    /// Over everything.
    Gaussian(GaussianBlur),
    /// Borders between colours stay.
    Bilateral(BilateralBlur),
}

impl Blur {
    pub(super) fn validate(&self) -> Result<(), String> {
        match self {
            Self::Gaussian(blur) => blur.validate(),
            Self::Bilateral(blur) => blur.validate(),
        }
    }

    /// Changes an image.
    ///
    /// # Panics
    ///
    /// As [`GaussianBlur::apply`] and [`BilateralBlur::apply`].
    pub fn apply(&self, image: &mut RgbImage, rng: &mut impl Rng) {
        match self {
            Self::Gaussian(blur) => blur.apply(image, rng),
            Self::Bilateral(blur) => blur.apply(image, rng),
        }
    }
}
