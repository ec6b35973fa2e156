use std::path::Path;

use super::camvid_colors::{IMAGES, color_masks};
use super::list_parts;
use crate::files::{
    Folders, IMAGE_SUFFIXES, IdMap, Listing, MaskEncoding, MaskReader, RawMask, RawValues,
    missing_folder, read_list,
};
use crate::{Class, ClassTable, DatasetError, FileDataset, Opened, Split};

/// CamVid: 701 frames of a drive through Cambridge, in the splits and with the 11 classes of the SegNet tutorial.
///
/// ```text
/// root/train.txt, val.txt, test.txt     optional: an image and its label a line
/// root/train/*.png (or .jpg)            360x480 in the tutorial's archive, 720x960 in others
/// root/trainannot/*.png                 8-bit grey, 0 to 10; 11 is void and becomes 255; or the 32 colours
/// root/train_labels/*_L.png             the 32 colours, in place of `trainannot` (Kaggle)
/// ```
///
/// All validation frames come from a sequence that supplies training frames too, so report scores on the test split.
/// Source: Brostow et al. 2008; split by Badrinarayanan et al., [SegNet](https://arxiv.org/abs/1511.00561).
#[derive(Debug, Clone, Copy)]
pub struct CamVid;

/// The value of void pixels in CamVid's label files.
const VOID: u8 = 11;

impl CamVid {
    /// Opens a split: the files of its list if `root` holds one, else all files of its folders.
    ///
    /// # Errors
    ///
    /// Returns a [`DatasetError`] if a folder is missing or without images; [`DatasetError::Files`] with all images
    /// without label, labels without image, files that cannot be used and wrong lines of a list. The files themselves
    /// are read by [`get`](burn_dataset::Dataset::get).
    pub fn open(root: impl AsRef<Path>, split: Split) -> Result<FileDataset, DatasetError> {
        Self::open_partially(root, split).whole()
    }

    /// As [`open`](Self::open), but also returns the usable items of a split with problems.
    pub fn open_partially(root: impl AsRef<Path>, split: Split) -> Opened<FileDataset> {
        let root = root.as_ref();
        let listing = list_parts(split, |part| list(root, part));
        let classes = Self::classes();
        let masks = masks(&listing, &classes);
        FileDataset::of_listing(listing, root, classes, masks)
    }

    /// The 11 classes in the order of the label values, with the colours of the SegNet tutorial.
    pub fn classes() -> ClassTable {
        ClassTable::new(vec![
            Class::new("sky", [128, 128, 128]),
            Class::new("building", [128, 0, 0]),
            Class::new("pole", [192, 192, 128]),
            Class::new("road", [128, 64, 128]),
            Class::new("sidewalk", [0, 0, 192]),
            Class::new("tree", [128, 128, 0]),
            Class::new("sign", [192, 128, 128]),
            Class::new("fence", [64, 64, 128]),
            Class::new("car", [64, 0, 128]),
            Class::new("pedestrian", [64, 64, 0]),
            Class::new("bicyclist", [0, 128, 192]),
        ])
    }
}

fn list(root: &Path, split: Split) -> Result<Listing, DatasetError> {
    if !root.is_dir() {
        let looked_for = format!("the CamVid folder with `{split}/` and `{split}annot/`");
        return Err(missing_folder(root, looked_for));
    }
    let list = root.join(format!("{split}.txt"));
    if list.is_file() {
        return Ok(read_list(&list, root));
    }
    let images = root.join(split.as_str());
    if !images.is_dir() && root.join(IMAGES).is_dir() {
        return Err(DatasetError::MissingFolder {
            path: images,
            looked_for: format!(
                "`{split}/` and `{split}annot/`; `{IMAGES}` is the release of 2008: `--variant original` reads it \
                 (`CamVid::open_original`)"
            ),
        });
    }
    let annotations = root.join(format!("{split}annot"));
    let colored = root.join(format!("{split}_labels"));
    let (labels, label_suffix) = match colored.is_dir() && !annotations.is_dir() {
        true => (colored, "_L.png"),
        false => (annotations, ".png"),
    };
    let folders = Folders {
        images: &images,
        image_suffixes: IMAGE_SUFFIXES,
        labels: &labels,
        label_suffix,
    };
    Ok(folders.pairs())
}

/// A reader of grey values, or of the 32 colours if the first label file has colours.
fn masks(listing: &Listing, classes: &ClassTable) -> MaskReader {
    let first = listing.pairs.iter().find_map(|pair| pair.labels.as_ref());
    let first = first.and_then(|path| RawMask::read(path).ok());
    let colored = |mask: RawMask| matches!(mask.values, RawValues::Colors(_)) && !mask.is_grey();
    if first.is_some_and(colored) {
        return color_masks(classes);
    }
    let num_classes = classes.num_classes();
    let ids = IdMap::identity(num_classes, &[VOID]);
    MaskReader::new(MaskEncoding::Grey, ids, num_classes)
}
