use image::{Rgb, RgbImage, imageops};

use crate::canvas::{fill_rect, frame};
use crate::colormap::Colormap;
use crate::text::TextStyle;
use crate::theme::{INK, MUTED, PAPER, RULE};

/// Side of a cell, in pixels.
const CELL: u32 = 44;
/// Space between the parts, in pixels.
const GAP: u32 = 12;
/// Width of the scale, in pixels.
const BAR: u32 = 18;
/// Style of the names of classes.
const NAME: TextStyle = TextStyle::new(20, INK);
/// Style of the names of the axes and of the scale.
const TITLE: TextStyle = TextStyle::new(20, MUTED);

/// Draws a confusion matrix: for each true class (row), how its pixels are spread over the predicted classes (columns).
///
/// `counts` holds `names.len()` rows of `names.len()` counts. Each row is divided by its sum and shown in percent, so
/// the diagonal shows the recall. Shares below half a percent are left blank, and the row of a class without pixels
/// shows dashes.
///
/// # Panics
///
/// Panics if `names` is empty or the length of `counts` is not `names.len()` squared.
pub fn confusion_picture<S: AsRef<str>>(counts: &[u64], names: &[S]) -> RgbImage {
    let classes = names.len();
    assert!(classes > 0, "a confusion matrix needs a class, got none");
    assert!(
        counts.len() == classes * classes,
        "counts must hold {classes}x{classes} values, got {}",
        counts.len()
    );
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();

    let mut sheet = Sheet::new(&names);
    sheet.write_titles();
    for (i, name) in names.iter().enumerate() {
        sheet.write_name(i as u32, name);
    }
    for (row, counts) in (0..).zip(counts.chunks_exact(classes)) {
        let sum: u64 = counts.iter().sum();
        for (column, count) in (0..).zip(counts) {
            let share = (sum > 0).then(|| *count as f64 / sum as f64);
            sheet.draw_cell(row, column, share);
        }
    }
    sheet.draw_grid();
    sheet.draw_scale();
    sheet.image
}

/// The picture, and the place of the matrix on it.
struct Sheet {
    image: RgbImage,
    /// Column and row of the matrix's upper left corner, which are equal.
    start: u32,
    /// Width and height of the matrix.
    side: u32,
}

impl Sheet {
    /// A blank sheet with room for the titles, the names and the scale around the matrix.
    fn new(names: &[&str]) -> Self {
        let side = names.len() as u32 * CELL;
        let longest = names.iter().map(|name| NAME.width(name)).max().unwrap_or(0);
        let start = GAP + TITLE.size + GAP + longest + GAP;
        // A title may be longer than a small matrix.
        let [height, width] = ["truth", "prediction"].map(|title| side.max(TITLE.width(title)));
        let scale = GAP + BAR + GAP / 2 + TITLE.width("100%");
        let [width, height] = [start + width + scale + GAP, start + height + GAP];
        Self {
            image: RgbImage::from_pixel(width, height, Rgb(PAPER)),
            start,
            side,
        }
    }

    /// Names the two axes.
    fn write_titles(&mut self) {
        let middle = |length: u32| self.start + self.side.saturating_sub(length) / 2;
        let prediction = TITLE.mask("prediction");
        let corner = [middle(prediction.width()), GAP];
        TITLE.paint(&mut self.image, corner, &prediction);
        let truth = imageops::rotate270(&TITLE.mask("truth"));
        let corner = [GAP, middle(truth.height())];
        TITLE.paint(&mut self.image, corner, &truth);
    }

    /// Names row and column `i`.
    fn write_name(&mut self, i: u32, name: &str) {
        let across = self.start + i * CELL + (CELL - NAME.size) / 2;
        let along = self.start - GAP / 2 - NAME.width(name);
        let mask = NAME.mask(name);
        NAME.paint(&mut self.image, [along, across], &mask);
        let turned = imageops::rotate270(&mask);
        NAME.paint(&mut self.image, [across, along], &turned);
    }

