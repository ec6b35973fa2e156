//! Feature maps as colours.

use image::RgbImage;

use crate::check::{assert_planes, picture};
use crate::colormap::{ValueRange, fraction, quantize};
use crate::eigen::symmetric_eigen;

/// Pixels whose features are centred at a time: a tile of 256 channels stays in the cache.
const TILE: usize = 512;

/// The three directions in which the pixels of a feature map differ most.
///
/// ```text
/// scores[k, y, x] = sum over c of components[k][c] * (features[c, y, x] - mean[c])
/// ```
///
/// The components are unit eigenvectors of the channels' covariance, by descending variance. Their sign is fixed: the
/// loading of the largest magnitude is positive. One [`fit`](Self::fit) may colour several maps, so that the colours of
/// body and edge mean the same.
#[derive(Clone, Debug, PartialEq)]
pub struct FeaturePca {
    /// Mean of each channel.
    pub mean: Vec<f64>,
    /// Loadings of the components; with fewer than three channels the missing ones are zero.
    pub components: [Vec<f64>; 3],
    /// Variance of the scores of each component (over `pixels - 1`).
    pub variances: [f64; 3],
}

impl FeaturePca {
    /// Finds the components of `features`, `[channels, height, width]`; each pixel is a sample.
    ///
    /// Pixels with a feature that is not finite are left out.
    ///
    /// # Panics
    ///
    /// Panics if `features` does not hold `shape`.
    pub fn fit(features: &[f32], shape: [usize; 3]) -> Self {
        let [channels, height, width] = shape;
        assert_planes("features", features.len(), channels, width, height);
        let pixels = height * width;
        let planes: Vec<&[f32]> = features.chunks_exact(pixels).collect();
        let kept: Vec<usize> = (0..pixels)
            .filter(|&pixel| planes.iter().all(|plane| plane[pixel].is_finite()))
            .collect();

        let count = kept.len().max(1) as f64;
        let mean: Vec<f64> = planes
            .iter()
            .map(|plane| kept.iter().map(|&i| f64::from(plane[i])).sum::<f64>() / count)
            .collect();
        let mut covariance = vec![0.0; channels * channels];
        let mut centred = vec![0.0; channels * TILE];
        for tile in kept.chunks(TILE) {
            for (row, (plane, mean)) in centred.chunks_exact_mut(TILE).zip(planes.iter().zip(&mean))
            {
                for (value, &pixel) in row.iter_mut().zip(tile) {
                    *value = f64::from(plane[pixel]) - mean;
                }
            }
            for i in 0..channels {
                let row = &centred[i * TILE..][..tile.len()];
                for j in 0..=i {
                    covariance[i * channels + j] += dot(row, &centred[j * TILE..][..tile.len()]);
                }
            }
        }
        let samples = kept.len().saturating_sub(1).max(1) as f64;
        for i in 0..channels {
            for j in 0..=i {
                covariance[i * channels + j] /= samples;
                covariance[j * channels + i] = covariance[i * channels + j];
            }
        }

        let mut pairs = symmetric_eigen(covariance, channels).into_iter();
        let mut components = std::array::from_fn(|_| vec![0.0; channels]);
        let mut variances = [0.0; 3];
        for (component, variance) in components.iter_mut().zip(&mut variances) {
            if let Some((value, vector)) = pairs.next() {
                *variance = value.max(0.0);
                *component = with_positive_peak(vector);
            }
        }
        Self {
            mean,
            components,
            variances,
        }
    }

    /// The scores of `features`, `[channels, height, width]`, as `[3, height, width]`.
    ///
    /// # Panics
    ///
    /// Panics if `features` does not hold `shape`, or has another number of channels than the fit.
    pub fn project(&self, features: &[f32], shape: [usize; 3]) -> Vec<f32> {
        let [channels, height, width] = shape;
        assert_planes("features", features.len(), channels, width, height);
        assert!(
            channels == self.mean.len(),
            "features must have the {} channels of the fit, got {channels}",
            self.mean.len()
        );

        let pixels = height * width;
        let mut scores = Vec::with_capacity(3 * pixels);
        for component in &self.components {
            let mut sums = vec![0.0; pixels];
            let channels = component.iter().zip(&self.mean);
            for (plane, (loading, mean)) in features.chunks_exact(pixels).zip(channels) {
                for (sum, value) in sums.iter_mut().zip(plane) {
                    *sum += loading * (f64::from(*value) - mean);
                }
            }
            scores.extend(sums.iter().map(|sum| *sum as f32));
        }
        scores
    }

    /// Colours `features`, `[channels, height, width]`, by their scores: the first component in blue, the second in
    /// green, the third in red, as the reference writes them.
    ///
    /// The scores are stretched to `0..=255` jointly over the three components, so that the first, which varies most,
    /// also shows most. Pixels with a score that is not finite are black, and so is a constant map.
    ///
    /// # Panics
    ///
    /// As [`project`](Self::project).
    pub fn picture(&self, features: &[f32], shape: [usize; 3]) -> RgbImage {
        let [_, height, width] = shape;
        let scores = self.project(features, shape);
        let ends = ValueRange::MinMax.ends(&scores);
        let pixels = height * width;

        picture(
            width,
            height,
            (0..pixels).map(|pixel| {
                let scores = [2, 1, 0].map(|k| scores[k * pixels + pixel]);
                if scores.iter().all(|score| score.is_finite()) {
                    scores.map(|score| quantize(fraction(score, ends)))
                } else {
                    [0; 3]
                }
            }),
        )
    }
}

