use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::list_text::decoded;
use super::pairs::{composed, list_folder};
use super::{Folders, Listing, PICTURE_ENDINGS, Pair};
use crate::{DatasetError, ListProblem};

/// Reading stops after this many wrong lines: then the file is no list, or the root is wrong.
const MAX_PROBLEMS: usize = 1000;

/// What stands between image and label, the first that a line has. Tools write `|` and `;` in names less often than `,`.
const SEPARATORS: [char; 4] = ['\t', '|', ';', ','];

/// Largest length of a line, in bytes. No file system has longer paths.
const MAX_LINE: usize = 8 << 10;

/// Largest number of folders to remember: about as many as the lists of Cityscapes name, few enough for any memory.
const MAX_FOLDERS: usize = 256;

/// Reads a list of pairs: one image and its label a line, relative to `root`.
///
/// A tab, `|`, `;` or a comma separates the two, or spaces if the line has none of them. Names may stand in double
/// quotes. Names with spaces are found if exactly one way to split the line gives existing files. Backslashes stand for `/`, unless a file has that very name. Empty lines
/// and lines that start with `#` are skipped. Lists in circulation carry the paths of their authors' machines
/// (`/SegNet/CamVid/train/a.png`), so leading folders are dropped until the rest exists under `root`. A list whose
/// lines name one file each is a list of images without labels. A byte order mark is left out, and UTF-16 with such a
/// mark is read, as Windows PowerShell writes it. Names are compared in one form of Unicode, as in [`Folders::pairs`].
///
/// Problems are a list that cannot be read or names no image. Problems are also lines that are not UTF-8, that name a
/// missing image or label, or that have a label although the first line has none. After a thousand wrong lines, reading
/// stops.
pub fn read_list(path: &Path, root: &Path) -> Listing {
    let mut listing = Listing::default();
    let bytes = match std::fs::read(path) {
        Ok(bytes) => decoded(bytes),
        Err(source) => {
            listing.problems.push(DatasetError::io(path, source));
            return listing;
        }
    };
    let problem = |line: usize, problem: ListProblem| in_line(path, line, problem);
    let mut resolver = Resolver {
        root,
        folders: HashMap::new(),
        names: HashMap::new(),
    };
    for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        if listing.problems.len() == MAX_PROBLEMS {
            let problem = problem(number, ListProblem::TooMany);
            listing.problems.push(problem);
            break;
        }
        let Ok(line) = std::str::from_utf8(line) else {
            listing.problems.push(problem(number, ListProblem::NotUtf8));
            continue;
        };
        match entry(line.trim(), &mut resolver) {
            Ok(None) => {}
            Ok(Some((image, labels))) => {
                let first = listing.pairs.first();
                if first.is_some_and(|first| first.labels.is_some() != labels.is_some()) {
                    listing.problems.push(problem(number, ListProblem::Mixed));
                } else {
                    listing.add_pair(image, labels);
                }
            }
            Err(Wrong::Line(wrong)) => listing.problems.push(problem(number, wrong)),
            Err(Wrong::Label {
                image,
                looked_for,
                there,
            }) => {
                let problem = DatasetError::ImageWithoutLabel {
                    image,
                    looked_for,
                    there,
                };
                listing.problems.push(problem);
            }
        }
    }
    if listing.pairs.is_empty() && listing.problems.is_empty() {
        listing.problems.push(DatasetError::Empty {
            path: path.to_path_buf(),
            looked_for: "lines of an image and a label".to_string(),
        });
    }
    listing
}

