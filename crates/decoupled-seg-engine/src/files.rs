//! Reading and writing whole files, so that a reader never sees half of one.

use std::fs::{self, File};
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat};

use crate::own_files::mark_png;

/// A file or folder could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("`{path}`: {}, while {action}", in_words(.source))]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// What was being done.
    pub action: &'static str,
    /// What the operating system said.
    pub source: io::Error,
}

impl FileError {
    /// The error of a path, in the middle of an action: `writing`.
    pub fn new(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self {
            path: path.to_path_buf(),
            action,
            source,
        }
    }
}

/// The causes that a user can do something about, in the user's words.
fn in_words(source: &io::Error) -> String {
    match source.kind() {
        // A file size limit fails like a full disk, and asks the same of the user.
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "no space left (what was there before is untouched)".to_string()
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "not permitted (read-only, or owned by somebody else)".to_string()
        }
        io::ErrorKind::NotFound => "no such file or folder".to_string(),
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            "a file is in the way, expected a folder".to_string()
        }
        _ => source.to_string(),
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
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    decoupled_seg_types::write_atomic(path, |file| file.write_all(bytes))
        .map_err(at(path, "writing"))
}

/// Encodes and writes a PNG whole or not at all, with the mark by which it is known again.
pub(crate) fn write_png(path: &Path, image: &DynamicImage) -> Result<(), FileError> {
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, ImageFormat::Png)
        .expect("8-bit images of non-zero size are encoded in memory");
    write_atomic(path, &mark_png(bytes.into_inner()))
}

fn sync_file(path: &Path) -> Result<(), FileError> {
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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_told_apart() {
        let error = write_synced(Path::new("/dev/full"), b"x").expect_err("always full");
        assert_eq!(error.source.kind(), io::ErrorKind::StorageFull);
        assert_eq!(
            error.to_string(),
            "`/dev/full`: no space left (what was there before is untouched), while writing"
        );
    }

    #[test]
    fn a_file_in_place_of_a_folder_is_told() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        for folder in [file.path().to_path_buf(), file.path().join("checkpoints")] {
            let error = create_dir(&folder)
                .expect_err("a file is there")
                .to_string();
            assert!(error.contains("a file is in the way"), "{error}");
            assert!(error.contains(&*folder.to_string_lossy()), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_write_into_a_missing_folder_names_it() {
        let error = write_atomic(Path::new("/no/such/folder/a.json"), b"x").expect_err("no folder");
        assert_eq!(
            error.to_string(),
            "`/no/such/folder/a.json`: no such file or folder, while writing"
        );
    }
}
