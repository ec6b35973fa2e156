use std::path::Path;

use super::cityscapes_labels::train_classes;
use super::{first_folder, first_of_layout, list_parts};
use crate::files::{Folders, IdMap, Listing, MaskEncoding, MaskReader, ending_there};
use crate::{ClassTable, DatasetError, FileDataset, IGNORE_LABEL, Opened, Split};

/// BDD100K's semantic segmentation: 7000 training, 1000 validation and 2000 test images of 1280x720.
///
/// ```text
/// root/images/{train,val,test}/x.jpg        root/labels/{train,val}/x_train_id.png        (2018; also under root/seg)
/// root/images/10k/{train,val,test}/x.jpg    root/labels/sem_seg/masks/{train,val}/x.png   (2020)
/// ```
///
/// The images of one release with the labels of the other are read too, and `x.png` in the folders of 2018.
///
/// Labels are the train ids of Cityscapes, 255 for ignored. Source: Yu et al., CVPR 2020,
/// [arXiv:1805.04687](https://arxiv.org/abs/1805.04687).
#[derive(Debug, Clone, Copy)]
pub struct Bdd100k;

impl Bdd100k {
    /// Opens a split in either of the two layouts. The test split has no labels.
    ///
    /// # Errors
    ///
    /// Returns a [`DatasetError`] if a folder is missing or a split has no image; [`DatasetError::Files`] with all
    /// images without label, labels without image and files that cannot be used.
    pub fn open(root: impl AsRef<Path>, split: Split) -> Result<FileDataset, DatasetError> {
        Self::open_partially(root, split).whole()
    }

    /// As [`open`](Self::open), but also returns the usable items of a split with problems.
    pub fn open_partially(root: impl AsRef<Path>, split: Split) -> Opened<FileDataset> {
        let root = root.as_ref();
        let listing = list_parts(split, |part| list(root, part));
        let classes = Self::classes();
        let num_classes = classes.num_classes();
        let ids = IdMap::identity(num_classes, &[IGNORE_LABEL]);
        let masks = MaskReader::new(MaskEncoding::Grey, ids, num_classes);
        FileDataset::of_listing(listing, root, classes, masks)
    }

    /// The 19 classes, which are those of Cityscapes.
    pub fn classes() -> ClassTable {
        let mut table = train_classes();
        for (class, id) in table.classes.iter_mut().zip(0..) {
            // Its masks hold train ids.
            class.id = Some(id);
        }
        table
    }
}

fn list(root: &Path, split: Split) -> Result<Listing, DatasetError> {
    let images = first_of_layout(
        root,
        &[
            &format!("images/10k/{split}"),
            &format!("images/{split}"),
            &format!("seg/images/{split}"),
        ],
        "the images of BDD100K",
        &["images", "seg"],
    )?;
    let folders = Folders {
        images: &images,
        image_suffixes: &[".jpg"],
        labels: &images,
        label_suffix: ".png",
    };
    if split == Split::Test {
        return Ok(folders.unlabelled());
    }
    let mut candidates = [
        format!("labels/{split}"),
        format!("seg/labels/{split}"),
        format!("labels/sem_seg/masks/{split}"),
    ];
    // Those of the release that the images are of come first.
    if images.ends_with(format!("10k/{split}")) {
        candidates.reverse();
    }
    let candidates = candidates.each_ref().map(String::as_str);
    let labels = first_folder(root, &candidates, "the labels of BDD100K")?;
    Ok(Folders {
        labels: &labels,
        label_suffix: match labels.ends_with(format!("masks/{split}")) {
            true => ".png",
            false => ending_there(&labels, &["_train_id.png", ".png"]),
        },
        ..folders
    }
    .pairs())
}
