//! Text in a small built-in font.

mod glyphs;

use image::RgbImage;

use crate::canvas::Mask;
use glyphs::{ASCII, COLUMNS, ROWS, UNKNOWN};

/// Rows of capitals and digits at scale 1.
pub(crate) const CAP_HEIGHT: u32 = 7;

/// Rows from one line of text to the next at scale 1.
pub(crate) const LINE_HEIGHT: u32 = 12;

/// Columns of a space at scale 1.
const SPACE: usize = 4;

/// Size and colour of text drawn by [`draw_text`].
///
/// The font is a proportional bitmap font of printable ASCII, part of this crate: capitals are 7 pixels high at scale
/// 1, descenders reach 2 below. Larger scales are smoothed. Other characters are drawn as an empty box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextStyle {
    /// Whole factor on the glyphs' pixels, from 1.
    pub scale: u32,
    /// Red, green and blue.
    pub color: [u8; 3],
    /// Strokes one pixel thicker, and a pixel more between the letters.
    pub bold: bool,
}

impl TextStyle {
    /// Text of the given scale and colour.
    pub const fn new(scale: u32, color: [u8; 3]) -> Self {
        Self {
            scale,
            color,
            bold: false,
        }
    }

    /// The same in bold.
    pub const fn bold(mut self) -> Self {
        self.bold = true;
        self
    }

    /// Width and height of `text` in pixels, descenders included, as [`draw_text`] draws it.
    ///
    /// # Panics
    ///
    /// Panics if the scale is 0.
    pub fn size(&self, text: &str) -> [u32; 2] {
        assert!(self.scale > 0, "a text's scale must be at least 1, got 0");
        let characters = text.chars().count() as u32;
        let thicker = if self.bold { characters } else { 0 };

        [
            columns(text) as u32 * self.scale + thicker,
            ROWS as u32 * self.scale,
        ]
    }
}

/// Draws one line of `text` with the upper left corner of its first capital at `[x, y]`; what leaves the picture is cut.
///
/// # Panics
///
/// Panics if the style's scale is 0.
pub fn draw_text(image: &mut RgbImage, [x, y]: [i32; 2], text: &str, style: TextStyle) {
    mask(text, style).draw(image, x, y, style.color);
}

/// `text` if it is at most `width` pixels wide, else its longest beginning that is with dots after it.
pub(crate) fn shorten(text: &str, style: TextStyle, width: u32) -> String {
    if style.size(text)[0] <= width {
        return text.to_owned();
    }
    let ends: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
    ends.into_iter()
        .rev()
        .map(|end| format!("{}..", text[..end].trim_end()))
        .find(|short| style.size(short)[0] <= width)
        .unwrap_or_default()
}

/// Breaks `text` at spaces into lines of at most `width` pixels; a longer word is shortened.
pub(crate) fn wrap(text: &str, style: TextStyle, width: u32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let longer = lines.last().map(|line| format!("{line} {word}"));
        match longer.filter(|line| style.size(line)[0] <= width) {
            Some(longer) => *lines.last_mut().expect("a line was there") = longer,
            None => lines.push(shorten(word, style, width)),
        }
    }
    lines
}

/// Coverage of a line of text.
pub(crate) fn mask(text: &str, style: TextStyle) -> Mask {
    let [width, height] = style.size(text);
    let thicker = u32::from(style.bold);
    let mut mask = Mask::new(width, height);
    let mut pen = 0;
    for character in text.chars() {
        let glyph = glyph(character);
        let (first, advance) = metrics(character, glyph);
        if glyph.iter().any(|row| *row != 0) {
            let letter = coverage(glyph, first, style.scale);
            for shift in 0..=thicker {
                mask.stamp(&letter, pen + shift);
            }
        }
        pen += advance as u32 * style.scale + thicker;
    }
    mask
}

