//! Tables as pictures.

use image::{Rgb, RgbImage};

use crate::canvas::fill_rect;
use crate::text::{LINE_HEIGHT, TextStyle, draw_text};
use crate::theme::{AXIS, INK, PAPER, RULE};

/// A table of texts: names on the left, figures aligned on the right.
///
/// ```
/// use decoupled_seg_viz::Table;
///
/// let table = Table::new(["net", "mean IoU", "F at 1 px"])
///     .with_row(["FCN", "61.2", "40.3"])
///     .with_row(["FCN + decoupled", "63.9", "45.1"]);
///
/// let [rows, line, margin] = [3, 20, 10];
/// assert_eq!(table.render(1).height(), rows * line + 2 * margin);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    ///
    /// # Panics
    ///
    /// Panics without a column.
    pub fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        let header: Vec<String> = header.into_iter().map(Into::into).collect();
        assert!(!header.is_empty(), "a table needs a column, got none");

        Self {
            header,
            rows: Vec::new(),
        }
    }

    /// The table with one more row.
    ///
    /// # Panics
    ///
    /// Panics if the row has not one text per column.
    pub fn with_row<S: Into<String>>(mut self, row: impl IntoIterator<Item = S>) -> Self {
        let row: Vec<String> = row.into_iter().map(Into::into).collect();
        assert!(
            row.len() == self.header.len(),
            "a row must have {} texts, got {}",
            self.header.len(),
            row.len()
        );
        self.rows.push(row);
        self
    }

    /// Draws the table; `text_scale` is that of [`TextStyle`].
    ///
    /// # Panics
    ///
    /// Panics if `text_scale` is 0.
    pub fn render(&self, text_scale: u32) -> RgbImage {
        let scale = text_scale;
        let (margin, gap, line) = (10 * scale, 18 * scale, (LINE_HEIGHT + 8) * scale);
        let plain = TextStyle::new(scale, INK);
        let lines = || {
            let rows = self.rows.iter().map(|row| (row, plain));
            std::iter::once((&self.header, plain.bold())).chain(rows)
        };
        let widths: Vec<u32> = (0..self.header.len())
            .map(|i| {
                let widths = lines().map(|(row, style)| style.size(&row[i])[0]);
                widths.max().unwrap_or(0)
            })
            .collect();
        let inner = widths.iter().sum::<u32>() + gap * (widths.len() as u32 - 1);
        let height = lines().count() as u32 * line + 2 * margin;
        let mut image = RgbImage::from_pixel(inner + 2 * margin, height, Rgb(PAPER));

        for (i, (row, style)) in lines().enumerate() {
            let top = margin + i as u32 * line;
            let y = top + (line - LINE_HEIGHT * scale) / 2 + 2 * scale;
            let mut left = margin;
            for (column, (text, width)) in row.iter().zip(&widths).enumerate() {
                let room = width - style.size(text)[0];
                let x = left + if column == 0 { 0 } else { room };
                draw_text(&mut image, [x as i32, y as i32], text, style);
                left += width + gap;
            }
            let color = if i == 0 { AXIS } else { RULE };
            let below = [margin as i32, (top + line - 1) as i32];
            fill_rect(&mut image, below, [inner, 1], color);
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_end_at_the_right() {
        let table = Table::new(["a", "b"])
            .with_row(["road", "9"])
            .with_row(["car", "12345"]);

        let image = table.render(2);

        let (width, height) = image.dimensions();
        assert_eq!(height, 3 * 40 + 2 * 20);
        let last_ink = |rows: std::ops::Range<u32>| {
            (0..width)
                .rev()
                .find(|&x| rows.clone().any(|y| image.get_pixel(x, y).0 == INK))
        };
        // 9 and 12345 end in the same column, but for the last figure's own shape.
        let (short, long) = (last_ink(60..98), last_ink(100..138));
        assert!(short.expect("ink").abs_diff(long.expect("ink")) <= 2);
    }

    #[test]
    #[should_panic(expected = "a row must have 2 texts, got 1")]
    fn a_short_row_panics() {
        let _ = Table::new(["a", "b"]).with_row(["c"]);
    }

    #[test]
    #[should_panic(expected = "a table needs a column, got none")]
    fn no_column_panics() {
        Table::new::<&str>([]);
    }
}
