use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use image::RgbImage;
use rayon::prelude::*;

use super::{BLOCK, CheckReport, Duplicate, SplitReport};
use crate::files::Meanings;
use crate::{DatasetError, IGNORE_LABEL, LabelMap, Opened, SegmentationDataset, Split};

/// Reads every item of every split, in parallel, and reports all problems. An item that cannot be read does not stop
/// the check.
///
/// `progress` is called after each item, with the number of finished items and the number of all items.
///
/// ```
/// use decoupled_seg_datasets::check::check;
/// use decoupled_seg_datasets::{SegmentationDataset, Size};
/// use decoupled_seg_synthetic::{StreetScenes, StreetScenesConfig};
///
/// let size = Size::new(32, 48);
/// let scenes = |seed| StreetScenes::new(StreetScenesConfig { len: 3, size, seed });
/// let (train, val) = (scenes(0), scenes(1));
/// let report = check(&[("train", &train), ("val", &val)], |_, _| {});
/// assert!(report.is_ok());
/// assert!(report.to_string().contains("no problems"));
/// ```
///
/// # Panics
///
/// Panics if there are no splits, or if splits differ in their classes.
pub fn check(
    splits: &[(&str, &dyn SegmentationDataset)],
    progress: impl Fn(usize, usize) + Sync,
) -> CheckReport {
    assert!(!splits.is_empty(), "a data set has a split");
    read_all(splits, progress)
}

/// As [`check`], for splits that [`open_partially`](crate::CamVid::open_partially) returned. The report includes the
/// problems with the files of a split, and all usable items are read.
///
/// A missing test split is [no problem](CheckReport::missing): some data sets do not publish one. Nor is a validation split
/// that a description does not have.
///
/// # Panics
///
/// Panics if splits differ in their classes.
pub fn check_splits(
    splits: Vec<(Split, Opened)>,
    progress: impl Fn(usize, usize) + Sync,
) -> CheckReport {
    let order: Vec<&str> = splits.iter().map(|(split, _)| split.as_str()).collect();
    let mut readable: Vec<(&str, Arc<dyn SegmentationDataset>)> = Vec::new();
    let mut unusable: Vec<(&str, Vec<DatasetError>)> = Vec::new();
    let mut missing = Vec::new();
    let mut told = BTreeSet::new();
    for (split, mut opened) in splits {
        let name = split.as_str();
        // A problem with the description of a data set, or with another file that all splits need, comes up in each of them.
        // Report it once.
        let before = opened.problems.len();
        let is_gone = opened.dataset.is_none();
        let is_common =
            |problem: &DatasetError| is_described(problem) || is_gone && is_unreadable(problem);
        let news = |problem: &DatasetError| !is_common(problem) || told.insert(problem.to_string());
        opened.problems.retain(news);
        if opened.dataset.is_none() && opened.problems.is_empty() && before > 0 {
            continue;
        }
        let absent = opened.dataset.is_none() && opened.problems.iter().all(is_absence);
        // Nobody has to validate: a training goes on without a split that its description does not have.
        let unknown = |problem: &DatasetError| matches!(problem, DatasetError::UnknownSplit { .. });
        let without = split == Split::Val && opened.problems.iter().all(unknown);
        if absent && (split == Split::Test || without) {
            missing.extend(opened.whole().err().map(|why| (name.to_string(), why)));
            continue;
        }
        readable.extend(opened.dataset.map(|dataset| (name, dataset)));
        if !opened.problems.is_empty() {
            unusable.push((name, opened.problems));
        }
    }
    let borrowed: Vec<_> = readable
        .iter()
        .map(|(name, split)| (*name, &**split))
        .collect();
    let mut report = read_all(&borrowed, progress);
    report.missing = missing;
    for (name, problems) in unusable {
        match report.splits.iter_mut().find(|split| split.name == name) {
            Some(split) => split.files = problems,
            None => report.splits.push(SplitReport::unusable(name, problems)),
        }
    }
    report
        .splits
        .sort_by_key(|split| order.iter().position(|name| *name == split.name));
    report
}

/// Whether a problem concerns the description of the data set.
fn is_described(problem: &DatasetError) -> bool {
    use DatasetError as E;
    matches!(
        problem,
        E::Toml { .. }
            | E::Json { .. }
            | E::Text { .. }
            | E::Description { .. }
            | E::NoDescription { .. }
    )
}

/// Whether a file or folder is there, but cannot be read.
fn is_unreadable(problem: &DatasetError) -> bool {
    use DatasetError as E;
    matches!(
        problem,
        E::Io { .. } | E::DeadLink { .. } | E::NotAFile { .. } | E::OtherKind { .. }
    )
}

/// Whether a problem means that the split does not exist.
fn is_absence(problem: &DatasetError) -> bool {
    use DatasetError as E;
    if let E::RootBelow { source, .. } = problem {
        return is_absence(source);
    }
    matches!(
        problem,
        E::MissingFolder { .. }
            | E::MissingFile { .. }
            | E::NotAFolder { .. }
            | E::UnknownSplit { .. }
            | E::Empty { .. }
    )
}

