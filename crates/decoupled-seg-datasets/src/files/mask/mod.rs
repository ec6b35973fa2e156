//! Masks: PNGs whose values, palette indices or colours are labels.

mod encoding;
mod ids;
mod raw;
mod reader;

pub use encoding::MaskEncoding;
pub use ids::IdMap;
pub use raw::{RawMask, RawValues};
pub use reader::MaskReader;

/// What should be in a mask file.
const EXPECTED: &str = "PNG mask";

/// The same, where another kind of file was found.
const EXPECTED_KIND: &str = "PNG mask (JPEG changes label values; save masks as PNG)";
