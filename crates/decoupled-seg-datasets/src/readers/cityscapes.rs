use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cityscapes_labels::{id_pairs, train_classes};
use super::{first_folder, first_of_layout, place_of_name};
use crate::files::{
    Folders, IdMap, Listing, MaskEncoding, MaskReader, file_ending_in, list_subfolders,
};
use crate::{ClassTable, DatasetError, FileDataset, IGNORE_LABEL, Opened, Split};
use decoupled_seg_types::{CITYSCAPES_TRAIN_CITIES, CITYSCAPES_VAL_CITIES};

/// The label files that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelFiles {
    /// `*_labelIds.png`, as downloaded: ids 0 to 33.
    #[default]
    LabelIds,
    /// `*_labelTrainIds.png`, made by the official scripts: 0 to 18 and 255.
    LabelTrainIds,
}

impl LabelFiles {
    const fn suffix(self) -> &'static str {
        match self {
            Self::LabelIds => "labelIds.png",
            Self::LabelTrainIds => "labelTrainIds.png",
        }
    }
}

/// The annotation that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Annotation {
    /// 2975 training, 500 validation and 1525 test images, labelled to the pixel.
    #[default]
    Fine,
    /// The same training and validation images with coarse polygons.
    Coarse,
    /// 20,000 further images with coarse polygons (`train_extra`), whatever the split.
    CoarseExtra,
}

/// Configuration of a [`Cityscapes`] data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CityscapesConfig {
    /// The folder that holds `leftImg8bit` and `gtFine`, or the folders named after the archives around them.
    pub root: PathBuf,
    /// The split.
    pub split: Split,
    /// Which label files are read.
    #[serde(default)]
    pub label_files: LabelFiles,
    /// The annotation that is read.
    #[serde(default)]
    pub annotation: Annotation,
    /// The choice of validation cities. 0 is the official split; 1 and 2 validate on other cities and train on the
    /// official validation cities. A city is chosen by its name, whichever others are there; one that is not of Cityscapes
    /// by the hash of its name.
    #[serde(default)]
    pub fold: usize,
}

/// The ending of the names of images.
const IMAGE_SUFFIX: &str = "_leftImg8bit.png";

impl CityscapesConfig {
    /// The fine annotation of an official split.
    pub fn new(root: impl Into<PathBuf>, split: Split) -> Self {
        Self {
            root: root.into(),
            split,
            label_files: LabelFiles::default(),
            annotation: Annotation::default(),
            fold: 0,
        }
    }

    /// Sets [`label_files`](Self::label_files).
    pub fn with_label_files(mut self, label_files: LabelFiles) -> Self {
        self.label_files = label_files;
        self
    }

    /// Sets [`annotation`](Self::annotation).
    pub fn with_annotation(mut self, annotation: Annotation) -> Self {
        self.annotation = annotation;
        self
    }

    /// Sets [`fold`](Self::fold).
    ///
    /// # Panics
    ///
    /// Panics if `fold` is not 0, 1 or 2.
    pub fn with_fold(mut self, fold: usize) -> Self {
        assert!(fold < FOLDS, "folds are 0, 1 and 2, got {fold}");
        self.fold = fold;
        self
    }

    /// Opens the data set.
    ///
    /// # Errors
    ///
    /// As [`Cityscapes::open`].
    pub fn open(&self) -> Result<FileDataset, DatasetError> {
        self.open_partially().whole()
    }

    /// As [`open`](Self::open), but also returns the usable items of a split with problems.
    pub fn open_partially(&self) -> Opened<FileDataset> {
        let classes = Cityscapes::classes();
        let num_classes = classes.num_classes();
        let ids = match self.label_files {
            LabelFiles::LabelIds => IdMap::new(id_pairs()),
            LabelFiles::LabelTrainIds => IdMap::identity(num_classes, &[IGNORE_LABEL]),
        };
        let masks = MaskReader::new(MaskEncoding::Grey, ids, num_classes);
        FileDataset::of_listing(self.list(), &self.root, classes, masks)
    }

