//! Pictures that lie beside those of a split, and are no part of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::Folders;
use super::pairs::{composed, strip_suffix};
use crate::DatasetError;

/// Endings of the names of pictures, in small letters, whether or not they are read.
pub const PICTURE_ENDINGS: [&str; 32] = [
    "arw", "avif", "bmp", "cr2", "cr3", "dib", "dng", "exr", "gif", "heic", "heif", "jfif", "jp2",
    "jpe", "jpeg", "jpg", "jxl", "nef", "orf", "pbm", "pgm", "png", "pnm", "ppm", "raf", "raw",
    "rw2", "tga", "tif", "tiff", "webp", "x3f",
];

/// Endings of files with labels that other tools write, beside those of pictures.
const LABEL_ENDINGS: [&str; 3] = ["json", "npy", "xml"];

/// Folders below the images are looked at to this depth.
const DEEPEST: usize = 8;

/// Folders below the images are looked at up to this many.
const MOST_FOLDERS: usize = 4096;

/// Links to folders are followed up to this many.
const MOST_LINKS: usize = 256;

/// The names in a folder, but for hidden ones, in sorted order.
#[derive(Default)]
struct Names {
    files: Vec<String>,
    folders: Vec<PathBuf>,
    /// Links to folders.
    links: Vec<PathBuf>,
}

impl Names {
    /// What cannot be read is left out: this is about files that nobody asked for.
    fn of(folder: &Path) -> Self {
        let mut names = Self::default();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            // Storage systems keep their thumbnails in `@eaDir`.
            if name.as_encoded_bytes().starts_with(b".")
                || name.as_encoded_bytes().starts_with(b"@")
            {
                continue;
            }
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                names.folders.push(entry.path());
            } else if kind.is_symlink() && entry.path().is_dir() {
                names.links.push(entry.path());
            } else if (kind.is_file() || entry.path().is_file())
                && let Some(name) = name.to_str()
            {
                names.files.push(name.to_string());
            }
        }
        names.files.sort();
        names.folders.sort();
        names.links.sort();
        names
    }

    /// The folders, and those that links lead to, in sorted order.
    fn below(&self, followed: &mut Followed<'_>) -> Vec<PathBuf> {
        let links = self.links.iter().filter(|link| followed.is_new(link));
        let mut below: Vec<PathBuf> = links.chain(&self.folders).cloned().collect();
        below.sort();
        below
    }
}

/// Where links have led, so that none is followed in a circle.
struct Followed<'a> {
    images: &'a Path,
    /// Without links. The first is the folder of the images.
    folders: Vec<PathBuf>,
}

impl Followed<'_> {
    /// Whether a link leads to a folder that is looked at for it alone: not below the images or another link, and not above
    /// the images.
    fn is_new(&mut self, link: &Path) -> bool {
        if self.folders.is_empty() {
            self.folders.extend(self.images.canonicalize());
        }
        let Ok(folder) = link.canonicalize() else {
            return false;
        };
        let is_known = self.folders.iter().any(|known| folder.starts_with(known));
        let images = self.folders.first();
        let is_above = images.is_some_and(|images| images.starts_with(&folder));
        let is_new = !is_known && !is_above && self.folders.len() <= MOST_LINKS;
        if is_new {
            self.folders.push(folder);
        }
        is_new
    }
}

