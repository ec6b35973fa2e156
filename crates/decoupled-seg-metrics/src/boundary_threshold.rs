//! How far apart two boundaries may lie.

use std::fmt;

use decoupled_seg_types::Size;
use serde::{Deserialize, Serialize};

/// A distance at which boundaries count as the same, or the width of a band along them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoundaryThreshold {
    /// Pixels of the label map.
    Pixels(u32),
    /// A fraction of the image diagonal, rounded up to whole pixels: `ceil(fraction * sqrt(height^2 + width^2))`.
    DiagonalFraction(f64),
}

impl BoundaryThreshold {
    /// The four thresholds of the paper's Fig. 3, with the values of the authors' code: 2, 5, 9 and 12 pixels at
    /// 1024x2048.
    ///
    /// (The three pixels named in the literature would be the fraction 0.00088.)
    pub const PAPER: [Self; 4] = [
        Self::DiagonalFraction(0.0005),
        Self::DiagonalFraction(0.001_875),
        Self::DiagonalFraction(0.003_75),
        Self::DiagonalFraction(0.005),
    ];

    /// Whole pixels on an image of `size`.
    ///
    /// # Panics
    ///
    /// Panics if a fraction is negative or not finite.
    pub fn pixels(&self, size: Size) -> u32 {
        match *self {
            Self::Pixels(pixels) => pixels,
            Self::DiagonalFraction(fraction) => {
                assert!(
                    fraction.is_finite() && fraction >= 0.0,
                    "a fraction of the diagonal must be finite and not negative, got {fraction}"
                );
                let squared = size.height.pow(2) + size.width.pow(2);
                // The cast saturates, which is harmless: no image is 2^32 pixels long.
                (fraction * (squared as f64).sqrt()).ceil() as u32
            }
        }
    }
}

/// `3 px`, or `0.005 diag`.
impl fmt::Display for BoundaryThreshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pixels(pixels) => write!(f, "{pixels} px"),
            Self::DiagonalFraction(fraction) => write!(f, "{fraction} diag"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(BoundaryThreshold::Pixels(7), Size::new(1, 1), 7)]
    #[case(BoundaryThreshold::DiagonalFraction(0.0), Size::new(30, 40), 0)]
    #[case(BoundaryThreshold::DiagonalFraction(0.1), Size::new(30, 40), 5)]
    #[case(BoundaryThreshold::DiagonalFraction(0.101), Size::new(30, 40), 6)]
    #[case(
        BoundaryThreshold::DiagonalFraction(0.000_88),
        Size::new(1024, 2048),
        3
    )]
    fn whole_pixels(#[case] threshold: BoundaryThreshold, #[case] size: Size, #[case] pixels: u32) {
        assert_eq!(threshold.pixels(size), pixels);
    }

    #[test]
    fn the_papers_thresholds_on_cityscapes() {
        let pixels =
            BoundaryThreshold::PAPER.map(|threshold| threshold.pixels(Size::new(1024, 2048)));
        assert_eq!(pixels, [2, 5, 9, 12]);
    }

    #[test]
    #[should_panic(expected = "must be finite and not negative, got -0.5")]
    fn negative_fraction() {
        BoundaryThreshold::DiagonalFraction(-0.5).pixels(Size::square(4));
    }
}