fn glyph(character: char) -> &'static [u8; ROWS] {
    let ascii = match character {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{00d7}' => 'x',
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{201c}' | '\u{201d}' => '"',
        '\u{00a0}' => ' ',
        other => other,
    };
    (ascii as usize)
        .checked_sub(32)
        .and_then(|i| ASCII.get(i))
        .unwrap_or(&UNKNOWN)
}

/// The first inked column of a glyph and the columns to the next one; figures are all equally wide.
fn metrics(character: char, glyph: &[u8; ROWS]) -> (usize, usize) {
    let ink = glyph.iter().fold(0, |ink, row| ink | row);
    if ink == 0 {
        return (0, SPACE);
    }
    if character.is_ascii_digit() {
        return (0, COLUMNS + 1);
    }
    let first = COLUMNS - (8 - ink.leading_zeros() as usize);
    let last = COLUMNS - 1 - ink.trailing_zeros() as usize;
    (first, last - first + 2)
}

/// Columns of `text` at scale 1, without the gap after the last glyph.
fn columns(text: &str) -> usize {
    let sum: usize = text.chars().map(|c| metrics(c, glyph(c)).1).sum();
    sum.saturating_sub(1)
}

/// The glyph from column `first` on, enlarged: diagonals are smoothed, the sides of straight strokes stay sharp.
fn coverage(glyph: &[u8; ROWS], first: usize, scale: u32) -> Mask {
    let (width, height) = (COLUMNS - first, ROWS);
    let scale = scale as usize;
    let mut bits = Bits {
        width,
        height,
        bits: (0..width * height)
            .map(|i| glyph[i / width] >> (width - 1 - i % width) & 1 == 1)
            .collect(),
    };
    if scale == 1 {
        return bits.sampled(1, 1, 1);
    }
    for _ in 0..3 {
        bits = bits.doubled();
    }
    bits.sampled(8, scale, 4)
}

/// A black and white picture.
struct Bits {
    width: usize,
    height: usize,
    bits: Vec<bool>,
}

impl Bits {
    fn at(&self, x: isize, y: isize) -> bool {
        let inside = x >= 0 && y >= 0 && (x as usize) < self.width && (y as usize) < self.height;
        inside && self.bits[y as usize * self.width + x as usize]
    }

    /// Twice as large by the Scale2x rule: a quarter of a pixel takes the colour that its two outer neighbours share,
    /// unless they belong to a straight stroke.
    fn doubled(&self) -> Self {
        let (width, height) = (2 * self.width, 2 * self.height);
        let mut bits = Vec::with_capacity(width * height);
        for y in 0..height as isize {
            for x in 0..width as isize {
                let (px, py) = (x / 2, y / 2);
                let (dx, dy) = (2 * (x % 2) - 1, 2 * (y % 2) - 1);
                let beside = self.at(px + dx, py);
                let above = self.at(px, py + dy);
                let corner = beside == above
                    && beside != self.at(px, py - dy)
                    && above != self.at(px - dx, py);
                bits.push(if corner { beside } else { self.at(px, py) });
            }
        }
        Self {
            width,
            height,
            bits,
        }
    }

