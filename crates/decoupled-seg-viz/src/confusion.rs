//! Confusion matrices as pictures.

use image::{Rgb, RgbImage};

use crate::canvas::{fill_rect, frame};
use crate::colormap::Colormap;
use crate::palette::lightness;
use crate::text::{CAP_HEIGHT, TextStyle, draw_text, mask};
use crate::theme::{INK, MUTED, PAPER, RULE};

/// Pixels of a cell.
const CELL: u32 = 44;
/// Pixels between parts.
const GAP: u32 = 12;
/// Scale of the text.
const TEXT: u32 = 2;
/// Names of classes.
const NAME: TextStyle = TextStyle::new(TEXT, INK);
/// Names of the axes and of the scale.
const TITLE: TextStyle = TextStyle::new(TEXT, MUTED);

/// Draws a confusion matrix: for each true class (row), how its pixels are spread over the predicted classes (columns).
///
/// `counts` are `names.len()` squared, row by row. Each row is divided by its sum and shown in percent, on the diagonal
/// the recall; shares below half a percent are left blank, and the row of a class without pixels shows a dash.
///
/// # Panics
///
/// Panics if `names` is empty or `counts` has another length.
pub fn confusion_picture<S: AsRef<str>>(counts: &[u64], names: &[S]) -> RgbImage {
    let classes = names.len();
    assert!(classes > 0, "a confusion matrix needs a class, got none");
    assert!(
        counts.len() == classes * classes,
        "counts must hold {classes}x{classes} values, got {}",
        counts.len()
    );

    let widest = |texts: &mut dyn Iterator<Item = &str>| {
        let widths = texts.map(|text| NAME.size(text)[0]);
        widths.max().unwrap_or(0)
    };
    let longest = widest(&mut names.iter().map(AsRef::as_ref));
    let cap = CAP_HEIGHT * TEXT;
    let side = classes as u32 * CELL;
    let [rows_title, columns_title] = ["truth", "prediction"];
    // Turned text for the rows' title, then the names, then the matrix, then the scale.
    let left = GAP + cap + GAP + longest + GAP;
    let top = GAP + cap + GAP + longest + GAP;
    let bar = 18;
    let scale_width = GAP + bar + 6 + NAME.size("100%")[0];
    let width = left + side + scale_width + GAP;
    let title = |text| NAME.size(text)[0];
    let height = top + side.max(title(rows_title)) + GAP;
    let width = width.max(left + title(columns_title) + GAP);
    let mut image = RgbImage::from_pixel(width, height, Rgb(PAPER));

    let centred = |start: u32, room: u32, size: u32| (start + room / 2) as i32 - (size / 2) as i32;
    draw_text(
        &mut image,
        [
            centred(left, side, title(columns_title)).max(left as i32),
            GAP as i32,
        ],
        columns_title,
        TITLE,
    );
    let turned = mask(rows_title, TITLE).turned();
    let y = centred(top, side, turned.height).max(top as i32);
    turned.draw(&mut image, GAP as i32, y, MUTED);

    for (i, name) in names.iter().enumerate() {
        let name = name.as_ref();
        let offset = i as u32 * CELL;
        let size = NAME.size(name)[0];
        draw_text(
            &mut image,
            [
                (left - GAP / 2 - size) as i32,
                centred(top + offset, CELL, cap),
            ],
            name,
            NAME,
        );
        let turned = mask(name, NAME).turned();
        let corner = [
            centred(left + offset, CELL, cap),
            (top - GAP / 2 - size) as i32,
        ];
        turned.draw(&mut image, corner[0], corner[1], INK);
    }

    for (row, counts) in counts.chunks_exact(classes).enumerate() {
        let sum: u64 = counts.iter().sum();
        for (column, count) in counts.iter().enumerate() {
            let corner = [left + column as u32 * CELL, top + row as u32 * CELL].map(|v| v as i32);
            let share = (sum > 0).then(|| *count as f64 / sum as f64);
            draw_cell(&mut image, corner, share);
        }
    }
    for line in 0..=classes as u32 {
        let [x, y] = [left + line * CELL, top + line * CELL].map(|v| v as i32);
        fill_rect(&mut image, [x, top as i32], [1, side + 1], RULE);
        fill_rect(&mut image, [left as i32, y], [side + 1, 1], RULE);
    }

    let x = left + side + GAP;
    for y in 0..side {
        let share = 1.0 - y as f32 / (side - 1) as f32;
        let corner = [x as i32, (top + y) as i32];
        fill_rect(&mut image, corner, [bar, 1], Colormap::Blues.color(share));
    }
    frame(&mut image, [x as i32, top as i32], [bar, side + 1], RULE);
    let x = (x + bar + 6) as i32;
    draw_text(&mut image, [x, top as i32], "100%", TITLE);
    draw_text(&mut image, [x, (top + side - cap) as i32], "0%", TITLE);
    image
}

/// Fills a cell with the colour of its share and writes the percentage into it.
fn draw_cell(image: &mut RgbImage, corner: [i32; 2], share: Option<f64>) {
    let color = Colormap::Blues.color(share.unwrap_or(0.0) as f32);
    fill_rect(image, corner, [CELL; 2], color);
    let text = match share {
        None => "-".to_owned(),
        Some(share) if share < 0.005 => return,
        Some(share) => format!("{:.0}", 100.0 * share),
    };
    let ink = if lightness(color) < 60.0 { PAPER } else { INK };
    let ink = if share.is_none() { MUTED } else { ink };
    let inset = |size: u32| ((CELL - size) / 2) as i32;
    let width = NAME.size(&text)[0];
    draw_text(
        image,
        [
            corner[0] + inset(width) + 1,
            corner[1] + inset(CAP_HEIGHT * TEXT) + 1,
        ],
        &text,
        TextStyle::new(TEXT, ink),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["road", "car", "person"];

    /// A pixel of the cell's upper left corner, beside the number.
    fn cell(image: &RgbImage, row: u32, column: u32) -> [u8; 3] {
        let longest = NAME.size("person")[0];
        let start = 3 * GAP + CAP_HEIGHT * TEXT + longest;
        let [x, y] = [start + column * CELL + 3, start + row * CELL + 3];
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

        assert!(
            image
                .pixels()
                .any(|pixel| pixel.0 == Colormap::Blues.color(1.0))
        );
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
