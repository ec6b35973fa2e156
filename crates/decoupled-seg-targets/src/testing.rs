//! Label maps that can be read by eye.

use decoupled_seg_types::{IGNORE_LABEL, LabelView, Size};

/// The first label map of the reference's golden values; `.` is ignored.
pub const LABEL_A: [&str; 6] = [
    "00001111", "00001111", "00011111", "00222111", "22222211", "22222..1",
];

/// The second one.
pub const LABEL_B: [&str; 6] = [
    "22222222", "22222222", "22200222", "22200222", "11111111", "11111111",
];

/// Labels with their size.
#[derive(Debug, Clone)]
pub struct Map {
    pub size: Size,
    pub data: Vec<u8>,
}

impl Map {
    pub fn view(&self) -> LabelView<'_> {
        LabelView::new(self.size, &self.data)
    }

    /// The label of a pixel; ignored outside.
    pub fn get(&self, y: usize, x: usize) -> u8 {
        if y < self.size.height && x < self.size.width {
            self.data[y * self.size.width + x]
        } else {
            IGNORE_LABEL
        }
    }

    pub fn contains(&self, y: usize, x: usize) -> bool {
        y < self.size.height && x < self.size.width
    }
}

/// One row a text, one digit a pixel; `.` is ignored.
pub fn map(rows: &[&str]) -> Map {
    let label = |byte: u8| {
        if byte == b'.' {
            IGNORE_LABEL
        } else {
            byte - b'0'
        }
    };
    Map {
        size: Size::new(rows.len(), rows[0].len()),
        data: rows.concat().bytes().map(label).collect(),
    }
}
