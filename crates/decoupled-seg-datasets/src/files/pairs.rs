use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use icu_normalizer::ComposingNormalizer;

use super::{Listing, PICTURE_ENDINGS, PIPE};
use crate::DatasetError;

/// An image file with its label file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The image's file name without folder and extension.
    pub name: String,
    /// The image.
    pub image: PathBuf,
    /// The labels, if there are any.
    pub labels: Option<PathBuf>,
    /// The instance file ([`InstanceMap`](crate::InstanceMap)), if there is one.
    pub instances: Option<PathBuf>,
}

impl Pair {
    /// A pair named after its image.
    ///
    /// # Errors
    ///
    /// Returns [`DatasetError::NonUtf8Name`] if that name is not valid Unicode.
    pub fn new(image: PathBuf, labels: Option<PathBuf>) -> Result<Self, DatasetError> {
        let Some(name) = image
            .file_stem()
            .and_then(|stem| stem.to_str())
            .map(str::to_string)
        else {
            return Err(DatasetError::NonUtf8Name { path: image });
        };
        Ok(Self {
            name,
            image,
            labels,
            instances: None,
        })
    }
}

/// Image files of any supported kind.
pub const IMAGE_SUFFIXES: &[&str] = &[
    ".png",
    ".jpg",
    ".jpeg",
    ".jfif",
    ".jpe",
    #[cfg(feature = "tiff")]
    ".tif",
    #[cfg(feature = "tiff")]
    ".tiff",
    #[cfg(feature = "webp")]
    ".webp",
    #[cfg(feature = "bmp")]
    ".bmp",
];

/// The folders of images and labels, and the endings of their names.
#[derive(Debug, Clone, Copy)]
pub struct Folders<'a> {
    /// Folder of the images.
    pub images: &'a Path,
    /// Endings of image names. The part before the ending pairs image and label.
    pub image_suffixes: &'a [&'a str],
    /// Folder of the labels.
    pub labels: &'a Path,
    /// Ending of label names.
    pub label_suffix: &'a str,
}

/// The part of a file's name before the first of the endings that it has.
fn key(name: &str, suffixes: &[&str]) -> Option<String> {
    let name = name.trim_end_matches([' ', '.']);
    let mut suffixes = suffixes.iter();
    suffixes
        .find_map(|suffix| strip_suffix(name, suffix))
        .map(composed)
}

