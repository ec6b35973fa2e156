use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

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
    /// What tells the objects apart ([`InstanceMap`](crate::InstanceMap)), if there is such a file.
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
pub const IMAGE_SUFFIXES: &[&str] = &[".png", ".jpg", ".jpeg"];

/// Where images and labels of a folder layout lie and how their names end.
#[derive(Debug, Clone, Copy)]
pub struct Folders<'a> {
    /// Folder of the images.
    pub images: &'a Path,
    /// How image names end; what stands before it pairs image and label.
    pub image_suffixes: &'a [&'a str],
    /// Folder of the labels.
    pub labels: &'a Path,
    /// How label names end.
    pub label_suffix: &'a str,
}

impl Folders<'_> {
    /// Pairs the files of both folders, sorted by name. Other files and hidden ones are left out.
    ///
    /// # Errors
    ///
    /// Returns a [`DatasetError`] if a folder is missing or unreadable, there is no image, an image has no label or a
    /// label no image, two images share a label, or a name is not UTF-8.
    pub fn pairs(&self) -> Result<Vec<Pair>, DatasetError> {
        let images = self.images()?;
        let looked_for = format!("label files `*{}`", self.label_suffix);
        let mut labels = files_by_key(self.labels, &[self.label_suffix], &looked_for)?;
        let mut pairs = Vec::with_capacity(images.len());
        let mut without_label = Vec::new();
        for (key, image) in images {
            match labels.remove(&key) {
                Some(label) => pairs.push(Pair::new(image, Some(label))?),
                None => without_label.push((key, image)),
            }
        }
        if let Some((key, _)) = without_label.first() {
            let looked_for = self.labels.join(format!("{key}{}", self.label_suffix));
            let images = without_label.into_iter().map(|(_, image)| image).collect();
            return Err(DatasetError::ImageWithoutLabel { images, looked_for });
        }
        if let Some(key) = labels.keys().next() {
            let looked_for = self.images.join(format!("{key}{}", self.image_suffixes[0]));
            return Err(DatasetError::LabelWithoutImage {
                labels: labels.into_values().collect(),
                looked_for,
            });
        }
        Ok(pairs)
    }

    /// The images alone, for splits without labels.
    ///
    /// # Errors
    ///
    /// As [`pairs`](Self::pairs), of what concerns the images.
    pub fn unlabelled(&self) -> Result<Vec<Pair>, DatasetError> {
        self.images()?
            .into_values()
            .map(|image| Pair::new(image, None))
            .collect()
    }

    fn images(&self) -> Result<BTreeMap<String, PathBuf>, DatasetError> {
        let looked_for = format!("image files `*{}`", self.image_suffixes.join("`, `*"));
        let images = files_by_key(self.images, self.image_suffixes, &looked_for)?;
        if images.is_empty() {
            return Err(DatasetError::Empty {
                path: self.images.to_path_buf(),
                looked_for,
            });
        }
        Ok(images)
    }
}

/// The files of a folder (not of its sub-folders) whose names end in one of `suffixes`, by what stands before it.
fn files_by_key(
    folder: &Path,
    suffixes: &[&str],
    looked_for: &str,
) -> Result<BTreeMap<String, PathBuf>, DatasetError> {
    let mut files = BTreeMap::new();
    for path in list_folder(folder, looked_for)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(DatasetError::NonUtf8Name { path });
        };
        let Some(key) = suffixes
            .iter()
            .find_map(|suffix| strip_suffix(name, suffix))
        else {
            continue;
        };
        // Follows links: a loop is an error here, not a surprise in the middle of an epoch.
        let metadata =
            std::fs::metadata(&path).map_err(|source| DatasetError::io(&path, source))?;
        if !metadata.is_file() {
            continue;
        }
        if let Some(first) = files.insert(key.to_string(), path.clone()) {
            return Err(DatasetError::AmbiguousImage {
                first,
                second: path,
            });
        }
    }
    Ok(files)
}

fn strip_suffix<'a>(name: &'a str, suffix: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(suffix.len())?;
    (name.is_char_boundary(at) && name[at..].eq_ignore_ascii_case(suffix)).then(|| &name[..at])
}

/// The entries of a folder in sorted order, hidden ones left out.
///
/// # Errors
///
/// Returns [`DatasetError::MissingFolder`] or [`DatasetError::Io`].
pub fn list_folder(folder: &Path, looked_for: &str) -> Result<Vec<PathBuf>, DatasetError> {
    let entries = std::fs::read_dir(folder).map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => DatasetError::MissingFolder {
            path: folder.to_path_buf(),
            looked_for: looked_for.to_string(),
        },
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

/// The sub-folders of a folder in sorted order (cities, sequences).
///
/// # Errors
///
/// As [`list_folder`].
pub fn list_subfolders(folder: &Path, looked_for: &str) -> Result<Vec<PathBuf>, DatasetError> {
    Ok(list_folder(folder, looked_for)?
        .into_iter()
        .filter(|path| path.is_dir())
        .collect())
}
