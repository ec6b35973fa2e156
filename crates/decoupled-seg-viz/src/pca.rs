use decoupled_seg_types::Size;
use image::RgbImage;
use nalgebra::{DMatrix, RowDVector};

use crate::check::{assert_planes, picture};
use crate::colormap::{Colormap, ValueRange, fraction};

/// The three directions in which the pixels of a feature map differ most (principal component analysis).
///
/// ```text
/// scores[k, y, x] = sum over c of components[k][c] * (features[c, y, x] - mean[c])
/// ```
///
/// The components are unit eigenvectors of the channels' covariance, by descending variance. The loading of the largest
/// magnitude is positive, which fixes the sign. One [`fit`](Self::fit) may colour several maps; equal colours then mean
/// equal features.
///
/// Source: Li et al., ECCV 2020, [arXiv:2007.10035](https://arxiv.org/abs/2007.10035), figures 4 to 6.
#[derive(Clone, Debug, PartialEq)]
pub struct FeaturePca {
    /// Mean of each channel.
    mean: RowDVector<f64>,
    /// `[channels, 3]`; a component beyond the number of channels is zero.
    components: DMatrix<f64>,
}

impl FeaturePca {
    /// Finds the components of `features`, `[channels, height, width]`. Each pixel is a sample; pixels with NaN or
    /// infinite features are left out.
    ///
    /// # Panics
    ///
    /// Panics if `features` does not hold `channels` planes of `size`.
    pub fn fit(features: &[f32], channels: usize, size: Size) -> Self {
        let samples = samples(features, channels, size);
        let finite = |row: &usize| samples.row(*row).iter().all(|value| value.is_finite());
        let kept: Vec<usize> = (0..samples.nrows()).filter(finite).collect();
        let mut samples = samples.select_rows(&kept);
        let mean = match kept.is_empty() {
            true => RowDVector::zeros(channels),
            false => samples.row_mean(),
        };
        samples.row_iter_mut().for_each(|mut row| row -= &mean);

        let eigen = (samples.transpose() * samples).symmetric_eigen();
        let mut order: Vec<usize> = (0..channels).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        let mut components = DMatrix::zeros(channels, 3);
        for (mut component, &place) in components.column_iter_mut().zip(&order) {
            let vector = eigen.eigenvectors.column(place);
            component.copy_from(&(vector * vector[vector.iamax()].signum()));
        }
        Self { mean, components }
    }

    /// Colours `features`, `[channels, height, width]`, by their scores: the first component in blue, the second in
    /// green, the third in red, as in the authors' pictures.
    ///
    /// The scores of the three components are stretched to `0..=255` together, so the first component, which varies
    /// most, shows most. Pixels with NaN or infinite scores are black; a constant map is black too.
    ///
    /// # Panics
    ///
    /// Panics if `features` does not hold `channels` planes of `size`, or if `channels` differs from the number at the
    /// fit.
    pub fn picture(&self, features: &[f32], channels: usize, size: Size) -> RgbImage {
        assert!(
            channels == self.mean.len(),
            "features must have the {} channels of the fit, got {channels}",
            self.mean.len()
        );
        let mut samples = samples(features, channels, size);
        samples.row_iter_mut().for_each(|mut row| row -= &self.mean);
        let scores = (samples * &self.components).map(|score| score as f32);
        let ends = ValueRange::MinMax.ends(scores.as_slice());
        let level = |score| Colormap::Grey.color(fraction(score, ends))[0];
        let color = |pixel: usize| {
            let scores = [2, 1, 0].map(|component| scores[(pixel, component)]);
            match scores.iter().all(|score| score.is_finite()) {
                true => scores.map(level),
                false => [0; 3],
            }
        };

        picture(size, (0..size.pixels()).map(color))
    }
}

/// Colours a `[channels, height, width]` feature map by its own three main components; see [`FeaturePca`].
///
/// # Panics
///
/// Panics if `features` does not hold `channels` planes of `size`.
pub fn feature_pca(features: &[f32], channels: usize, size: Size) -> RgbImage {
    FeaturePca::fit(features, channels, size).picture(features, channels, size)
}

