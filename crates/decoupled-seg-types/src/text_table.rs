use std::fmt;

/// A table as plain text, with names on the left and right-aligned figures.
///
/// A column of figures is at least six characters wide, enough for `100.00`, so that tables of different models line
/// up.
///
/// # Example
///
/// ```
/// use decoupled_seg_types::TextTable;
///
/// let table = TextTable::new(["class", "IoU", "F 1 px"])
///     .with_row(["road", "98.12", "71.40"])
///     .with_row(["traffic light", "61.05", "-"]);
/// let text = "\
/// class             IoU  F 1 px
/// road            98.12   71.40
/// traffic light   61.05       -
/// ";
/// assert_eq!(table.to_string(), text);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextTable {
    columns: usize,
    /// The rows; an empty one is a gap.
    rows: Vec<Vec<String>>,
}

/// Width of the narrowest column of figures, in characters.
const LEAST: usize = 6;

impl TextTable {
    /// A table with the names of its columns.
    pub fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        let header: Vec<String> = header.into_iter().map(Into::into).collect();
        Self {
            columns: header.len(),
            rows: vec![header],
        }
    }

    /// Adds a row.
    ///
    /// # Panics
    ///
    /// Panics if the number of texts is not the number of columns.
    pub fn with_row<S: Into<String>>(mut self, row: impl IntoIterator<Item = S>) -> Self {
        let row: Vec<String> = row.into_iter().map(Into::into).collect();
        assert!(
            row.len() == self.columns,
            "a row must have {} texts, got {}",
            self.columns,
            row.len()
        );
        self.rows.push(row);
        self
    }

    /// Adds an empty line.
    pub fn with_gap(mut self) -> Self {
        self.rows.push(Vec::new());
        self
    }
}

impl fmt::Display for TextTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = vec![LEAST; self.columns];
        widths[..1.min(self.columns)].fill(0);
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.rows {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(f, "{cell:width$}")?,
                    _ => write!(f, "  {cell:>width$}")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_count_characters_and_gaps_are_empty_lines() {
        let table = TextTable::new(["", "ä"])
            .with_row(["tür", "1"])
            .with_gap()
            .with_row(["a", "1234567"]);

        let text = "           ä\ntür        1\n\na    1234567\n";
        assert_eq!(table.to_string(), text);
    }

    #[test]
    #[should_panic(expected = "a row must have 2 texts, got 1")]
    fn a_short_row_panics() {
        let _ = TextTable::new(["a", "b"]).with_row(["c"]);
    }
}
