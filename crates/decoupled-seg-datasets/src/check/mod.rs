//! Checks of whole data sets, which find mistakes in labels before a training does.

mod mask_files;
mod report;
mod run;
mod text;

pub use crate::item_check::{DARK, ItemCheck};
pub use mask_files::check_mask_files;
pub use report::{CheckReport, Duplicate, SplitReport};
pub use run::{check, check_splits, unseen_classes};

/// Items that are read at once.
const BLOCK: usize = 64;
