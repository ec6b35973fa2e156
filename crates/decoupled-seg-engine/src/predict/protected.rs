use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::EngineError;
use crate::own_files::is_free_or_own;

/// Files that are read and must not be written over, by their real paths.
///
/// ```
/// use decoupled_seg_engine::Protected;
///
/// # let folder = tempfile::tempdir()?;
/// let photo = folder.path().join("photo.png");
/// std::fs::write(&photo, b"")?;
/// let protected = Protected::new([&photo]);
/// assert!(protected.check(&folder.path().join("./photo.png")).is_err());
/// assert!(protected.check(&folder.path().join("prediction.png")).is_ok());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Protected {
    real: HashMap<PathBuf, PathBuf>,
}

impl Protected {
    /// Protects these files, as far as they are there.
    pub fn new(paths: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        let real = paths.into_iter().filter_map(|path| {
            let path = path.as_ref();
            Some((path.canonicalize().ok()?, path.to_path_buf()))
        });
        Self {
            real: real.collect(),
        }
    }

    /// Checks that `output` is none of them, by whatever name.
    ///
    /// # Errors
    ///
    /// Returns [`EngineError::OverInput`] if it is one.
    pub fn check(&self, output: &Path) -> Result<(), EngineError> {
        // What is not there yet is none of them.
        let Ok(real) = output.canonicalize() else {
            return Ok(());
        };
        match self.real.get(&real) {
            None => Ok(()),
            Some(input) => Err(EngineError::OverInput {
                output: output.to_path_buf(),
                input: input.clone(),
            }),
        }
    }
}

/// Refuses to write over a file that is not one of this program's, as it wrote it.
pub(super) fn check_own(path: &Path) -> Result<(), EngineError> {
    match is_free_or_own(path) {
        true => Ok(()),
        false => Err(EngineError::NotOurs {
            path: path.to_path_buf(),
        }),
    }
}
