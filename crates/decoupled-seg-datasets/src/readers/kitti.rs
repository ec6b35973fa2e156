use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cityscapes_labels::{id_pairs, train_classes};
use super::first_folder;
use crate::files::{Folders, IdMap, Listing, MaskEncoding, MaskReader};
use crate::{ClassTable, DatasetError, FileDataset, Opened, Split};

/// The validation images of each fold, by their index among the sorted files.
///
/// Source: the authors' code (after Zhu et al. 2019).
const VALIDATION: [[usize; 21]; 3] = [
    [
        1, 5, 11, 29, 35, 49, 57, 68, 72, 82, 93, 115, 119, 130, 145, 154, 156, 167, 169, 189, 198,
    ],
    [
        0, 12, 24, 31, 42, 50, 63, 71, 84, 96, 101, 112, 121, 133, 141, 155, 164, 171, 187, 191,
        197,
    ],
    [
        3, 6, 13, 21, 41, 54, 61, 73, 88, 91, 110, 121, 126, 131, 142, 149, 150, 163, 173, 183, 199,
    ],
];

/// Configuration of a [`Kitti`] data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KittiConfig {
    /// The folder with `training` and `testing`.
    pub root: PathBuf,
    /// The split.
    pub split: Split,
    /// The choice of 21 validation images among the 200 training images: 0, 1 or 2.
    pub fold: usize,
}

impl KittiConfig {
    /// A split of fold 2, which the authors' scripts use.
    pub fn new(root: impl Into<PathBuf>, split: Split) -> Self {
        Self {
            root: root.into(),
            split,
            fold: 2,
        }
    }

    /// Sets [`fold`](Self::fold).
    ///
    /// # Panics
    ///
    /// Panics if `fold` is not 0, 1 or 2.
    pub fn with_fold(mut self, fold: usize) -> Self {
        assert!(fold < VALIDATION.len(), "folds are 0, 1 and 2, got {fold}");
        self.fold = fold;
        self
    }

    /// Opens the data set.
    ///
    /// # Errors
    ///
    /// As [`Kitti::open`].
    ///
    /// # Panics
    ///
    /// Panics if the fold is not 0, 1 or 2.
    pub fn open(&self) -> Result<FileDataset, DatasetError> {
        self.open_partially().whole()
    }

    /// As [`open`](Self::open), but also returns the usable items of a split with problems.
    ///
    /// # Panics
    ///
    /// As [`open`](Self::open).
    pub fn open_partially(&self) -> Opened<FileDataset> {
        let mut listing = Listing::default();
        listing.add(self.list());
        let classes = Kitti::classes();
        let ids = IdMap::new(id_pairs());
        let masks = MaskReader::new(MaskEncoding::Grey, ids, classes.num_classes());
        FileDataset::of_listing(listing, &self.root, classes, masks)
    }

    fn list(&self) -> Result<Listing, DatasetError> {
        assert!(
            self.fold < VALIDATION.len(),
            "folds are 0, 1 and 2, got {}",
            self.fold
        );
        let candidates: &[&str] = match self.split {
            Split::Test => &["testing", "test"],
            _ => &["training"],
        };
        let part = first_folder(&self.root, candidates, "the images of KITTI")?;
        let (images, labels) = (part.join("image_2"), part.join("semantic"));
        let folders = Folders {
            images: &images,
            image_suffixes: &[".png"],
            labels: &labels,
            label_suffix: ".png",
        };
        if self.split == Split::Test {
            return Ok(folders.unlabelled());
        }
        let mut listing = folders.pairs();
        let validation = VALIDATION[self.fold];
        let mut number = 0..;
        listing.pairs.retain(|_| {
            let validates = number.next().is_some_and(|at| validation.contains(&at));
            match self.split {
                Split::Train => !validates,
                Split::Val => validates,
                Split::TrainVal | Split::Test => true,
            }
        });
        if listing.pairs.is_empty() && listing.problems.is_empty() {
            let looked_for = format!("images of the split `{}`, fold {}", self.split, self.fold);
            listing.problems.push(DatasetError::Empty {
                path: images,
                looked_for,
            });
        }
        Ok(listing)
    }
}

/// KITTI's semantic benchmark: 200 training and 200 test images of about 1242x375, with the ids of Cityscapes.
///
/// ```text
/// root/training/image_2/000000_10.png
/// root/training/semantic/000000_10.png      ids of Cityscapes
/// root/testing/image_2/000000_10.png        no labels
/// ```
///
/// The sizes of images differ by some pixels, so evaluate with batches of one. Source: Abu Alhaija et al., IJCV 2018.
#[derive(Debug, Clone, Copy)]
pub struct Kitti;

impl Kitti {
    /// Opens a split of fold 2; [`KittiConfig`] opens the others. [`Split::TrainVal`] is all 200 training images.
    ///
    /// # Errors
    ///
    /// Returns a [`DatasetError`] if a folder is missing or a split has no image; [`DatasetError::Files`] with all
    /// images without label, labels without image and files that cannot be used.
    pub fn open(root: impl AsRef<Path>, split: Split) -> Result<FileDataset, DatasetError> {
        KittiConfig::new(root.as_ref(), split).open()
    }

    /// The 19 classes, which are those of Cityscapes.
    pub fn classes() -> ClassTable {
        train_classes()
    }
}