/// One row a pixel, one column a channel.
fn samples(features: &[f32], channels: usize, size: Size) -> DMatrix<f64> {
    assert_planes("features", features.len(), channels, size);
    DMatrix::from_iterator(size.pixels(), channels, features.iter().map(|&v| v.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(2, 3);

    /// Features with known components: `scores` along orthonormal directions, plus a mean.
    fn features(directions: &[[f32; 4]], scores: &[&[f32]]) -> Vec<f32> {
        let pixels = scores[0].len();
        (0..4 * pixels)
            .map(|i| {
                let (channel, pixel) = (i / pixels, i % pixels);
                let along = directions.iter().zip(scores);
                channel as f32
                    + along
                        .map(|(direction, scores)| direction[channel] * scores[pixel])
                        .sum::<f32>()
            })
            .collect()
    }

    #[test]
    fn components_by_hand() {
        // Two directions, uncorrelated scores with sums of squares 36 and 16 over six pixels.
        let directions = [[0.8, -0.6, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0]];
        let first: &[f32] = &[3.0, 3.0, 0.0, 0.0, -3.0, -3.0];
        let second: &[f32] = &[2.0, -2.0, 0.0, 0.0, 2.0, -2.0];
        let features = features(&directions, &[first, second]);

        let pca = FeaturePca::fit(&features, 4, SIZE);

        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6);
        for (channel, mean) in pca.mean.iter().enumerate() {
            near(*mean, channel as f64);
        }
        // The loading of the largest magnitude is positive: the second direction is turned round.
        let expected = [0.8, -0.6, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        for (found, expected) in pca.components.iter().zip(expected) {
            near(*found, expected);
        }
        let image = pca.picture(&features, 4, SIZE);
        assert_eq!(image.dimensions(), (3, 2));
        // A score s becomes 255 (s + 3) / 6. The first pixel has 3 in blue, -2 in green and 0 in red.
        let [red, green, blue] = image.get_pixel(0, 0).0;
        assert!(blue >= 254 && green.abs_diff(42) <= 1 && red.abs_diff(127) <= 1);
        assert_eq!(feature_pca(&features, 4, SIZE), image);
    }

    #[test]
    fn fewer_channels_than_components() {
        let image = feature_pca(&[1.0, 2.0, 3.0], 1, Size::new(1, 3));

        assert_eq!(image.get_pixel(0, 0).0, [127, 127, 0]);
        assert_eq!(image.get_pixel(2, 0).0, [127, 127, 255]);
    }

    #[test]
    fn broken_pixels_are_black_and_do_not_count() {
        let whole = [1.0, 2.0, 4.0, 8.0, 0.0, 1.0, 0.0, 3.0];
        let broken = [1.0, 2.0, f32::NAN, 4.0, 8.0, 0.0, 1.0, 2.0, 0.0, 3.0];

        let fit = FeaturePca::fit(&broken, 2, Size::new(1, 5));

        assert_eq!(fit, FeaturePca::fit(&whole, 2, Size::new(1, 4)));
        let image = fit.picture(&broken, 2, Size::new(1, 5));
        assert_eq!(image.get_pixel(2, 0).0, [0; 3]);
        assert_ne!(image.get_pixel(1, 0).0, [0; 3]);
        let nothing = feature_pca(&[f32::NAN; 12], 2, SIZE);
        assert!(nothing.pixels().all(|pixel| pixel.0 == [0; 3]));
    }

    #[test]
    fn a_constant_map_is_black() {
        let image = feature_pca(&[2.5; 24], 4, SIZE);

        assert!(image.pixels().all(|pixel| pixel.0 == [0; 3]));
    }

    // The networks' heads have this many channels.
    #[test]
    fn the_components_of_a_large_map_are_orthonormal_and_uncorrelated() {
        let (channels, size) = (256, Size::new(30, 41));
        let features: Vec<f32> = (0..channels * size.pixels())
            .map(|i| {
                let (c, p) = ((i / size.pixels()) as f32, (i % size.pixels()) as f32);
                (0.1 * c).sin() * (0.03 * p).cos() + (0.02 * c * p).sin() * 0.5 + 0.01 * c
            })
            .collect();

        let FeaturePca { mean, components } = FeaturePca::fit(&features, channels, size);

        let gram = components.transpose() * &components;
        assert!((gram - DMatrix::identity(3, 3)).amax() < 1e-12);
        let mut samples = samples(&features, channels, size);
        samples.row_iter_mut().for_each(|mut row| row -= &mean);
        let scores = samples * components;
        let spread = scores.transpose() * &scores;
        let [a, b, c] = [0, 1, 2].map(|k| spread[(k, k)]);
        assert!(a >= b && b >= c, "{spread}");
        assert!((spread.sum() - a - b - c).abs() < 1e-6 * a, "{spread}");
    }

    #[test]
    #[should_panic(expected = "features must have the 4 channels of the fit, got 2")]
    fn another_number_of_channels_panics() {
        FeaturePca::fit(&[0.0; 24], 4, SIZE).picture(&[0.0; 12], 2, SIZE);
    }
}
