//! Names of classes beside their colours.

use image::{Rgb, RgbImage};

use crate::canvas::{fill_rect, frame};
use crate::palette::Palette;
use crate::text::{CAP_HEIGHT, LINE_HEIGHT, TextStyle, draw_text, shorten};
use crate::theme::{INK, MUTED, PAPER};

/// Draws a strip of `width` pixels with a swatch and the name of each class, in as many rows as it takes.
///
/// `names` are one per colour of `palette`; `text_scale` is that of [`TextStyle`]. A name longer than the strip is
/// shortened.
///
/// # Panics
///
/// Panics if there is not one name per colour, `text_scale` is 0 or `width` below 40 pixels per unit of it.
pub fn legend<S: AsRef<str>>(
    names: &[S],
    palette: &Palette,
    width: u32,
    text_scale: u32,
) -> RgbImage {
    assert!(
        names.len() == palette.colors().len(),
        "a legend needs one name per colour: expected {}, got {}",
        palette.colors().len(),
        names.len()
    );
    assert!(
        text_scale > 0 && width >= 40 * text_scale,
        "a legend must be at least 40 pixels wide per unit of its text scale (from 1), got {width} at {text_scale}"
    );

    let style = TextStyle::new(text_scale, INK);
    let swatch = [14 * text_scale, (CAP_HEIGHT + 2) * text_scale];
    let gap = 4 * text_scale;
    let longest = names
        .iter()
        .map(|name| style.size(name.as_ref())[0])
        .max()
        .expect("a palette has a colour");
    let cell = (swatch[0] + gap + longest + 3 * gap).min(width);
    let columns = (width / cell).max(1);
    let rows = (names.len() as u32).div_ceil(columns);
    // As few columns as these rows need, spread over the strip.
    let columns = (names.len() as u32).div_ceil(rows);
    let row = (LINE_HEIGHT + 3) * text_scale;

    let mut strip = RgbImage::from_pixel(width, rows * row, Rgb(PAPER));
    for (i, (name, color)) in names.iter().zip(palette.colors()).enumerate() {
        let (column, line) = (i as u32 % columns, i as u32 / columns);
        let [x, y] = [column * cell, line * row + 2 * text_scale].map(|v| v as i32);
        fill_rect(&mut strip, [x, y], swatch, *color);
        frame(&mut strip, [x, y], swatch, MUTED);
        let room = cell - swatch[0] - gap;
        draw_text(
            &mut strip,
            [x + (swatch[0] + gap) as i32, y + text_scale as i32],
            &shorten(name.as_ref(), style, room),
            style,
        );
    }
    strip
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = ["road", "building", "pole", "traffic light", "person"];

    #[test]
    fn wide_strips_have_one_row() {
        let palette = Palette::distinct(5);

        let strip = legend(&NAMES, &palette, 600, 1);

        assert_eq!(strip.dimensions(), (600, 15));
        for color in palette.colors() {
            assert!(strip.pixels().any(|pixel| pixel.0 == *color));
        }
    }

    #[test]
    fn narrow_strips_have_more() {
        let strip = legend(&NAMES, &Palette::distinct(5), 120, 1);

        assert_eq!(strip.dimensions(), (120, 75));
        let tiny = legend(&NAMES, &Palette::distinct(5), 40, 1);
        assert_eq!(tiny.dimensions(), (40, 75));
    }

    #[test]
    #[should_panic(expected = "one name per colour: expected 4, got 5")]
    fn names_and_colours_must_match() {
        legend(&NAMES, &Palette::distinct(4), 600, 1);
    }

    #[test]
    #[should_panic(
        expected = "at least 40 pixels wide per unit of its text scale (from 1), got 60 at 2"
    )]
    fn too_narrow_panics() {
        legend(&NAMES, &Palette::distinct(5), 60, 2);
    }
}
