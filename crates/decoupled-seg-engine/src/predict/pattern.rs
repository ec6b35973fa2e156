//! Files that a pattern names. (The walk of the crate `glob` panics where a name is not Unicode.)

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::files::{FileError, at};

const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The part of a pattern for folders of any depth.
const ANY_DEPTH: &str = "**";

/// Whether a path has a part that stands for many.
pub(super) fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?'])
}

/// What is in a folder, but for hidden names.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    matching(folder, &Pattern::new("*").expect("a pattern"))
}

/// The files and folders whose paths are as the pattern says: `*` and `?` in a part stand for any characters and for one, the
/// part `**` for folders of any depth, at the end for all files in them. Brackets stand for themselves: they are common in
/// names of folders.
pub(super) fn find(pattern: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let Component::Normal(name) = part else {
            for path in &mut found {
                path.push(part);
            }
            continue;
        };
        let text = name.to_string_lossy();
        let mut next = Vec::new();
        for path in found {
            if text == ANY_DEPTH {
                descend(path, &mut next)?;
            } else if text.contains(['*', '?']) {
                let pattern = Pattern::new(&text.replace('[', "[[]"));
                let pattern = pattern.map_err(io::Error::other);
                let pattern = pattern.map_err(at(Path::new(name), "reading the pattern"))?;
                next.extend(matching(&path, &pattern)?);
            } else if fs::symlink_metadata(path.join(name)).is_ok() {
                next.push(path.join(name));
            }
        }
        found = next;
    }
    if pattern.ends_with(ANY_DEPTH) {
        let lists = found.iter().map(|folder| list(folder));
        found = lists.collect::<Result<Vec<_>, _>>()?.concat();
        found.retain(|path| !path.is_dir());
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// A folder and those below it. Links are not followed: they may lead back.
fn descend(folder: PathBuf, found: &mut Vec<PathBuf>) -> Result<(), FileError> {
    for path in list(&folder)? {
        if path.is_dir() && !path.is_symlink() {
            descend(path, found)?;
        }
    }
    found.push(folder);
    Ok(())
}

fn matching(folder: &Path, pattern: &Pattern) -> Result<Vec<PathBuf>, FileError> {
    let here = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let entries = match fs::read_dir(here) {
        Ok(entries) => entries,
        // A pattern passes by files in place of folders.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(at(folder, "listing images")(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(at(folder, "listing images"))?.file_name();
        if pattern.matches_with(&name.to_string_lossy(), OPTIONS) {
            found.push(folder.join(name));
        }
    }
    found.sort();
    Ok(found)
}
