use std::fs;
use std::path::{Path, PathBuf};

use crate::EngineError;
use crate::files::at;

const SUFFIXES: [&str; 3] = ["png", "jpg", "jpeg"];

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
    let found = if path.is_dir() {
        list(path, "*")?
    } else {
        expand(path)?
    };
    let images: Vec<PathBuf> = found.into_iter().filter(|path| is_image(path)).collect();
    if images.is_empty() {
        return Err(EngineError::NothingToPredict {
            path: path.to_path_buf(),
        });
    }
    Ok(images)
}

fn is_image(path: &Path) -> bool {
    let suffix = path.extension().unwrap_or_default().to_string_lossy();
    SUFFIXES.contains(&suffix.to_lowercase().as_str()) && path.is_file()
}

/// What a pattern stands for, sorted. Without `*` and `?` it stands for itself, whether or not that is there.
fn expand(pattern: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let mut found = vec![PathBuf::new()];
    let mut written_out = true;
    for part in pattern.components() {
        let name = part.as_os_str().to_string_lossy();
        if !name.contains(['*', '?']) {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let mut next = Vec::new();
        for folder in found {
            // A folder that is written out has to be there; what a pattern found may be a file.
            if written_out || folder.is_dir() {
                next.extend(list(&folder, &name)?);
            }
        }
        found = next;
        written_out = false;
    }
    if written_out {
        fs::metadata(pattern).map_err(at(pattern, "looking for images"))?;
    }
    found.sort();
    Ok(found)
}

/// The entries of a folder whose names match, sorted; hidden ones are left out.
fn list(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, EngineError> {
    let named = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(named).map_err(at(named, "listing images"))? {
        let name = entry.map_err(at(named, "listing images"))?.file_name();
        let bytes = name.as_encoded_bytes();
        if !bytes.starts_with(b".") && matches(pattern.as_bytes(), bytes) {
            entries.push(folder.join(name));
        }
    }
    entries.sort();
    Ok(entries)
}

/// `*` and `?` over bytes; on a mismatch the last `*` takes one byte more.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("*.png", "a.png", true)]
    #[case("*.png", "a.jpg", false)]
    #[case("a*b*c", "aXbYbZc", true)]
    #[case("a*b*c", "aXbYbZ", false)]
    #[case("0001TP_00????.png", "0001TP_006690.png", true)]
    #[case("0001TP_00????.png", "0001TP_06690.png", false)]
    #[case("*", "anything", true)]
    #[case("", "", true)]
    fn patterns(#[case] pattern: &str, #[case] name: &str, #[case] expected: bool) {
        assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected);
    }

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
        for name in [
            "ulm/ulm_1.png",
            "ulm/ulm_1.json",
            "bonn/bonn_2.png",
            "zurich/x.txt",
        ] {
            let path = folder.path().join("cities").join(name);
            fs::create_dir_all(path.parent().expect("a city")).expect("writable");
            fs::write(path, b"x").expect("writable");
        }
        let cities = names(folder.path().join("cities/*/*.png"));
        assert_eq!(cities, ["bonn_2.png", "ulm_1.png"]);
        assert_eq!(names(folder.path().join("c*s/?lm/*_1.*")), ["ulm_1.png"]);
        let error = find_images(folder.path().join("*.gif")).expect_err("no such image");
        assert!(matches!(error, EngineError::NothingToPredict { .. }));
        let error = find_images(folder.path().join("missing")).expect_err("no such folder");
        assert!(matches!(error, EngineError::File(_)), "{error:?}");
    }
}
