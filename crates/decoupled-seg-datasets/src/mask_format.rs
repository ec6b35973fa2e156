use std::fmt;

use serde::{Deserialize, Serialize};

/// How a PNG stores its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskFormat {
    /// Grey of this many bits.
    Grey(u8),
    /// Grey with alpha, this many bits a channel.
    GreyAlpha(u8),
    /// Indices of this many bits into a palette.
    Palette(u8),
    /// Red, green and blue of this many bits each.
    Rgb(u8),
    /// Red, green, blue and alpha of this many bits each.
    Rgba(u8),
}

impl fmt::Display for MaskFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grey(bits) => write!(f, "{bits}-bit grey"),
            Self::GreyAlpha(bits) => write!(f, "{bits}-bit grey with alpha"),
            Self::Palette(bits) => write!(f, "{bits}-bit palette"),
            Self::Rgb(bits) => write!(f, "{bits}-bit RGB"),
            Self::Rgba(bits) => write!(f, "{bits}-bit RGBA"),
        }
    }
}