fn read_all(
    splits: &[(&str, &dyn SegmentationDataset)],
    progress: impl Fn(usize, usize) + Sync,
) -> CheckReport {
    let classes = splits.first().map(|(_, split)| split.classes().clone());
    assert!(
        splits
            .iter()
            .all(|(_, split)| Some(split.classes()) == classes.as_ref()),
        "splits have the same classes"
    );
    let total = splits.iter().map(|(_, split)| split.len()).sum();
    let done = Mutex::new(0);
    let mut reports = Vec::new();
    let mut seen: BTreeMap<u64, Vec<(usize, usize)>> = BTreeMap::new();
    // Of all splits: what is learned from one is measured on another.
    let mut meanings = Meanings::default();
    let mut doubtful: Vec<(usize, usize, PathBuf)> = Vec::new();
    for (number, (name, dataset)) in splits.iter().enumerate() {
        let mut report = SplitReport::of(name, *dataset);
        // In blocks: the label maps of a large data set do not fit in memory all at once.
        let indices: Vec<usize> = (0..dataset.len()).collect();
        for block in indices.chunks(BLOCK) {
            let items: Vec<_> = block
                .par_iter()
                .map(|&index| {
                    let item = dataset.check_item(index);
                    let mut done = done.lock().expect("progress does not panic");
                    *done += 1;
                    progress(*done, total);
                    item
                })
                .collect();
            for (&index, mut item) in block.iter().zip(items) {
                if let Some(mask) = item.meaning.take() {
                    item.problems.extend(meanings.add(&mask).err());
                    if mask.is_doubtful() {
                        doubtful.push((number, index, mask.path));
                    }
                }
                if let Some(hash) = item.image_hash {
                    seen.entry(hash).or_default().push((number, index));
                }
                report.add(dataset.name(index), item);
            }
        }
        reports.push(report);
    }
    for (number, index, path) in doubtful {
        let problem = meanings.doubt(&path);
        let name = splits[number].1.name(index);
        reports[number]
            .problems
            .extend(problem.map(|problem| (name, problem)));
    }
    let duplicates = seen
        .into_values()
        .flat_map(|items| same_pictures(splits, &items))
        .collect();
    let mut report = CheckReport {
        classes,
        splits: reports,
        duplicates,
        missing: Vec::new(),
    };
    report.duplicates.sort();
    report
}

/// Pairs each item with the first item of equal hash that really has the same picture.
fn same_pictures(
    splits: &[(&str, &dyn SegmentationDataset)],
    items: &[(usize, usize)],
) -> Vec<Duplicate> {
    if items.len() < 2 {
        return Vec::new();
    }
    let sample = |(split, index): (usize, usize)| splits[split].1.get(index);
    let place =
        |(split, index): (usize, usize)| (splits[split].0.to_string(), splits[split].1.name(index));
    let mut duplicates = Vec::new();
    // One colour is no picture: tiles without data are alike.
    if sample(items[0]).is_ok_and(|first| is_blank(&first.image)) {
        return Vec::new();
    }
    for (position, &second) in items.iter().enumerate().skip(1) {
        let compared = |&first: &(usize, usize)| match (sample(first), sample(second)) {
            (Ok(a), Ok(b)) if a.image != b.image => None,
            (Ok(a), Ok(b)) => Some((first, differing(&a.labels, &b.labels))),
            // The labels are broken, which is reported elsewhere. The picture's hash is known, so it decides.
            _ => Some((first, 0)),
        };
        if let Some((first, differing)) = items[..position].iter().find_map(compared) {
            duplicates.push(Duplicate {
                first: place(first),
                second: place(second),
                differing,
            });
        }
    }
    duplicates
}

/// Number of pixels that two labels of one picture give different classes.
fn differing(first: &LabelMap, second: &LabelMap) -> usize {
    let pairs = first.data.iter().zip(&second.data);
    let differ = |&(&a, &b): &(&u8, &u8)| a != b && a != IGNORE_LABEL && b != IGNORE_LABEL;
    pairs.filter(differ).count()
}

fn is_blank(picture: &RgbImage) -> bool {
    let mut pixels = picture.pixels();
    let first = pixels.next();
    pixels.all(|pixel| Some(pixel) == first)
}

/// Returns the classes that no label of a split shows. It reads labels until every class was seen, so a training can
/// call it before its first step. Items that cannot be read are skipped: the training reports them when it reads them.
///
/// # Errors
///
/// Returns [`DatasetError::Unlabelled`] if the split has no labels, and [`DatasetError::AllIgnored`] if all of them are
/// ignored.
pub fn unseen_classes(
    dataset: &dyn SegmentationDataset,
    split: Split,
) -> Result<Vec<u8>, DatasetError> {
    if !dataset.is_labelled() {
        return Err(DatasetError::Unlabelled { split });
    }
    let mut seen = vec![false; dataset.classes().num_classes()];
    let mut read = 0;
    let indices: Vec<usize> = (0..dataset.len()).collect();
    for block in indices.chunks(BLOCK) {
        let labels = block
            .par_iter()
            .filter_map(|&index| dataset.labels(index).ok());
        for histogram in labels.map(|labels| labels.histogram()).collect::<Vec<_>>() {
            read += 1;
            let counts = seen.iter_mut().zip(histogram);
            counts.for_each(|(seen, count)| *seen |= count > 0);
        }
        if seen.iter().all(|&seen| seen) {
            return Ok(Vec::new());
        }
    }
    if read > 0 && !seen.contains(&true) {
        return Err(DatasetError::AllIgnored { split });
    }
    let unseen = (0_u8..).zip(seen).filter(|(_, seen)| !seen);
    Ok(unseen.map(|(class, _)| class).collect())
}