/// Reads a list of names of images in `folders`, one a line (lists of Pascal VOC and CVAT). Labels pair up as in
/// [`Folders::pairs`]; files that the list does not name do not matter.
///
/// Problems are those of the list, and those of the folders that concern named files.
pub fn read_names(path: &Path, folders: &Folders<'_>, labelled: bool) -> Listing {
    let mut listing = Listing::default();
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&decoded(bytes)).into_owned(),
        Err(source) => {
            listing.problems.push(DatasetError::io(path, source));
            return listing;
        }
    };
    let Listing { pairs, problems } = match labelled {
        true => folders.named_pairs(),
        false => folders.named_images(),
    };
    let pairs: HashMap<String, &Pair> = pairs.iter().map(|it| (composed(&it.name), it)).collect();
    let parts = parts_of(folders);
    let mut left: Vec<Option<DatasetError>> = problems.into_iter().map(Some).collect();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if listing.problems.len() == MAX_PROBLEMS {
            let problem = ListProblem::TooMany;
            listing.problems.push(in_line(path, number, problem));
            break;
        }
        let names = names_in(line, &parts);
        if let Some(pair) = names.iter().find_map(|name| pairs.get(&composed(name))) {
            listing.pairs.push((*pair).clone());
            continue;
        }
        let about = |problem: &Option<DatasetError>| match problem {
            Some(DatasetError::ImageWithoutLabel { image, .. }) => {
                let stem = image.file_stem().and_then(|stem| stem.to_str());
                names.iter().any(|name| Some(name.as_str()) == stem)
            }
            _ => false,
        };
        let known = left.iter_mut().find(|problem| about(problem));
        let problem = known.and_then(Option::take).unwrap_or_else(|| {
            let (name, folder) = (line.to_string(), folders.images.to_path_buf());
            in_line(path, number, ListProblem::NoSuchName { name, folder })
        });
        listing.problems.push(problem);
    }
    // If a folder is missing, no name of the list can be found.
    let of_folders = |problem: &DatasetError| {
        matches!(
            problem,
            DatasetError::MissingFolder { .. }
                | DatasetError::NotAFolder { .. }
                | DatasetError::Empty { .. }
                | DatasetError::NoLabelFiles { .. }
        )
    };
    let of_folders: Vec<DatasetError> = left.into_iter().flatten().filter(of_folders).collect();
    if !of_folders.is_empty() {
        listing.problems = of_folders;
    }
    if listing.pairs.is_empty() && listing.problems.is_empty() {
        listing.problems.push(DatasetError::Empty {
            path: path.to_path_buf(),
            looked_for: "lines of a name".to_string(),
        });
    }
    listing
}

/// The names that a line may mean: as it stands; without its flags, which stand behind names in lists of a class (Pascal VOC:
/// -1, 0 or 1; Oxford Pets: three numbers); without the folders of the images; without the ending of a picture. Nothing else
/// is taken off, as `p00 copy`, `p00.v2` and `val/p00` may be other pictures than `p00`.
fn names_in(line: &str, folders: &[Vec<String>]) -> Vec<String> {
    let flag = |text: &str| text.parse::<i32>().ok();
    let mut texts = vec![line];
    let mut flags = Vec::new();
    let mut rest = line;
    while let Some((name, last)) = rest.rsplit_once(char::is_whitespace)
        && let Some(number) = flag(last)
    {
        rest = name.trim_end();
        flags.push(number);
        if flags.len() > 1 || (-1..=1).contains(&number) {
            texts.push(rest);
        }
    }
    let mut names = Vec::new();
    for text in texts {
        names.push(text.to_string());
        let slashes = text.replace('\\', "/");
        let name = match slashes.rsplit_once('/') {
            None => slashes.as_str(),
            Some((folder, name)) if folders.iter().any(|path| ends_in(path, folder)) => name,
            Some(_) => continue,
        };
        names.push(name.to_string());
        if let Some((stem, ending)) = name.rsplit_once('.')
            && PICTURE_ENDINGS.contains(&ending.to_lowercase().as_str())
        {
            names.push(stem.to_string());
        }
    }
    names
}

/// The parts of the paths of images and labels, as they are written and without links.
fn parts_of(folders: &Folders<'_>) -> Vec<Vec<String>> {
    let whole = [folders.images, folders.labels].map(|folder| folder.canonicalize().ok());
    let written = [folders.images, folders.labels].map(|folder| Some(folder.to_path_buf()));
    let parts = |folder: PathBuf| -> Vec<String> {
        let parts = folder.components();
        let parts = parts.map(|part| composed(&part.as_os_str().to_string_lossy()));
        parts.collect()
    };
    whole
        .into_iter()
        .chain(written)
        .flatten()
        .map(parts)
        .collect()
}

/// Whether the folders before a name are the last ones of a path. Those of another machine, from its root on, are if the last
/// one is.
fn ends_in(path: &[String], written: &str) -> bool {
    let is_foreign = written.starts_with('/') || written.contains(':');
    let written = written.split('/').filter(|part| !["", "."].contains(part));
    let written: Vec<String> = written.map(composed).collect();
    let last = match is_foreign {
        true => &written[written.len().saturating_sub(1)..],
        false => &written[..],
    };
    path.ends_with(last)
}