impl Folders<'_> {
    /// The pictures that are no part of the split although they seem to be meant:
    ///
    /// - with labels: those of other formats, and those in folders below, that have labels too;
    /// - without labels: those of other formats if no ending was chosen, and those in folders below.
    ///
    /// Pictures with the name of one that is taken do not count: they are copies, thumbnails or predictions of it.
    pub(super) fn left_out(&self, labelled: bool) -> Vec<DatasetError> {
        let here = Names::of(self.images);
        let is_other = |name: &&String| self.key(name).is_none() && self.other_key(name).is_some();
        let nothing_below = here.folders.is_empty() && here.links.is_empty();
        if nothing_below && !here.files.iter().any(|name| is_other(&name)) {
            return Vec::new();
        }
        let mut taken: BTreeSet<String> = here.files.iter().filter_map(|it| self.key(it)).collect();
        if labelled {
            // A label that is read and has no image is a problem of its own.
            let labels = Names::of(self.labels).files;
            taken.extend(labels.iter().filter_map(|name| self.label_key(name)));
        }
        let mut problems = Vec::new();
        let chosen = self.image_suffixes != super::IMAGE_SUFFIXES;
        let others = here.files.iter().filter(is_other);
        let others = others.filter(|name| {
            let key = self.other_key(name).unwrap_or_default();
            !taken.contains(&key)
                && match labelled {
                    true => self.has_label(self.labels, &key),
                    false => !chosen,
                }
        });
        let others: Vec<&String> = others.collect();
        if let [first, ..] = others[..] {
            problems.push(DatasetError::OtherPictures {
                folder: self.images.to_path_buf(),
                pictures: others.len(),
                example: first.clone(),
                expected: self.image_suffixes.join("`, `"),
            });
        }
        let mut followed = Followed {
            images: self.images,
            folders: Vec::new(),
        };
        let below = here.below(&mut followed).into_iter();
        let mut below: Vec<(usize, PathBuf)> = below.rev().map(|folder| (1, folder)).collect();
        let mut looked_at = 0;
        while let Some((depth, folder)) = below.pop() {
            if labelled
                && !self
                    .labels_below(&folder)
                    .is_some_and(|labels| labels.is_dir())
            {
                continue;
            }
            looked_at += 1;
            let names = Names::of(&folder);
            if depth < DEEPEST && looked_at + below.len() < MOST_FOLDERS {
                let deeper = names.below(&mut followed).into_iter().rev();
                below.extend(deeper.map(|folder| (depth + 1, folder)));
            }
            let left = self.left_in(&folder, &names.files, &taken, labelled);
            if let [first, ..] = &left[..] {
                problems.push(DatasetError::PicturesBelow {
                    pictures: left.len(),
                    example: (*first).clone(),
                    folder,
                });
            }
        }
        problems
    }

    /// The folder of the labels for a folder below the images.
    fn labels_below(&self, folder: &Path) -> Option<PathBuf> {
        let below = folder.strip_prefix(self.images).ok()?;
        Some(self.labels.join(below))
    }

    /// The pictures in a folder below that are left out.
    fn left_in<'a>(
        &self,
        folder: &Path,
        names: &'a [String],
        taken: &BTreeSet<String>,
        labelled: bool,
    ) -> Vec<&'a String> {
        let key = |name: &str| self.key(name).or_else(|| self.other_key(name));
        let with_key = names
            .iter()
            .filter_map(|name| Some((name, key(name)?)))
            .collect::<Vec<_>>();
        if !labelled {
            // Thumbnails and predictions are called as their pictures, or so and more: `p00_thumb.jpg`.
            let is_of_taken = |(_, key): &(&String, String)| {
                let mut ends = key.char_indices().map(|(at, char)| at + char.len_utf8());
                ends.any(|end| taken.contains(&key[..end]))
            };
            if with_key.iter().any(is_of_taken) {
                return Vec::new();
            }
            return with_key.into_iter().map(|(name, _)| name).collect();
        }
        let Some(labels) = self.labels_below(folder) else {
            return Vec::new();
        };
        let known = match self.images == self.labels {
            true => self.labels_among(names),
            false => BTreeSet::new(),
        };
        let left = with_key.into_iter().filter(|(name, key)| {
            let is_label = known.contains(name.as_str());
            !is_label && !taken.contains(key) && self.has_label(&labels, key)
        });
        left.map(|(name, _)| name).collect()
    }

    /// The part of an image's name that its label has too; `None` if the name ends otherwise.
    fn key(&self, name: &str) -> Option<String> {
        let name = name.trim_end_matches([' ', '.']);
        let mut keys = self
            .image_suffixes
            .iter()
            .filter_map(|suffix| strip_suffix(name, suffix));
        keys.next().map(composed)
    }

    fn label_key(&self, name: &str) -> Option<String> {
        let name = name.trim_end_matches([' ', '.']);
        strip_suffix(name, self.label_suffix).map(composed)
    }

    /// As [`key`](Self::key), of a name with the ending of another format.
    fn other_key(&self, name: &str) -> Option<String> {
        let (stem, ending) = name.trim_end_matches([' ', '.']).rsplit_once('.')?;
        if !PICTURE_ENDINGS.contains(&ending.to_lowercase().as_str()) {
            return None;
        }
        let ends = self.image_suffixes.iter();
        ends.map(|suffix| suffix.rsplit_once('.').map_or("", |(end, _)| end))
            .find_map(|end| strip_suffix(stem, end))
            .map(composed)
    }

    /// Whether a folder has a label of this name, of whatever format.
    fn has_label(&self, folder: &Path, key: &str) -> bool {
        let end = self
            .label_suffix
            .rsplit_once('.')
            .map_or("", |(end, _)| end);
        let is_there = |name: String| folder.join(name).is_file();
        // Beside the images, other formats of a label are images.
        if end.is_empty() && self.images == self.labels {
            return is_there(format!("{key}{}", self.label_suffix));
        }
        let mut endings = PICTURE_ENDINGS.iter().chain(&LABEL_ENDINGS);
        is_there(format!("{key}{}", self.label_suffix))
            || endings.any(|ending| is_there(format!("{key}{end}.{ending}")))
    }
}
