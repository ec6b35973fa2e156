use std::path::{Path, PathBuf};
use std::{fs, io};

use decoupled_seg_datasets::files::IMAGE_SUFFIXES;
use glob::{MatchOptions, Pattern};

use crate::EngineError;
use crate::files::at;

/// Finds images: `path` is an image, a folder of images (not of folders), or a pattern in whose parts `*` stands for any
/// characters and `?` for one: `leftImg8bit/val/*/*_leftImg8bit.png`. Names that begin with a dot are left out. Sorted by
/// name.
///
/// # Errors
///
/// Returns an error if a folder cannot be read or there is no such image.
pub fn find_images(path: impl AsRef<Path>) -> Result<Vec<PathBuf>, EngineError> {
    let path = path.as_ref();
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let text = path.to_string_lossy();
    let pattern = if path.is_dir() {
        fs::read_dir(path).map_err(at(path, "listing images"))?;
        format!("{}/*", Pattern::escape(&text))
    } else if text.contains(['*', '?']) {
        // Brackets stand for themselves: they are common in names of folders.
        text.replace('[', "[[]")
    } else {
        fs::metadata(path).map_err(at(path, "looking for images"))?;
        return Err(nothing(path));
    };
    let options = MatchOptions {
        require_literal_leading_dot: true,
        ..MatchOptions::new()
    };
    let found = glob::glob_with(&pattern, options)
        .map_err(io::Error::other)
        .map_err(at(path, "reading the pattern"))?;
    let mut images = Vec::new();
    for found in found {
        let found = found.map_err(|error| {
            let folder = error.path().to_path_buf();
            at(&folder, "listing images")(error.into())
        })?;
        if is_image(&found) {
            images.push(found);
        }
    }
    if images.is_empty() {
        return Err(nothing(path));
    }
    images.sort();
    Ok(images)
}

fn nothing(path: &Path) -> EngineError {
    EngineError::NothingToPredict {
        path: path.to_path_buf(),
    }
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    let suffix = format!(".{}", ending.to_lowercase());
    // A link that leads nowhere is an image that cannot be read: it is told, not passed over.
    IMAGE_SUFFIXES.contains(&suffix.as_str())
        && (path.is_file() || path.is_symlink() && !path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_patterns_list_images_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["b.png", "a.JPG", "notes.txt", "c.jpeg", ".hidden.png"] {
            fs::write(folder.path().join(name), b"x").expect("writable");
        }
        let names = |path: PathBuf| -> Vec<String> {
            let found = find_images(path).expect("images");
            let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into();
            found.iter().map(name).collect()
        };
        assert_eq!(names(folder.path().into()), ["a.JPG", "b.png", "c.jpeg"]);
        assert_eq!(names(folder.path().join("?.*g")), ["b.png", "c.jpeg"]);
        #[cfg(unix)]
        {
            let link = folder.path().join("d.png");
            std::os::unix::fs::symlink("on_another_disk.png", &link).expect("links are there");
            let found = names(folder.path().into());
            assert_eq!(found, ["a.JPG", "b.png", "c.jpeg", "d.png"]);
            fs::remove_file(link).expect("there");
        }
        for name in [
            "ulm/ulm_1.png",
            "ulm/ulm_1.json",
            "bonn/bonn_2.png",
            "zurich/x.txt",
            "odd [1]/odd.png",
        ] {
            let path = folder.path().join("cities").join(name);
            fs::create_dir_all(path.parent().expect("a city")).expect("writable");
            fs::write(path, b"x").expect("writable");
        }
        let cities = names(folder.path().join("cities/*/*.png"));
        assert_eq!(cities, ["bonn_2.png", "odd.png", "ulm_1.png"]);
        assert_eq!(names(folder.path().join("c*s/?lm/*_1.*")), ["ulm_1.png"]);
        assert_eq!(names(folder.path().join("cities/odd [1]")), ["odd.png"]);
        assert_eq!(names(folder.path().join("cities/odd [1]/o*")), ["odd.png"]);
        let error = find_images(folder.path().join("*.gif")).expect_err("no such image");
        assert!(matches!(error, EngineError::NothingToPredict { .. }));
        let error = find_images(folder.path().join("missing")).expect_err("no such folder");
        assert!(matches!(error, EngineError::File(_)), "{error:?}");
        let error = find_images(folder.path().join("notes.txt/*.png")).expect_err("no folder");
        assert!(
            matches!(error, EngineError::NothingToPredict { .. }),
            "{error:?}"
        );
    }
}