    fn list(&self) -> Listing {
        let mut listing = Listing::default();
        for (part, city) in self.cities(&mut listing.problems) {
            listing.add(self.list_city(&part, &city));
        }
        if listing.pairs.is_empty() && listing.problems.is_empty() {
            let looked_for = match self.fold {
                0 => format!("city folders of the split `{}`", self.split),
                fold => format!("city folders of the split `{}`, fold {fold}", self.split),
            };
            listing.problems.push(self.without_cities(looked_for));
        }
        listing
    }

    /// The error of a split without folders of cities. It names an image that lies where they should be.
    fn without_cities(&self, mut looked_for: String) -> DatasetError {
        let folders = self
            .split
            .parts()
            .iter()
            .map(|part| self.images_of(part.as_str()));
        let mut files = folders.filter_map(|folder| {
            let folder = folder.ok()?;
            let name = file_ending_in(&folder, IMAGE_SUFFIX)?;
            Some((folder, name))
        });
        let Some((folder, name)) = files.next() else {
            let path = self.root.clone();
            return DatasetError::Empty { path, looked_for };
        };
        looked_for.push_str(&format!(
            "; there is `{name}`: move each file into a folder of its city (`{}`), or write a `dataset.toml`",
            name.split('_').next().unwrap_or_default()
        ));
        DatasetError::Empty {
            path: folder,
            looked_for,
        }
    }

    /// Whether the split has labels. The label files of the public test split are all void, so they do not count.
    fn is_labelled(&self) -> bool {
        self.split != Split::Test || self.annotation == Annotation::CoarseExtra
    }

    fn list_city(&self, part: &str, city: &str) -> Result<Listing, DatasetError> {
        let images = self.images_of(part)?.join(city);
        let kind = if self.annotation == Annotation::Fine {
            "gtFine"
        } else {
            "gtCoarse"
        };
        let labels = if self.is_labelled() {
            self.labels_of(part)?.join(city)
        } else {
            images.clone()
        };
        let folders = Folders {
            images: &images,
            image_suffixes: &[IMAGE_SUFFIX],
            labels: &labels,
            label_suffix: &format!("_{kind}_{}", self.label_files.suffix()),
        };
        if !self.is_labelled() {
            return Ok(folders.unlabelled());
        }
        let mut listing = folders.pairs();
        for pair in &mut listing.pairs {
            let instances = pair.labels.as_deref().and_then(instance_file);
            pair.instances = instances.filter(|file| file.is_file());
        }
        Ok(listing)
    }

    /// The cities of the split, each with the folder it lies in.
    fn cities(&self, problems: &mut Vec<DatasetError>) -> Vec<(String, String)> {
        let mut cities_in = |part: &str| {
            self.cities_in(part, problems).unwrap_or_else(|error| {
                problems.push(error);
                Vec::new()
            })
        };
        if self.annotation == Annotation::CoarseExtra {
            return cities_in("train_extra");
        }
        if self.split == Split::Test {
            return cities_in("test");
        }
        if self.fold == 0 && self.split != Split::TrainVal {
            return cities_in(self.split.as_str());
        }
        let mut all = cities_in("val");
        all.extend(cities_in("train"));
        all.retain(|(_, city)| match self.split {
            Split::Train => !validates(self.fold, city),
            Split::Val => validates(self.fold, city),
            Split::TrainVal | Split::Test => true,
        });
        all
    }

    /// The cities that have images or labels. If one of the two is missing, the listing of the city reports it.
    fn cities_in(
        &self,
        part: &str,
        problems: &mut Vec<DatasetError>,
    ) -> Result<Vec<(String, String)>, DatasetError> {
        let mut folders = vec![self.images_of(part)?];
        if self.is_labelled() {
            folders.push(self.labels_of(part)?);
        }
        let mut cities = BTreeSet::new();
        for folder in folders {
            for path in list_subfolders(&folder, "a folder for each city")? {
                match path.file_name().and_then(|name| name.to_str()) {
                    Some(name) => drop(cities.insert(name.to_string())),
                    None => problems.push(DatasetError::NonUtf8Name { path }),
                }
            }
        }
        let city = |name| (part.to_string(), name);
        Ok(cities.into_iter().map(city).collect())
    }

