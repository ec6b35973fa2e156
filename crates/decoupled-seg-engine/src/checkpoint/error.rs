use std::fmt;
use std::path::PathBuf;

use crate::FileError;

/// Name and shape of a tensor in a weights file or a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorShape {
    /// Path in the network, parts joined by dots: `backbone.stem.conv.weight`.
    pub name: String,
    /// The sizes, outermost first.
    pub shape: Vec<usize>,
}

impl fmt::Display for TensorShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name, self.shape)
    }
}

/// A tensor that is in both the file and the network, in different shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeMismatch {
    /// Path in the network.
    pub name: String,
    /// Shape in the network.
    pub expected: Vec<usize>,
    /// Shape in the file.
    pub found: Vec<usize>,
}

impl fmt::Display for ShapeMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            expected,
            found,
        } = self;
        write!(f, "{name}: expected {expected:?}, found {found:?}")
    }
}

/// Why a checkpoint or a weights file could not be written or read.
///
/// Lists are complete where the message shows only the first few entries.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file of it cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no whole checkpoint in the folder.
    #[error("`{folder}`: no whole checkpoint{}", skipped_note(.skipped))]
    None {
        /// The folder that was searched.
        folder: PathBuf,
        /// Checkpoints that are there but damaged, with what is wrong.
        skipped: Vec<String>,
    },
    /// A file of zero bytes.
    #[error("`{path}`: empty file, expected {expected}")]
    Empty {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
    },
    /// A file that ends too early.
    #[error("`{path}`: truncated: {found} bytes, expected {expected}")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that should be there.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// A file whose content is not what was written.
    #[error("`{path}`: damaged: checksum {found:08x}, expected {expected:08x}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// CRC-32 when it was written.
        expected: u32,
        /// CRC-32 now.
        found: u32,
    },
    /// A file or folder that is something else.
    #[error("`{path}`: not {expected}: {problem}")]
    Foreign {
        /// The file or folder.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
        /// What is wrong, in words.
        problem: String,
    },
    /// Written by a version of this crate whose format this one does not know.
    #[error("`{path}`: checkpoint format {found}, expected {expected}")]
    Format {
        /// The state file.
        path: PathBuf,
        /// Its format number.
        found: u32,
        /// The one that this version reads.
        expected: u32,
    },
    /// The weights belong to another network.
    #[error(
        "`{path}`: weights of another architecture: {} missing, {} unexpected, {} of another shape{}",
        .missing.len(), .unexpected.len(), .mismatched.len(), architecture_note(.missing, .unexpected, .mismatched)
    )]
    Architecture {
        /// The weights file.
        path: PathBuf,
        /// In the network, not in the file.
        missing: Vec<TensorShape>,
        /// In the file, not in the network.
        unexpected: Vec<TensorShape>,
        /// In both, in different shapes.
        mismatched: Vec<ShapeMismatch>,
    },
    /// A tensor holds another number type than the network's.
    #[error("`{path}`: {problem}")]
    Tensor {
        /// The weights file.
        path: PathBuf,
        /// What is wrong, in words.
        problem: String,
    },
    /// The optimizer state does not belong to the weights beside it.
    #[error("`{path}`: optimizer state of {found} tensors, of which the network takes {taken}")]
    Optimizer {
        /// The optimizer file.
        path: PathBuf,
        /// Tensors in the file.
        found: usize,
        /// Tensors that found their parameter.
        taken: usize,
    },
    /// The weights hold a value that is not finite; such a network is not written.
    #[error("parameter `{parameter}` holds a value that is not finite")]
    NotFinite {
        /// Path of the first such parameter.
        parameter: String,
    },
    /// The run to resume was made with another recipe.
    #[error("`{path}`: the recipe of the run to resume differs in {}", .fields.join(", "))]
    Recipe {
        /// The state file.
        path: PathBuf,
        /// The fields that differ.
        fields: Vec<String>,
    },
}

/// How many entries of a list a message shows.
const SHOWN: usize = 4;

fn shown<T: fmt::Display>(title: &str, entries: &[T]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let mut text = format!("; {title}: ");
    let list: Vec<String> = entries.iter().take(SHOWN).map(T::to_string).collect();
    text.push_str(&list.join(", "));
    if entries.len() > SHOWN {
        text.push_str(&format!(" and {} more", entries.len() - SHOWN));
    }
    text
}

fn architecture_note(
    missing: &[TensorShape],
    unexpected: &[TensorShape],
    mismatched: &[ShapeMismatch],
) -> String {
    [
        shown("missing", missing),
        shown("unexpected", unexpected),
        shown("shapes", mismatched),
    ]
    .concat()
}

fn skipped_note(skipped: &[String]) -> String {
    shown("skipped", skipped)
}