/// A name without the double quotes around it, as spreadsheets write names.
fn unquoted(name: &str) -> &str {
    let inside = name.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    inside.unwrap_or(name)
}

fn in_line(path: &Path, line: usize, problem: ListProblem) -> DatasetError {
    DatasetError::List {
        path: path.to_path_buf(),
        line,
        problem,
    }
}

/// Why a line cannot be used.
enum Wrong {
    Line(ListProblem),
    Label {
        image: PathBuf,
        looked_for: PathBuf,
        /// A file whose name differs in capitals only.
        there: Option<PathBuf>,
    },
}

/// The image and the label in a line; `None` for empty lines and comments.
fn entry(
    line: &str,
    files: &mut Resolver<'_>,
) -> Result<Option<(PathBuf, Option<PathBuf>)>, Wrong> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if line.len() > MAX_LINE {
        let bytes = line.len();
        return Err(Wrong::Line(ListProblem::TooLong { bytes }));
    }
    let separator = SEPARATORS.into_iter().find(|&it| line.contains(it));
    let names: Vec<&str> = match separator {
        Some(separator) => line
            .split(separator)
            .map(|name| unquoted(name.trim()))
            .filter(|name| !name.is_empty())
            .collect(),
        None => line.split_whitespace().collect(),
    };
    if separator.is_none()
        && names.len() > 1
        && let Some(found) = spaced(line, &names, files)
    {
        return Ok(Some(found));
    }
    let (image, label) = match names[..] {
        [] => return Err(Wrong::Line(ListProblem::NoNames)),
        [image] => (image, None),
        [image, label] => (image, Some(label)),
        [_, _, extra, ..] => {
            let found = extra.to_string();
            let line = line.to_string();
            return Err(Wrong::Line(match separator {
                Some(_) => ListProblem::Extra { found },
                None => ListProblem::Spaces { line },
            }));
        }
    };
    let Some(image) = files.find(image) else {
        let alone = !image.contains(['/', '\\', '.']);
        let (name, path) = (image.to_string(), files.root.join(image));
        return Err(Wrong::Line(match alone {
            true => ListProblem::NameAlone { name },
            false => ListProblem::NoImage {
                path,
                there: files.in_capitals(image),
            },
        }));
    };
    let Some(label) = label else {
        return Ok(Some((image, None)));
    };
    match files.find(label) {
        Some(label) => Ok(Some((image, Some(label)))),
        None => {
            let looked_for = files.root.join(label.trim_start_matches('/'));
            let there = files.in_capitals(label);
            Err(Wrong::Label {
                image,
                looked_for,
                there,
            })
        }
    }
}

/// A line with more words than this holds no file names.
const MAX_WORDS: usize = 16;

