use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{first_folder, in_folder_below, list_parts};
use crate::files::{Folders, IdMap, Listing, MaskEncoding, MaskReader, missing_folder};
use crate::{
    Class, ClassTable, DatasetError, DescriptionProblem, FileDataset, MAX_CLASSES, Opened, Split,
};

/// Mapillary Vistas (research edition), for pre-training: 18,000 training, 2000 validation and 5000 test images of
/// many sizes.
///
/// ```text
/// root/config.json (1.2) or config_v1.2.json, config_v2.0.json
/// root/{training,validation,testing}/images/*.jpg
/// root/{training,validation}/labels/*.png (1.2) or {v1.2,v2.0}/labels/*.png
/// ```
///
/// The class table is read from the configuration file. Its last label ("Unlabeled") becomes
/// [`IGNORE_LABEL`](crate::IGNORE_LABEL): 65 classes in version 1.2. Label files are palettes whose indices are the ids.
/// Source: Neuhold et al., ICCV 2017.
#[derive(Debug, Clone, Copy)]
pub struct MapillaryVistas;

#[derive(Deserialize)]
struct Config {
    labels: Vec<Label>,
}

#[derive(Deserialize)]
struct Label {
    color: [u8; 3],
    readable: String,
    #[serde(default)]
    instances: bool,
    #[serde(default)]
    name: String,
}

/// A release of [`MapillaryVistas`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MapillaryVersion {
    /// Version 1.2: 65 classes and one ignored label.
    #[default]
    V12,
    /// Version 2.0: 123 classes and one ignored label.
    V20,
}

impl MapillaryVersion {
    /// The name of the release in its files.
    const fn name(self) -> &'static str {
        match self {
            Self::V12 => "v1.2",
            Self::V20 => "v2.0",
        }
    }
}

impl MapillaryVistas {
    /// Opens a split of a release. The test split has no labels.
    ///
    /// # Errors
    ///
    /// Returns a [`DatasetError`] if the configuration file is missing or not usable, if a folder is missing, or if a
    /// split has no image; [`DatasetError::Files`] with all images without label, labels without image and unusable
    /// files.
    pub fn open(
        root: impl AsRef<Path>,
        split: Split,
        version: MapillaryVersion,
    ) -> Result<FileDataset, DatasetError> {
        Self::open_partially(root, split, version).whole()
    }

    /// As [`open`](Self::open), but also returns the usable items of a split with problems.
    pub fn open_partially(
        root: impl AsRef<Path>,
        split: Split,
        version: MapillaryVersion,
    ) -> Opened<FileDataset> {
        let (root, version) = (root.as_ref(), version.name());
        let classes = match read_config(root, version) {
            Ok(classes) => classes,
            Err(error) => return Opened::from(Err(error)),
        };
        let listing = list_parts(split, |part| list(root, part, version));
        let num_classes = classes.num_classes();
        let unlabelled = u8::try_from(num_classes).expect("a table holds at most 254 classes");
        let ids = IdMap::identity(num_classes, &[unlabelled]);
        let masks = MaskReader::new(MaskEncoding::GreyOrPaletteIndex, ids, num_classes);
        FileDataset::of_listing(listing, root, classes, masks)
    }
}

fn list(root: &Path, split: Split, version: &str) -> Result<Listing, DatasetError> {
    let part = match split {
        Split::Train => "training",
        Split::Val => "validation",
        _ => "testing",
    };
    let folder = first_folder(root, &[part], "a split of Mapillary Vistas")?;
    let images = folder.join("images");
    let folders = Folders {
        images: &images,
        image_suffixes: &[".jpg"],
        labels: &images,
        label_suffix: ".png",
    };
    if split == Split::Test {
        return Ok(folders.unlabelled());
    }
    let nested = format!("{version}/labels");
    let candidates: &[&str] = if version == "v1.2" {
        &[&nested, "labels"]
    } else {
        &[&nested]
    };
    let labels = first_folder(&folder, candidates, "the labels of Mapillary Vistas")?;
    Ok(Folders {
        labels: &labels,
        ..folders
    }
    .pairs())
}

fn read_config(root: &Path, version: &str) -> Result<ClassTable, DatasetError> {
    let names = [format!("config_{version}.json"), "config.json".to_string()];
    let usable = if version == "v1.2" {
        &names[..]
    } else {
        &names[..1]
    };
    let config_in = |folder: &Path| {
        let mut paths = usable.iter().map(|name| folder.join(name));
        paths.find(|path| path.is_file())
    };
    let Some(path) = config_in(root) else {
        let looked_for = format!("the class table `{}`", usable.join("` or `"));
        if !root.is_dir() {
            return Err(missing_folder(root, looked_for));
        }
        let error = DatasetError::MissingFile {
            folder: root.to_path_buf(),
            looked_for,
        };
        return Err(in_folder_below(root, error, |folder| {
            config_in(folder).is_some()
        }));
    };
    let bytes = std::fs::read(&path).map_err(|source| DatasetError::io(&path, source))?;
    let config: Config = match serde_json::from_slice(&bytes) {
        Ok(config) => config,
        Err(source) => return Err(DatasetError::Json { path, source }),
    };
    let count = config.labels.len();
    if !(2..=MAX_CLASSES + 1).contains(&count) {
        return Err(DatasetError::Description {
            path,
            source: DescriptionProblem::LabelCount { found: count },
        });
    }
    let class = |label: &Label| {
        let mut class = Class::new(&label.readable, label.color).with_instances(label.instances);
        // `object--vehicle--car`: the first two parts are the group.
        let parts: Vec<&str> = label.name.split("--").collect();
        if parts.len() > 1 {
            class = class.with_category(parts[..parts.len() - 1].join("--"));
        }
        class
    };
    Ok(ClassTable::new(
        config.labels[..count - 1].iter().map(class).collect(),
    ))
}
