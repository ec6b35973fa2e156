use std::path::{Path, PathBuf};

use super::pairs::Pair;
use crate::DatasetError;

/// Reads a list of pairs: one image and its label a line, relative to `root`.
///
/// The two are separated by a tab or a comma where the line has one, else by spaces. Empty lines and lines that start
/// with `#` are skipped. Lists in circulation carry the paths of their authors' machines
/// (`/SegNet/CamVid/train/a.png`): leading folders are dropped until the rest exists under `root`.
/// A list whose lines name one file each is a list of images without labels.
///
/// # Errors
///
/// Returns a [`DatasetError`] if the list cannot be read, is not UTF-8, names no image, mixes lines with and without
/// label, or names an image or label that is not there.
pub fn read_list(path: &Path, root: &Path) -> Result<Vec<Pair>, DatasetError> {
    let bytes = std::fs::read(path).map_err(|source| DatasetError::io(path, source))?;
    let problem = |line: usize, problem: String| DatasetError::List {
        path: path.to_path_buf(),
        line,
        problem,
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count()
            + 1;
        problem(line, "not UTF-8 text".to_string())
    })?;

    let mut pairs: Vec<Pair> = Vec::new();
    let mut without_label = Vec::new();
    let mut looked_for = PathBuf::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut fields = fields(line);
        let Some(image) = fields.next() else {
            return Err(problem(number, "separators without names".to_string()));
        };
        let label = fields.next();
        if let Some(extra) = fields.next() {
            return Err(problem(
                number,
                format!("expected an image and a label, found `{extra}` behind them"),
            ));
        }
        let Some(image) = resolve(root, image) else {
            return Err(problem(
                number,
                format!("no such image: `{}`", root.join(image).display()),
            ));
        };
        let labels = match label {
            Some(label) => match resolve(root, label) {
                Some(label) => Some(label),
                None => {
                    if without_label.is_empty() {
                        looked_for = root.join(label.trim_start_matches('/'));
                    }
                    without_label.push(image);
                    continue;
                }
            },
            None => None,
        };
        if pairs
            .first()
            .is_some_and(|first| first.labels.is_some() != labels.is_some())
        {
            return Err(problem(
                number,
                "lines with and without label in one list".to_string(),
            ));
        }
        pairs.push(Pair::new(image, labels)?);
    }
    if !without_label.is_empty() {
        return Err(DatasetError::ImageWithoutLabel {
            images: without_label,
            looked_for,
        });
    }
    if pairs.is_empty() {
        let looked_for = "lines of an image and a label".to_string();
        return Err(DatasetError::Empty {
            path: path.to_path_buf(),
            looked_for,
        });
    }
    Ok(pairs)
}

fn fields(line: &str) -> Box<dyn Iterator<Item = &str> + '_> {
    match ['\t', ',']
        .into_iter()
        .find(|&separator| line.contains(separator))
    {
        Some(separator) => Box::new(
            line.split(separator)
                .map(str::trim)
                .filter(|field| !field.is_empty()),
        ),
        None => Box::new(line.split_whitespace()),
    }
}

fn resolve(root: &Path, entry: &str) -> Option<PathBuf> {
    let whole = root.join(entry);
    if whole.is_file() {
        return Some(whole);
    }
    let mut rest = entry.trim_start_matches('/');
    loop {
        let path = root.join(rest);
        if path.is_file() {
            return Some(path);
        }
        rest = rest.split_once('/')?.1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_files(list: &[u8]) -> (tempfile::TempDir, Result<Vec<Pair>, DatasetError>) {
        let root = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir_all(root.path().join("train")).expect("writable");
        for name in ["train/a.png", "train/a b.png", "train/a_l.png"] {
            std::fs::write(root.path().join(name), "").expect("writable");
        }
        let path = root.path().join("train.txt");
        std::fs::write(&path, list).expect("writable");
        let pairs = read_list(&path, root.path());
        (root, pairs)
    }

    #[test]
    fn takes_the_forms_in_circulation() {
        let list = "# a comment\n\ntrain/a.png train/a_l.png\r\n/SegNet/CamVid/train/a.png /SegNet/CamVid/train/a_l.png\n\
                    train/a b.png\ttrain/a_l.png\ntrain/a.png,train/a_l.png";
        let (root, pairs) = with_files(list.as_bytes());
        let pairs = pairs.expect("all files are there");
        assert_eq!(
            pairs
                .iter()
                .map(|pair| pair.name.as_str())
                .collect::<Vec<_>>(),
            ["a", "a", "a b", "a"]
        );
        assert!(
            pairs
                .iter()
                .all(|pair| pair.labels.as_deref() == Some(&root.path().join("train/a_l.png")))
        );
    }

    #[test]
    fn images_alone() {
        let (_root, pairs) = with_files(b"train/a.png\ntrain/a_l.png\n");
        assert!(
            pairs
                .expect("both are there")
                .iter()
                .all(|pair| pair.labels.is_none())
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let message = |list: &[u8]| {
            with_files(list)
                .1
                .expect_err("not a usable list")
                .to_string()
        };
        assert!(
            message(b"train/a.png train/a_l.png\ntrain/b.png train/a_l.png")
                .contains("line 2: no such image")
        );
        assert!(message(b"train/a.png train/b_l.png").contains("image without label, expected"));
        assert!(message(b"train/a.png train/a_l.png third").contains("found `third` behind them"));
        assert!(
            message(b"train/a.png train/a_l.png\ntrain/a.png").contains("with and without label")
        );
        assert!(message(b"train/a.png\n\xff\xfe").contains("line 2: not UTF-8 text"));
        assert!(
            message(b"train/a.png train/a_l.png\n,\t").contains("line 2: separators without names")
        );
        assert!(message(b"\n# nothing\n").contains("no images"));
    }
}
