use serde::{Deserialize, Serialize};

use crate::BandImage;

/// Mean and standard deviation of each band, in `0..=1` of the range of 16 bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BandStatistics {
    /// Mean of each band.
    pub mean: Vec<f64>,
    /// Standard deviation of each band.
    pub std: Vec<f64>,
    /// Pixels that were counted.
    #[serde(default)]
    pub pixels: u64,
}

impl BandStatistics {
    /// Of one image.
    pub fn of_image(image: &BandImage) -> Self {
        let bands = image.bands();
        let (mut sums, mut squares) = (vec![0_u64; bands], vec![0_u128; bands]);
        for pixel in image.data().chunks_exact(bands) {
            for (band, &value) in pixel.iter().enumerate() {
                sums[band] += u64::from(value);
                squares[band] += u128::from(value) * u128::from(value);
            }
        }
        let pixels = image.size().pixels() as u64;
        let count = pixels.max(1) as f64;
        let mean: Vec<f64> = sums.iter().map(|&sum| sum as f64 / count).collect();
        let variance = squares.iter().zip(&mean).map(|(&square, mean)| {
            let variance = square as f64 / count - mean * mean;
            variance.max(0.0)
        });
        Self {
            std: variance.map(|variance| variance.sqrt() / 65535.0).collect(),
            mean: mean.iter().map(|mean| mean / 65535.0).collect(),
            pixels,
        }
    }

    /// Of both together.
    ///
    /// # Panics
    ///
    /// Panics if they are of different numbers of bands.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        assert_eq!(self.mean.len(), other.mean.len(), "as many bands");
        let pixels = self.pixels + other.pixels;
        let share = other.pixels as f64 / pixels.max(1) as f64;
        let bands = 0..self.mean.len();
        let both = bands.map(|band| {
            let apart = other.mean[band] - self.mean[band];
            let mean = self.mean[band] + share * apart;
            let variance = (1.0 - share) * self.std[band].powi(2)
                + share * other.std[band].powi(2)
                + share * (1.0 - share) * apart * apart;
            (mean, variance.sqrt())
        });
        let (mean, std) = both.unzip();
        Self { mean, std, pixels }
    }
}

#[cfg(test)]
mod tests {
    use decoupled_seg_types::Size;

    use super::*;

    fn image(values: &[u16]) -> BandImage {
        BandImage::new(Size::new(1, values.len() / 2), 2, values.to_vec())
    }

    #[test]
    fn two_parts_are_what_the_whole_is() {
        let values = [0, 65535, 13107, 0, 26214, 65535, 39321, 0, 65535, 65535];
        let whole = BandStatistics::of_image(&image(&values));
        // 0, 0.2, 0.4, 0.6 and 1: mean 0.44, variance 0.1184.
        assert!((whole.mean[0] - 0.44).abs() < 1e-12);
        assert!((whole.std[0] - 0.1184_f64.sqrt()).abs() < 1e-12);
        assert!((whole.std[1] - 0.24_f64.sqrt()).abs() < 1e-12);
        let (first, second) = values.split_at(4);
        let parts = [first, second].map(|values| BandStatistics::of_image(&image(values)));
        let both = parts[0].and(&parts[1]);
        assert_eq!(both.pixels, 5);
        for band in 0..2 {
            assert!((both.mean[band] - whole.mean[band]).abs() < 1e-12);
            assert!((both.std[band] - whole.std[band]).abs() < 1e-12);
        }
    }
}