/// Colours a `[channels, height, width]` feature map by its own three main components; see [`FeaturePca`].
///
/// # Panics
///
/// Panics if `features` does not hold `shape`.
pub fn feature_pca(features: &[f32], shape: [usize; 3]) -> RgbImage {
    FeaturePca::fit(features, shape).picture(features, shape)
}

/// The vector or its opposite, so that the entry of the largest magnitude is positive.
fn with_positive_peak(mut vector: Vec<f64>) -> Vec<f64> {
    let peak = vector.iter().fold(
        0.0_f64,
        |peak, v| if v.abs() > peak.abs() { *v } else { peak },
    );
    if peak < 0.0 {
        vector.iter_mut().for_each(|value| *value = -*value);
    }
    vector
}

/// Several sums side by side, which the compiler turns into vector instructions.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

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

        let pca = FeaturePca::fit(&features, [4, 2, 3]);

        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6);
        for (channel, mean) in pca.mean.iter().enumerate() {
            near(*mean, channel as f64);
        }
        near(pca.variances[0], 36.0 / 5.0);
        near(pca.variances[1], 16.0 / 5.0);
        near(pca.variances[2], 0.0);
        for (found, expected) in pca.components[0].iter().zip([0.8, -0.6, 0.0, 0.0]) {
            near(*found, expected);
        }
        // The loading of the largest magnitude is positive: the direction is turned round, and its scores with it.
        for (found, expected) in pca.components[1].iter().zip([0.0, 0.0, 1.0, 0.0]) {
            near(*found, expected);
        }
        let scores = pca.project(&features, [4, 2, 3]);
        for i in 0..6 {
            near(scores[i].into(), first[i].into());
            near(scores[6 + i].into(), f64::from(-second[i]));
            near(scores[12 + i].into(), 0.0);
        }

        let image = pca.picture(&features, [4, 2, 3]);
        assert_eq!(image.dimensions(), (3, 2));
        // Joint range -3..=3; a score s becomes 255 (s + 3) / 6: blue from the first, green from the second.
        let [red, green, blue] = image.get_pixel(0, 0).0;
        assert_eq!(blue, 255);
        assert!(green.abs_diff(42) <= 1 && red.abs_diff(127) <= 1);
        assert_eq!(feature_pca(&features, [4, 2, 3]), image);
    }

    #[test]
    fn fewer_channels_than_components() {
        let pca = FeaturePca::fit(&[1.0, 2.0, 3.0], [1, 1, 3]);

        assert_eq!(pca.components, [vec![1.0], vec![0.0], vec![0.0]]);
        let image = pca.picture(&[1.0, 2.0, 3.0], [1, 1, 3]);
        assert_eq!(image.get_pixel(0, 0).0, [127, 127, 0]);
        assert_eq!(image.get_pixel(2, 0).0, [127, 127, 255]);
    }

    #[test]
    fn broken_pixels_are_black_and_do_not_count() {
        let whole = [1.0, 2.0, 4.0, 8.0, 0.0, 1.0, 0.0, 3.0];
        let broken = [1.0, 2.0, f32::NAN, 4.0, 8.0, 0.0, 1.0, 2.0, 0.0, 3.0];

        let fit = FeaturePca::fit(&broken, [2, 1, 5]);

        assert_eq!(fit, FeaturePca::fit(&whole, [2, 1, 4]));
        let image = fit.picture(&broken, [2, 1, 5]);
        assert_eq!(image.get_pixel(2, 0).0, [0; 3]);
        assert_ne!(image.get_pixel(1, 0).0, [0; 3]);
        let nothing = feature_pca(&[f32::NAN; 12], [2, 2, 3]);
        assert!(nothing.pixels().all(|pixel| pixel.0 == [0; 3]));
    }

    #[test]
    fn a_constant_map_is_black() {
        let image = feature_pca(&[2.5; 24], [4, 2, 3]);

        assert!(image.pixels().all(|pixel| pixel.0 == [0; 3]));
    }

    // More pixels than a tile holds, and as many channels as the networks' heads.
    #[test]
    fn the_variances_of_a_large_map_are_those_of_its_scores() {
        let (channels, height, width) = (256, 30, 41);
        let pixels = height * width;
        let features: Vec<f32> = (0..channels * pixels)
            .map(|i| {
                let (c, p) = ((i / pixels) as f32, (i % pixels) as f32);
                (0.1 * c).sin() * (0.03 * p).cos() + (0.02 * c * p).sin() * 0.5 + 0.01 * c
            })
            .collect();
        let shape = [channels, height, width];

        let pca = FeaturePca::fit(&features, shape);

        let scores = pca.project(&features, shape);
        for (scores, variance) in scores.chunks_exact(pixels).zip(pca.variances) {
            let sum: f64 = scores.iter().map(|s| f64::from(*s)).sum();
            let squares: f64 = scores.iter().map(|s| f64::from(*s).powi(2)).sum();
            assert!(sum.abs() / (pixels as f64) < 1e-5, "centred");
            let found = squares / (pixels - 1) as f64;
            assert!((found / variance - 1.0).abs() < 1e-5, "{found} {variance}");
        }
        assert!(pca.variances.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    #[should_panic(expected = "features must have the 4 channels of the fit, got 2")]
    fn another_number_of_channels_panics() {
        let pca = FeaturePca::fit(&[0.0; 24], [4, 2, 3]);

        pca.project(&[0.0; 12], [2, 2, 3]);
    }
}
