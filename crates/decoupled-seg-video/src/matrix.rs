use decoupled_seg_types::Size;

/// How brightness and colours are made of red, green and blue. A stream does not tell, so it is chosen.
///
/// ```text
/// Y = Kr R + (1 - Kr - Kb) G + Kb B,  Cb = (B - Y) / (2 (1 - Kb)),  Cr = (R - Y) / (2 (1 - Kr))
/// limited range: 16 + 219 Y,  128 + 224 Cb,  128 + 224 Cr    for R, G, B in 0..=1
/// ```
///
/// Source: Rec. ITU-R BT.601-7, section 2.5 (Kr = 0.299, Kb = 0.114); Rec. ITU-R BT.709-6, section 3 (Kr = 0.2126,
/// Kb = 0.0722).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// Standard definition.
    Bt601,
    /// High definition.
    Bt709,
}

/// The largest picture of standard definition: the lines of PAL, and fewer columns than the smallest picture of high
/// definition has. Films are cut to fewer lines than 720, never to fewer columns.
const STANDARD_DEFINITION: Size = Size::new(576, 1279);

impl Matrix {
    /// All variants.
    pub const ALL: [Self; 2] = [Self::Bt601, Self::Bt709];

    /// What films of a size have: [`Bt709`](Self::Bt709) above 576 lines, and from 1280 columns on. Players assume so where
    /// nothing is told.
    pub const fn of_size(size: Size) -> Self {
        if size.height <= STANDARD_DEFINITION.height && size.width <= STANDARD_DEFINITION.width {
            Self::Bt601
        } else {
            Self::Bt709
        }
    }

    /// Its name, in one word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bt601 => "bt601",
            Self::Bt709 => "bt709",
        }
    }

    /// Shares of red, green and blue in the brightness.
    pub(crate) const fn luma(self) -> [f32; 3] {
        match self {
            Self::Bt601 => [0.299, 0.587, 0.114],
            Self::Bt709 => [0.2126, 0.7152, 0.0722],
        }
    }

    /// Largest differences of blue and of red to the brightness, both ways: what Cb and Cr are measured in.
    pub(crate) const fn spans(self) -> [f32; 2] {
        match self {
            Self::Bt601 => [1.772, 1.402],
            Self::Bt709 => [1.8556, 1.5748],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_belong_together() {
        for matrix in Matrix::ALL {
            let [red, green, blue] = matrix.luma();
            assert!((red + green + blue - 1.0).abs() < 1e-6, "{matrix:?}");
            let [cb, cr] = matrix.spans();
            assert!((cb - 2.0 * (1.0 - blue)).abs() < 1e-6, "{matrix:?}");
            assert!((cr - 2.0 * (1.0 - red)).abs() < 1e-6, "{matrix:?}");
        }
    }

    #[test]
    fn high_definition_goes_by_lines_and_columns() {
        let of = |height, width| Matrix::of_size(Size::new(height, width));
        for (height, width) in [(480, 720), (576, 720), (576, 1024), (360, 640), (480, 854)] {
            assert_eq!(of(height, width), Matrix::Bt601, "{width}x{height}");
        }
        // Wide screens are cut to 544 or 532 lines, tall ones to fewer columns.
        for (height, width) in [
            (720, 1280),
            (544, 1280),
            (532, 1280),
            (1080, 608),
            (800, 1920),
        ] {
            assert_eq!(of(height, width), Matrix::Bt709, "{width}x{height}");
        }
    }
}
