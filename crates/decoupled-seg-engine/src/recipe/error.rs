use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use decoupled_seg_datasets::DatasetError;
use decoupled_seg_losses::{LossConfigError, TargetsOptionsError};

use crate::files::FileError;

/// Why a recipe cannot be read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The name does not say what is in the file.
    #[error("`{path}`: recipes end in .toml or .json")]
    Extension {
        /// The file.
        path: PathBuf,
    },
    /// The file is not UTF-8.
    #[error("`{path}`: {source}")]
    Text {
        /// The file.
        path: PathBuf,
        /// Where.
        source: FromUtf8Error,
    },
    /// The text is no TOML.
    #[error("{}{source}", in_file(.path))]
    Toml {
        /// The file, if there is one.
        path: Option<PathBuf>,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// The text is no JSON, or a value is of the wrong kind.
    #[error("{}{at}{source}", in_file(.path))]
    Wrong {
        /// The file, if there is one.
        path: Option<PathBuf>,
        /// The key, where it is known.
        at: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A number that is NaN or infinite.
    #[error("{}{key}: {found}, expected a finite number", in_file(.path))]
    NotFinite {
        /// The file, if there is one.
        path: Option<PathBuf>,
        /// The key, with those above it.
        key: String,
        /// The number.
        found: f64,
    },
    /// A key that no recipe has.
    #[error("{}unknown key `{key}`{}", in_file(.path), one_of(.expected))]
    UnknownKey {
        /// The file, if there is one.
        path: Option<PathBuf>,
        /// The key, with those above it: `optimizer.learning_rat`.
        key: String,
        /// The keys there are at this place.
        expected: Vec<String>,
    },
    /// A value that cannot be trained with.
    #[error("{field}: {found}, expected {expected}")]
    Value {
        /// The field, with those above it.
        field: &'static str,
        /// Its value.
        found: String,
        /// What would do, in words.
        expected: &'static str,
    },
    /// An augmentation that cannot be applied.
    #[error("augmentation: {0}")]
    Augmentation(#[source] Box<DatasetError>),
    /// A loss that cannot be trained with, alone or on this data set.
    #[error("loss: {0}")]
    Loss(#[source] LossConfigError),
    /// Targets that cannot be made, alone or for this data set.
    #[error("targets: {0}")]
    Targets(#[source] TargetsOptionsError),
}

fn in_file(path: &Option<PathBuf>) -> String {
    match path {
        Some(path) => format!("`{}`: ", path.display()),
        None => String::new(),
    }
}

fn one_of(keys: &[String]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    format!(", expected one of {}", keys.join(", "))
}

impl RecipeError {
    /// An error of reading a value, behind `at`.
    pub(super) fn value_at(at: &'static str) -> impl FnOnce(serde_json::Error) -> Self {
        move |source| Self::Wrong {
            path: None,
            at,
            source,
        }
    }

    /// Names the file that the text came from.
    pub(super) fn in_file(mut self, file: &Path) -> Self {
        if let Self::Toml { path, .. }
        | Self::Wrong { path, .. }
        | Self::NotFinite { path, .. }
        | Self::UnknownKey { path, .. } = &mut self
        {
            *path = Some(file.to_path_buf());
        }
        self
    }
}
