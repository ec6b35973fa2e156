//! Masks: PNGs whose values, palette indices or colours are labels.

mod encoding;
mod head;
mod ids;
mod likely;
mod meanings;
mod raw;
mod reader;

pub use encoding::MaskEncoding;
pub(crate) use head::MaskHead;
pub use ids::IdMap;
pub(crate) use ids::may_be_train_ids;
pub(crate) use meanings::Meanings;
pub use raw::{RawMask, RawValues};
pub use reader::MaskReader;

/// The expected content of a mask file, for messages.
const EXPECTED: &str = "PNG mask";

/// The expected content, in messages about a file of another kind.
const EXPECTED_KIND: &str = "PNG mask (JPEG changes label values; save masks as PNG)";
