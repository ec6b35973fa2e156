//! A pair of small label maps whose scores are known: see the unit tests of the metrics.

use decoupled_seg_types::{IGNORE_LABEL, Size};

/// Size of both maps.
pub const SIZE: Size = Size::new(14, 16);

/// Class 1 in rows 2 to 7, columns 2 to 8; class 2 in rows 10 to 13; four ignored pixels in the upper right corner.
pub fn labels() -> Vec<u8> {
    map(|y, x| match (y, x) {
        (2..=7, 2..=8) => 1,
        (10..=13, _) => 2,
        (0..=1, 14..=15) => IGNORE_LABEL,
        _ => 0,
    })
}

/// Class 1 in rows 4 to 10, columns 4 to 12; class 2 in rows 11 to 13.
pub fn predictions() -> Vec<u8> {
    map(|y, x| match (y, x) {
        (4..=10, 4..=12) => 1,
        (11..=13, _) => 2,
        _ => 0,
    })
}

fn map(value: impl Fn(usize, usize) -> u8) -> Vec<u8> {
    let pixels = (0..SIZE.height).flat_map(|y| (0..SIZE.width).map(move |x| (y, x)));
    pixels.map(|(y, x)| value(y, x)).collect()
}
