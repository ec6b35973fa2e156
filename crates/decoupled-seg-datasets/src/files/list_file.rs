use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use decoupled_seg_types::shortened;

use super::list_line::{halves, is_heading, is_number, split, unquoted};
use super::list_text::decoded;
use super::pairs::{composed, list_folder};
use super::{Folders, Listing, PICTURE_ENDINGS, Pair, read_file};
use crate::{DatasetError, ListProblem};

/// Reading stops after this many wrong lines: then the file is no list, or the root is wrong.
const MAX_PROBLEMS: usize = 1000;

/// What a list is, for messages.
const EXPECTED: &str = "list of names or paths";

/// Largest length of a line, in bytes. No file system has longer paths.
const MAX_LINE: usize = 8 << 10;

/// Largest number of folders in a path of which some are dropped. Each is looked for below each other one.
const MAX_DEPTH: usize = 64;

/// Largest number of folders to remember: about as many as the lists of Cityscapes name, few enough for any memory.
const MAX_FOLDERS: usize = 256;

/// Reads a list of pairs: one image and its label a line, relative to `root`.
///
/// A tab, `|`, `;` or a comma separates the two, or spaces if the line has none of them. Names may stand in double quotes, in
/// which nothing separates. Names with spaces and separators are found if exactly one way to split the line gives existing
/// files, or if the whole line is the name of one. Backslashes stand for `/`, unless a file has that very name. Empty lines
/// are skipped, and lines that start with `#` if no image has such a name, a heading such as `image,mask`, and a number before
/// image and label. Lists in circulation carry the paths of their authors' machines (`/SegNet/CamVid/train/a.png`), so leading
/// folders are dropped, up to 64, until the folder of the file exists under `root`: the same ones for an image and its label
/// if both begin alike, and the same ones for all images and for all labels of a list. A list whose lines name one file each
/// is a list of images without labels. A byte order mark is left out, and UTF-16 with such a mark is read, as Windows
/// PowerShell writes it. Names are compared in one form of Unicode, as in [`Folders::pairs`].
///
/// Problems are a list that cannot be read or names no image. Problems are also lines that are not UTF-8, that name a
/// missing image or label or one file for both, that name the image of another line once folders are dropped, or that have a
/// label although the first line has none. After a thousand wrong lines, reading stops.
pub fn read_list(path: &Path, root: &Path) -> Listing {
    let mut listing = Listing::default();
    let bytes = match read_file(path, EXPECTED) {
        Ok(bytes) => decoded(bytes),
        Err(problem) => {
            listing.problems.push(problem);
            return listing;
        }
    };
    let problem = |line: usize, problem: ListProblem| in_line(path, line, problem);
    let mut resolver = Resolver::new(root);
    let mut is_first = true;
    // Lines whose images were found without the folders that the line names.
    let mut shortened = Vec::new();
    let mut written = HashSet::new();
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
        let found = entry(line.trim(), &mut resolver);
        let may_be_heading = is_first;
        is_first &= matches!(found, Ok(None));
        match found {
            Ok(None) => {}
            Err(Wrong::Line(_)) if may_be_heading && is_heading(line) => {}
            Ok(Some(Entry {
                image,
                labels,
                is_shortened,
            })) => {
                match is_shortened {
                    true => shortened.push((number, listing.pairs.len(), image.clone())),
                    false => drop(written.insert(image.clone())),
                }
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
    // `b/002.png` beside `002.png`, without a folder `b`: the picture of another line is none of this one.
    shortened.retain(|(.., image)| written.contains(image));
    for (number, pair, image) in shortened.into_iter().rev() {
        if listing
            .pairs
            .get(pair)
            .is_some_and(|pair| pair.image == image)
        {
            listing.pairs.remove(pair);
        }
        let wrong = ListProblem::OfAnotherLine { image };
        listing.problems.push(problem(number, wrong));
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
/// [`Folders::pairs`]; files that the list does not name do not matter. Lines that start with `#` are skipped if no image has
/// such a name, and so is a heading such as `filename`.
///
/// Problems are those of the list, and those of the folders that concern named files.
pub fn read_names(path: &Path, folders: &Folders<'_>, labelled: bool) -> Listing {
    let mut listing = Listing::default();
    let text = match read_file(path, EXPECTED) {
        Ok(bytes) => String::from_utf8_lossy(&decoded(bytes)).into_owned(),
        Err(problem) => {
            listing.problems.push(problem);
            return listing;
        }
    };
    let Listing { pairs, problems } = match labelled {
        true => folders.named_pairs(),
        false => folders.named_images(),
    };
    let mut named: HashMap<String, &Pair> = HashMap::new();
    for pair in &pairs {
        named.insert(composed(&pair.name), pair);
    }
    // The part that image and label share is a name too: `p00` of `p00_rgb.png`.
    let shared_part = |image: &Path| folders.key_of_image(image.file_name()?.to_str()?);
    for pair in &pairs {
        if let Some(shared) = shared_part(&pair.image) {
            named.entry(shared).or_insert(pair);
        }
    }
    let parts = parts_of(folders);
    let mut in_capitals = None;
    let mut is_first = true;
    let mut left: Vec<Option<DatasetError>> = problems.into_iter().map(Some).collect();
    for (number, line) in (1..).zip(text.lines()) {
        let line = &*unquoted(line.trim());
        if line.is_empty() {
            continue;
        }
        let is_comment = line.starts_with('#');
        if listing.problems.len() == MAX_PROBLEMS && !is_comment {
            let problem = ListProblem::TooMany;
            listing.problems.push(in_line(path, number, problem));
            break;
        }
        if let Some(problem) = unreadable(line) {
            if !is_comment {
                listing.problems.push(in_line(path, number, problem));
            }
            continue;
        }
        let may_be_heading = is_first;
        is_first &= is_comment;
        let names = names_in(line, &parts);
        if let Some(pair) = names.iter().find_map(|name| named.get(&composed(name))) {
            listing.pairs.push((*pair).clone());
            continue;
        }
        let about = |problem: &Option<DatasetError>| match problem {
            Some(DatasetError::ImageWithoutLabel { image, .. }) => {
                let stem = image.file_stem().and_then(|stem| stem.to_str());
                let stem = stem.map(composed);
                let shared = shared_part(image);
                let is_named = |name: &String| {
                    let name = Some(composed(name));
                    name == stem || name == shared
                };
                names.iter().any(is_named)
            }
            _ => false,
        };
        let known = left.iter_mut().find(|problem| about(problem));
        if let Some(problem) = known.and_then(Option::take) {
            listing.problems.push(problem);
            continue;
        }
        if is_comment || may_be_heading && is_heading(line) {
            continue;
        }
        let folder = folders.images.to_path_buf();
        let problem = match are_paths(line) {
            true => ListProblem::Paths {
                line: shortened(line),
                folder,
            },
            false => {
                let small = in_capitals.get_or_insert_with(|| in_small_letters(&named));
                let names = names.iter().map(|name| composed(name).to_lowercase());
                ListProblem::NoSuchName {
                    name: shortened(line),
                    folder,
                    there: names.filter_map(|name| small.get(&name).cloned()).next(),
                }
            }
        };
        listing.problems.push(in_line(path, number, problem));
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

/// Images by their names in small letters. On Windows and macOS, `A.png` and `a.png` are one name.
fn in_small_letters(named: &HashMap<String, &Pair>) -> HashMap<String, PathBuf> {
    let small = |(name, pair): (&String, &&Pair)| (name.to_lowercase(), pair.image.clone());
    named.iter().map(small).collect()
}

/// Whether a line names an image and its label, each by its path.
fn are_paths(line: &str) -> bool {
    let (_, names) = split(line);
    let is_path = |name: &Cow<'_, str>| {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        name.contains(['/', '\\']) && PICTURE_ENDINGS.contains(&ending.to_lowercase().as_str())
    };
    names.len() == 2 && names.iter().all(is_path)
}

/// Oxford Pets has most numbers behind a name.
const MOST_FLAGS: usize = 3;

/// The names that a line may mean: as it stands; without its flags, which stand behind names in lists of a class (Pascal VOC:
/// -1, 0 or 1; Oxford Pets: three numbers); without the folders of the images; without the ending of a picture. Nothing else
/// is taken off, as `p00 copy`, `p00.v2` and `val/p00` may be other pictures than `p00`.
fn names_in(line: &str, folders: &[Vec<String>]) -> Vec<String> {
    let flag = |text: &str| text.parse::<i32>().ok();
    let mut texts = vec![line];
    let mut flags = Vec::new();
    let mut rest = line;
    while flags.len() < MOST_FLAGS
        && let Some((name, last)) = rest.rsplit_once(char::is_whitespace)
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
    let is_foreign = is_foreign(written);
    let written = written.split('/').filter(|part| !["", "."].contains(part));
    let written: Vec<String> = written.map(composed).collect();
    let last = match is_foreign {
        true => &written[written.len().saturating_sub(1)..],
        false => &written[..],
    };
    path.ends_with(last)
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

/// What a line names.
struct Entry {
    image: PathBuf,
    labels: Option<PathBuf>,
    /// Whether the image was found without folders that a path relative to the root names.
    is_shortened: bool,
}

/// Why a line cannot be one of names, whichever.
fn unreadable(line: &str) -> Option<ListProblem> {
    if line.len() > MAX_LINE {
        return Some(ListProblem::TooLong { bytes: line.len() });
    }
    let is_control = |letter: char| letter.is_control() && letter != '\t';
    line.contains(is_control).then_some(ListProblem::Control)
}

/// Whether a path is of another machine's root.
fn is_foreign(path: &str) -> bool {
    path.starts_with(['/', '\\']) || path.contains(':')
}

/// The image that a line names, which is there, and the name of its label.
struct Named<'a> {
    image: PathBuf,
    /// How the line writes the image.
    name: Cow<'a, str>,
    /// Folders of the image that were dropped.
    dropped: Dropped,
    label: Option<Cow<'a, str>>,
}

/// The image and the label in a line; `None` for empty lines and comments.
fn entry(line: &str, files: &mut Resolver<'_>) -> Result<Option<Entry>, Wrong> {
    if line.is_empty() {
        return Ok(None);
    }
    let Named {
        image,
        name,
        dropped,
        label,
    } = match named(line, files) {
        // Names may begin with `#` too.
        Err(_) if line.starts_with('#') => return Ok(None),
        named => named.map_err(Wrong::Line)?,
    };
    let without = folders_of(&name, dropped);
    files.agree("image", &name, &without)?;
    let is_shortened = dropped > 0 && !is_foreign(&name);
    let Some(label) = label else {
        files.note("image", without);
        return Ok(Some(Entry {
            image,
            labels: None,
            is_shortened,
        }));
    };
    let first = |path: &str| parts(path).next().map(str::to_string);
    let alike = first(&name) == first(&label);
    let Some((labels, dropped)) = files.find(&label, alike.then_some(dropped)) else {
        let label_name = shortened(label.trim_start_matches('/'));
        return Err(Wrong::Label {
            image,
            looked_for: files.root.join(label_name),
            there: files.in_capitals(&label),
        });
    };
    let label_without = folders_of(&label, dropped);
    files.agree("label", &label, &label_without)?;
    if files.are_one(&image, &labels) {
        return Err(Wrong::Line(ListProblem::OwnLabel { path: labels }));
    }
    files.note("image", without);
    files.note("label", label_without);
    Ok(Some(Entry {
        image,
        labels: Some(labels),
        is_shortened,
    }))
}

/// The image of a line, found in one of the ways to split it.
fn named<'a>(line: &'a str, files: &mut Resolver<'_>) -> Result<Named<'a>, ListProblem> {
    if let Some(problem) = unreadable(line) {
        return Err(problem);
    }
    let (separator, mut names) = split(line);
    // With spaces alone, and with more names than there should be, a name may hold what separates.
    let is_doubtful = names.len() > 1 + usize::from(separator.is_some());
    if is_doubtful && let Some(named) = split_elsewhere(line, files) {
        return Ok(named);
    }
    if separator.is_some() && names.len() == 3 && is_number(&names[0]) {
        names.remove(0);
    }
    if let [image] | [image, _] = &names[..] {
        // What is dropped from a comment may be what makes it one.
        let dropped = line.starts_with('#').then_some(0);
        if let Some((path, dropped)) = files.find(image, dropped) {
            let mut names = names.into_iter();
            return Ok(Named {
                image: path,
                name: names.next().unwrap_or_default(),
                dropped,
                label: names.next(),
            });
        }
        if !is_doubtful && let Some(named) = split_elsewhere(line, files) {
            return Ok(named);
        }
    }
    Err(match &names[..] {
        [] => ListProblem::NoNames,
        [image] | [image, _] => no_image(image, files),
        [_, _, extra, ..] if separator.is_some() => ListProblem::Extra {
            found: shortened(extra),
        },
        _ => ListProblem::Spaces {
            line: shortened(line),
        },
    })
}

fn no_image(image: &str, files: &mut Resolver<'_>) -> ListProblem {
    match image.contains(['/', '\\', '.']) {
        false => ListProblem::NameAlone {
            name: shortened(image),
        },
        true => ListProblem::NoImage {
            path: files.root.join(shortened(image)),
            there: files.in_capitals(image),
        },
    }
}

/// The image and the label of a line whose names hold spaces or separators: the file that the whole line names, or those of
/// the only way to split it that gives files which exist below the root as written.
fn split_elsewhere<'a>(line: &'a str, files: &mut Resolver<'_>) -> Option<Named<'a>> {
    if let Some(image) = files.find_below_root(line) {
        return Some(Named {
            image,
            name: line.into(),
            dropped: 0,
            label: None,
        });
    }
    let mut found = halves(line).into_iter().filter_map(|(name, label)| {
        let image = files.find_below_root(name)?;
        files.find_below_root(label)?;
        Some(Named {
            image,
            name: name.into(),
            dropped: 0,
            label: Some(label.into()),
        })
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
    /// Folders without links, by what lines call them.
    real: HashMap<PathBuf, Option<PathBuf>>,
    /// The folders that images and labels of lines were found without.
    without: HashMap<&'static str, String>,
}

/// The folders of a path as a list writes it, and the name.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split(['/', '\\']).filter(|part| !part.is_empty())
}

/// How many leading folders were dropped from what the list says.
type Dropped = usize;

/// The folders that were dropped, in one way of writing them.
fn folders_of(path: &str, dropped: Dropped) -> Option<String> {
    let folders = parts(path).take(dropped).filter(|part| *part != ".");
    let folders: Vec<&str> = folders.collect();
    (!folders.is_empty()).then(|| folders.join("/"))
}

impl<'a> Resolver<'a> {
    fn new(root: &'a Path) -> Self {
        Self {
            root,
            folders: HashMap::new(),
            names: HashMap::new(),
            real: HashMap::new(),
            without: HashMap::new(),
        }
    }

    /// Refuses a file that is found without other folders than the files of lines before: collections of two places have
    /// files of one name.
    fn agree(&self, kind: &'static str, name: &str, without: &Option<String>) -> Result<(), Wrong> {
        match (self.without.get(kind), without) {
            (Some(before), Some(folders)) if before != folders => {
                Err(Wrong::Line(ListProblem::OtherFolders {
                    kind,
                    path: self.root.join(shortened(name)),
                    folders: shortened(folders),
                    before: shortened(before),
                }))
            }
            _ => Ok(()),
        }
    }

    /// Notes without which folders a file was found, for lines behind.
    fn note(&mut self, kind: &'static str, without: Option<String>) {
        self.without.extend(without.map(|without| (kind, without)));
    }

    /// Whether two paths are one file, be it by links of folders.
    fn are_one(&mut self, first: &Path, second: &Path) -> bool {
        first == second
            || first.file_name() == second.file_name()
                && self
                    .real_folder(first)
                    .is_some_and(|folder| self.real_folder(second) == Some(folder))
    }

    /// The folder of a file without links; each is looked up once.
    fn real_folder(&mut self, path: &Path) -> Option<PathBuf> {
        let folder = path.parent()?;
        if let Some(real) = self.real.get(folder) {
            return real.clone();
        }
        if self.real.len() == MAX_FOLDERS {
            return None;
        }
        let real = folder.canonicalize().ok();
        self.real.insert(folder.to_path_buf(), real.clone());
        real
    }

    /// The file, with so many folders dropped if that is known.
    fn find(&mut self, entry: &str, dropped: Option<Dropped>) -> Option<(PathBuf, Dropped)> {
        // Backslashes, as in lists from Windows, unless a file has that very name.
        let as_written = self.find_written(entry, dropped);
        let found = match as_written {
            None if entry.contains('\\') => self.find_written(&entry.replace('\\', "/"), dropped),
            found => found,
        };
        let is_same = |written: &str, there: &str| composed(written) == composed(there);
        found.or_else(|| self.find_by(entry, dropped, is_same))
    }

    /// A file whose name differs in capitals only. On Windows and macOS the two are one name.
    fn in_capitals(&mut self, entry: &str) -> Option<PathBuf> {
        Some(self.find_by(entry, None, |_, _| true)?.0)
    }

    /// The only file whose folders and name are those of the entry but for capitals and forms of Unicode, and as `is_same`
    /// says. Leading folders are dropped as in [`find_written`](Self::find_written).
    fn find_by(
        &mut self,
        entry: &str,
        dropped: Option<Dropped>,
        is_same: impl Fn(&str, &str) -> bool + Copy,
    ) -> Option<(PathBuf, Dropped)> {
        let parts: Vec<String> = parts(entry).map(str::to_string).collect();
        let (name, folders) = parts.split_last()?;
        if folders.len() > MAX_DEPTH {
            return None;
        }
        for first in 0..=folders.len() {
            let mut folder = Some(self.root.to_path_buf());
            for part in &folders[first..] {
                folder = folder.and_then(|folder| self.entry_by(&folder, part, is_same));
            }
            let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
                continue;
            };
            if dropped.is_some_and(|dropped| dropped != first) {
                continue;
            }
            let path = self.entry_by(&folder, name, is_same)?;
            return path.is_file().then_some((path, first));
        }
        None
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
        // With `..` a list can name one folder in any number of ways.
        let real = folder.canonicalize().ok()?;
        if self.names.len() == MAX_FOLDERS && !self.names.contains_key(&real) {
            return None;
        }
        let names = self.names.entry(real).or_insert_with(|| {
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
        let written = self.root.join(entry);
        if self.is_file(&written) {
            return Some(written);
        }
        let slashes = entry.contains('\\').then(|| entry.replace('\\', "/"));
        let path = self.root.join(slashes?);
        self.is_file(&path).then_some(path)
    }

    /// The file in the first of the folders that exists, with none, one, two, … leading folders dropped. What is not in that
    /// one is missing: the file of this name in another folder is another file.
    fn find_written(
        &mut self,
        entry: &str,
        dropped: Option<Dropped>,
    ) -> Option<(PathBuf, Dropped)> {
        let whole = self.root.join(entry);
        if dropped.unwrap_or(0) == 0 && self.is_file(&whole) {
            return Some((whole, 0));
        }
        let mut rest = entry.trim_start_matches('/');
        for first in 0..=MAX_DEPTH {
            let path = self.root.join(rest);
            if dropped.is_none_or(|dropped| dropped == first) && self.has_folder(&path) {
                return path.is_file().then_some((path, first));
            }
            rest = rest.split_once('/')?.1.trim_start_matches('/');
        }
        None
    }

    fn is_file(&mut self, path: &Path) -> bool {
        self.has_folder(path) && path.is_file()
    }

    /// Whether the folder of a file exists.
    fn has_folder(&mut self, path: &Path) -> bool {
        let Some(folder) = path.parent() else {
            return false;
        };
        match self.folders.get(folder) {
            Some(&is_there) => is_there,
            None => {
                let is_there = folder.is_dir();
                if self.folders.len() < MAX_FOLDERS {
                    self.folders.insert(folder.to_path_buf(), is_there);
                }
                is_there
            }
        }
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

    /// Images and labels in one folder.
    fn in_one<'a>(folder: &'a Path, image_suffixes: &'a [&'a str]) -> Folders<'a> {
        Folders {
            images: folder,
            image_suffixes,
            labels: folder,
            label_suffix: "_l.png",
        }
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

    /// Files in two folders of the same names below, and lists of both.
    #[test]
    fn the_file_of_another_folder_is_another_file() {
        let listing = |files: &[&str], list: &str| {
            let root = tempfile::tempdir().expect("a temporary folder");
            let root = root.path();
            for file in files {
                let path = root.join(file);
                std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
                std::fs::write(path, "").expect("writable");
            }
            let path = root.join("val.txt");
            std::fs::write(&path, list).expect("writable");
            read_list(&path, root)
        };
        let told = |files: &[&str], list: &str, expected: &[&str]| {
            let found = listing(files, list).problems;
            assert_eq!(found.len(), expected.len(), "{list}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.to_string().contains(expected), "{found}");
            }
        };
        let (i1, m1) = ("images/1.png", "masks/1.png");
        let (b, bi1, bm1) = (
            "b/images/1.png b/masks/1.png",
            "b/images/1.png",
            "b/masks/1.png",
        );
        let bm2 = "b/masks/2.png";
        told(&[i1, m1, bi1, bm1], b, &[]);
        // The mask is missing, with its folder or without.
        told(&[i1, m1, bi1, bm2], b, &["b/masks/1.png`"]);
        told(&[i1, m1, bi1], b, &["b/masks/1.png`"]);
        // The image is.
        told(
            &[i1, m1, "b/images/2.png", bm1],
            b,
            &["line 1: no such image"],
        );
        // Folders of somebody else's are dropped, for all or none of a line.
        told(&[i1, m1], b, &[]);
        told(&[i1, m1], "/x/b/images/1.png /x/b/masks/1.png", &[]);
        told(
            &[i1, m1, bi1],
            "/x/b/images/1.png /x/b/masks/1.png",
            &["image without label"],
        );
        // What was dropped told two pictures apart.
        let both = format!("{i1} {m1}\n{b}\n{i1} {m1}");
        told(&[i1, m1], &both, &["line 2: `"]);
        assert_eq!(listing(&[i1, m1], &both).pairs.len(), 2);
    }

    #[test]
    fn what_is_no_text_of_names_is_not_printed() {
        let row = "7 ".repeat(20_000);
        let (root, listing) = with_files(row.as_bytes());
        let told = |listing: &Listing| {
            let told: Vec<String> = listing.problems.iter().map(ToString::to_string).collect();
            let told = told.join("\n");
            assert!(told.len() < 700, "{told}");
            told
        };
        assert!(told(&listing).contains("39999 bytes"));
        let folder = root.path().join("train");
        let folders = in_one(&folder, &[".png"]);
        let names = |text: &str| {
            let path = root.path().join("names.txt");
            std::fs::write(&path, text).expect("writable");
            told(&read_names(&path, &folders, true))
        };
        assert!(names(&row).contains("39999 bytes"));
        assert!(names(&"7 ".repeat(2_000)).contains("7 …"));
        assert!(names("a\u{1b}[31m").contains("control characters"));
        let flags = names_in("p00 1 2 3 4", &[]);
        assert!(!flags.contains(&"p00".to_string()), "{flags:?}");
    }

    #[test]
    fn a_folder_is_looked_into_once() {
        let (root, _) = with_files(b"");
        let mut resolver = Resolver::new(root.path());
        for times in 0..(MAX_DEPTH / 2) {
            let entry = format!("{}train/A.png", "train/../".repeat(times));
            assert!(resolver.find(&entry, None).is_none());
            assert!(resolver.in_capitals(&entry).is_some(), "{entry}");
        }
        assert_eq!(resolver.names.len(), 2, "the root and one below");
    }

    /// Each of these paths took seconds: its folders were looked for with one, two, … of them dropped.
    #[test]
    fn deep_paths_are_not_searched() {
        let deep = "train/../".repeat(880);
        let line = format!("{deep}nosuch/x.png train/a_l.png\n");
        let begin = std::time::Instant::now();
        let (_root, listing) = with_files(line.repeat(7).as_bytes());
        assert!(begin.elapsed().as_secs() < 2, "{:?}", begin.elapsed());
        assert_eq!(listing.problems.len(), 7);
        let told = listing.problems[0].to_string();
        assert!(told.contains("no such image") && told.len() < 400, "{told}");
        // As it is written it is found.
        let (_root, listing) =
            with_files(format!("{}train/a.png", "train/../".repeat(90)).as_bytes());
        assert!(listing.problems.is_empty(), "{listing:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_is_no_list() {
        let told = read_list(Path::new("/dev/zero"), Path::new("")).problems[0].to_string();
        assert!(told.contains("a pipe, a socket or a device"), "{told}");
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
        let folders = in_one(&folder, &[".png"]);
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
    fn names_are_those_that_image_and_label_share() {
        let (root, _) = with_files(b"");
        let folder = root.path().join("train");
        for name in ["p00_rgb.png", "p00_l.png"] {
            std::fs::write(folder.join(name), "").expect("writable");
        }
        let folders = in_one(&folder, &["_rgb.png"]);
        let path = root.path().join("names.txt");
        std::fs::write(&path, "p00\np00_rgb\n\"p00\"\n").expect("writable");
        let listing = read_names(&path, &folders, true);
        assert!(listing.problems.is_empty(), "{listing:?}");
        assert_eq!(listing.pairs.len(), 3);
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
