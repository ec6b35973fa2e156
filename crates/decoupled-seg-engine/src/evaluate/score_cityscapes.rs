use std::fs;
use std::path::{Path, PathBuf};

use decoupled_seg_datasets::files::{IdMap, MaskEncoding, MaskReader};
use decoupled_seg_datasets::{
    CITYSCAPES_LABELS, Cityscapes, CityscapesTruth, DatasetError, InstanceMap, LabelMap, Split,
};
use decoupled_seg_metrics::{InstanceIou, LabelTable};
use decoupled_seg_types::Size;
use rayon::prelude::*;

use super::BenchmarkReport;
use crate::EngineError;
use crate::files::{FileError, at};

/// Scores pictures of label ids, as [`Submission::Cityscapes`](crate::Submission::Cityscapes) writes them, against the
/// fine annotation of a split, to the figures of the benchmark's own program.
///
/// The prediction for `{city}_{sequence}_{frame}` is the one file `{city}_{sequence}_{frame}*.png` in the folder
/// `predictions` or below. It holds label ids, not train ids, in 8-bit grey or as palette indices. Images are read on
/// all threads, one a thread at a time; the result does not depend on their number.
///
/// # Errors
///
/// Returns an [`EngineError`] that names the file: ground truth or prediction missing, unreadable or of another size, two
/// predictions for one image, a value that is no label id, or pictures of class indices in place of label ids; and if no
/// pixel has a class that is scored.
pub fn score_cityscapes(
    root: impl AsRef<Path>,
    split: Split,
    predictions: impl AsRef<Path>,
) -> Result<BenchmarkReport, EngineError> {
    let truths = Cityscapes::ground_truth(root, split)?;
    let predictions_folder = predictions.as_ref();
    let predictions = predictions_for(&truths, predictions_folder)?;
    let scored: Vec<Result<(InstanceIou, Values), EngineError>> = truths
        .par_iter()
        .zip(&predictions)
        .map(|(truth, prediction)| score_image(truth, prediction))
        .collect();
    let mut total = metric();
    let mut values = [false; 256];
    // In the order of the names: sums of fractions depend on the order.
    for image in scored {
        let (metric, shown) = image?;
        total.merge(&metric);
        values
            .iter_mut()
            .zip(shown)
            .for_each(|(all, one)| *all |= one);
    }
    if are_class_indices(&values) {
        return Err(EngineError::ScoredIndices {
            folder: predictions_folder.to_path_buf(),
        });
    }
    let report = BenchmarkReport::new(&total, truths.len());
    match report.class_mean.iou {
        Some(_) => Ok(report),
        None => Err(DatasetError::AllIgnored { split }.into()),
    }
}

/// Whether a picture shows each of the values.
type Values = [bool; 256];

/// Whether values are the indices of the 19 classes in place of label ids. The ids 1 to 6 stand for what no network is trained
/// on, such as the car with the camera, and 13 of the 19 classes have ids from 19 on.
fn are_class_indices(values: &Values) -> bool {
    const CLASSES: usize = 19;
    const NEVER_PREDICTED: std::ops::RangeInclusive<usize> = 1..=6;
    !values[CLASSES..].contains(&true) && values[NEVER_PREDICTED].contains(&true)
}

fn metric() -> InstanceIou {
    InstanceIou::new(LabelTable::cityscapes()).with_ignore_index(None)
}

fn score_image(
    truth: &CityscapesTruth,
    prediction: &Path,
) -> Result<(InstanceIou, Values), EngineError> {
    let labels = read_ids(&truth.labels, MaskEncoding::Grey)?;
    let expected = Size::new(labels.height, labels.width);
    let check = |path: &Path, size: Size| {
        if size == expected {
            return Ok(());
        }
        Err(EngineError::Size {
            path: path.to_path_buf(),
            size,
            labels: truth.labels.clone(),
            expected,
        })
    };
    let predicted = read_ids(prediction, MaskEncoding::GreyOrPaletteIndex)?;
    check(prediction, Size::new(predicted.height, predicted.width))?;
    let instances = InstanceMap::read(&truth.instances)?;
    check(
        &truth.instances,
        Size::new(instances.height, instances.width),
    )?;
    let mut metric = metric();
    metric
        .update(&labels.data, &predicted.data, &instances.data)
        .expect("sizes and values are checked");
    Ok((metric, predicted.histogram().map(|count| count > 0)))
}

/// A map of label ids, every one of them in the table.
fn read_ids(path: &Path, encoding: MaskEncoding) -> Result<LabelMap, DatasetError> {
    let ids = CITYSCAPES_LABELS
        .iter()
        .filter_map(|label| u8::try_from(label.id).ok());
    let num_ids = ids.clone().count();
    MaskReader::new(encoding, IdMap::new(ids.map(|id| (id, id))), num_ids).read(path)
}

/// The prediction for each image.
fn predictions_for(truths: &[CityscapesTruth], folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let mut pictures = Vec::new();
    list_pictures(folder, &mut pictures)?;
    pictures.sort();
    let mut found = Vec::with_capacity(truths.len());
    let mut missing = Vec::new();
    for truth in truths {
        let first = pictures.partition_point(|(name, _)| *name < truth.name);
        let mut fitting = pictures[first..]
            .iter()
            .take_while(|(name, _)| name.starts_with(&truth.name));
        match (fitting.next(), fitting.next()) {
            (Some((_, path)), None) => found.push(path.clone()),
            (Some((_, first)), Some((_, second))) => {
                return Err(EngineError::SeveralPredictions {
                    first: first.clone(),
                    second: second.clone(),
                    labels: truth.labels.clone(),
                });
            }
            (None, _) => missing.push(truth),
        }
    }
    if let Some(first) = missing.first() {
        return Err(EngineError::MissingPredictions {
            looked_for: folder.join(format!("{}*.png", first.name)),
            labels: missing.iter().map(|truth| truth.labels.clone()).collect(),
        });
    }
    Ok(found)
}

/// Collects the names and paths of all `.png` files of a folder and those below. Links to folders are not followed.
fn list_pictures(folder: &Path, pictures: &mut Vec<(String, PathBuf)>) -> Result<(), FileError> {
    const ACTION: &str = "listing predictions";
    for entry in fs::read_dir(folder).map_err(at(folder, ACTION))? {
        let entry = entry.map_err(at(folder, ACTION))?;
        let path = entry.path();
        if entry.file_type().map_err(at(&path, ACTION))?.is_dir() {
            list_pictures(&path, pictures)?;
        } else if let Some(name) = path.file_name().and_then(|name| name.to_str())
            && name.to_lowercase().ends_with(".png")
        {
            pictures.push((name.to_string(), path));
        }
    }
    Ok(())
}
