use image::RgbImage;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::{ensure, ensure_share, required};
use crate::DatasetError;
use decoupled_seg_types::multiversion;

/// Gaussian blur of random strength.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianBlur {
    /// Smallest standard deviation, in pixels.
    pub min_sigma: f64,
    /// Largest standard deviation, in pixels.
    pub max_sigma: f64,
    /// Probability that an image is blurred at all, `0..=1`.
    pub probability: f64,
}

impl GaussianBlur {
    /// The blur of the authors' code: every image, sigma from 0.15 to 1.3.
    pub const fn official() -> Self {
        Self {
            min_sigma: 0.15,
            max_sigma: 1.3,
            probability: 1.0,
        }
    }

    pub(super) fn validate(&self) -> Result<(), DatasetError> {
        let (min, max) = (self.min_sigma, self.max_sigma);
        ensure(
            min >= 0.0 && min <= max && max.is_finite(),
            "blur.gaussian",
            || format!("from sigma {min} to {max}"),
            "sigmas from 0 on, in order",
        )?;
        ensure_share(self.probability, "blur.gaussian.probability")
    }

    /// Changes an image.
    ///
    /// # Panics
    ///
    /// Panics if the probability is outside `0..=1` or the sigmas are not in order.
    pub fn apply(&self, image: &mut RgbImage, rng: &mut impl Rng) {
        required(self.validate());
        let sigma = rng.random_range(self.min_sigma..=self.max_sigma);
        if rng.random_bool(self.probability) {
            *image = gaussian_blur(image, sigma);
        }
    }
}

/// Added before cutting off: rounding errors would otherwise darken flat areas by a grey level.
const SLACK: f32 = 1.0 / 256.0;

/// Blurs each channel with a Gaussian of standard deviation `sigma` (in pixels), cut off at 4 sigma. Beyond the border
/// the nearest pixel repeats. Values are cut off to 8 bits, as in scikit-image and the authors' code.
pub fn gaussian_blur(image: &RgbImage, sigma: f64) -> RgbImage {
    let radius = (4.0 * sigma + 0.5) as usize;
    if radius == 0 || image.is_empty() {
        return image.clone();
    }
    let kernel = kernel(sigma, radius);
    let (height, stride) = (image.height() as usize, 3 * image.width() as usize);
    let source = image.as_raw();
    let mut out = vec![0; source.len()];
    let mut padded = vec![0.0_f32; stride + 6 * radius];
    let mut sums = vec![0.0_f32; stride];
    for (y, target) in out.chunks_exact_mut(stride).enumerate() {
        let middle = &mut padded[3 * radius..3 * radius + stride];
        middle.fill(0.0);
        for (k, &weight) in kernel.iter().enumerate() {
            let row = (y + k).saturating_sub(radius).min(height - 1);
            let row = &source[row * stride..(row + 1) * stride];
            add_bytes(middle, row, weight);
        }
        for pad in 0..radius {
            for channel in 0..3 {
                padded[3 * pad + channel] = padded[3 * radius + channel];
                padded[3 * (radius + pad) + stride + channel] =
                    padded[3 * radius + stride - 3 + channel];
            }
        }
        sums.fill(SLACK);
        for (k, &weight) in kernel.iter().enumerate() {
            let taps = &padded[3 * k..3 * k + stride];
            add_floats(&mut sums, taps, weight);
        }
        target
            .iter_mut()
            .zip(&sums)
            .for_each(|(value, &sum)| *value = sum as u8);
    }
    RgbImage::from_raw(image.width(), image.height(), out).expect("of the image's size")
}

multiversion! {
    fn add_bytes[](sums: &mut [f32], values: &[u8], weight: f32) {
        sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += weight * f32::from(value));
    }
}

multiversion! {
    fn add_floats[](sums: &mut [f32], values: &[f32], weight: f32) {
        sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += weight * value);
    }
}

fn kernel(sigma: f64, radius: usize) -> Vec<f32> {
    let weight = |k: usize| {
        let x = k as f64 - radius as f64;
        (-x * x / (2.0 * sigma * sigma)).exp()
    };
    let weights: Vec<f64> = (0..=2 * radius).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights
        .into_iter()
        .map(|weight| (weight / sum) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_images_stay_flat() {
        for value in 0..=255 {
            let image = RgbImage::from_pixel(7, 5, image::Rgb([value, 255 - value, 128]));
            assert_eq!(gaussian_blur(&image, 1.3), image);
        }
    }

    #[test]
    fn a_dot_becomes_the_kernel() {
        let mut image = RgbImage::new(15, 15);
        image.put_pixel(7, 7, image::Rgb([255, 0, 100]));
        let (sigma, blurred) = (0.8, gaussian_blur(&image, 0.8));
        let kernel = kernel(sigma, 3);
        for (x, y, pixel) in blurred.enumerate_pixels() {
            let weight = |at: u32| {
                if (4..=10).contains(&at) {
                    f64::from(kernel[at as usize - 4])
                } else {
                    0.0
                }
            };
            let share = weight(x) * weight(y);
            for (value, full) in pixel.0.into_iter().zip([255.0, 0.0, 100.0]) {
                let exact = share * full;
                assert!(
                    (f64::from(value) - exact.floor()).abs() <= 1.0,
                    "({x}, {y}): {value}, exact {exact}"
                );
            }
        }
        assert_eq!(
            blurred.get_pixel(7, 7).0[0],
            (255.0 * kernel[3] * kernel[3]) as u8
        );
    }

    #[test]
    fn tiny_sigmas_change_nothing() {
        let image = RgbImage::from_fn(9, 4, |x, y| image::Rgb([(x * 20) as u8, (y * 50) as u8, 7]));
        assert_eq!(gaussian_blur(&image, 0.1), image);
    }
}
