use std::fmt;

use serde::{Deserialize, Serialize};

/// Height and width of a picture, a label map or a feature map, in pixels.
///
/// The text form, which the command line takes too, is `HEIGHTxWIDTH`. In files a size is a table of two named numbers.
///
/// # Example
///
/// ```
/// use decoupled_seg_types::Size;
///
/// let size = Size::new(360, 480);
/// assert_eq!(size.to_string(), "360x480");
/// assert_eq!(size.pixels(), 360 * 480);
/// assert_eq!("360x480".parse(), Ok(size));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "two numbers: { height = 64, width = 64 }"
)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Size {
    /// A size of `height` rows and `width` columns.
    pub const fn new(height: usize, width: usize) -> Self {
        Self { height, width }
    }

    /// A square of `side` rows and columns.
    pub const fn square(side: usize) -> Self {
        Self::new(side, side)
    }

    /// Number of pixels.
    pub const fn pixels(self) -> usize {
        self.height * self.width
    }

    /// `[height, width]`, the order of the last two axes of a tensor.
    pub const fn to_array(self) -> [usize; 2] {
        [self.height, self.width]
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

/// Why a text could not be read as a [`Size`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseSizeError {
    text: String,
}

impl fmt::Display for ParseSizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no size: write HEIGHTxWIDTH in pixels, such as 360x480",
            self.text
        )
    }
}

impl std::error::Error for ParseSizeError {}

impl std::str::FromStr for Size {
    type Err = ParseSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let side = |side: &str| side.parse().ok().filter(|&pixels: &usize| pixels > 0);
        text.split_once('x')
            .and_then(|(height, width)| Some(Self::new(side(height)?, side(width)?)))
            .ok_or_else(|| ParseSizeError {
                text: text.to_string(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "360", "360x", "0x480", "360x-1", "360X480", "360x480x3"] {
            let error = text.parse::<Size>().expect_err(text);
            assert!(error.to_string().contains("HEIGHTxWIDTH"), "{error}");
        }
    }

    #[test]
    fn files_name_both_numbers() {
        let size = Size::new(2, 3);
        let json = serde_json::to_string(&size).expect("two numbers");
        assert_eq!(json, r#"{"height":2,"width":3}"#);
        assert_eq!(serde_json::from_str::<Size>(&json).expect("its own"), size);
    }
}
