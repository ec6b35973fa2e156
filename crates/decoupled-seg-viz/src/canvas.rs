//! Rectangles on a picture.

use image::{Rgb, RgbImage};

/// Fills `width x height` pixels from `(x, y)` on; pixels outside the picture are left out.
pub(crate) fn fill_rect(
    image: &mut RgbImage,
    [x, y]: [u32; 2],
    [width, height]: [u32; 2],
    color: [u8; 3],
) {
    let end = |from: u32, length: u32, side: u32| from.saturating_add(length).min(side);
    for row in y..end(y, height, image.height()) {
        for column in x..end(x, width, image.width()) {
            image.put_pixel(column, row, Rgb(color));
        }
    }
}

/// Draws a frame one pixel wide, just inside `width x height` pixels from `(x, y)` on.
pub(crate) fn frame(
    image: &mut RgbImage,
    [x, y]: [u32; 2],
    [width, height]: [u32; 2],
    color: [u8; 3],
) {
    for edge in [y, y + height - 1] {
        fill_rect(image, [x, edge], [width, 1], color);
    }
    for edge in [x, x + width - 1] {
        fill_rect(image, [edge, y], [1, height], color);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_picture_is_cut() {
        let mut image = RgbImage::new(4, 3);

        fill_rect(&mut image, [2, 1], [u32::MAX, 100], [9; 3]);
        fill_rect(&mut image, [7, 7], [1, 1], [9; 3]);

        let painted: Vec<_> = image
            .enumerate_pixels()
            .filter(|(_, _, pixel)| pixel.0 == [9; 3])
            .map(|(x, y, _)| (x, y))
            .collect();
        assert_eq!(painted, [(2, 1), (3, 1), (2, 2), (3, 2)]);
    }

    #[test]
    fn a_frame_leaves_its_middle() {
        let mut image = RgbImage::new(4, 3);

        frame(&mut image, [0, 0], [4, 3], [9; 3]);

        let inside = image.pixels().filter(|pixel| pixel.0 == [0; 3]).count();
        assert_eq!(inside, 2);
    }
}
