//! Pictures of label maps.

use image::{Rgb, RgbImage};

use crate::check::{assert_planes, assert_size, picture};
use crate::palette::{IGNORE_INDEX, Palette};

/// Paints each pixel in the colour of its class.
///
/// `labels` are `width x height` class indices, row by row; [`IGNORE_INDEX`] takes the palette's void colour.
///
/// # Panics
///
/// Panics if `labels` has another length, or a label has no colour.
pub fn colorize(labels: &[u8], width: usize, height: usize, palette: &Palette) -> RgbImage {
    assert_planes("labels", labels.len(), 1, width, height);

    picture(
        width,
        height,
        labels.iter().map(|&label| palette.color(label)),
    )
}

/// Lays `colors` over `image`: `(1 - alpha) * image + alpha * colors`, rounded down as Pillow's `blend` does.
///
/// The reference uses an `alpha` of 0.5 (compose pictures and demo).
///
/// # Panics
///
/// Panics if the sizes differ, or `alpha` is outside `0..=1`.
pub fn overlay(image: &RgbImage, colors: &RgbImage, alpha: f32) -> RgbImage {
    assert_size(
        "colors",
        colors,
        image.width() as usize,
        image.height() as usize,
    );
    assert!(
        (0.0..=1.0).contains(&alpha),
        "alpha must be in 0..=1, got {alpha}"
    );

    let mut blend = image.clone();
    for (below, &above) in blend.iter_mut().zip(colors.iter()) {
        let value = f32::from(*below) + alpha * (f32::from(above) - f32::from(*below));
        *below = value as u8;
    }
    blend
}

/// Shows `blend` where the prediction is wrong and white where it is right or the label is [`IGNORE_INDEX`].
///
/// The reference's `diff` pictures take as `blend` the half-and-half [`overlay`] of image and predicted colours; a
/// prediction's own [`colorize`] shows what was predicted instead. Both maps are as large as `blend`, row by row.
///
/// # Panics
///
/// Panics if the sizes differ.
pub fn error_map(blend: &RgbImage, labels: &[u8], predictions: &[u8]) -> RgbImage {
    let (width, height) = (blend.width() as usize, blend.height() as usize);
    assert_planes("labels", labels.len(), 1, width, height);
    assert_planes("predictions", predictions.len(), 1, width, height);

    let mut errors = blend.clone();
    for ((pixel, label), prediction) in errors.pixels_mut().zip(labels).zip(predictions) {
        if *label == IGNORE_INDEX || label == prediction {
            *pixel = Rgb([255; 3]);
        }
    }
    errors
}

/// Marks the pixels whose label differs from that of the east, south or south-east neighbour.
///
/// This is the boundary map of the boundary F-score, taken over all classes at once: the last row looks east only, the
/// last column south only, the corner nowhere. [`IGNORE_INDEX`] is a label like the others.
///
/// # Panics
///
/// Panics if `labels` does not have `width x height` values.
pub fn label_boundaries(labels: &[u8], width: usize, height: usize) -> Vec<bool> {
    assert_planes("labels", labels.len(), 1, width, height);

    let at = |x: usize, y: usize| labels[y * width + x];
    let mut boundaries = Vec::with_capacity(labels.len());
    for y in 0..height {
        for x in 0..width {
            let label = at(x, y);
            let (east, south) = (x + 1 < width, y + 1 < height);
            boundaries.push(
                (east && at(x + 1, y) != label)
                    || (south && at(x, y + 1) != label)
                    || (east && south && at(x + 1, y + 1) != label),
            );
        }
    }
    boundaries
}

/// Draws the outlines of a label map of the same size over `image`, one pixel wide; see [`label_boundaries`].
///
/// # Panics
///
/// Panics if `labels` has another size than `image`.
pub fn draw_outlines(image: &mut RgbImage, labels: &[u8], color: [u8; 3]) {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let boundaries = label_boundaries(labels, width, height);

    for (pixel, boundary) in image.pixels_mut().zip(boundaries) {
        if boundary {
            *pixel = Rgb(color);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn palette() -> Palette {
        Palette::new([[10, 20, 30], [200, 100, 0]]).with_void([1, 1, 1])
    }

    #[test]
    fn labels_take_their_colours_row_by_row() {
        let colors = colorize(&[0, 1, 255, 1, 0, 0], 3, 2, &palette());

        assert_eq!(colors.dimensions(), (3, 2));
        assert_eq!(colors.get_pixel(1, 0).0, [200, 100, 0]);
        assert_eq!(colors.get_pixel(2, 0).0, [1, 1, 1]);
        assert_eq!(colors.get_pixel(0, 1).0, [200, 100, 0]);
        assert_eq!(colors.get_pixel(2, 1).0, [10, 20, 30]);
    }

    #[test]
    #[should_panic(expected = "labels must hold 1x2x3 values, got 5")]
    fn colorize_wants_every_pixel() {
        colorize(&[0; 5], 3, 2, &palette());
    }

    #[test]
    #[should_panic(expected = "labels must have at least one pixel, got 1x0x3")]
    fn colorize_wants_pixels() {
        colorize(&[], 3, 0, &palette());
    }

    #[test]
    fn overlay_blends_and_rounds_down() {
        let image = RgbImage::from_pixel(3, 2, Rgb([10, 0, 255]));
        let colors = RgbImage::from_pixel(3, 2, Rgb([13, 255, 0]));

        assert_eq!(overlay(&image, &colors, 0.0), image);
        assert_eq!(overlay(&image, &colors, 1.0), colors);
        let half = overlay(&image, &colors, 0.5);
        assert_eq!(half.dimensions(), (3, 2));
        assert!(half.pixels().all(|pixel| pixel.0 == [11, 127, 127]));
    }

    #[test]
    #[should_panic(expected = "colors must be 3x2 pixels, got 2x3")]
    fn overlay_wants_equal_sizes() {
        overlay(&RgbImage::new(3, 2), &RgbImage::new(2, 3), 0.5);
    }

    #[test]
    #[should_panic(expected = "alpha must be in 0..=1, got 1.5")]
    fn overlay_wants_a_fraction() {
        overlay(&RgbImage::new(1, 1), &RgbImage::new(1, 1), 1.5);
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

    #[test]
    fn boundaries_look_east_and_south() {
        #[rustfmt::skip]
        let labels = [
            0, 0, 0, 1,
            0, 0, 0, 1,
            0, 2, 2, 2,
        ];

        let boundaries = label_boundaries(&labels, 4, 3);

        #[rustfmt::skip]
        let expected = [
            false, false, true, false,
            true, true, true, true,
            true, false, false, false,
        ];
        assert_eq!(boundaries, expected);

        let mut image = RgbImage::new(4, 3);
        draw_outlines(&mut image, &labels, [5, 6, 7]);
        let drawn: Vec<bool> = image.pixels().map(|pixel| pixel.0 == [5, 6, 7]).collect();
        assert_eq!(drawn, expected);
    }
}
