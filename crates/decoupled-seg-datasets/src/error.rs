use std::path::PathBuf;
use std::sync::Arc;

use crate::{FileDataset, MaskFormat};

/// Why a data set could not be opened, or one of its items not be read.
///
/// Sizes are `width x height` in pixels. [`Files`](Self::Files) lists everything where its message shows only the first
/// few.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A folder of the layout is not there.
    #[error("`{path}`: no such folder; looked for {looked_for}")]
    MissingFolder {
        /// The folder.
        path: PathBuf,
        /// The layout that was expected, in words.
        looked_for: String,
    },
    /// A folder or list is there, but names no image.
    #[error("`{path}`: no images; looked for {looked_for}")]
    Empty {
        /// The folder or list.
        path: PathBuf,
        /// The files that were expected, in words.
        looked_for: String,
    },
    /// Files of a split that do not fit together: whatever is wrong with the layout before a file is read.
    #[error("{}", first_few(.problems))]
    Files {
        /// All of it, at least one.
        problems: Vec<DatasetError>,
        /// The items that nothing is wrong with, if there are any.
        usable: Option<Arc<FileDataset>>,
    },
    /// An image whose label file is not there.
    #[error("`{image}`: image without label, expected `{looked_for}`")]
    ImageWithoutLabel {
        /// The image.
        image: PathBuf,
        /// Where the label was expected.
        looked_for: PathBuf,
    },
    /// A label file whose image is not there.
    #[error("`{label}`: label without image, expected `{looked_for}`")]
    LabelWithoutImage {
        /// The label file.
        label: PathBuf,
        /// Where the image was expected.
        looked_for: PathBuf,
    },
    /// Two images claim the same label (`a.png` beside `a.jpg`).
    #[error("`{first}` and `{second}`: two images of the same name, expected one")]
    AmbiguousImage {
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Image and label differ in size.
    #[error(
        "`{label}`: label of {}x{}, expected the {}x{} of its image `{image}`",
        .label_size[0], .label_size[1], .image_size[0], .image_size[1]
    )]
    SizeMismatch {
        /// The image.
        image: PathBuf,
        /// Width and height of the image.
        image_size: [usize; 2],
        /// The label file.
        label: PathBuf,
        /// Width and height of the label.
        label_size: [usize; 2],
    },
    /// A mask holds a value that is neither in the class table nor an ignored one.
    #[error(
        "`{path}`: label {label} on {count} pixels, expected {expected} ({num_classes} classes)"
    )]
    UnknownLabel {
        /// The mask.
        path: PathBuf,
        /// The value found (the lowest, if there are several).
        label: u16,
        /// Pixels with this value.
        count: usize,
        /// Classes of the data set.
        num_classes: usize,
        /// The values that would have been right, in words.
        expected: String,
    },
    /// A colour-coded mask holds a colour that the class table does not know.
    #[error(
        "`{path}`: colour {color:?} on {count} pixels is not in the class table of {num_classes} classes"
    )]
    UnknownColor {
        /// The mask.
        path: PathBuf,
        /// The colour found (the first in reading order), red, green, blue.
        color: [u8; 3],
        /// Pixels with this colour.
        count: usize,
        /// Classes of the data set.
        num_classes: usize,
    },
    /// A mask is stored in another way than the reader expects; nothing is reinterpreted silently.
    #[error("`{path}`: mask stored as {found}, expected {expected}")]
    MaskFormat {
        /// The mask.
        path: PathBuf,
        /// How the file stores its pixels.
        found: MaskFormat,
        /// The formats the reader takes, in words.
        expected: String,
    },
    /// A file of zero bytes.
    #[error("`{path}`: empty file, expected {expected}")]
    EmptyFile {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
    },
    /// A file that ends before its image does.
    #[error("`{path}`: truncated after {bytes} bytes, expected a whole {expected}")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        bytes: u64,
        /// What should be in it.
        expected: &'static str,
    },
    /// A file that is no image of the expected kind, or a damaged one.
    #[error("`{path}`: cannot decode as {expected}")]
    Decode {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What the decoder says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An image larger than [`MAX_PIXELS`](crate::MAX_PIXELS); refused before memory is reserved for it.
    #[error("`{path}`: {width}x{height} pixels, expected at most {limit} in all")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Width in its header.
        width: u32,
        /// Height in its header.
        height: u32,
        /// The limit, in pixels.
        limit: u64,
    },
    /// A file or folder that cannot be read or written.
    #[error("`{path}`: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A line of a list file that names no usable pair.
    #[error("`{path}`, line {line}: {problem}")]
    List {
        /// The list.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A file name that is not valid Unicode; such names cannot be written to lists and logs faithfully.
    #[error("`{path}`: file name is not UTF-8")]
    NonUtf8Name {
        /// The file, with replacement characters when shown.
        path: PathBuf,
    },
    /// A class table that cannot be read or contradicts itself.
    #[error("`{path}`: {problem}")]
    ClassTable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A split that the data set does not have.
    #[error("`{path}`: no split `{split}`, expected one of {expected}")]
    UnknownSplit {
        /// Root of the data set.
        path: PathBuf,
        /// What was asked for.
        split: String,
        /// What there is.
        expected: &'static str,
    },
    /// Samples of one batch that differ in size; give a crop size, or batches of one.
    #[error(
        "`{name}`: {}x{}, expected the {}x{} of the batch's first sample; set a crop size or a batch of one",
        .size[0], .size[1], .expected[0], .expected[1]
    )]
    BatchShape {
        /// The sample.
        name: String,
        /// Its width and height.
        size: [usize; 2],
        /// Width and height of the first sample.
        expected: [usize; 2],
    },
    /// A written cache or report that does not say what it should.
    #[error("`{path}`: {problem}")]
    Cache {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl DatasetError {
    /// What is wrong, one by one: the problems of [`Files`](Self::Files), or the error itself.
    pub fn problems(&self) -> &[Self] {
        match self {
            Self::Files { problems, .. } => problems,
            other => std::slice::from_ref(other),
        }
    }

    /// As [`problems`](Self::problems), by value.
    pub fn into_problems(self) -> Vec<Self> {
        match self {
            Self::Files { problems, .. } => problems,
            other => vec![other],
        }
    }

    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }
}