impl Folders<'_> {
    /// The part of an image's name that its label shares.
    pub(super) fn key_of_image(&self, name: &str) -> Option<String> {
        key(name, self.image_suffixes)
    }

    /// Pairs the files of both folders, sorted by name. Other files and hidden ones are left out.
    ///
    /// Spaces and dots at the end of a name do not count: Windows drops them. Names are compared in one form of Unicode: an `é` is one character in most names, and two where macOS wrote them.
    ///
    /// Problems are a folder that is missing or unreadable, no image at all, an image without label, a label without
    /// image, two files that claim the same name, and a name that is not UTF-8. Problems are also images with labels that
    /// are of another format, or in folders below, if others are taken.
    ///
    /// Images and labels may lie in one folder. There, what ends as labels do is a label. But it is an image if its own label
    /// is there, and the image that it would be the label of is not: `no_mask.png` beside `no_mask_mask.png`.
    pub fn pairs(&self) -> Listing {
        let folders = self.settled();
        folders.with_left_out(folders.paired(), true)
    }

    /// The same folders, with one path if the two are one folder: no image of it is its own label.
    fn settled(&self) -> Self {
        let real = |folder: &Path| folder.canonicalize().ok();
        match real(self.images).is_some_and(|images| real(self.labels) == Some(images)) {
            true => Self {
                labels: self.images,
                ..*self
            },
            false => *self,
        }
    }

    fn with_left_out(&self, mut listing: Listing, labelled: bool) -> Listing {
        // A split of which nothing is taken has problems of its own.
        if !listing.pairs.is_empty() {
            listing.problems.extend(self.left_out(labelled));
        }
        listing
    }

    /// As [`pairs`](Self::pairs), for a list of names: it does not matter what else is there.
    pub(super) fn named_pairs(&self) -> Listing {
        self.settled().paired()
    }

    fn paired(&self) -> Listing {
        let mut listing = Listing::default();
        let looked_for = format!("label files `*{}`", self.label_suffix);
        let is_shared = self.images == self.labels;
        let names = match is_shared {
            true => names_in(self.images),
            false => Vec::new(),
        };
        let known = self.labels_among(&names);
        let images = self.images(&known, &mut listing.problems);
        let is_label = |name: &str| !is_shared || known.contains(name);
        let labels = Files::list(self.labels, &[self.label_suffix], &looked_for, is_label);
        let labels = labels.map_err(|error| listing.problems.push(error));
        let (Some(mut images), Ok(mut labels)) = (images, labels) else {
            return listing;
        };
        listing.problems.append(&mut images.problems);
        listing.problems.append(&mut labels.problems);
        if let Some(problem) = self.of_all(&images, &labels) {
            listing.problems.push(problem);
            return listing;
        }
        let mut alone = Vec::new();
        for (key, image) in images.by_key {
            match labels.by_key.remove(&key) {
                Some(label) => listing.add_pair(image, Some(label)),
                None if labels.spoilt.contains(&key) => {}
                None => alone.push((key, image)),
            }
        }
        // On Windows and macOS, `A.png` and `a.png` are one name.
        let small = |(key, path): (&String, &PathBuf)| (key.to_lowercase(), path.clone());
        let small_labels: HashMap<String, PathBuf> = labels.by_key.iter().map(small).collect();
        let small_images: HashMap<String, PathBuf> =
            alone.iter().map(|(key, path)| small((key, path))).collect();
        for (key, image) in alone {
            let in_capitals = || small_labels.get(&key.to_lowercase()).cloned();
            listing.problems.push(DatasetError::ImageWithoutLabel {
                image,
                looked_for: self.labels.join(format!("{key}{}", self.label_suffix)),
                there: self.other_label(&key).or_else(in_capitals),
            });
        }
        for (key, label) in labels.by_key {
            if !images.spoilt.contains(&key) {
                let in_capitals = || small_images.get(&key.to_lowercase()).cloned();
                listing.problems.push(DatasetError::LabelWithoutImage {
                    label,
                    looked_for: self.images.join(format!("{key}{}", self.image_suffixes[0])),
                    there: self
                        .other_ending(self.images, &key, "")
                        .or_else(in_capitals),
                });
            }
        }
        listing
    }

    /// The names that are labels, of those in one folder with images and labels.
    pub(super) fn labels_among<'a>(&self, names: &'a [String]) -> BTreeSet<&'a str> {
        let label_key = |name: &str| key(name, &[self.label_suffix]);
        let mut images: HashMap<String, usize> = HashMap::new();
        let mut labels: HashMap<String, usize> = HashMap::new();
        for name in names {
            if let Some(key) = self.key_of_image(name) {
                *images.entry(key).or_default() += 1;
            }
            if let Some(key) = label_key(name) {
                *labels.entry(key).or_default() += 1;
            }
        }
        let is_label = |name: &&str| {
            let Some(label) = label_key(name) else {
                return false;
            };
            let Some(image) = self.key_of_image(name) else {
                return true;
            };
            // No file is its own image.
            let itself = usize::from(label == image);
            let has = |of: &HashMap<String, usize>, key: &String| {
                of.get(key).is_some_and(|&count| count > itself)
            };
            has(&images, &label) || !has(&labels, &image)
        };
        names.iter().map(String::as_str).filter(is_label).collect()
    }

    /// What is wrong with the folders as a whole, told once instead of for each file.
    fn of_all(&self, images: &Files, labels: &Files) -> Option<DatasetError> {
        let folder = self.labels.to_path_buf();
        if images.by_key.is_empty() && self.images == self.labels && !labels.by_key.is_empty() {
            return Some(DatasetError::OnlyLabels {
                folder,
                labels: labels.by_key.len(),
                suffix: self.label_suffix.to_string(),
            });
        }
        if images.by_key.len() <= 2 || !labels.spoilt.is_empty() {
            return None;
        }
        if labels.by_key.is_empty() {
            let any = || {
                list_folder(self.labels, "")
                    .ok()?
                    .into_iter()
                    .find(|it| it.is_file())
            };
            let beside = (self.images != self.labels).then(any).flatten();
            let named = images.by_key.keys().find_map(|key| self.other_label(key));
            return Some(DatasetError::NoLabelFiles {
                folder,
                images: images.by_key.len(),
                suffix: self.label_suffix.to_string(),
                there: named.or(beside),
            });
        }
        // On Windows and macOS, `A.png` and `a.png` are one name; such files are told one by one.
        let small: BTreeSet<String> = images.by_key.keys().map(|key| key.to_lowercase()).collect();
        let is_known = |key: &String| small.contains(&key.to_lowercase());
        if !images.spoilt.is_empty()
            || labels.by_key.len() <= 2
            || labels.by_key.keys().any(is_known)
        {
            return None;
        }
        let (key, label) = (images.by_key.keys().next()?, labels.by_key.values().next()?);
        Some(DatasetError::OtherNames {
            folder,
            labels: labels.by_key.len(),
            images: images.by_key.len(),
            label: label.file_name()?.to_string_lossy().into_owned(),
            looked_for: format!("{key}{}", self.label_suffix),
        })
    }

    /// A file with the name of a label but another ending.
    fn other_label(&self, key: &str) -> Option<PathBuf> {
        let stem = self.label_suffix.rsplit_once('.');
        self.other_ending(self.labels, key, stem.map_or("", |(stem, _)| stem))
    }

    /// A file of `folder` with the name of a label or an image but another ending.
    fn other_ending(&self, folder: &Path, key: &str, stem: &str) -> Option<PathBuf> {
        const ENDINGS: [&str; 11] = [
            "png", "jpg", "jpeg", "bmp", "tif", "tiff", "gif", "webp", "npy", "json", "xml",
        ];
        if self.images == self.labels {
            return None;
        }
        let with = |stem: &str| ENDINGS.map(|ending| folder.join(format!("{key}{stem}.{ending}")));
        let mut stems = [stem, ""]
            .into_iter()
            .take(1 + usize::from(!stem.is_empty()));
        stems.find_map(|stem| with(stem).into_iter().find(|path| path.is_file()))
    }

    /// The images alone, for splits without labels; problems as with [`pairs`](Self::pairs). Images of other formats are
    /// a problem if the endings are [`IMAGE_SUFFIXES`], which nobody has chosen.
    pub fn unlabelled(&self) -> Listing {
        self.with_left_out(self.named_images(), false)
    }

    /// As [`unlabelled`](Self::unlabelled), for a list of names.
    pub(super) fn named_images(&self) -> Listing {
        let mut listing = Listing::default();
        if let Some(images) = self.images(&BTreeSet::new(), &mut listing.problems) {
            listing.problems.extend(images.problems);
            for image in images.by_key.into_values() {
                listing.add_pair(image, None);
            }
        }
        listing
    }

    /// The name of a picture in a folder whose pictures all end otherwise than expected.
    fn other_picture(&self) -> Option<String> {
        let is_picture = |path: &&PathBuf| {
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            PICTURE_ENDINGS.contains(&ending.to_lowercase().as_str()) && path.is_file()
        };
        let entries = list_folder(self.images, "").ok()?;
        let other = entries.iter().find(is_picture)?.file_name()?;
        Some(other.to_string_lossy().into_owned())
    }

    /// The images, without the labels in their folder.
    fn images(&self, labels: &BTreeSet<&str>, problems: &mut Vec<DatasetError>) -> Option<Files> {
        let looked_for = format!("image files `*{}`", self.image_suffixes.join("`, `*"));
        let is_image = |name: &str| !labels.contains(name);
        let end_as_images = || labels.iter().any(|name| self.key_of_image(name).is_some());
        match Files::list(self.images, self.image_suffixes, &looked_for, is_image) {
            Ok(files)
                if files.by_key.is_empty() && files.problems.is_empty() && !end_as_images() =>
            {
                let below = list_subfolders(self.images, &looked_for);
                let below = below.ok().and_then(|folders| folders.into_iter().next());
                problems.push(DatasetError::Empty {
                    path: self.images.to_path_buf(),
                    looked_for: match (below, self.other_picture()) {
                        (Some(folder), _) => format!(
                            "{looked_for}, not in folders below such as `{}`: name that one, or write a list",
                            folder.display()
                        ),
                        (None, Some(other)) => format!(
                            "{looked_for}; there is `{other}`: convert the images, or say how their names end \
                             (`image_suffix` in a `dataset.toml`)"
                        ),
                        (None, None) => looked_for,
                    },
                });
                None
            }
            Ok(files) => Some(files),
            Err(error) => {
                problems.push(error);
                None
            }
        }
    }
}

