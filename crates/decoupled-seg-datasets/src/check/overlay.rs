use std::path::{Path, PathBuf};

use image::RgbImage;

use crate::files::write_image;
use crate::{ClassTable, DatasetError, IGNORE_LABEL, Sample, SegmentationDataset};

/// The image, half covered by the colours of its labels; ignored pixels are left as they are.
pub fn overlay(sample: &Sample, classes: &ClassTable) -> RgbImage {
    let mut picture = sample.image.clone();
    for (pixel, &label) in picture.pixels_mut().zip(&sample.labels.data) {
        if label != IGNORE_LABEL {
            let color = classes.color(label);
            pixel.0 =
                std::array::from_fn(|i| ((u16::from(pixel.0[i]) + u16::from(color[i])) / 2) as u8);
        }
    }
    picture
}

/// Writes overlays of `count` items spread over the data set, as `{folder}/{name}.png`; returns the files. An item that
/// cannot be read gives its place to the next; [`check`](super::check) tells what is wrong with it.
///
/// # Errors
///
/// Returns the error of a file that cannot be written.
pub fn write_overlays(
    dataset: &dyn SegmentationDataset,
    folder: &Path,
    count: usize,
) -> Result<Vec<PathBuf>, DatasetError> {
    let count = count.min(dataset.len());
    let first = |number: usize| number * dataset.len() / count;
    let readable =
        |number: usize| (first(number)..first(number + 1)).find_map(|at| dataset.get(at).ok());
    let write = |sample: Sample| {
        let path = folder.join(format!("{}.png", sample.name));
        write_image(&path, &overlay(&sample, dataset.classes()))?;
        Ok(path)
    };
    (0..count).filter_map(readable).map(write).collect()
}
