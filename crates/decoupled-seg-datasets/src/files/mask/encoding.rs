use serde::{Deserialize, Serialize};

/// The storage of masks that a reader expects.
///
/// A file stored in another way is an error; the reader does not guess. Grey of one bit is read where white can be one
/// class only, 1 or 255; if 255 is ignored and other masks have more bits, it is a problem. Grey of 2 or 4 bits is always refused: some encoders write plain values in it, others values
/// scaled to 0..=255, and the file does not say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskEncoding {
    /// 8-bit grey. The value is the id.
    Grey,
    /// A palette of any depth. The index is the id, whatever its colour.
    PaletteIndex,
    /// 8-bit grey or palette. The value or the index is the id.
    GreyOrPaletteIndex,
    /// 16-bit grey. The value is the id.
    Grey16,
    /// 8-bit RGB or a palette. The colour is looked up in the class table.
    Color,
}

impl MaskEncoding {
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::Grey => "8-bit grey whose values are label ids",
            Self::PaletteIndex => "a palette whose indices are label ids",
            Self::GreyOrPaletteIndex => {
                "8-bit grey or a palette, values or indices being label ids"
            }
            Self::Grey16 => "16-bit grey whose values are label ids",
            Self::Color => "8-bit RGB or a palette, in the colours of the class table",
        }
    }
}
