//! Checks of whole data sets, which find mistakes in labels before a training does.

mod report;
mod run;
mod text;

pub use crate::item_check::{DARK, ItemCheck};
pub use report::{CheckReport, Duplicate, SplitReport};
pub use run::{check, check_splits, unseen_classes};
