use std::fs;
use std::path::{Path, PathBuf};

use crate::EngineError;
use crate::files::at;

const SUFFIXES: [&str; 3] = ["png", "jpg", "jpeg"];

/// Finds images: `path` is an image, a folder of images (not of folders), or a pattern in whose last part `*` stands for
/// any characters and `?` for one. Sorted by name.
///
/// # Errors
///
/// Returns an error if the folder cannot be read or holds no such image.
pub fn find_images(path: impl AsRef<Path>) -> Result<Vec<PathBuf>, EngineError> {
    let path = path.as_ref();
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (folder, pattern) = if !path.is_dir() && name.contains(['*', '?']) {
        let folder = path.parent().unwrap_or(Path::new(""));
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        (folder, Some(name))
    } else {
        (path, None)
    };
    let mut images = Vec::new();
    for entry in fs::read_dir(folder).map_err(at(folder, "listing images"))? {
        let found = entry.map_err(at(folder, "listing images"))?.path();
        let suffix = found.extension().unwrap_or_default().to_string_lossy();
        let name = found.file_name().unwrap_or_default().to_string_lossy();
        let fits = pattern
            .as_ref()
            .is_none_or(|pattern| matches(pattern.as_bytes(), name.as_bytes()));
        let is_image = SUFFIXES.contains(&suffix.to_lowercase().as_str());
        if fits && is_image && found.is_file() {
            images.push(found);
        }
    }
    if images.is_empty() {
        return Err(EngineError::NothingToPredict {
            path: path.to_path_buf(),
        });
    }
    images.sort();
    Ok(images)
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
        for name in ["b.png", "a.JPG", "notes.txt", "c.jpeg"] {
            fs::write(folder.path().join(name), b"x").expect("writable");
        }
        let names = |path: PathBuf| -> Vec<String> {
            let found = find_images(path).expect("images");
            let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into();
            found.iter().map(name).collect()
        };
        assert_eq!(names(folder.path().into()), ["a.JPG", "b.png", "c.jpeg"]);
        assert_eq!(names(folder.path().join("?.*g")), ["b.png", "c.jpeg"]);
        let error = find_images(folder.path().join("*.gif")).expect_err("no such image");
        assert!(matches!(error, EngineError::NothingToPredict { .. }));
        let error = find_images(folder.path().join("missing")).expect_err("no such folder");
        assert!(matches!(error, EngineError::File(_)), "{error:?}");
    }
}
