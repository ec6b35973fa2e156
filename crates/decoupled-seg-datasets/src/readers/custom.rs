use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use decoupled_seg_types::FileKind;
use serde::{Deserialize, Serialize};

use super::root_below;
use crate::files::{
    Folders, IMAGE_SUFFIXES, IdMap, Listing, MaskEncoding, MaskReader, read_file, read_list,
    read_names,
};
use crate::{
    Class, ClassTable, DatasetError, DescriptionProblem, FileDataset, IGNORE_LABEL, MAX_BANDS,
    MAX_CLASSES, Opened,
};

/// Where the files of one split are: two folders, or a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CustomSplit {
    /// A list with an image and its label on each line, see [`read_list`]. If [`images`](Self::images) is given too, a
    /// list of names, see [`read_names`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<PathBuf>,
    /// Folder of the images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<PathBuf>,
    /// Ending of image names; `.png`, `.jpg` or `.jpeg` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_suffix: Option<String>,
    /// Folder of the labels; `None` for images without labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// Ending of label names, behind the part that they share with the image's name; `.png` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_suffix: Option<String>,
}

/// Any data set of folders or lists, described in a TOML file:
///
/// ```toml
/// encoding = "grey"          # or palette_index, grey_or_palette_index, grey16, color
/// ignored = [255]            # label values (for `color`: ignored_colors) that are no class
/// bands = 4                  # if the images are no RGB of 8 bits: 1 for grey, 4 with a fourth band, 16 bits too
///
/// [[classes]]
/// name = "background"        # label value 0, as no `id` says otherwise
/// color = [0, 0, 0]
///
/// [[classes]]
/// name = "crack"
/// color = [255, 0, 0]
///
/// [splits.train]
/// images = "images/train"    # relative to the TOML file
/// labels = "masks/train"
///
/// [splits.val]
/// list = "val.txt"
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomDataset {
    /// How masks are stored.
    #[serde(default = "default_encoding")]
    pub encoding: MaskEncoding,
    /// Label values that are ignored; above 255 with [`MaskEncoding::Grey16`].
    #[serde(default = "default_ignored")]
    pub ignored: Vec<u16>,
    /// Colours that are ignored, with [`MaskEncoding::Color`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored_colors: Vec<[u8; 3]>,
    /// How many bands the images have, of 8 or 16 bits; none: they are RGB of 8 bits. See
    /// [`read_bands`](crate::files::read_bands).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bands: Option<usize>,
    /// The classes, by index.
    pub classes: Vec<Class>,
    /// The splits, by name; `valid` and `validation` stand for `val`, `training` for `train`, `testing` for `test`.
    pub splits: BTreeMap<String, CustomSplit>,
}

fn default_encoding() -> MaskEncoding {
    MaskEncoding::Grey
}

fn default_ignored() -> Vec<u16> {
    vec![IGNORE_LABEL.into()]
}

