//! Writing whole files or none.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use image::RgbImage;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};

use crate::VizError;

/// Writes `image` as a PNG file.
///
/// The pixels go to a temporary file in the same folder, which is synced and renamed: whoever looks at `path` sees
/// the old picture or the new one, never half of it. Missing folders are created.
///
/// # Errors
///
/// [`VizError::Io`] or [`VizError::Encode`], naming `path`; the temporary file is gone then.
pub fn save_png(image: &RgbImage, path: impl AsRef<Path>) -> Result<(), VizError> {
    let path = path.as_ref();
    let mut bytes = Vec::new();
    // The encoder's default is made for speed; pictures for a README should be small.
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive);
    image
        .write_with_encoder(encoder)
        .map_err(|source| VizError::Encode {
            path: path.to_owned(),
            source,
        })?;

    write_atomically(path, &bytes)
}

/// Writes `bytes` to `path` by way of a temporary file in the same folder.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), VizError> {
    let fail = |action| {
        move |source| VizError::Io {
            path: path.to_owned(),
            action,
            source,
        }
    };
    let temporary = temporary_name(path).map_err(fail("write"))?;
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder).map_err(fail("create the folder"))?;
    }

    let written = write_new(&temporary, bytes)
        .map_err(fail("write the temporary file"))
        .and_then(|()| fs::rename(&temporary, path).map_err(fail("rename the temporary file")));
    if written.is_err() {
        // Nothing to add to the error that is already on its way.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A hidden name beside `path` that no other thread or process uses.
fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);

    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(
        ".{}-{}.tmp",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    ));
    Ok(path.with_file_name(temporary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_comes_back_and_nothing_else_lies_in_the_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("deep/er/picture.png");
        let image = RgbImage::from_fn(5, 3, |x, y| image::Rgb([x as u8, y as u8, 7]));

        save_png(&image, &path).expect("the folder is writable");
        save_png(&image, &path).expect("an old picture is replaced");

        assert_eq!(image::open(&path).expect("a PNG file").to_rgb8(), image);
        let files = fs::read_dir(path.parent().expect("a folder")).expect("readable");
        assert_eq!(files.count(), 1);
    }

    #[test]
    fn a_folder_in_the_way_is_an_error_that_names_the_path() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("taken");
        fs::create_dir_all(path.join("full")).expect("writable");

        let error = save_png(&RgbImage::new(1, 1), &path).expect_err("a folder is in the way");

        assert!(matches!(&error, VizError::Io { path: found, .. } if *found == path));
        assert!(error.to_string().contains("taken"), "{error}");
        let left: Vec<_> = fs::read_dir(folder.path()).expect("readable").collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn a_path_without_a_file_name_is_an_error() {
        let error = save_png(&RgbImage::new(1, 1), "..").expect_err("no file name");

        assert!(error.to_string().contains("names no file"), "{error}");
    }

    #[test]
    fn an_empty_picture_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");

        let error = save_png(&RgbImage::new(0, 0), folder.path().join("none.png"));

        assert!(matches!(error, Err(VizError::Encode { .. })), "{error:?}");
    }
}
