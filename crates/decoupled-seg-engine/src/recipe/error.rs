use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use decoupled_seg_datasets::DatasetError;
use decoupled_seg_losses::{LossConfigError, TargetsOptionsError};
use decoupled_seg_types::plain_words;

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
    #[error("{}{}", in_file(.path), plain_words(.source))]
    Toml {
        /// The file, if there is one.
        path: Option<PathBuf>,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// The text is no JSON, or a value is of the wrong kind.
    #[error("{}{}{}", in_file(.path), in_key(.key), plain_words(.source))]
    Wrong {
        /// The file, if there is one.
        path: Option<PathBuf>,
        /// The key, with those above it; empty where it is not known.
        key: String,
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

fn in_key(key: &str) -> String {
    match key {
        "" => String::new(),
        key => format!("{key}: "),
    }
}

fn one_of(keys: &[String]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    format!(", expected one of {}", keys.join(", "))
}

impl RecipeError {
    /// An error of reading the value of a key.
    pub(super) fn value_of(key: impl Into<String>) -> impl FnOnce(serde_json::Error) -> Self {
        let key = key.into();
        move |source| Self::Wrong {
            path: None,
            key,
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