    fn images_of(&self, part: &str) -> Result<PathBuf, DatasetError> {
        let archive = if part == "train_extra" {
            "trainextra"
        } else {
            "trainvaltest"
        };
        let candidates = [
            format!("leftImg8bit/{part}"),
            format!("leftImg8bit_{archive}/leftImg8bit/{part}"),
        ];
        first_of_layout(
            &self.root,
            &candidates.each_ref().map(String::as_str),
            "the images of Cityscapes",
            &[
                "leftImg8bit",
                "leftImg8bit_trainvaltest",
                "leftImg8bit_trainextra",
            ],
        )
    }

    pub(super) fn labels_of(&self, part: &str) -> Result<PathBuf, DatasetError> {
        let candidates = match self.annotation {
            Annotation::Fine => [
                format!("gtFine/{part}"),
                format!("gtFine_trainvaltest/gtFine/{part}"),
            ],
            _ => [
                format!("gtCoarse/{part}"),
                format!("gtCoarse/gtCoarse/{part}"),
            ],
        };
        first_folder(
            &self.root,
            &candidates.each_ref().map(String::as_str),
            "the labels of Cityscapes",
        )
    }
}

/// The file with the instances beside a label file.
pub(super) fn instance_file(labels: &Path) -> Option<PathBuf> {
    let name = labels.file_name()?.to_str()?;
    let stem = [LabelFiles::LabelIds, LabelFiles::LabelTrainIds]
        .iter()
        .find_map(|files| name.strip_suffix(files.suffix()))?;
    Some(labels.with_file_name(format!("{stem}instanceIds.png")))
}

const FOLDS: usize = 3;

/// Cities that validate in a fold.
const VALIDATING: usize = 3;

/// Whether a city validates in a fold that is not the official split.
fn validates(fold: usize, city: &str) -> bool {
    // Those of the official validation come first, as the authors' code puts them to make folds.
    let mut cities = CITYSCAPES_VAL_CITIES.iter().chain(&CITYSCAPES_TRAIN_CITIES);
    let count = cities.clone().count();
    let known = cities.position(|&known| known == city);
    let place = known.unwrap_or_else(|| place_of_name(city, count));
    let first = fold * count / FOLDS;
    (first..first + VALIDATING).contains(&place)
}

/// Cityscapes: 5000 finely labelled images of 2048x1024 from 50 cities, and 20,000 coarsely labelled ones.
///
/// ```text
/// root/leftImg8bit/{train,val,test}/{city}/{city}_{seq}_{frame}_leftImg8bit.png
/// root/gtFine/{train,val}/{city}/{city}_{seq}_{frame}_gtFine_labelIds.png (or _labelTrainIds.png)
/// root/gtFine/{train,val}/{city}/{city}_{seq}_{frame}_gtFine_instanceIds.png (if there, for iIoU)
/// root/gtCoarse/{train,train_extra,val}/{city}/..._gtCoarse_labelIds.png
/// ```
///
/// Images and annotations may also lie in the folder of their archive (`leftImg8bit_trainvaltest/leftImg8bit/...`). The
/// test split has no labels: all its label maps are [`IGNORE_LABEL`].
///
/// Source: Cordts et al., CVPR 2016, [arXiv:1604.01685](https://arxiv.org/abs/1604.01685).
#[derive(Debug, Clone, Copy)]
pub struct Cityscapes;

impl Cityscapes {
    /// Opens an official split of the fine annotation; [`CityscapesConfig`] opens the others.
    ///
    /// # Errors
    ///
    /// Returns a [`DatasetError`] if a folder is missing or a split has no image; [`DatasetError::Files`] with all
    /// images without label, labels without image and files that cannot be used.
    pub fn open(root: impl AsRef<Path>, split: Split) -> Result<FileDataset, DatasetError> {
        CityscapesConfig::new(root.as_ref(), split).open()
    }

    /// The 19 classes, with ids, categories and colours.
    pub fn classes() -> ClassTable {
        train_classes()
    }
}
