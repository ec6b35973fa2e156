//! Pictures of label maps.

use decoupled_seg_types::{IGNORE_LABEL, Size};
use image::{Rgb, RgbImage};

use crate::Palette;
use crate::check::{assert_planes, picture, size_of};

/// Paints each pixel in the colour of its class.
///
/// `labels` are class indices, row by row; [`IGNORE_LABEL`] takes the palette's void colour.
///
/// # Panics
///
/// Panics if `labels` is not `size.pixels()` long, or a label has no colour.
pub fn colorize(labels: &[u8], size: Size, palette: &Palette) -> RgbImage {
    assert_planes("labels", labels.len(), 1, size);

    picture(size, labels.iter().map(|&label| palette.color(label)))
}

/// Lays the colours of the classes over `image`: `(1 - alpha) * image + alpha * color`, rounded down as Pillow's
/// `blend` does. Pixels with [`IGNORE_LABEL`] stay as they are.
///
/// The authors' pictures have an `alpha` of 0.5.
///
/// # Panics
///
/// Panics if `labels` has another size than `image`, a label has no colour, or `alpha` is outside `0..=1`.
pub fn overlay(image: &RgbImage, labels: &[u8], palette: &Palette, alpha: f32) -> RgbImage {
    assert_planes("labels", labels.len(), 1, size_of(image));
    assert!(
        (0.0..=1.0).contains(&alpha),
        "alpha must be in 0..=1, got {alpha}"
    );

    let mut blend = image.clone();
    for (pixel, &label) in blend.pixels_mut().zip(labels) {
        if label == IGNORE_LABEL {
            continue;
        }
        for (below, above) in pixel.0.iter_mut().zip(palette.color(label)) {
            let value = f32::from(*below) + alpha * (f32::from(above) - f32::from(*below));
            *below = value as u8;
        }
    }
    blend
}

/// Shows `blend` at the pixels with a wrong prediction, and white at all others, those labelled [`IGNORE_LABEL`]
/// included.
///
/// For `blend`, the `diff` pictures of the authors take the half-and-half [`overlay`] of image and prediction. The
/// [`colorize`]d prediction as `blend` shows which class was predicted instead.
///
/// # Panics
///
/// Panics if `labels` or `predictions` has another size than `blend`.
pub fn error_map(blend: &RgbImage, labels: &[u8], predictions: &[u8]) -> RgbImage {
    assert_planes("labels", labels.len(), 1, size_of(blend));
    assert_planes("predictions", predictions.len(), 1, size_of(blend));

    let mut errors = blend.clone();
    for ((pixel, label), prediction) in errors.pixels_mut().zip(labels).zip(predictions) {
        if *label == IGNORE_LABEL || label == prediction {
            *pixel = Rgb([255; 3]);
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn palette() -> Palette {
        Palette::new([[10, 20, 30], [200, 100, 0]]).with_void([1, 1, 1])
    }

    #[test]
    fn labels_take_their_colours_row_by_row() {
        let colors = colorize(&[0, 1, 255, 1, 0, 0], Size::new(2, 3), &palette());

        assert_eq!(colors.dimensions(), (3, 2));
        assert_eq!(colors.get_pixel(1, 0).0, [200, 100, 0]);
        assert_eq!(colors.get_pixel(2, 0).0, [1, 1, 1]);
        assert_eq!(colors.get_pixel(0, 1).0, [200, 100, 0]);
        assert_eq!(colors.get_pixel(2, 1).0, [10, 20, 30]);
    }

    #[test]
    #[should_panic(expected = "labels must hold 1x2x3 values, got 5")]
    fn colorize_wants_every_pixel() {
        colorize(&[0; 5], Size::new(2, 3), &palette());
    }

    #[test]
    #[should_panic(expected = "labels must have at least one pixel, got 1x0x3")]
    fn colorize_wants_pixels() {
        colorize(&[], Size::new(0, 3), &palette());
    }

    #[test]
    fn overlay_blends_and_rounds_down() {
        let image = RgbImage::from_pixel(3, 1, Rgb([13, 255, 31]));
        let labels = [0, 1, 255];

        let colors = |alpha| -> Vec<[u8; 3]> {
            let blend = overlay(&image, &labels, &palette(), alpha);
            blend.pixels().map(|pixel| pixel.0).collect()
        };

        assert_eq!(colors(0.0), [[13, 255, 31]; 3]);
        assert_eq!(colors(1.0), [[10, 20, 30], [200, 100, 0], [13, 255, 31]]);
        assert_eq!(colors(0.5), [[11, 137, 30], [106, 177, 15], [13, 255, 31]]);
    }

    #[test]
    #[should_panic(expected = "labels must hold 1x2x3 values, got 4")]
    fn overlay_wants_equal_sizes() {
        overlay(&RgbImage::new(3, 2), &[0; 4], &palette(), 0.5);
    }

    #[test]
    #[should_panic(expected = "alpha must be in 0..=1, got 1.5")]
    fn overlay_wants_a_fraction() {
        overlay(&RgbImage::new(1, 1), &[0], &palette(), 1.5);
    }

    #[test]
    fn only_wrong_pixels_keep_the_blend() {
        let blend = RgbImage::from_pixel(3, 2, Rgb([7, 8, 9]));

        let errors = error_map(&blend, &[0, 1, 255, 255, 1, 0], &[0, 0, 0, 255, 1, 255]);

        let wrong: Vec<bool> = errors.pixels().map(|pixel| pixel.0 == [7, 8, 9]).collect();
        assert_eq!(wrong, [false, true, false, false, false, true]);
        let white = errors.pixels().filter(|pixel| pixel.0 == [255; 3]).count();
        assert_eq!(white, 4);
    }

    #[test]
    #[should_panic(expected = "predictions must hold 1x2x3 values, got 7")]
    fn error_map_wants_equal_sizes() {
        error_map(&RgbImage::new(3, 2), &[0; 6], &[0; 7]);
    }
}
