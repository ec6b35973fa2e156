use std::path::Path;

use decoupled_seg_datasets::files::{write_image, write_mask};
use decoupled_seg_datasets::{DatasetError, Split};

use super::SyntheticConfig;
use super::cityscapes::ids;

/// Writes the layout that [`Kitti`](decoupled_seg_datasets::Kitti) reads: `train + val` images in `training`, `test` in
/// `testing`.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_kitti(root: impl AsRef<Path>, config: &SyntheticConfig) -> Result<(), DatasetError> {
    let root = root.as_ref();
    for (number, sample) in config.scenes(Split::TrainVal).enumerate() {
        let name = format!("{number:06}_10.png");
        write_image(root.join("training/image_2").join(&name), &sample.image)?;
        write_mask(
            root.join("training/semantic").join(&name),
            &ids().encode(&sample.labels),
        )?;
    }
    for (number, sample) in config.scenes(Split::Test).enumerate() {
        write_image(
            root.join(format!("testing/image_2/{number:06}_10.png")),
            &sample.image,
        )?;
    }
    Ok(())
}
