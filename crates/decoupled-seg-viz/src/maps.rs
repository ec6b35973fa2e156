//! Pictures of single-channel maps: mean features, probabilities, edges.

use image::RgbImage;

use crate::check::{assert_planes, picture};
use crate::colormap::{Colormap, ValueRange, fraction};

/// The probability from which a pixel belongs to the edge prior: the paper's `t_b`.
pub const EDGE_PRIOR_THRESHOLD: f32 = 0.8;

/// Paints a `[height, width]` map in colours; numbers that are not finite are black.
///
/// # Panics
///
/// Panics if `values` has another length, or a fixed range does not rise.
pub fn heat_map(
    values: &[f32],
    width: usize,
    height: usize,
    colormap: Colormap,
    range: ValueRange,
) -> RgbImage {
    assert_planes("values", values.len(), 1, width, height);
    let ends = range.ends(values);

    picture(
        width,
        height,
        values.iter().map(|&value| {
            if value.is_finite() {
                colormap.color(fraction(value, ends))
            } else {
                [0; 3]
            }
        }),
    )
}

/// The mean over the channels of a `[channels, height, width]` map: `[height, width]`.
///
/// The reference paints it with [`heat_map`], [`Colormap::Jet`] and [`ValueRange::MinMax`].
///
/// # Panics
///
/// Panics if `features` does not hold `shape`.
pub fn mean_map(features: &[f32], shape: [usize; 3]) -> Vec<f32> {
    let [channels, height, width] = shape;
    assert_planes("features", features.len(), channels, width, height);

    let mut sums = vec![0.0_f64; height * width];
    for plane in features.chunks_exact(height * width) {
        for (sum, value) in sums.iter_mut().zip(plane) {
            *sum += f64::from(*value);
        }
    }
    sums.iter()
        .map(|sum| (sum / channels as f64) as f32)
        .collect()
}

/// White where an edge probability reaches `threshold`, else black; the reference's demo takes
/// [`EDGE_PRIOR_THRESHOLD`].
///
/// # Panics
///
/// Panics if `probs` does not have `width x height` values.
pub fn edge_prior(probs: &[f32], width: usize, height: usize, threshold: f32) -> RgbImage {
    assert_planes("probs", probs.len(), 1, width, height);

    picture(
        width,
        height,
        probs
            .iter()
            .map(|prob| if *prob >= threshold { [255; 3] } else { [0; 3] }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colors(image: &RgbImage) -> Vec<[u8; 3]> {
        image.pixels().map(|pixel| pixel.0).collect()
    }

    #[test]
    fn the_range_spans_the_colours() {
        let values = [1.0, 2.0, f32::NAN, 3.0, 5.0, f32::INFINITY];

        let image = heat_map(&values, 3, 2, Colormap::Grey, ValueRange::MinMax);

        assert_eq!(image.dimensions(), (3, 2));
        let levels: Vec<u8> = colors(&image).iter().map(|color| color[0]).collect();
        assert_eq!(levels, [0, 63, 0, 127, 255, 0]);
    }

    #[test]
    fn probabilities_keep_their_scale() {
        let image = heat_map(&[0.2, 0.6], 2, 1, Colormap::Grey, ValueRange::UNIT);

        assert_eq!(colors(&image), [[51; 3], [153; 3]]);
    }

    #[test]
    fn means_run_over_channels() {
        let features = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];

        assert_eq!(
            mean_map(&features, [2, 2, 3]),
            [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
        );
    }

    #[test]
    fn the_prior_includes_its_threshold() {
        let image = edge_prior(&[0.79, 0.8, 0.81], 3, 1, EDGE_PRIOR_THRESHOLD);

        assert_eq!(colors(&image), [[0; 3], [255; 3], [255; 3]]);
    }

    #[test]
    #[should_panic(expected = "features must hold 2x2x3 values, got 6")]
    fn mean_map_wants_every_channel() {
        mean_map(&[0.0; 6], [2, 2, 3]);
    }

    #[test]
    #[should_panic(expected = "probs must hold 1x2x3 values, got 7")]
    fn edge_prior_wants_every_pixel() {
        edge_prior(&[0.0; 7], 3, 2, 0.5);
    }
}
