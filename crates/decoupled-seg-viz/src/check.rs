//! Checks of the arguments that pictures are made from.

use decoupled_seg_types::Size;
use image::RgbImage;

/// Panics unless `len` values make `channels` planes of `size`.
pub(crate) fn assert_planes(name: &str, len: usize, channels: usize, size: Size) {
    let expected = channels
        .checked_mul(size.height)
        .and_then(|rows| rows.checked_mul(size.width));
    assert!(
        expected != Some(0),
        "{name} must have at least one pixel, got {channels}x{size}"
    );
    assert!(
        expected == Some(len),
        "{name} must hold {channels}x{size} values, got {len}"
    );
}

/// Makes a picture from one colour per pixel, row by row.
pub(crate) fn picture(size: Size, colors: impl Iterator<Item = [u8; 3]>) -> RgbImage {
    let side = |side: usize| u32::try_from(side).expect("a picture's side fits in 32 bits");
    let bytes = colors.flatten().collect();
    RgbImage::from_raw(side(size.width), side(size.height), bytes)
        .expect("one colour per pixel was given")
}

/// The size of a picture.
pub(crate) fn size_of(image: &RgbImage) -> Size {
    Size::new(image.height() as usize, image.width() as usize)
}
