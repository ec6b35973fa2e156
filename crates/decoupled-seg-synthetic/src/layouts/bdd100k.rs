use std::path::Path;

use decoupled_seg_datasets::files::{write_image, write_mask};
use decoupled_seg_datasets::{DatasetError, Split};

use super::cityscapes::TRAIN_IDS;
use super::{SPLITS, SyntheticConfig};

/// Writes the layout of 2020 that [`Bdd100k`](decoupled_seg_datasets::Bdd100k) reads (`images/10k`,
/// `labels/sem_seg/masks`).
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_bdd100k(root: impl AsRef<Path>, config: &SyntheticConfig) -> Result<(), DatasetError> {
    write_bdd(
        root.as_ref(),
        config,
        "images/10k",
        "labels/sem_seg/masks",
        ".png",
    )
}

/// Writes the layout of 2018 that [`Bdd100k`](decoupled_seg_datasets::Bdd100k) reads (`seg/images`, `seg/labels`).
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_bdd100k_2018(
    root: impl AsRef<Path>,
    config: &SyntheticConfig,
) -> Result<(), DatasetError> {
    write_bdd(
        root.as_ref(),
        config,
        "seg/images",
        "seg/labels",
        "_train_id.png",
    )
}

fn write_bdd(
    root: &Path,
    config: &SyntheticConfig,
    images: &str,
    labels: &str,
    suffix: &str,
) -> Result<(), DatasetError> {
    for split in SPLITS {
        for (number, sample) in config.scenes(split).enumerate() {
            let name = format!(
                "{number:08x}-{:08x}",
                number.wrapping_mul(0x9E37_79B1) & 0xFFFF_FFFF
            );
            write_image(
                root.join(format!("{images}/{split}/{name}.jpg")),
                &sample.image,
            )?;
            if split != Split::Test {
                let path = root.join(format!("{labels}/{split}/{name}{suffix}"));
                write_mask(path, &TRAIN_IDS.encode(&sample.labels))?;
            }
        }
    }
    Ok(())
}