/// A message of one problem, or of several and their number.
fn first_few(problems: &[DatasetError]) -> String {
    const SHOWN: usize = 3;
    if let [problem] = problems {
        return problem.to_string();
    }
    let shown = problems.iter().take(SHOWN).map(DatasetError::to_string);
    let shown = shown.collect::<Vec<_>>().join("; ");
    match problems.len().saturating_sub(SHOWN) {
        0 => format!("{} problems: {shown}", problems.len()),
        rest => format!("{} problems: {shown}; and {rest} more", problems.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_file_found_and_expected() {
        let error = DatasetError::UnknownLabel {
            path: "a/b.png".into(),
            label: 12,
            count: 7,
            num_classes: 11,
            expected: "0 to 10, or 11 for ignored".into(),
        };
        assert_eq!(
            error.to_string(),
            "`a/b.png`: label 12 on 7 pixels, expected 0 to 10, or 11 for ignored (11 classes)"
        );
    }

    #[test]
    fn many_problems_are_counted_and_the_first_shown() {
        let message = |names: &[&str]| {
            let problem = |name: &&str| DatasetError::NonUtf8Name { path: name.into() };
            let problems = names.iter().map(problem).collect();
            let usable = None;
            DatasetError::Files { problems, usable }.to_string()
        };
        assert_eq!(message(&["a"]), "`a`: file name is not UTF-8");
        assert_eq!(
            message(&["a", "b"]),
            "2 problems: `a`: file name is not UTF-8; `b`: file name is not UTF-8"
        );
        let many = message(&["a", "b", "c", "d", "e"]);
        assert!(many.starts_with("5 problems: `a`"), "{many}");
        assert!(
            many.ends_with("`c`: file name is not UTF-8; and 2 more"),
            "{many}"
        );
    }
}
