use std::collections::BTreeMap;
use std::path::Path;

use decoupled_seg_datasets::files::{MaskEncoding, write_image, write_mask};
use decoupled_seg_datasets::{
    ClassTable, CustomDataset, CustomSplit, DatasetError, IGNORE_LABEL, Split,
};

use super::{SyntheticConfig, write_text};
use crate::StreetScenes;

/// Writes folders for training, a list for validation, and a `dataset.toml` that describes both for
/// [`CustomDataset::open`].
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_custom(root: impl AsRef<Path>, config: &SyntheticConfig) -> Result<(), DatasetError> {
    let root = root.as_ref();
    let mut list = String::from("# image label\n");
    for split in [Split::Train, Split::Val] {
        for (number, sample) in config.scenes(split).enumerate() {
            let (image, mask) = (
                format!("images/{split}/{number:04}.jpg"),
                format!("masks/{split}/{number:04}.png"),
            );
            write_image(root.join(&image), &sample.image)?;
            write_mask(root.join(&mask), &sample.labels)?;
            if split == Split::Val {
                list += &format!("{image} {mask}\n");
            }
        }
    }
    write_text(&root.join("val.txt"), &list)?;
    let ClassTable { classes } = StreetScenes::classes();
    let folders = CustomSplit {
        images: Some("images/train".into()),
        labels: Some("masks/train".into()),
        ..CustomSplit::default()
    };
    let listed = CustomSplit {
        list: Some("val.txt".into()),
        ..CustomSplit::default()
    };
    let description = CustomDataset {
        encoding: MaskEncoding::Grey,
        ignored: vec![IGNORE_LABEL.into()],
        ignored_colors: Vec::new(),
        bands: None,
        classes,
        splits: BTreeMap::from([("train".to_string(), folders), ("val".to_string(), listed)]),
    };
    let text = toml::to_string(&description).expect("a description is plain data");
    write_text(&root.join("dataset.toml"), &text)
}
