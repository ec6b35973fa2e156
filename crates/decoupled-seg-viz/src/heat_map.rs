//! Pictures of maps with one number a pixel.

use decoupled_seg_types::Size;
use image::RgbImage;

use crate::check::{assert_planes, picture};
use crate::colormap::{Colormap, ValueRange, fraction};

/// The smallest probability with which a pixel belongs to the edge prior: `t_b` of the paper.
pub const EDGE_PRIOR_THRESHOLD: f32 = 0.8;

/// Paints a map of numbers in colours, row by row. Numbers that are not finite are black.
///
/// # Panics
///
/// Panics if `values` is not `size.pixels()` long, or a fixed range does not rise.
pub fn heat_map(values: &[f32], size: Size, colormap: Colormap, range: ValueRange) -> RgbImage {
    assert_planes("values", values.len(), 1, size);
    let ends = range.ends(values);
    let color = |&value: &f32| match value.is_finite() {
        true => colormap.color(fraction(value, ends)),
        false => [0; 3],
    };

    picture(size, values.iter().map(color))
}

/// Paints pixels white where the edge probability is at least `threshold`, and black elsewhere. The authors' demo takes
/// [`EDGE_PRIOR_THRESHOLD`].
///
/// # Panics
///
/// Panics if `probs` is not `size.pixels()` long.
pub fn edge_prior(probs: &[f32], size: Size, threshold: f32) -> RgbImage {
    assert_planes("probs", probs.len(), 1, size);
    let color = |&prob: &f32| if prob >= threshold { [255; 3] } else { [0; 3] };

    picture(size, probs.iter().map(color))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(image: &RgbImage) -> Vec<u8> {
        image.pixels().map(|pixel| pixel.0[0]).collect()
    }

    #[test]
    fn the_range_spans_the_colours() {
        let values = [1.0, 2.0, f32::NAN, 3.0, 5.0, f32::INFINITY];

        let image = heat_map(&values, Size::new(2, 3), Colormap::Grey, ValueRange::MinMax);

        assert_eq!(image.dimensions(), (3, 2));
        assert_eq!(levels(&image), [0, 63, 0, 127, 255, 0]);
    }

    #[test]
    fn probabilities_keep_their_scale() {
        let size = Size::new(1, 2);
        let image = heat_map(&[0.2, 0.6], size, Colormap::Grey, ValueRange::UNIT);

        assert_eq!(levels(&image), [51, 153]);
    }

    #[test]
    fn the_prior_includes_its_threshold() {
        let image = edge_prior(&[0.79, 0.8, 0.81], Size::new(1, 3), EDGE_PRIOR_THRESHOLD);

        assert_eq!(levels(&image), [0, 255, 255]);
    }

    #[test]
    #[should_panic(expected = "probs must hold 1x2x3 values, got 7")]
    fn edge_prior_wants_every_pixel() {
        edge_prior(&[0.0; 7], Size::new(2, 3), 0.5);
    }
}
