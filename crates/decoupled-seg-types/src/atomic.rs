use std::fs;
use std::io::{self, Write};
use std::path::{self, Path, PathBuf};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    process,
};

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use atomic_write_file::AtomicWriteFile;

/// Writes a file so that `path` holds either its old content or all of its new content. `write` fills a temporary file
/// in the same folder, which is then synced and renamed. A symbolic link stays one: the file behind it is written. Into a pipe
/// or a device it is written straight away.
///
/// # Errors
///
/// The error of `write` or of the file system. Then `path` is unchanged and the temporary file is gone. In a browser, where
/// there are no files, always [`io::ErrorKind::Unsupported`].
///
/// # Example
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("scores.csv");
/// decoupled_seg_types::write_atomic(&path, |file| file.write_all(b"class,iou\n"))?;
/// assert_eq!(std::fs::read(&path)?, b"class,iou\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write_atomic(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    // Otherwise the rename would fail at the very end and leave the temporary file behind. `films/` is a folder even if there
    // is none yet.
    if path.is_dir() || ends_with_separator(path) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return into_device(path, write);
    }
    replace(&behind_links(path), write)
}

/// A pipe or a device stays what it is: nothing can be moved in its place.
fn into_device(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut device = io::BufWriter::new(fs::OpenOptions::new().write(true).open(path)?);
    write(&mut device)?;
    device.flush()
}

fn ends_with_separator(path: &Path) -> bool {
    let last = path.as_os_str().as_encoded_bytes().last();
    last.is_some_and(|&byte| path::is_separator(byte.into()))
}

/// The file that a symbolic link leads to, whether it is there or not; `path` itself, where it is no link.
fn behind_links(path: &Path) -> PathBuf {
    let mut file = path.to_path_buf();
    // As many as Linux follows.
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&file) else {
            break;
        };
        file = match file.parent() {
            Some(folder) => folder.join(target),
            None => target,
        };
    }
    file
}

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // The temporary file has a longer name than the file, and not every name leaves room for it.
    let name = path.file_name().unwrap_or_default();
    let short = (name.len() > LONG).then(|| {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        path.with_file_name(format!(".{:016x}.{}", hasher.finish(), process::id()))
    });
    let place = short.as_deref().unwrap_or(path);
    let mut file = io::BufWriter::new(AtomicWriteFile::open(place)?);
    write(&mut file)?;
    file.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .commit()?;
    match short {
        Some(short) => fs::rename(&short, path).inspect_err(|_| drop(fs::remove_file(&short))),
        None => Ok(()),
    }
}

/// Bytes of a name behind which nothing is certain to fit; most systems take 255.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
const LONG: usize = 200;

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
fn replace(_: &Path, _: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.txt");
        fs::write(&path, "old").expect("writable");

        let error = write_atomic(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });

        assert_eq!(error.expect_err("it failed").to_string(), "no more");
        assert_eq!(fs::read_to_string(&path).expect("still there"), "old");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["", "films/"] {
            let path = folder.path().join(name);
            let error = write_atomic(&path, |_| Ok(())).expect_err("a folder");
            assert_eq!(error.kind(), io::ErrorKind::IsADirectory, "{name}");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
    }

    #[test]
    fn the_longest_names_are_written() {
        let folder = tempfile::tempdir().expect("a folder");
        for length in [LONG, LONG + 1, 251] {
            let path = folder
                .path()
                .join(format!("{}.txt", "a".repeat(length - 4)));
            for content in ["old", "new"] {
                write_atomic(&path, |file| file.write_all(content.as_bytes())).expect("writable");
                assert_eq!(fs::read_to_string(&path).expect("there"), content);
            }
            let error = write_atomic(&path, |_| Err(io::Error::other("no more")));
            error.expect_err("it failed");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 3);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_stays_one() {
        use std::os::unix::fs::FileTypeExt;

        let path = Path::new("/dev/null");
        write_atomic(path, |file| file.write_all(b"gone")).expect("it takes anything");
        let kind = fs::metadata(path).expect("still there").file_type();
        assert!(kind.is_char_device());
        let full = Path::new("/dev/full");
        let error = write_atomic(full, |file| file.write_all(b"much")).expect_err("no space");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_and_its_file_is_written() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("v1"), "old").expect("writable");
        fs::set_permissions(path("v1"), fs::Permissions::from_mode(0o640)).expect("ours");
        symlink("v1", path("current")).expect("writable");
        symlink("current", path("latest")).expect("writable");
        symlink("v2", path("next")).expect("writable");

        for name in ["latest", "next"] {
            write_atomic(&path(name), |file| file.write_all(b"new")).expect("writable");
            assert!(path(name).is_symlink());
        }

        for name in ["v1", "v2"] {
            assert_eq!(fs::read_to_string(path(name)).expect("there"), "new");
        }
        let mode = fs::metadata(path("v1"))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o640, "{mode:o}");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 5);
    }

    #[test]
    fn a_folder_in_the_way_is_an_error_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("taken");
        fs::create_dir(&path).expect("writable");

        let error = write_atomic(&path, |file| file.write_all(b"all")).expect_err("it is taken");

        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("missing/a.txt");
        assert!(write_atomic(&path, |_| Ok(())).is_err());
    }
}
