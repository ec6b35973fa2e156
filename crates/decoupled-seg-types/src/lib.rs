#![doc = include_str!("../README.md")]

mod atomic;
mod caught;
mod cityscapes;
mod file_kind;
mod label_view;
mod plain_words;
mod shortened;
mod simd;
mod size;
mod text_table;
mod written;

pub use atomic::write_atomic;
pub use caught::caught;
pub use cityscapes::{
    CITYSCAPES_CATEGORIES, CITYSCAPES_LABELS, CITYSCAPES_TRAIN_CITIES, CITYSCAPES_VAL_CITIES,
    CityscapesLabel,
};
pub use file_kind::FileKind;
pub use label_view::LabelView;
pub use plain_words::plain_words;
pub use shortened::shortened;
pub use size::{ParseSizeError, Size};
pub use text_table::TextTable;
pub use written::written;

/// The label that stands for "no class" in every data set of this project.
pub const IGNORE_LABEL: u8 = 255;

/// The largest number of classes in labels of one byte: class indices end at 253, and 255 is [`IGNORE_LABEL`].
pub const MAX_CLASSES: usize = 254;
