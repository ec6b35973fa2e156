use std::path::{Path, PathBuf};

use super::camvid_colors::{IMAGES, color_masks};
use super::{in_folder_below, list_parts};
use crate::files::{
    Folders, IMAGE_SUFFIXES, IdMap, Listing, MaskEncoding, MaskFormat, MaskReader, RawMask,
    RawValues, ending_there, missing_folder, read_list, read_names,
};
use crate::{Class, ClassTable, DatasetError, FileDataset, IGNORE_LABEL, Opened, Split};

/// CamVid: 701 frames of a drive through Cambridge, in the splits and with the 11 classes of the SegNet tutorial.
///
/// ```text
/// root/train.txt, val.txt, test.txt     optional: an image and its label a line
/// root/train/*.png (or .jpg)            360x480 in the tutorial's archive, 720x960 in others
/// root/trainannot/*.png                 8-bit grey, 0 to 10; 11 is void and becomes 255; or the 32 colours
/// root/train_labels/*_L.png (or .png)   the 32 colours, in place of `trainannot` (Kaggle)
/// ```
///
/// A list may also name the files of `train/` alone. Masks may be palettes, in the 32 colours or with indices from 0 to 11,
/// where only one of the two readings gives classes. 255 is void too.
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
    let images = root.join(split.as_str());
    let list = root.join(format!("{split}.txt"));
    if list.is_file() {
        let listing = read_list(&list, root);
        let is_usable = !listing.pairs.is_empty() || !images.is_dir();
        let by_name = || {
            let named = with_folders(root, split, |folders| read_names(&list, folders, true));
            (!named.pairs.is_empty()).then_some(named)
        };
        return Ok(match is_usable {
            true => listing,
            false => by_name().unwrap_or(listing),
        });
    }
    if !images.is_dir()
        && let Some(error) = of_another_form(root, split, &images)
    {
        return Err(error);
    }
    Ok(with_folders(root, split, |folders| folders.pairs()))
}

/// Lists the two folders of a split.
fn with_folders(root: &Path, split: Split, list: impl FnOnce(&Folders<'_>) -> Listing) -> Listing {
    let annotations = root.join(format!("{split}annot"));
    let colored = root.join(format!("{split}_labels"));
    let (labels, label_suffix) = match colored.is_dir() && !annotations.is_dir() {
        true => {
            let ending = ending_there(&colored, &["_L.png", ".png"]);
            (colored, ending)
        }
        false => (annotations, ".png"),
    };
    list(&Folders {
        images: &root.join(split.as_str()),
        image_suffixes: IMAGE_SUFFIXES,
        labels: &labels,
        label_suffix,
    })
}

/// The error of a root without the folder of a split, if what it has instead is known.
fn of_another_form(root: &Path, split: Split, images: &Path) -> Option<DatasetError> {
    let missing = |looked_for: String| DatasetError::MissingFolder {
        path: images.to_path_buf(),
        looked_for,
    };
    let looked_for = format!("`{split}/` and `{split}annot/`");
    if root.join(IMAGES).is_dir() {
        return Some(missing(format!(
            "{looked_for}; `{IMAGES}` is the release of 2008: `--variant original` reads it \
             (`CamVid::open_original`)"
        )));
    }
    let splits = [Split::Train, Split::Val, Split::Test];
    if splits.iter().any(|it| root.join(it.as_str()).is_dir()) {
        return None;
    }
    if root.join("images").is_dir() {
        return Some(missing(format!(
            "{looked_for}; `images/` is of another form: write a `dataset.toml` for it, where lists (`list`) pick names and \
             `label_suffix` says how labels end"
        )));
    }
    let has_it = |folder: &Path| folder.join(split.as_str()).is_dir();
    match in_folder_below(root, missing(looked_for), has_it) {
        below @ DatasetError::RootBelow { .. } => Some(below),
        _ => None,
    }
}

/// A palette in the colours of the classes has them at their indices too. It takes more than a few to be no chance.
const NO_CHANCE: usize = 4;

/// A reader of grey values, of palette indices or of the 32 colours: as the first label file has them that leaves no doubt.
fn masks(listing: &Listing, classes: &ClassTable) -> MaskReader {
    let num_classes = classes.num_classes();
    let ids = IdMap::identity(num_classes, &[VOID, IGNORE_LABEL]);
    let of = |encoding| MaskReader::new(encoding, ids.clone(), num_classes);
    let indices = of(MaskEncoding::GreyOrPaletteIndex);
    let colors = color_masks(classes);
    let is_id = |value: u8| value > 0 && ids.get(value.into()).is_some();
    let encoding_of = |path: &PathBuf| {
        let mask = RawMask::read(path).ok()?;
        match &mask.values {
            RawValues::Colors(_) if !mask.is_grey() => Some(MaskEncoding::Color),
            // Void is black and sky is grey; and where values are ids, sky is black.
            RawValues::Colors(values) if !values.iter().any(|color| is_id(color[0])) => None,
            RawValues::Bytes(_) if matches!(mask.format, MaskFormat::Palette(_)) => {
                of_palette(path, mask, &indices, &colors)
            }
            RawValues::Bytes(values) if values.iter().all(|&value| value == 0) => None,
            _ => Some(MaskEncoding::Grey),
        }
    };
    let mut files = listing.pairs.iter().filter_map(|it| it.labels.as_ref());
    match files.find_map(encoding_of) {
        Some(MaskEncoding::Color) => colors,
        Some(MaskEncoding::GreyOrPaletteIndex) => indices,
        _ => of(MaskEncoding::Grey),
    }
}

/// What a palette stands for, if only one of the two readings gives classes, or both give the same ones.
fn of_palette(
    path: &Path,
    mask: RawMask,
    indices: &MaskReader,
    colors: &MaskReader,
) -> Option<MaskEncoding> {
    let values = mask.histogram().len();
    let by_color = colors.labels(path, mask.clone()).ok();
    let by_index = indices.labels(path, mask).ok();
    match (by_index, by_color) {
        (Some(_), None) => Some(MaskEncoding::GreyOrPaletteIndex),
        (None, Some(_)) => Some(MaskEncoding::Color),
        (Some(index), Some(color)) if index == color && values >= NO_CHANCE => {
            Some(MaskEncoding::GreyOrPaletteIndex)
        }
        _ => None,
    }
}
