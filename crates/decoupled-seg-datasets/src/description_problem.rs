use crate::MAX_CLASSES;

/// In what a description of a data set, or its class table, contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionProblem {
    /// A class can only be told from another.
    #[error(
        "one class, `{class}`: a class can only be told from another; list the background as a class too, and take its \
         value out of `ignored`"
    )]
    OneClass {
        /// Its name.
        class: String,
    },
    /// No class, or more than label files have values for.
    #[error("{found} classes, expected 1 to {MAX_CLASSES}")]
    ClassCount {
        /// Classes of the description.
        found: usize,
    },
    /// A table whose last label stands for no class has too few or too many.
    #[error("{found} labels, expected 2 to {}", MAX_CLASSES + 1)]
    LabelCount {
        /// Labels of the table.
        found: usize,
    },
    /// Two classes have one name or one id.
    #[error("classes `{first}` and `{second}` (id {id}) share their name or id")]
    Shared {
        /// The class that comes first.
        first: String,
        /// The other.
        second: String,
        /// The id of the second.
        id: u8,
    },
    /// In masks that show colours, one colour would stand for two labels.
    #[error("the colour of `{class}` stands for two labels")]
    SharedColor {
        /// The class that comes last.
        class: String,
    },
    /// A value is a class and to be ignored.
    #[error("id {id} is both `{class}` and ignored")]
    Ignored {
        /// The value.
        id: u8,
        /// The class.
        class: String,
    },
    /// A split says neither a list nor a folder, or both of them twice.
    #[error("a split has `list`, `images`, or both: then the list picks names from the folder")]
    Split,
}