impl CustomDataset {
    /// Reads a description.
    ///
    /// # Errors
    ///
    /// Returns a [`DatasetError`] if the file cannot be read, is not the expected TOML, or has a class table that
    /// contradicts itself.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, DatasetError> {
        let path = path.as_ref();
        const EXPECTED: &str = "description of a data set in TOML";
        let bytes = read_file(path, EXPECTED).map_err(|error| unread(path, error))?;
        if let found @ FileKind::Format(_) = FileKind::of(&bytes) {
            return Err(DatasetError::OtherKind {
                path: path.to_path_buf(),
                found,
                expected: EXPECTED,
            });
        }
        let text = String::from_utf8(bytes).map_err(|source| DatasetError::Text {
            path: path.to_path_buf(),
            source,
        })?;
        let description: Self = match toml::from_str(&text) {
            Ok(description) => description,
            Err(source) => {
                let path = path.to_path_buf();
                return Err(DatasetError::Toml { path, source });
            }
        };
        description.check(path)?;
        Ok(description)
    }

    /// Opens a split of the data set described in a TOML file.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read). Also a [`DatasetError`] if the split does not exist, or if a folder or list is
    /// missing; [`DatasetError::Files`] with all images without label, labels without image, unusable files and wrong
    /// lines of a list.
    pub fn open(path: impl AsRef<Path>, split: &str) -> Result<FileDataset, DatasetError> {
        Self::open_partially(path, split).whole()
    }

    /// As [`open`](Self::open), but also returns the usable items of a split with problems.
    pub fn open_partially(path: impl AsRef<Path>, split: &str) -> Opened<FileDataset> {
        let path = path.as_ref();
        match Self::read(path) {
            Ok(description) => {
                let root = path.parent().unwrap_or(Path::new(""));
                description.open_from(root, path, split)
            }
            Err(error) => Opened::from(Err(error)),
        }
    }

    /// Opens a split of a description that was made in memory. Paths are relative to `root`.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn open_split(&self, root: &Path, split: &str) -> Result<FileDataset, DatasetError> {
        self.check(root)?;
        self.open_from(root, root, split).whole()
    }

    /// Opens a split; messages name `source`.
    fn open_from(&self, root: &Path, source: &Path, split: &str) -> Opened<FileDataset> {
        let mut listing = Listing::default();
        let found = self.splits.get(split).or_else(|| {
            let names = aliases(split).iter();
            names.into_iter().find_map(|name| self.splits.get(*name))
        });
        listing.add(match found {
            Some(files) => files.list(root, source).map(|mut listing| {
                self.allow_other_splits(&mut listing, files, root);
                listing
            }),
            None => Err(DatasetError::UnknownSplit {
                path: source.to_path_buf(),
                split: split.to_string(),
                there: self.splits.keys().cloned().collect(),
            }),
        });
        let classes = ClassTable::new(self.classes.clone());
        let masks = self.masks(&classes);
        let mut opened = FileDataset::of_listing(listing, root, classes, masks);
        opened.dataset = opened
            .dataset
            .map(|dataset| dataset.with_own_classes().with_bands(self.bands));
        opened
    }

    /// Drops the problem that images lie in a folder below if they are those of another split.
    fn allow_other_splits(&self, listing: &mut Listing, split: &CustomSplit, root: &Path) {
        let below = |problem: &DatasetError| matches!(problem, DatasetError::PicturesBelow { .. });
        if !listing.problems.iter().any(below) {
            return;
        }
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let others = self.splits.values().filter(|other| *other != split);
        let known: BTreeSet<PathBuf> = others
            .flat_map(|other| match (&other.images, &other.list) {
                (Some(images), _) => vec![placed(root, images)],
                (None, Some(list)) => {
                    let pairs = read_list(&placed(root, list), root).pairs;
                    let folders = pairs.iter().filter_map(|pair| pair.image.parent());
                    folders.map(Path::to_path_buf).collect()
                }
                (None, None) => Vec::new(),
            })
            .collect::<BTreeSet<_>>()
            .iter()
            .map(|folder| real(folder))
            .collect();
        listing.problems.retain(|problem| match problem {
            DatasetError::PicturesBelow { folder, .. } => !known.contains(&real(folder)),
            _ => true,
        });
    }

    fn masks(&self, classes: &ClassTable) -> MaskReader {
        if self.encoding == MaskEncoding::Color {
            return MaskReader::colors(classes, &self.ignored_colors);
        }
        let ids = (0_u8..).take(classes.num_classes());
        let ids = ids.map(|index| (classes.id(index).into(), index));
        let ignored = self.ignored.iter().map(|&id| (id, IGNORE_LABEL));
        let ids = IdMap::of_words(ids.chain(ignored));
        MaskReader::new(self.encoding, ids, classes.num_classes())
    }

    /// Refuses a description that contradicts itself; messages name `source`.
    fn check(&self, source: &Path) -> Result<(), DatasetError> {
        match self.problem() {
            None => Ok(()),
            Some(problem) => Err(DatasetError::Description {
                path: source.to_path_buf(),
                source: problem,
            }),
        }
    }

    fn problem(&self) -> Option<DescriptionProblem> {
        if let Some(found) = self.bands.filter(|bands| !(1..=MAX_BANDS).contains(bands)) {
            return Some(DescriptionProblem::Bands { found });
        }
        let is_color = self.encoding == MaskEncoding::Color;
        // The default stands there whether or not it was written.
        if is_color && !matches!(self.ignored[..], [] | [255]) {
            return Some(DescriptionProblem::IgnoredValues);
        }
        if !is_color && !self.ignored_colors.is_empty() {
            return Some(DescriptionProblem::IgnoredColors);
        }
        let too_large = self.ignored.iter().find(|&&id| id > u8::MAX.into());
        if let Some(&found) = too_large.filter(|_| self.encoding != MaskEncoding::Grey16) {
            return Some(DescriptionProblem::IgnoredTooLarge { found });
        }
        for split in ["train", "val", "test"] {
            let names = [split].into_iter().chain(aliases(split).iter().copied());
            let mut there = names.filter(|&name| self.splits.contains_key(name));
            if let (Some(first), Some(second)) = (there.next(), there.next()) {
                return Some(DescriptionProblem::OneSplit { first, second });
            }
        }
        let count = self.classes.len();
        if let [only] = &self.classes[..] {
            let class = only.name.clone();
            return Some(DescriptionProblem::OneClass { class });
        }
        if !(1..=MAX_CLASSES).contains(&count) {
            return Some(DescriptionProblem::ClassCount { found: count });
        }
        let table = ClassTable::new(self.classes.clone());
        for (index, class) in (0_u8..).zip(&self.classes) {
            if class.name.trim().is_empty() || class.name.contains(char::is_control) {
                let name = class.name.clone();
                return Some(DescriptionProblem::ClassName { index, name });
            }
            let id = table.id(index);
            let earlier = (0..index).find(|&other| {
                let same_name = self.classes[usize::from(other)].name == class.name;
                same_name || table.id(other) == id
            });
            if let Some(other) = earlier {
                return Some(DescriptionProblem::Shared {
                    first: self.classes[usize::from(other)].name.clone(),
                    second: class.name.clone(),
                    id,
                });
            }
            if self.encoding == MaskEncoding::Color {
                let clash = self.ignored_colors.contains(&class.color)
                    || (0..index).any(|other| table.color(other) == class.color);
                if clash {
                    let class = class.name.clone();
                    return Some(DescriptionProblem::SharedColor { class });
                }
            } else if self.ignored.contains(&id.into()) {
                let class = class.name.clone();
                return Some(DescriptionProblem::Ignored { id, class });
            }
        }
        None
    }
}

