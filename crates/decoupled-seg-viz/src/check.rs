//! The checks every picture starts with.

/// Panics unless `len` values make `channels` planes of `width x height` pixels.
pub(crate) fn assert_planes(name: &str, len: usize, channels: usize, width: usize, height: usize) {
    let expected = channels
        .checked_mul(width)
        .and_then(|n| n.checked_mul(height));
    assert!(
        width > 0 && height > 0 && channels > 0,
        "{name} must have at least one pixel, got {channels}x{height}x{width}"
    );
    assert!(
        expected == Some(len),
        "{name} must hold {channels}x{height}x{width} values, got {len}"
    );
}

/// Panics unless `image` is `width x height` pixels.
pub(crate) fn assert_size(name: &str, image: &image::RgbImage, width: usize, height: usize) {
    let (found_width, found_height) = image.dimensions();
    assert!(
        (found_width as usize, found_height as usize) == (width, height),
        "{name} must be {width}x{height} pixels, got {found_width}x{found_height}"
    );
}

/// A side as `image` counts it.
pub(crate) fn side(value: usize) -> u32 {
    u32::try_from(value).expect("a picture's side fits in 32 bits")
}

/// Makes a picture from one colour per pixel, row by row.
pub(crate) fn picture(
    width: usize,
    height: usize,
    colors: impl IntoIterator<Item = [u8; 3]>,
) -> image::RgbImage {
    let bytes: Vec<u8> = colors.into_iter().flatten().collect();
    image::RgbImage::from_raw(side(width), side(height), bytes)
        .expect("one colour per pixel was given")
}
