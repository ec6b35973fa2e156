//! The few types that all crates of `decoupled-seg` share. The crate depends neither on Burn nor on an image library.
//!
//! - [`Size`]: height and width, so that nobody has to remember an order.
//! - [`LabelView`]: a label map of one byte a pixel; [`IGNORE_LABEL`] marks pixels without a class.
//! - [`CITYSCAPES_LABELS`]: the label table that data sets read and metrics score by.
//! - [`FileKind`]: the kind of a file that is not the expected one, for messages.
//! - [`write_atomic`]: writes a file whole or not at all.
//! - [`TextTable`]: a table of figures as plain text, for reports.
//! - [`multiversion!`]: compiles loops for wide vectors too.

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

/// The largest number of classes in labels of one byte: class indices end at 253, and 255 is [`IGNORE_LABEL`].
pub const MAX_CLASSES: usize = 254;