/// The files of a folder (not of its sub-folders) whose names end in one of several suffixes.
#[derive(Default)]
struct Files {
    /// The files by the part of the name before the suffix.
    by_key: BTreeMap<String, PathBuf>,
    /// Unusable files that exist. Their counterparts are not reported as alone.
    spoilt: BTreeSet<String>,
    problems: Vec<DatasetError>,
}

impl Files {
    /// The files whose names `is_asked_for` takes.
    fn list(
        folder: &Path,
        suffixes: &[&str],
        looked_for: &str,
        is_asked_for: impl Fn(&str) -> bool,
    ) -> Result<Self, DatasetError> {
        let mut files = Self::default();
        for path in list_folder(folder, looked_for)? {
            let name = path.file_name().unwrap_or_default();
            let Some(name) = name.to_str() else {
                let name = name.to_string_lossy();
                if suffixes
                    .iter()
                    .any(|suffix| strip_suffix(&name, suffix).is_some())
                {
                    files.problems.push(DatasetError::NonUtf8Name { path });
                }
                continue;
            };
            if let Some(key) = key(name, suffixes).filter(|_| is_asked_for(name)) {
                files.add(key, path);
            }
        }
        Ok(files)
    }

    fn add(&mut self, key: String, path: PathBuf) {
        // This follows links, so a loop is an error here instead of in the middle of an epoch.
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(metadata) if !metadata.is_file() => {
                self.problems.push(DatasetError::NotAFile {
                    path,
                    found: PIPE,
                    expected: "picture",
                });
                self.spoilt.insert(key);
            }
            Ok(_) if self.spoilt.contains(&key) => {}
            Ok(_) => match self.by_key.remove(&key) {
                Some(first) => {
                    let second = path;
                    let problem = DatasetError::AmbiguousImage { first, second };
                    self.problems.push(problem);
                    self.spoilt.insert(key);
                }
                None => drop(self.by_key.insert(key, path)),
            },
            Err(source) => {
                self.problems.push(DatasetError::io(path, source));
                self.spoilt.insert(key);
            }
        }
    }
}