    /// `scale / zoom` times as large, each pixel the mean of `samples x samples` points.
    fn sampled(&self, zoom: usize, scale: usize, samples: usize) -> Mask {
        let (width, height) = (self.width / zoom * scale, self.height / zoom * scale);
        let point = |pixel: usize, i: usize| {
            ((2 * (pixel * samples + i) + 1) * zoom / (2 * samples * scale)) as isize
        };
        let mut mask = Mask::new(width as u32, height as u32);
        for y in 0..height {
            for x in 0..width {
                let inked = (0..samples * samples)
                    .filter(|i| self.at(point(x, i % samples), point(y, i / samples)))
                    .count();
                mask.coverage[y * width + x] = inked as f32 / (samples * samples) as f32;
            }
        }
        mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;
    use rstest::rstest;
    use std::collections::HashSet;

    fn plain(scale: u32) -> TextStyle {
        TextStyle::new(scale, [0; 3])
    }

    fn ink(mask: &Mask) -> f32 {
        mask.coverage.iter().sum()
    }

    #[test]
    fn every_character_has_a_glyph_of_its_own() {
        let distinct: HashSet<_> = (' '..='~').map(glyph).collect();

        assert_eq!(distinct.len(), 95);
        assert!(!distinct.contains(&UNKNOWN));
        assert!(('!'..='~').all(|c| glyph(c).iter().any(|row| *row != 0)));
        assert_eq!(glyph('\u{4e2d}'), &UNKNOWN);
        assert_eq!(glyph('\u{2013}'), glyph('-'));
    }

    #[test]
    fn an_l_at_scale_one() {
        let mask = mask("L", plain(1));

        assert_eq!((mask.width, mask.height), (5, 9));
        let rows: Vec<String> = mask
            .coverage
            .chunks(5)
            .map(|row| {
                row.iter()
                    .map(|c| if *c > 0.5 { '#' } else { '.' })
                    .collect()
            })
            .collect();
        assert_eq!(rows[0], "#....");
        assert_eq!(rows[5], "#....");
        assert_eq!(rows[6], "#####");
        assert_eq!(rows[7], ".....");
    }

    #[rstest]
    #[case("", 1, [0, 9])]
    #[case("i", 1, [3, 9])]
    #[case("11", 1, [11, 9])]
    #[case("A B", 2, [30, 18])]
    fn sizes(#[case] text: &str, #[case] scale: u32, #[case] expected: [u32; 2]) {
        assert_eq!(plain(scale).size(text), expected);
        let mask = mask(text, plain(scale));
        assert_eq!([mask.width, mask.height], expected);
    }

    // Smoothing rounds the ends of strokes and fills the steps of diagonals.
    #[rstest]
    #[case("-|_=", 0.08)]
    #[case("Road 0.85", 0.15)]
    fn ink_grows_with_the_square_of_the_scale(#[case] text: &str, #[case] tolerance: f32) {
        let one = ink(&mask(text, plain(1)));

        for scale in 2..5 {
            let ratio = ink(&mask(text, plain(scale))) / (one * (scale * scale) as f32);
            assert!((ratio - 1.0).abs() <= tolerance, "{scale}: {ratio}");
        }
    }

    #[test]
    fn bold_is_thicker_and_wider() {
        let style = plain(2).bold();

        assert_eq!(style.size("ill"), [plain(2).size("ill")[0] + 3, 18]);
        let ratio = ink(&mask("ill", style)) / ink(&mask("ill", plain(2)));
        assert!((1.2..1.6).contains(&ratio), "{ratio}");
    }

    #[test]
    fn text_is_cut_at_the_border() {
        let mut image = RgbImage::from_pixel(9, 5, Rgb([255; 3]));

        draw_text(&mut image, [-2, -3], "Hello", TextStyle::new(1, [0; 3]));
        draw_text(&mut image, [500, 500], "Hello", TextStyle::new(2, [0; 3]));

        assert!(image.pixels().any(|pixel| pixel.0 == [0; 3]));
        assert!(image.pixels().any(|pixel| pixel.0 == [255; 3]));
    }

    #[test]
    fn long_text_is_shortened_and_wrapped() {
        assert_eq!(shorten("road", plain(1), 100), "road");
        let short = shorten("traffic light", plain(1), 40);
        assert!(short.ends_with("..") && short.starts_with("tra"), "{short}");
        assert!(plain(1).size(&short)[0] <= 40);
        assert_eq!(shorten("traffic", plain(1), 1), "");

        let lines = wrap("body feature, first three components", plain(1), 90);
        assert!(lines.len() > 1);
        assert!(lines.iter().all(|line| plain(1).size(line)[0] <= 90));
        assert_eq!(lines.join(" "), "body feature, first three components");
    }

    #[test]
    #[should_panic(expected = "a text's scale must be at least 1, got 0")]
    fn scale_zero_panics() {
        plain(0).size("a");
    }
}
