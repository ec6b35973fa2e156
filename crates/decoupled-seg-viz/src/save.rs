use std::fs;
use std::io::Cursor;
use std::path::Path;

use decoupled_seg_types::write_atomic;
use image::RgbImage;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};

use crate::VizError;

/// Writes `image` as a PNG file, and makes missing folders. On an error, `path` holds what it held before.
///
/// # Errors
///
/// [`VizError::Encode`] for an empty picture, [`VizError::Write`] if the file system refuses.
pub fn save_png(image: &RgbImage, path: impl AsRef<Path>) -> Result<(), VizError> {
    let path = path.as_ref();
    let mut bytes = Cursor::new(Vec::new());
    // The encoder's default favours speed, but pictures for a README should be small.
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive);
    image
        .write_with_encoder(encoder)
        .map_err(|source| VizError::Encode {
            path: path.to_owned(),
            source,
        })?;

    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder)
        .and_then(|()| write_atomic(path, |file| file.write_all(bytes.get_ref())))
        .map_err(|source| VizError::Write {
            path: path.to_owned(),
            source,
        })
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

        assert!(matches!(&error, VizError::Write { path: found, .. } if *found == path));
        assert!(error.to_string().contains("taken"), "{error}");
        let left = fs::read_dir(folder.path()).expect("readable");
        assert_eq!(left.count(), 1);
    }

    #[test]
    fn an_empty_picture_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");

        let error = save_png(&RgbImage::new(0, 0), folder.path().join("none.png"));

        assert!(matches!(error, Err(VizError::Encode { .. })), "{error:?}");
    }
}
