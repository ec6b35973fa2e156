//! Pictures in other sizes.

use image::RgbImage;
use image::imageops::{self, FilterType};

/// How a picture is brought to another size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scaling {
    /// Each pixel takes the nearest one: for label pictures, where mixed colours would mean nothing.
    Nearest,
    /// Linear between pixels, and the mean over the covered ones where the picture shrinks.
    #[default]
    Bilinear,
}

/// Brings `image` to `width x height` pixels.
///
/// # Panics
///
/// Panics if `image` or the new size is empty.
pub fn resize_picture(image: &RgbImage, width: u32, height: u32, scaling: Scaling) -> RgbImage {
    assert!(
        width > 0 && height > 0,
        "the new size must be at least 1x1, got {width}x{height}"
    );
    assert!(
        image.width() > 0 && image.height() > 0,
        "an empty picture cannot be scaled"
    );
    if image.dimensions() == (width, height) {
        return image.clone();
    }
    let filter = match scaling {
        Scaling::Nearest => FilterType::Nearest,
        Scaling::Bilinear => FilterType::Triangle,
    };
    imageops::resize(image, width, height, filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn halves() -> RgbImage {
        RgbImage::from_fn(2, 1, |x, _| Rgb([255 * x as u8; 3]))
    }

    #[test]
    fn nearest_invents_no_colour() {
        let image = resize_picture(&halves(), 6, 2, Scaling::Nearest);

        let row: Vec<u8> = (0..6).map(|x| image.get_pixel(x, 1).0[0]).collect();
        assert_eq!(row, [0, 0, 0, 255, 255, 255]);
    }

    #[test]
    fn bilinear_rises_between_pixels_and_averages_below() {
        let image = resize_picture(&halves(), 8, 3, Scaling::Bilinear);

        assert_eq!(image.dimensions(), (8, 3));
        let row: Vec<u8> = (0..8).map(|x| image.get_pixel(x, 1).0[0]).collect();
        assert!(row.is_sorted() && row[0] == 0 && row[7] == 255);
        // Pixel centres at a quarter of a source pixel from the middle: 3/8 and 5/8.
        assert!(
            row[3].abs_diff(96) <= 1 && row[4].abs_diff(159) <= 1,
            "{row:?}"
        );

        let one = resize_picture(&halves(), 1, 1, Scaling::Bilinear);
        assert!(one.get_pixel(0, 0).0[0].abs_diff(128) <= 1);
    }

    #[test]
    #[should_panic(expected = "the new size must be at least 1x1, got 0x3")]
    fn size_zero_panics() {
        resize_picture(&halves(), 0, 3, Scaling::Nearest);
    }
}
