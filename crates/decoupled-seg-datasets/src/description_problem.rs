use std::path::PathBuf;

use crate::{MAX_BANDS, MAX_CLASSES};

/// A contradiction in the description of a data set or in its class table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionProblem {
    /// Images without a band, or with more than any camera has.
    #[error(
        "`bands` is {found}, expected 1 to {MAX_BANDS}; set it to what the images have, or leave it out for RGB"
    )]
    Bands {
        /// The number.
        found: usize,
    },
    /// Masks of colours have no values.
    #[error("`ignored` is for masks of values; with `encoding = \"color\"` it is `ignored_colors`")]
    IgnoredValues,
    /// Masks of values have no colours.
    #[error("`ignored_colors` is for `encoding = \"color\"`; masks of values have `ignored`")]
    IgnoredColors,
    /// A value that no mask of 8 bits has.
    #[error(
        "`ignored` has {found}, but only masks of 16 bits (`encoding = \"grey16\"`) have values above 255"
    )]
    IgnoredTooLarge {
        /// The value.
        found: u16,
    },
    /// Two names of one split.
    #[error("`splits.{first}` and `splits.{second}` are one split; keep one of them")]
    OneSplit {
        /// A name.
        first: &'static str,
        /// The other one.
        second: &'static str,
    },
    /// There is one class only, and nothing to tell it from.
    #[error(
        "one class, `{class}`: a class can only be told from another; list the background as a class too, and take its \
         value out of `ignored`"
    )]
    OneClass {
        /// Its name.
        class: String,
    },
    /// There is no class, or there are more classes than values in label files.
    #[error("{found} classes, expected 1 to {MAX_CLASSES}")]
    ClassCount {
        /// Classes of the description.
        found: usize,
    },
    /// A table whose last label stands for "no class" has too few labels or too many.
    #[error("{found} labels, expected 2 to {}", MAX_CLASSES + 1)]
    LabelCount {
        /// Labels of the table.
        found: usize,
    },
    /// A class has a name that no table can show.
    #[error("class {index}: the name {name:?}, expected text without line breaks")]
    ClassName {
        /// The index of the class.
        index: u8,
        /// Its name.
        name: String,
    },
    /// Two classes share a name or an id.
    #[error("classes `{first}` and `{second}` (id {id}) share their name or id")]
    Shared {
        /// The class that comes first.
        first: String,
        /// The class that comes later.
        second: String,
        /// The id of the second.
        id: u8,
    },
    /// In colour masks, one colour would stand for two labels.
    #[error("the colour of `{class}` stands for two labels")]
    SharedColor {
        /// The class that comes last.
        class: String,
    },
    /// A value stands for a class and is ignored too.
    #[error("id {id} is both `{class}` and ignored; {}", not_ignored(.id))]
    Ignored {
        /// The value.
        id: u8,
        /// The class.
        class: String,
    },
    /// A path of a split is not there, and holds a character that no path has.
    #[error(
        "{path:?} is not there, and has a control character: in double quotes, `\\t` is a tab; write paths with `/`, or in \
         'single quotes'"
    )]
    ControlInPath {
        /// The path.
        path: PathBuf,
    },
    /// A split names neither a list nor a folder of images, or files that do not go together.
    #[error("a split has `list`, `images`, or both: then the list picks names from the folder")]
    Split,
}

/// How an id is no longer ignored: 255 is, unless a description says otherwise.
fn not_ignored(id: &u8) -> String {
    match id {
        255 => {
            "255 is ignored unless `ignored` is written: write it without 255, as `ignored = []`"
                .into()
        }
        id => format!("take {id} out of `ignored`"),
    }
}
