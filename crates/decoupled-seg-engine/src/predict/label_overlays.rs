use std::path::{Path, PathBuf};

use decoupled_seg_datasets::{Sample, SegmentationDataset};
use decoupled_seg_viz::{Palette, overlay};

use super::Protected;
use crate::EngineError;
use crate::files::{self, write_png};

/// Writes `count` images spread over a data set with their labels half-and-half on top, as `{folder}/{name}.png`, and
/// returns the files. An item that cannot be read gives its place to the next; `check` of the data crate tells what is
/// wrong with it. Ignored pixels show the image.
///
/// # Errors
///
/// Returns an error if a file would be written over one of the data set, or cannot be written.
pub fn write_label_overlays(
    dataset: &dyn SegmentationDataset,
    folder: &Path,
    count: usize,
) -> Result<Vec<PathBuf>, EngineError> {
    let count = count.min(dataset.len());
    let first = |number: usize| number * dataset.len() / count;
    let readable =
        |number: usize| (first(number)..first(number + 1)).find_map(|at| dataset.get(at).ok());
    let palette = Palette::new(dataset.classes().colors());
    let protected = Protected::new(dataset.files());
    files::create_dir(folder)?;
    let write = |sample: Sample| {
        let path = folder.join(format!("{}.png", sample.name));
        protected.check(&path)?;
        let picture = overlay(&sample.image, &sample.labels.data, &palette, 0.5);
        write_png(&path, &picture.into())?;
        Ok(path)
    };
    (0..count).filter_map(readable).map(write).collect()
}
