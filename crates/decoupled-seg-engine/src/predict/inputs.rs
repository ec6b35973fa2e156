use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::{fs, io};

use decoupled_seg_datasets::files::{IMAGE_SUFFIXES, PICTURE_ENDINGS};
use decoupled_seg_types::FileKind;

use super::pattern;
use crate::EngineError;
use crate::files::at;

/// What a path, a folder or a pattern names: the images to predict, and the pictures that are passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// The images, sorted by name.
    pub images: Vec<PathBuf>,
    /// Pictures of formats that are not read, or without an ending, sorted by name.
    pub other_pictures: Vec<PathBuf>,
    /// Folders with images that are not looked into, sorted by name.
    pub folders: Vec<PathBuf>,
}

impl Inputs {
    /// Finds images: `path` is an image, a folder of images (not of folders), or a pattern in whose parts `*` stands for any
    /// characters and `?` for one: `leftImg8bit/val/*/*_leftImg8bit.png`. Names that begin with a dot are left out.
    ///
    /// # Errors
    ///
    /// Returns an error if a file or folder is not there or cannot be read. That there is no image is none.
    pub fn find(path: impl AsRef<Path>) -> Result<Self, EngineError> {
        let path = path.as_ref();
        let mut inputs = Self::default();
        if path.is_file() {
            inputs.images.push(path.to_path_buf());
            return Ok(inputs);
        }
        let found = if path.is_dir() {
            pattern::list(path)?
        } else if pattern::is_pattern(path) {
            pattern::find(path)?
        } else {
            fs::metadata(path).map_err(at(path, "looking for images"))?;
            return Ok(inputs);
        };
        for found in found {
            if is_image(&found) {
                inputs.images.push(found);
            } else if is_other_picture(&found) {
                inputs.other_pictures.push(found);
            } else if has_images(&found) {
                inputs.folders.push(found);
            }
        }
        // A pattern may name a folder and what is in it.
        let Self {
            images, folders, ..
        } = &mut inputs;
        let looked_into: BTreeSet<&Path> = images.iter().filter_map(|it| it.parent()).collect();
        folders.retain(|folder| !looked_into.contains(folder.as_path()));
        Ok(inputs)
    }
}

/// The images that [`Inputs::find`] finds.
///
/// # Errors
///
/// As [`Inputs::find`]; also if there is no image.
pub fn find_images(path: impl AsRef<Path>) -> Result<Vec<PathBuf>, EngineError> {
    let path = path.as_ref();
    match Inputs::find(path)?.images {
        images if images.is_empty() => Err(EngineError::NothingToPredict {
            path: path.to_path_buf(),
        }),
        images => Ok(images),
    }
}

fn ending(path: &Path) -> String {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    ending.to_lowercase()
}

fn is_image(path: &Path) -> bool {
    // A link that leads nowhere is an image that cannot be read: it is told, not passed over.
    IMAGE_SUFFIXES.contains(&format!(".{}", ending(path)).as_str())
        && (path.is_file() || path.is_symlink() && !path.exists())
}

/// Whether a file is a picture, by its ending; without one, by its first bytes.
fn is_other_picture(path: &Path) -> bool {
    match ending(path).as_str() {
        "" => path.is_file() && begins_as_picture(path).unwrap_or(false),
        ending => PICTURE_ENDINGS.contains(&ending) && path.is_file(),
    }
}

fn begins_as_picture(path: &Path) -> io::Result<bool> {
    const BYTES: u64 = 512;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(BYTES).read_to_end(&mut bytes)?;
    Ok(matches!(FileKind::of(&bytes), FileKind::Format(name) if name.ends_with("image")))
}

/// Whether a folder has an image right in it. One that cannot be read has none.
fn has_images(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_hidden = |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
    entries
        .filter(|entry| !is_hidden(entry))
        .any(|entry| is_image(&entry.path()))
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
        assert_eq!(names(folder.path().join("cities/**")), cities);
        assert_eq!(names(folder.path().join("cities/**/*.png")), cities);
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

    /// As archives of Windows leave them.
    #[cfg(unix)]
    #[test]
    fn names_need_not_be_unicode() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;

        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join(OsStr::from_bytes(b"D\xFCsseldorf"));
        fs::create_dir_all(folder.join("deep/er")).expect("writable");
        for name in [&b"a.png"[..], b"stra\xDFe.png", b"notes\xDF.txt"] {
            fs::write(folder.join(OsStr::from_bytes(name)), "x").expect("writable");
        }
        fs::write(folder.join("deep/er/z.png"), "x").expect("writable");
        let images = |path: PathBuf| Inputs::find(path).expect("readable").images;
        let both = [&b"a.png"[..], b"stra\xDFe.png"].map(|it| folder.join(OsStr::from_bytes(it)));
        assert_eq!(images(folder.clone()), both);
        assert_eq!(images(root.path().join("D*/*.png")), both);
        assert_eq!(images(folder.join("stra?e.png")), both[1..]);
        let all = images(root.path().join("**/*.png"));
        assert_eq!(all.len(), 3, "{all:?}");
        assert_eq!(images(root.path().join("*/deep/*/z.png")).len(), 1);
    }

    #[test]
    fn what_is_passed_over_is_named() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let photo = b"\xFF\xD8\xFF\xE0 a photo";
        for name in [
            "a.jpg",
            "b.JFIF",
            "c.jpe",
            "plain",
            "x.cr2",
            "y.Nef",
            "z.avif",
            "day/d.jpg",
            "raw/d.arw",
            "day/e/f.png",
        ] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
            fs::write(path, photo).expect("writable");
        }
        for name in ["README", "notes.txt", "labels.json", ".hidden.gif"] {
            fs::write(root.path().join(name), "text").expect("writable");
        }
        let names = |paths: &[PathBuf]| -> Vec<String> {
            let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into();
            paths.iter().map(name).collect()
        };
        for path in [root.path().to_path_buf(), root.path().join("*")] {
            let inputs = Inputs::find(&path).expect("readable");
            assert_eq!(
                names(&inputs.images),
                ["a.jpg", "b.JFIF", "c.jpe"],
                "{path:?}"
            );
            let others = ["plain", "x.cr2", "y.Nef", "z.avif"];
            assert_eq!(names(&inputs.other_pictures), others, "{path:?}");
            assert_eq!(names(&inputs.folders), ["day"], "{path:?}");
        }
        // A pattern chooses.
        let inputs = Inputs::find(root.path().join("*.jp*")).expect("readable");
        assert_eq!((inputs.images.len(), inputs.other_pictures.len()), (2, 0));
        let inputs = Inputs::find(root.path().join("*.cr2")).expect("readable");
        assert_eq!((inputs.images.len(), inputs.other_pictures.len()), (0, 1));
    }
}
