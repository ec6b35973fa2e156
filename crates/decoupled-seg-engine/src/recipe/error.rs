use std::path::{Path, PathBuf};

use crate::FileError;

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
    /// The file is no TOML or JSON, or a value is of the wrong kind.
    #[error("{}{message}", in_file(.path))]
    Parse {
        /// The file, if there is one.
        path: Option<PathBuf>,
        /// What is wrong, and where.
        message: String,
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
    /// A part that cannot be trained with, alone or on this data set.
    #[error("{field}: {reason}")]
    Part {
        /// The part of the recipe.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
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
    /// Names the file that the text came from.
    pub(super) fn in_file(mut self, file: &Path) -> Self {
        if let Self::Parse { path, .. } | Self::UnknownKey { path, .. } = &mut self {
            *path = Some(file.to_path_buf());
        }
        self
    }
}
