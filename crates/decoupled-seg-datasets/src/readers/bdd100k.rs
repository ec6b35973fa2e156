use std::path::Path;

use super::cityscapes_labels::train_classes;
use super::first_folder;
use crate::files::{Folders, IdMap, MaskEncoding, MaskReader};
use crate::{ClassTable, DatasetError, FileDataset, IGNORE, Split};

/// BDD100K's semantic segmentation: 7000 training, 1000 validation and 2000 test images of 1280x720.
///
/// ```text
/// root/images/{train,val,test}/x.jpg        root/labels/{train,val}/x_train_id.png        (2018; also under root/seg)
/// root/images/10k/{train,val,test}/x.jpg    root/labels/sem_seg/masks/{train,val}/x.png   (2020)
/// ```
///
/// Labels are the train ids of Cityscapes, 255 for ignored. Source: Yu et al., CVPR 2020,
/// [arXiv:1805.04687](https://arxiv.org/abs/1805.04687).
#[derive(Debug, Clone, Copy)]
pub struct Bdd100k;

impl Bdd100k {
    /// Opens a split, whichever of the two layouts is there. The test split has no labels.
    ///
    /// # Errors
    ///
    /// Returns a [`DatasetError`] if a folder is missing, a split has no image, an image no label or a label no image.
    pub fn open(root: impl AsRef<Path>, split: Split) -> Result<FileDataset, DatasetError> {
        let mut pairs = Vec::new();
        for part in split.parts() {
            let part = part.as_str();
            let images = first_folder(
                root.as_ref(),
                &[
                    &format!("images/10k/{part}"),
                    &format!("images/{part}"),
                    &format!("seg/images/{part}"),
                ],
                "the images of BDD100K",
            )?;
            let newer = images.ends_with(format!("10k/{part}"));
            let suffix = if newer { ".png" } else { "_train_id.png" };
            if split == Split::Test {
                let folders = Folders {
                    images: &images,
                    image_suffixes: &[".jpg"],
                    labels: &images,
                    label_suffix: suffix,
                };
                pairs.extend(folders.unlabelled()?);
                continue;
            }
            let candidates = if newer {
                [
                    format!("labels/sem_seg/masks/{part}"),
                    format!("seg/labels/{part}"),
                ]
            } else {
                [format!("labels/{part}"), format!("seg/labels/{part}")]
            };
            let labels = first_folder(
                root.as_ref(),
                &candidates.each_ref().map(String::as_str),
                "the labels of BDD100K",
            )?;
            let folders = Folders {
                images: &images,
                image_suffixes: &[".jpg"],
                labels: &labels,
                label_suffix: suffix,
            };
            pairs.extend(folders.pairs()?);
        }
        let classes = Self::classes();
        let num_classes = classes.num_classes();
        let ids = IdMap::identity(num_classes, &[IGNORE]);
        let masks = MaskReader::new(MaskEncoding::Grey, ids, num_classes);
        Ok(FileDataset::new(pairs, classes, masks).with_root(root.as_ref()))
    }

    /// The 19 classes, those of Cityscapes.
    pub fn classes() -> ClassTable {
        train_classes()
    }
}
