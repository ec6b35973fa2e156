//! Text on pictures, in a font that is part of the crate.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use image::{GrayImage, Luma, RgbImage};

/// DejaVu Sans, reduced to ASCII, Latin-1 and a few signs; its licence lies beside it.
static FONT: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("../fonts/DejaVuSans.ttf"))
        .expect("the font is part of the crate")
});

/// Size and colour of text. A character that the font lacks is drawn as an empty box.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextStyle {
    /// Rows from the top of the highest letter to the bottom of the lowest one.
    pub size: u32,
    /// Red, green, blue.
    pub color: [u8; 3],
}

impl TextStyle {
    pub const fn new(size: u32, color: [u8; 3]) -> Self {
        Self { size, color }
    }

    /// Rows from one line of text to the next.
    pub const fn line(self) -> u32 {
        self.size + self.size / 5
    }

    /// Columns of `text`.
    pub fn width(self, text: &str) -> u32 {
        self.mask_parts(text).1
    }

    /// The glyphs of `text`, side by side, and their width in columns.
    fn mask_parts(self, text: &str) -> (Vec<ab_glyph::Glyph>, u32) {
        let scale = PxScale::from(self.size as f32);
        let font = FONT.as_scaled(scale);
        let baseline = font.ascent().round();
        let mut glyphs = Vec::new();
        let mut caret = 0.0;
        let mut previous = None;
        for character in text.chars() {
            let id = font.glyph_id(character);
            if let Some(previous) = previous {
                caret += font.kern(previous, id);
            }
            glyphs.push(id.with_scale_and_position(scale, point(caret, baseline)));
            caret += font.h_advance(id);
            previous = Some(id);
        }
        (glyphs, caret.ceil() as u32)
    }

    /// The coverage of each pixel by `text`, 0 to 255. The mask is `size` rows high.
    pub fn mask(self, text: &str) -> GrayImage {
        let (glyphs, width) = self.mask_parts(text);
        let mut mask = GrayImage::new(width, self.size);
        for outline in glyphs
            .into_iter()
            .filter_map(|glyph| FONT.outline_glyph(glyph))
        {
            let corner = outline.px_bounds().min;
            outline.draw(|x, y, coverage| {
                let place = [
                    corner.x as i64 + i64::from(x),
                    corner.y as i64 + i64::from(y),
                ];
                let [Ok(x), Ok(y)] = place.map(u32::try_from) else {
                    return;
                };
                if let Some(pixel) = mask.get_pixel_mut_checked(x, y) {
                    let added = (255.0 * coverage).round() as u8;
                    *pixel = Luma([pixel.0[0].saturating_add(added)]);
                }
            });
        }
        mask
    }

    /// Writes `text` with the upper left corner of its line at `(x, y)`.
    pub fn draw(self, image: &mut RgbImage, corner: [u32; 2], text: &str) {
        self.paint(image, corner, &self.mask(text));
    }

    /// Paints the style's colour through a mask. Pixels outside the picture are cut off.
    pub fn paint(self, image: &mut RgbImage, [left, top]: [u32; 2], mask: &GrayImage) {
        for (x, y, coverage) in mask.enumerate_pixels() {
            let Some(pixel) = image.get_pixel_mut_checked(left + x, top + y) else {
                continue;
            };
            let share = f32::from(coverage.0[0]) / 255.0;
            for (below, above) in pixel.0.iter_mut().zip(self.color) {
                let value = f32::from(*below) + share * (f32::from(above) - f32::from(*below));
                *below = value.round() as u8;
            }
        }
    }

    /// Returns `text` if it fits into `room` columns; else as much of its beginning as fits together with an ellipsis.
    pub fn shorten(self, text: &str, room: u32) -> String {
        if self.width(text) <= room {
            return text.to_owned();
        }
        let mut kept = text.to_owned();
        while kept.pop().is_some() {
            let short = format!("{}…", kept.trim_end());
            if self.width(&short) <= room {
                return short;
            }
        }
        kept
    }

    /// Breaks `text` between words into lines of at most `room` columns; a longer word is shortened.
    pub fn wrap(self, text: &str, room: u32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            let word = self.shorten(word, room);
            if let Some(line) = lines.last_mut() {
                let longer = format!("{line} {word}");
                if self.width(&longer) <= room {
                    *line = longer;
                    continue;
                }
            }
            lines.push(word);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    const PLAIN: TextStyle = TextStyle::new(20, [0; 3]);

    fn ink(text: &str) -> u32 {
        PLAIN.mask(text).pixels().map(|p| u32::from(p.0[0])).sum()
    }

    #[test]
    fn every_character_has_a_glyph_of_its_own() {
        let missing = PLAIN.mask("\u{4e2d}");
        for character in ('!'..='~').chain("äöüßé±×µ–—…−→≤≥".chars()) {
            let mask = PLAIN.mask(&character.to_string());
            assert_ne!(mask, missing, "{character}");
            assert!(ink(&character.to_string()) > 0, "{character}");
        }
    }

    #[test]
    fn letters_stand_upright_on_a_line() {
        let mask = PLAIN.mask("l");
        let rows: Vec<u32> = (0..mask.height())
            .filter(|&y| (0..mask.width()).any(|x| mask.get_pixel(x, y).0[0] > 127))
            .collect();

        // Rows above and below stay free for accents and descenders.
        let (first, last) = (rows[0], rows[rows.len() - 1]);
        assert!(
            (1..=4).contains(&first) && (14..=16).contains(&last),
            "{rows:?}"
        );
        assert_eq!(rows.len() as u32, last - first + 1);
    }

    #[test]
    fn width_and_ink_add_up() {
        assert_eq!(PLAIN.width(""), 0);
        assert_eq!(PLAIN.mask("Road").dimensions(), (PLAIN.width("Road"), 20));
        assert!(PLAIN.width("WW") > 2 * PLAIN.width("ii"));
        assert!((ink("HH") as f32 / ink("H") as f32 - 2.0).abs() < 0.1);
    }

    #[test]
    fn text_is_cut_at_the_border() {
        let mut image = RgbImage::from_pixel(9, 12, Rgb([255; 3]));

        PLAIN.draw(&mut image, [2, 0], "Hello");
        PLAIN.draw(&mut image, [500, 500], "Hello");

        assert!(image.pixels().any(|pixel| pixel.0 == [0; 3]));
        assert!(image.pixels().any(|pixel| pixel.0 == [255; 3]));
    }

    #[test]
    fn long_text_is_shortened_and_wrapped() {
        assert_eq!(PLAIN.shorten("road", 100), "road");
        let short = PLAIN.shorten("traffic light", 80);
        assert!(short.ends_with('…') && short.starts_with("traf"), "{short}");
        assert!(PLAIN.width(&short) <= 80);
        assert_eq!(PLAIN.shorten("traffic", 1), "");

        let text = "body feature, first three components";
        let lines = PLAIN.wrap(text, 150);
        assert!(lines.len() > 1);
        assert!(lines.iter().all(|line| PLAIN.width(line) <= 150));
        assert_eq!(lines.join(" "), text);
    }
}