/// The error of a description that is not there, or may not be read.
fn unread(path: &Path, error: DatasetError) -> DatasetError {
    if !matches!(
        error,
        DatasetError::Io { .. } | DatasetError::DeadLink { .. }
    ) {
        return error;
    }
    let name = path.file_name().unwrap_or_default();
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let below = || {
        let below = root_below(folder, |folder| folder.join(name).is_file())?;
        Some(below.join(name))
    };
    // The file in place of its folder.
    let itself = || (folder.file_name() == Some(name) && folder.is_file()).then(|| folder.into());
    DatasetError::NoDescription {
        path: path.to_path_buf(),
        there: itself().or_else(below),
        source: Box::new(error),
    }
}

/// The names that other tools have for a split.
fn aliases(split: &str) -> &'static [&'static str] {
    match split {
        "train" => &["training"],
        "val" => &["valid", "validation"],
        "test" => &["testing"],
        _ => &[],
    }
}

/// A path of a description below its folder. Backslashes stand for `/` as in lists, unless there is something of that very
/// name.
fn placed(root: &Path, path: &Path) -> PathBuf {
    let written = root.join(path);
    let text = path.to_string_lossy();
    if !text.contains('\\') || written.exists() {
        return written;
    }
    let with_slashes = root.join(text.replace('\\', "/"));
    match with_slashes.exists() {
        true => with_slashes,
        false => written,
    }
}

impl CustomSplit {
    /// A path that is not there and holds a control character, as `"images\train"` does.
    fn mistyped(&self, root: &Path) -> Option<&PathBuf> {
        let paths = [&self.list, &self.images, &self.labels]
            .into_iter()
            .flatten();
        let mut mistyped = paths.filter(|path| {
            let has_control = path.to_string_lossy().contains(char::is_control);
            has_control && !root.join(path).exists()
        });
        mistyped.next()
    }

    fn list(&self, root: &Path, file: &Path) -> Result<Listing, DatasetError> {
        if let Some(path) = self.mistyped(root) {
            return Err(DatasetError::Description {
                path: file.to_path_buf(),
                source: DescriptionProblem::ControlInPath { path: path.clone() },
            });
        }
        match (&self.list, &self.images) {
            (Some(list), None) if self.labels.is_none() => Ok(read_list(&placed(root, list), root)),
            (list, Some(images)) => {
                let images = placed(root, images);
                let own = self.image_suffix.as_deref().map(|suffix| [suffix]);
                let labels = self.labels.as_ref().map(|labels| placed(root, labels));
                let folders = Folders {
                    images: &images,
                    image_suffixes: own.as_ref().map_or(IMAGE_SUFFIXES, |own| own),
                    labels: labels.as_deref().unwrap_or(&images),
                    label_suffix: self.label_suffix.as_deref().unwrap_or(".png"),
                };
                let labelled = labels.is_some();
                Ok(if let Some(list) = list {
                    read_names(&placed(root, list), &folders, labelled)
                } else if labelled {
                    folders.pairs()
                } else {
                    folders.unlabelled()
                })
            }
            _ => Err(DatasetError::Description {
                path: file.to_path_buf(),
                source: DescriptionProblem::Split,
            }),
        }
    }
}
