//! The few types that every crate of `decoupled-seg` shares. No Burn, no pictures.
//!
//! - [`Size`]: height and width, so that nobody has to remember an order.
//! - [`IGNORE_LABEL`]: the label of pixels that take no part.
//! - [`write_atomic`]: a file that is there whole or not at all.
//! - [`TextTable`]: figures in columns, for reports.

mod atomic;
mod size;
mod text_table;

pub use atomic::write_atomic;
pub use size::{ParseSizeError, Size};
pub use text_table::TextTable;

/// The label that stands for "no class" in every data set of this project.
pub const IGNORE_LABEL: u8 = 255;