/// The image and the label of a line with spaces both between and inside the names, if exactly one way to split it
/// gives files that exist below the root as written.
fn spaced(
    line: &str,
    words: &[&str],
    files: &mut Resolver<'_>,
) -> Option<(PathBuf, Option<PathBuf>)> {
    if words.len() > MAX_WORDS {
        return None;
    }
    if let Some(image) = files.find_below_root(line) {
        return Some((image, None));
    }
    let place = |word: &&str| word.as_ptr() as usize - line.as_ptr() as usize;
    let mut found = words[1..].iter().map(place).filter_map(|start| {
        let image = files.find_below_root(line[..start].trim_end())?;
        Some((image, Some(files.find_below_root(&line[start..])?)))
    });
    match (found.next(), found.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// Finds the files that a list names.
struct Resolver<'a> {
    root: &'a Path,
    /// Whether folders exist. Each is looked up once, not for each line.
    folders: HashMap<PathBuf, bool>,
    /// The entries of folders in which a name was not found as written, by their names in small letters.
    names: HashMap<PathBuf, HashMap<String, Vec<PathBuf>>>,
}

impl Resolver<'_> {
    fn find(&mut self, entry: &str) -> Option<PathBuf> {
        // Backslashes, as in lists from Windows, unless a file has that very name.
        let as_written = self.find_written(entry);
        let found = match as_written {
            None if entry.contains('\\') => self.find_written(&entry.replace('\\', "/")),
            found => found,
        };
        found.or_else(|| self.find_by(entry, |written, there| composed(written) == composed(there)))
    }

    /// A file whose name differs in capitals only. On Windows and macOS the two are one name.
    fn in_capitals(&mut self, entry: &str) -> Option<PathBuf> {
        self.find_by(entry, |_, _| true)
    }

    /// The only file whose folders and name are those of the entry but for capitals and forms of Unicode, and as `is_same`
    /// says. Leading folders are dropped as in [`find_written`](Self::find_written).
    fn find_by(
        &mut self,
        entry: &str,
        is_same: impl Fn(&str, &str) -> bool + Copy,
    ) -> Option<PathBuf> {
        let entry = entry.replace('\\', "/");
        let mut rest = entry.trim_start_matches('/');
        loop {
            let mut path = Some(self.root.to_path_buf());
            for part in rest.split('/').filter(|part| !part.is_empty()) {
                path = path.and_then(|folder| self.entry_by(&folder, part, is_same));
            }
            if let Some(path) = path.filter(|path| path.is_file()) {
                return Some(path);
            }
            rest = rest.split_once('/')?.1;
        }
    }

    fn entry_by(
        &mut self,
        folder: &Path,
        name: &str,
        is_same: impl Fn(&str, &str) -> bool,
    ) -> Option<PathBuf> {
        if matches!(name, "." | "..") {
            return Some(folder.join(name));
        }
        if self.names.len() == MAX_FOLDERS && !self.names.contains_key(folder) {
            return None;
        }
        let names = self.names.entry(folder.to_path_buf()).or_insert_with(|| {
            let mut names: HashMap<String, Vec<PathBuf>> = HashMap::new();
            for path in list_folder(folder, "").unwrap_or_default() {
                if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
                    names
                        .entry(composed(name).to_lowercase())
                        .or_default()
                        .push(path);
                }
            }
            names
        });
        let like = names.get(&composed(name).to_lowercase())?;
        let mut same = like.iter().filter(|path| {
            let there = path.file_name().and_then(|there| there.to_str());
            there.is_some_and(|there| is_same(name, there))
        });
        match (same.next(), same.next()) {
            (Some(only), None) => Some(only.clone()),
            _ => None,
        }
    }

    /// A file under the root, with all the folders that the list names.
    fn find_below_root(&mut self, entry: &str) -> Option<PathBuf> {
        let written = [entry.to_string(), entry.replace('\\', "/")];
        let mut paths = written.iter().map(|entry| self.root.join(entry));
        paths.find(|path| self.is_file(path))
    }

    fn find_written(&mut self, entry: &str) -> Option<PathBuf> {
        let whole = self.root.join(entry);
        if self.is_file(&whole) {
            return Some(whole);
        }
        let mut rest = entry.trim_start_matches('/');
        loop {
            let path = self.root.join(rest);
            if self.is_file(&path) {
                return Some(path);
            }
            rest = rest.split_once('/')?.1;
        }
    }

    fn is_file(&mut self, path: &Path) -> bool {
        let Some(folder) = path.parent() else {
            return false;
        };
        let is_there = match self.folders.get(folder) {
            Some(&is_there) => is_there,
            None => {
                let is_there = folder.is_dir();
                if self.folders.len() < MAX_FOLDERS {
                    self.folders.insert(folder.to_path_buf(), is_there);
                }
                is_there
            }
        };
        is_there && path.is_file()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_files(list: &[u8]) -> (tempfile::TempDir, Listing) {
        let root = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir_all(root.path().join("train")).expect("writable");
        for name in ["train/a.png", "train/a b.png", "train/a_l.png"] {
            std::fs::write(root.path().join(name), "").expect("writable");
        }
        let path = root.path().join("train.txt");
        std::fs::write(&path, list).expect("writable");
        let listing = read_list(&path, root.path());
        (root, listing)
    }

    #[test]
    fn takes_the_forms_in_circulation() {
        let list = "# a comment\n\ntrain/a.png train/a_l.png\r\n/SegNet/CamVid/train/a.png /SegNet/CamVid/train/a_l.png\n\
                    train/a b.png\ttrain/a_l.png\ntrain/a.png,train/a_l.png";
        let (root, listing) = with_files(list.as_bytes());
        assert!(listing.problems.is_empty(), "{listing:?}");
        let names = listing.pairs.iter().map(|pair| pair.name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["a", "a", "a b", "a"]);
        let label = root.path().join("train/a_l.png");
        assert!(
            listing
                .pairs
                .iter()
                .all(|pair| pair.labels.as_deref() == Some(&label))
        );
    }

    #[test]
    fn images_alone() {
        let (_root, listing) = with_files(b"train/a.png\ntrain/a_l.png\n");
        assert!(listing.problems.is_empty(), "{listing:?}");
        assert_eq!(listing.pairs.len(), 2);
        assert!(listing.pairs.iter().all(|pair| pair.labels.is_none()));
    }

    #[test]
    fn names_with_spaces_and_backslashes_are_found() {
        let list = b"train/a b.png train/a_l.png\ntrain\\a.png train\\a_l.png\nC:\\x\\train\\a.png,train\\a_l.png";
        let (_root, listing) = with_files(list);
        assert!(listing.problems.is_empty(), "{listing:?}");
        let names = listing.pairs.iter().map(|pair| pair.name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["a b", "a", "a"]);
        let (_root, listing) = with_files(b"train/a b.png\ntrain/a.png\n");
        assert!(listing.problems.is_empty(), "{listing:?}");
        assert!(listing.pairs.iter().all(|pair| pair.labels.is_none()));
        let (_root, listing) = with_files(b"p00\np01\n");
        let told = listing.problems[0].to_string();
        assert!(told.contains("beside `list`"), "{told}");
    }

    #[test]
    fn lists_of_spreadsheets_and_windows_are_read() {
        let separated = "train/a.png;train/a_l.png\ntrain/a.png|train/a_l.png\n\"train/a b.png\",\"train/a_l.png\"";
        let (_root, listing) = with_files(separated.as_bytes());
        assert!(listing.problems.is_empty(), "{listing:?}");
        let names = listing.pairs.iter().map(|pair| pair.name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["a", "a", "a b"]);
        let list = "\u{feff}train/a.png train/a_l.png\r\ntrain/a.png train/a_l.png\r\n";
        let little = list.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big = list.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [list.as_bytes().to_vec(), little, big] {
            let (_root, listing) = with_files(&bytes);
            assert!(listing.problems.is_empty(), "{bytes:?}: {listing:?}");
            assert_eq!(listing.pairs.len(), 2, "{bytes:?}");
        }
    }

    #[test]
    fn names_of_windows_are_found() {
        let (root, _) = with_files(b"");
        let folder = root.path().join("train");
        let folders = Folders {
            images: &folder,
            image_suffixes: &[".png"],
            labels: &folder,
            label_suffix: "_l.png",
        };
        let path = root.path().join("names.txt");
        let list = "\u{feff}a\r\na b\r\n";
        let wide = list.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [list.as_bytes().to_vec(), wide] {
            std::fs::write(&path, &bytes).expect("writable");
            let listing = read_names(&path, &folders, false);
            assert!(listing.problems.is_empty(), "{bytes:?}: {listing:?}");
            assert_eq!(listing.pairs.len(), 2, "{bytes:?}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_line() {
        let list =
            b"train/a.png train/a_l.png\ntrain/b.png train/a_l.png\ntrain/a.png train/b_l.png\n\
            train/a.png train/a_l.png third\ntrain/a.png\n\xff\xfe\n,\t\ntrain/a.png train/a_l.png";
        let (_root, listing) = with_files(list);
        assert_eq!(listing.pairs.len(), 2, "the first and the last line");
        let messages = listing.problems.iter().map(DatasetError::to_string);
        let expected = [
            "line 2: no such image",
            "image without label, expected",
            "line 4: a name with a space? separate image and label by a tab or a comma",
            "line 5: lines with and without label",
            "line 6: not UTF-8 text",
            "line 7: separators without names",
        ];
        let messages: Vec<String> = messages.collect();
        assert_eq!(messages.len(), expected.len(), "{messages:?}");
        for (message, expected) in messages.iter().zip(expected) {
            assert!(message.contains(expected), "{message}");
        }
        let (_root, listing) = with_files(b"\n# nothing\n");
        assert!(
            listing.problems[0].to_string().contains("no images"),
            "{listing:?}"
        );
    }

    #[test]
    fn what_is_no_list_is_not_read_to_its_end() {
        let (_root, listing) = with_files(&b"?\n".repeat(100_000));
        assert_eq!(listing.problems.len(), MAX_PROBLEMS + 1);
        let last = listing.problems[MAX_PROBLEMS].to_string();
        assert!(last.contains("line 1001: too many wrong lines"), "{last}");
    }
}
