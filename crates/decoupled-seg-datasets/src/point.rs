use serde::{Deserialize, Serialize};

/// A pixel by row and column, from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Row.
    pub y: usize,
    /// Column.
    pub x: usize,
}

impl Point {
    /// The upper left corner.
    pub const ORIGIN: Self = Self { y: 0, x: 0 };
}
