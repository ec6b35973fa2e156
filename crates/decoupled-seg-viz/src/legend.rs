//! Names of classes beside their colours.

use image::{Rgb, RgbImage};

use crate::Palette;
use crate::canvas::{fill_rect, frame};
use crate::text::TextStyle;
use crate::theme::{INK, MUTED, PAPER};

/// Draws a strip of `width` pixels with a swatch and the name of each class, in as many rows as needed. The text is
/// `text_size` pixels high. A name longer than the strip is shortened.
pub(crate) fn legend(names: &[String], palette: &Palette, width: u32, text_size: u32) -> RgbImage {
    let style = TextStyle::new(text_size, INK);
    let swatch = [text_size * 5 / 4, text_size * 3 / 4];
    let gap = text_size / 2;
    let longest = names.iter().map(|name| style.width(name)).max();
    let cell = (swatch[0] + gap + longest.unwrap_or(0) + 2 * gap).min(width);
    let count = names.len() as u32;
    let rows = count.div_ceil((width / cell).max(1));
    let columns = count.div_ceil(rows);
    let row = style.line();

    let mut strip = RgbImage::from_pixel(width, rows * row, Rgb(PAPER));
    for (i, (name, color)) in names.iter().zip(palette.colors()).enumerate() {
        let [column, line] = [i as u32 % columns, i as u32 / columns];
        let [x, y] = [column * cell, line * row];
        let corner = [x, y + (text_size - swatch[1]) / 2];
        fill_rect(&mut strip, corner, swatch, *color);
        frame(&mut strip, corner, swatch, MUTED);
        let room = cell.saturating_sub(swatch[0] + gap);
        style.draw(
            &mut strip,
            [x + swatch[0] + gap, y],
            &style.shorten(name, room),
        );
    }
    strip
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(width: u32) -> RgbImage {
        let names = ["road", "building", "pole", "traffic light", "person"].map(String::from);
        let palette = Palette::new([[1, 2, 3], [200, 0, 0], [0, 200, 0], [0, 0, 200], [9, 99, 9]]);
        let strip = legend(&names, &palette, width, 20);
        for color in palette.colors() {
            assert!(strip.pixels().any(|pixel| pixel.0 == *color));
        }
        strip
    }

    #[test]
    fn rows_follow_the_width() {
        assert_eq!(strip(900).dimensions(), (900, 24));
        assert_eq!(strip(400).dimensions(), (400, 3 * 24));
        assert_eq!(strip(40).dimensions(), (40, 5 * 24));
    }
}
