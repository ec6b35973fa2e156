//! Finds label mistakes before the training does.

mod item;
mod overlay;
mod report;
mod run;

pub use item::ItemCheck;
pub use overlay::{overlay, write_overlays};
pub use report::{CheckReport, Duplicate, SplitReport};
pub use run::{Opened, check, check_splits};
