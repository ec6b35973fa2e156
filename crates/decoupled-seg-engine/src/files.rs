//! Reading and writing whole files, so that a reader never sees half of one.

use std::fs::{self, File};
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat};

/// Why a file or folder could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The device or the quota is full; what was there before is untouched.
    #[error("`{path}`: no space left while {action}")]
    DiskFull {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The folder or file system does not allow it.
    #[error("`{path}`: not permitted while {action} (read-only, or owned by somebody else)")]
    Denied {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// There is no such file or folder.
    #[error("`{path}`: no such file or folder, while {action}")]
    NotFound {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
    },
    /// Anything else.
    #[error("`{path}`: {source}, while {action}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The cause.
        source: io::Error,
    },
}

impl FileError {
    pub(crate) fn new(path: &Path, action: &'static str, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            // A file size limit fails like a full disk, and asks the same of the user.
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::DiskFull {
                path,
                action,
                source,
            },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Denied {
                path,
                action,
                source,
            },
            io::ErrorKind::NotFound => Self::NotFound { path, action },
            _ => Self::Io {
                path,
                action,
                source,
            },
        }
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        match self {
            Self::DiskFull { path, .. }
            | Self::Denied { path, .. }
            | Self::NotFound { path, .. }
            | Self::Io { path, .. } => path,
        }
    }
}

/// Turns an [`io::Error`] into a [`FileError`] of this path and action.
pub(crate) fn at<'a>(
    path: &'a Path,
    action: &'static str,
) -> impl FnOnce(io::Error) -> FileError + 'a {
    move |source| FileError::new(path, action, source)
}

pub(crate) fn create_dir(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(at(path, "creating the folder"))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(at(path, "reading"))
}

/// Writes `bytes` and waits until they are on the disk.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut file = File::create(path).map_err(at(path, "creating the file"))?;
    file.write_all(bytes).map_err(at(path, "writing"))?;
    file.sync_all().map_err(at(path, "syncing to disk"))
}

/// Replaces `path` by `bytes` in one move: a reader finds the old content or the new, never a part.
///
/// # Errors
///
/// Returns an error if the file cannot be written beside its place or moved there; what was there is then still whole.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let temporary = temporary_sibling(path);
    let written = write_synced(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path).map_err(at(path, "renaming into place")));
    if written.is_err() {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_parent(path)
}

/// Encodes and writes a PNG whole or not at all.
pub(crate) fn write_png(path: &Path, image: &DynamicImage) -> Result<(), FileError> {
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, ImageFormat::Png)
        .expect("8-bit images of non-zero size are encoded in memory");
    write_atomic(path, bytes.get_ref())
}

/// Waits until a file written by somebody else is on the disk.
pub(crate) fn sync_file(path: &Path) -> Result<(), FileError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(at(path, "syncing to disk"))
}

/// Waits until the names in the folder of `path` are on the disk.
pub(crate) fn sync_parent(path: &Path) -> Result<(), FileError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    sync_dir(parent)
}

/// Waits until the names in a folder are on the disk; does nothing where folders cannot be opened (Windows).
pub(crate) fn sync_dir(path: &Path) -> Result<(), FileError> {
    if cfg!(unix) { sync_file(path) } else { Ok(()) }
}

/// Prefix of everything that is not finished yet.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// A name beside `path` that no other process uses.
pub(crate) fn temporary_sibling(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{TEMPORARY}{}-{name}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_replaces_the_file_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.json");
        write_atomic(&path, b"one").expect("writable");
        write_atomic(&path, b"two").expect("writable");
        assert_eq!(fs::read(&path).expect("just written"), b"two");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_failed_write_keeps_the_old_content() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.json");
        write_atomic(&path, b"one").expect("writable");
        // A folder in the way of the temporary name makes the write fail before the rename.
        fs::create_dir(temporary_sibling(&path)).expect("a free name");
        write_atomic(&path, b"two").expect_err("the temporary name is taken by a folder");
        assert_eq!(fs::read(&path).expect("the old file"), b"one");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_told_apart() {
        let error = write_synced(Path::new("/dev/full"), b"x").expect_err("always full");
        assert!(matches!(error, FileError::DiskFull { .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            "`/dev/full`: no space left while writing"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_write_into_a_missing_folder_names_it() {
        let error = write_atomic(Path::new("/no/such/folder/a.json"), b"x").expect_err("no folder");
        assert!(matches!(error, FileError::NotFound { .. }), "{error:?}");
    }
}