/// A name in one form of Unicode: an `é` is one character in most names, and two where macOS wrote them.
pub(super) fn composed(name: &str) -> String {
    ComposingNormalizer::new_nfc().normalize(name).into_owned()
}

/// The first of several endings that some name in a folder has, or the first of all.
pub(crate) fn ending_there<'a>(folder: &Path, endings: &[&'a str]) -> &'a str {
    let is_there = |ending: &&&str| file_ending_in(folder, ending).is_some();
    endings.iter().find(is_there).unwrap_or(&endings[0])
}

/// The name of some file in a folder that ends so.
pub(crate) fn file_ending_in(folder: &Path, ending: &str) -> Option<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut visible = names.filter(|name| !name.starts_with('.'));
    visible.find(|name| strip_suffix(name, ending).is_some())
}

pub(super) fn strip_suffix<'a>(name: &'a str, suffix: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(suffix.len())?;
    (name.is_char_boundary(at) && name[at..].eq_ignore_ascii_case(suffix)).then(|| &name[..at])
}

/// The error of a folder that is not there, or is a file.
pub(crate) fn missing_folder(folder: &Path, looked_for: impl Into<String>) -> DatasetError {
    if let Some(file) = file_in_the_way(folder) {
        return DatasetError::NotAFolder {
            link: text_of_link(&file),
            path: file,
        };
    }
    let mut looked_for = looked_for.into();
    if let Some((link, target)) = dead_link_in_the_way(folder) {
        let (link, target) = (link.display(), target.display());
        looked_for.push_str(&format!(
            "; `{link}` is a link to `{target}`, which is not there"
        ));
    }
    DatasetError::MissingFolder {
        path: folder.to_path_buf(),
        looked_for,
    }
}

/// The link to nothing that stands where `folder`, or a folder on the way to it, should be, and where it points.
fn dead_link_in_the_way(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let there = folder.ancestors().find(|path| path.is_symlink())?;
    let is_dead = std::fs::metadata(there).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let target = is_dead.then(|| std::fs::read_link(there).ok()).flatten()?;
    Some((there.to_path_buf(), target))
}

/// The file that stands where `folder`, or a folder on the way to it, should be.
fn file_in_the_way(folder: &Path) -> Option<PathBuf> {
    let there = folder.ancestors().find(|path| path.exists())?;
    there.is_file().then(|| there.to_path_buf())
}

/// Where a symbolic link points that was unpacked or checked out as a text file, as Git does on Windows.
fn text_of_link(file: &Path) -> Option<PathBuf> {
    const LONGEST: u64 = 4096;
    if file.metadata().ok()?.len() > LONGEST {
        return None;
    }
    let text = std::fs::read_to_string(file).ok()?;
    let target = PathBuf::from(&text);
    let points_somewhere = !text.is_empty() && file.parent()?.join(&target).exists();
    points_somewhere.then_some(target)
}

/// The entries of a folder in sorted order, hidden ones left out.
///
/// # Errors
///
/// Returns [`DatasetError::MissingFolder`] or [`DatasetError::Io`].
pub(crate) fn list_folder(folder: &Path, looked_for: &str) -> Result<Vec<PathBuf>, DatasetError> {
    let entries = std::fs::read_dir(folder).map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => missing_folder(folder, looked_for),
        _ => DatasetError::io(folder, source),
    })?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| DatasetError::io(folder, source))?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// The names of what is in a folder.
fn names_in(folder: &Path) -> Vec<String> {
    let paths = list_folder(folder, "").unwrap_or_default();
    let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
    names.map(str::to_string).collect()
}

/// The sub-folders of a folder in sorted order (cities, sequences).
///
/// # Errors
///
/// As [`list_folder`].
pub(crate) fn list_subfolders(
    folder: &Path,
    looked_for: &str,
) -> Result<Vec<PathBuf>, DatasetError> {
    Ok(list_folder(folder, looked_for)?
        .into_iter()
        .filter(|path| path.is_dir())
        .collect())
}
