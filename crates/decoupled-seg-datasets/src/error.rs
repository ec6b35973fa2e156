use std::path::PathBuf;

use crate::MaskFormat;

/// Why a data set could not be opened, or one of its items not be read.
///
/// Sizes are `width x height` in pixels. Lists of files are complete where the message shows only the first few.
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
    /// Images whose label file is not there.
    #[error("`{}`: image without label, expected `{}`{}", .images[0].display(), .looked_for.display(), and_more(.images.len()))]
    ImageWithoutLabel {
        /// All such images.
        images: Vec<PathBuf>,
        /// Where the label of the first was expected.
        looked_for: PathBuf,
    },
    /// Label files whose image is not there.
    #[error("`{}`: label without image, expected `{}`{}", .labels[0].display(), .looked_for.display(), and_more(.labels.len()))]
    LabelWithoutImage {
        /// All such label files.
        labels: Vec<PathBuf>,
        /// Where the image of the first was expected.
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
    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }
}

/// Tail of a message that shows the first of `count` files.
fn and_more(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        count => format!(" (and {} more)", count - 1),
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
        let error = DatasetError::ImageWithoutLabel {
            images: vec!["train/x.png".into(), "train/y.png".into()],
            looked_for: "trainannot/x.png".into(),
        };
        assert_eq!(
            error.to_string(),
            "`train/x.png`: image without label, expected `trainannot/x.png` (and 1 more)"
        );
    }
}
