use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use same_file::Handle;

use crate::EngineError;
use crate::own_files::is_free_or_own;

/// Files that are read and must not be written over, by whatever name: a file with several names (hard links), one behind a
/// symbolic link and one behind the standard input are told by what the system says of them.
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
#[derive(Debug, Clone, Default)]
pub struct Protected {
    /// By [`identity`]: files are not kept open, since there may be more of them than a process may open.
    inputs: HashMap<u64, PathBuf>,
}

impl Protected {
    /// Protects these files, as far as they are there.
    pub fn new(paths: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        let inputs = paths.into_iter().filter_map(|path| {
            let path = path.as_ref();
            Some((of_path(path)?, path.to_path_buf()))
        });
        Self {
            inputs: inputs.collect(),
        }
    }

    /// Protects the file that the standard input comes from too, if it comes from one. Messages call it `-`.
    #[must_use]
    pub fn with_standard_input(mut self) -> Self {
        let identity = Handle::stdin().ok().as_ref().and_then(identity);
        self.inputs
            .extend(identity.map(|identity| (identity, PathBuf::from("-"))));
        self
    }

    /// Checks that `output` is none of them.
    ///
    /// # Errors
    ///
    /// Returns [`EngineError::OverInput`] if it is one.
    pub fn check(&self, output: &Path) -> Result<(), EngineError> {
        // What is not there yet is none of them.
        self.check_identity(of_path(output), output)
    }

    /// Checks that the standard output goes into none of them.
    ///
    /// # Errors
    ///
    /// Returns [`EngineError::OverInput`] if it does; the output is called `-`.
    pub fn check_standard_output(&self) -> Result<(), EngineError> {
        let identity = Handle::stdout().ok().as_ref().and_then(identity);
        self.check_identity(identity, Path::new("-"))
    }

    fn check_identity(&self, identity: Option<u64>, output: &Path) -> Result<(), EngineError> {
        match identity.and_then(|identity| self.inputs.get(&identity)) {
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

/// What tells a file from all others; `None` for what is no file. A pipe is not even opened: that could wait for ever.
fn of_path(path: &Path) -> Option<u64> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    identity(&Handle::from_path(path).ok()?)
}

/// The system's number of an open file, which all its names share; `None` for pipes and devices.
fn identity(handle: &Handle) -> Option<u64> {
    let is_file = handle.as_file().metadata().ok()?.is_file();
    let mut hasher = DefaultHasher::new();
    handle.hash(&mut hasher);
    is_file.then(|| hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_protected_by_all_its_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("photo.png"), "pixels").expect("writable");
        fs::write(path("other.png"), "pixels").expect("writable");
        fs::hard_link(path("photo.png"), path("hard.png")).expect("one file system");
        fs::create_dir(path("below")).expect("writable");
        let mut names = vec!["photo.png", "hard.png", "below/../photo.png"];
        if cfg!(unix) {
            #[cfg(unix)]
            std::os::unix::fs::symlink(path("hard.png"), path("soft.png")).expect("writable");
            names.push("soft.png");
        }

        let protected = Protected::new([path("photo.png"), path("not-there.png")]);

        for name in names {
            let error = protected.check(&path(name)).expect_err(name).to_string();
            assert!(error.contains(name), "{error}");
            assert!(error.contains("photo.png"), "{error}");
        }
        for name in ["other.png", "not-there.png", "new.png", "below"] {
            protected.check(&path(name)).expect(name);
        }
    }

    /// More than a process may open.
    #[test]
    fn thousands_of_files_are_protected() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths: Vec<_> = (0..3000)
            .map(|number| folder.path().join(format!("{number}.png")))
            .collect();
        for path in &paths {
            fs::write(path, "").expect("writable");
        }
        let protected = Protected::new(&paths);
        assert!(paths.iter().all(|path| protected.check(path).is_err()));
    }
}
