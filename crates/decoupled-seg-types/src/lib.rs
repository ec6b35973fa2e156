//! The few types that every crate of `decoupled-seg` shares. No Burn, no pictures.
//!
//! - [`Size`]: height and width, so that nobody has to remember an order.
//! - [`LabelView`]: a label map of one byte a pixel; [`IGNORE_LABEL`] marks pixels that take no part.
//! - [`CITYSCAPES_LABELS`]: the label table that data sets read and metrics score by.
//! - [`FileKind`]: what a file is instead of what was expected, for messages.
//! - [`write_atomic`]: a file that is there whole or not at all.
//! - [`TextTable`]: figures in columns, for reports.
//! - [`multiversion!`]: loops that are compiled for wide vectors too.

mod atomic;
mod cityscapes;
mod file_kind;
mod label_view;
mod simd;
mod size;
mod text_table;

pub use atomic::write_atomic;
pub use cityscapes::{CITYSCAPES_CATEGORIES, CITYSCAPES_LABELS, CityscapesLabel};
pub use file_kind::FileKind;
pub use label_view::LabelView;
pub use size::{ParseSizeError, Size};
pub use text_table::TextTable;

/// The label that stands for "no class" in every data set of this project.
pub const IGNORE_LABEL: u8 = 255;

/// The largest number of classes that labels of one byte have room for: 254 and [`IGNORE_LABEL`] are no class indices.
pub const MAX_CLASSES: usize = 254;
