use crate::MAX_CLASSES;

/// A contradiction in the description of a data set or in its class table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionProblem {
    /// Images without a band.
    #[error("`bands` is 0; set it to what the images have, or leave it out for RGB")]
    NoBands,
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
    #[error("id {id} is both `{class}` and ignored")]
    Ignored {
        /// The value.
        id: u8,
        /// The class.
        class: String,
    },
    /// A split names neither a list nor a folder of images, or files that do not go together.
    #[error("a split has `list`, `images`, or both: then the list picks names from the folder")]
    Split,
}