    /// Fills a cell with the colour of its share and writes the percentage into it.
    fn draw_cell(&mut self, row: u32, column: u32, share: Option<f64>) {
        let corner = [column, row].map(|i| self.start + i * CELL);
        let color = Colormap::Blues.color(share.unwrap_or(0.0) as f32);
        fill_rect(&mut self.image, corner, [CELL; 2], color);
        let (text, ink) = match share {
            None => ("–".to_owned(), MUTED),
            Some(share) if share < 0.005 => return,
            // White on the dark half of the colours.
            Some(share) if share > 0.55 => (format!("{:.0}", 100.0 * share), PAPER),
            Some(share) => (format!("{:.0}", 100.0 * share), INK),
        };
        let style = TextStyle::new(NAME.size, ink);
        let inset = [style.width(&text), style.size].map(|size| (CELL - size) / 2);
        style.draw(
            &mut self.image,
            [corner[0] + inset[0], corner[1] + inset[1]],
            &text,
        );
    }

    /// Draws the lines between the cells.
    fn draw_grid(&mut self) {
        for offset in (0..=self.side).step_by(CELL as usize) {
            let place = self.start + offset;
            fill_rect(
                &mut self.image,
                [place, self.start],
                [1, self.side + 1],
                RULE,
            );
            fill_rect(
                &mut self.image,
                [self.start, place],
                [self.side + 1, 1],
                RULE,
            );
        }
    }

    /// Shows which colour stands for which share.
    fn draw_scale(&mut self) {
        let (top, x) = (self.start, self.start + self.side + GAP);
        for y in 0..self.side {
            let share = 1.0 - y as f32 / (self.side - 1) as f32;
            let color = Colormap::Blues.color(share);
            fill_rect(&mut self.image, [x, top + y], [BAR, 1], color);
        }
        frame(&mut self.image, [x, top], [BAR, self.side + 1], RULE);
        let x = x + BAR + GAP / 2;
        TITLE.draw(&mut self.image, [x, top], "100%");
        TITLE.draw(&mut self.image, [x, top + self.side - TITLE.size], "0%");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["road", "car", "person"];

    /// A pixel of the cell's upper left corner, beside the number.
    fn cell(image: &RgbImage, row: u32, column: u32) -> [u8; 3] {
        let start = Sheet::new(&NAMES).start;
        let [x, y] = [column, row].map(|i| start + i * CELL + 3);
        image.get_pixel(x, y).0
    }

    #[test]
    fn rows_are_normalised() {
        // Row 0: 3/4 and 1/4; row 1: all right, with counts a million times larger; row 2: no pixels.
        let counts = [3, 1, 0, 0, 5_000_000, 0, 0, 0, 0];

        let image = confusion_picture(&counts, &NAMES);

        let color = |share: f32| Colormap::Blues.color(share);
        assert_eq!(cell(&image, 0, 0), color(0.75));
        assert_eq!(cell(&image, 0, 1), color(0.25));
        assert_eq!(cell(&image, 1, 0), color(0.0));
        assert_eq!(cell(&image, 1, 1), color(1.0));
        assert_eq!(cell(&image, 2, 2), color(0.0));
        assert!(image.width() > image.height(), "the scale is on the right");
    }

    #[test]
    fn one_class_is_drawn() {
        let image = confusion_picture(&[u64::from(u32::MAX)], &["a"]);

        let full = Colormap::Blues.color(1.0);
        assert!(image.pixels().any(|pixel| pixel.0 == full));
    }

    #[test]
    #[should_panic(expected = "counts must hold 3x3 values, got 8")]
    fn counts_must_be_square() {
        confusion_picture(&[0; 8], &NAMES);
    }

    #[test]
    #[should_panic(expected = "a confusion matrix needs a class, got none")]
    fn no_class_panics() {
        confusion_picture::<&str>(&[], &[]);
    }
}
