use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cityscapes_labels::{id_pairs, train_classes};
use super::{first_of_layout, place_of_name};
use crate::files::{Folders, IdMap, Listing, MaskEncoding, MaskReader};
use crate::{ClassTable, DatasetError, FileDataset, Opened, Split};

/// Training frames, 0 to 199.
const FRAMES: usize = 200;

/// The validation images of each fold, by their frames.
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
    /// The choice of 21 validation images among the 200 training images: 0, 1 or 2. An image is chosen by the frame in its
    /// name (`000003_10` is frame 3), whichever others are there. Frames beyond the official ones go on from 0; a name that
    /// does not begin with a number has a frame by its hash.
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
        let part = first_of_layout(
            &self.root,
            candidates,
            "the images of KITTI",
            &["training", "testing", "test"],
        )?;
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
        listing.pairs.retain(|pair| {
            let validates = validation.contains(&frame(&pair.image));
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

/// The frame of an image among [`FRAMES`].
fn frame(image: &Path) -> usize {
    let name = image.file_stem().unwrap_or_default().to_string_lossy();
    let digits = name.split(|c: char| !c.is_ascii_digit()).next();
    match digits.unwrap_or_default().parse::<u64>() {
        Ok(number) => (number % FRAMES as u64) as usize,
        Err(_) => place_of_name(&name, FRAMES),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The authors' code counts the sorted files; where all are there, that is the number in the name.
    #[test]
    fn frames_of_the_official_names_are_their_places() {
        let names: Vec<PathBuf> = (0..FRAMES)
            .map(|frame| format!("training/image_2/{frame:06}_10.png").into())
            .collect();
        assert!(names.is_sorted());
        assert_eq!(names[0], Path::new("training/image_2/000000_10.png"));
        assert_eq!(names[199], Path::new("training/image_2/000199_10.png"));
        for (place, name) in names.iter().enumerate() {
            assert_eq!(frame(name), place);
        }
    }

    #[test]
    fn other_names_have_a_frame_too() {
        assert_eq!(frame(Path::new("000203_10.png")), 3);
        assert_eq!(frame(Path::new("7.png")), 7);
        // FNV-1a of `a` is 0xAF63DC4C8601EC8C.
        assert_eq!(
            frame(Path::new("a.png")),
            (0xAF63_DC4C_8601_EC8C_u64 % 200) as usize
        );
        // More digits than a number holds, and none at the beginning.
        for name in ["123456789012345678901234567890.png", "street_000003.png"] {
            let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str());
            let expected = place_of_name(stem.expect("UTF-8"), FRAMES);
            assert_eq!(frame(Path::new(name)), expected, "{name}");
        }
        // Such frames are spread.
        let frames: std::collections::BTreeSet<usize> = (0..100)
            .map(|number| frame(Path::new(&format!("street_{number:06}.png"))))
            .collect();
        assert!(frames.len() > 60, "{}", frames.len());
    }
}
