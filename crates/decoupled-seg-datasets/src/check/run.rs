use std::collections::BTreeMap;
use std::sync::Mutex;

use rayon::prelude::*;

use super::{CheckReport, Duplicate, SplitReport};
use crate::SegmentationDataset;

/// Reads every item of every split, in parallel, and reports everything that is wrong with them; an item that cannot
/// be read stops nothing.
///
/// `progress` is called after each item with how many are done and how many there are.
///
/// ```
/// use decoupled_seg_datasets::check::check;
/// use decoupled_seg_datasets::{SegmentationDataset, StreetScenes, StreetScenesConfig};
///
/// let scenes = |seed| StreetScenes::new(StreetScenesConfig { len: 3, width: 48, height: 32, seed });
/// let (train, val) = (scenes(0), scenes(1));
/// let report = check(&[("train", &train), ("val", &val)], |_, _| {});
/// assert!(report.is_ok());
/// assert!(report.to_string().contains("no problems"));
/// ```
///
/// # Panics
///
/// Panics without splits or if they differ in their classes.
pub fn check(
    splits: &[(&str, &dyn SegmentationDataset)],
    progress: impl Fn(usize, usize) + Sync,
) -> CheckReport {
    let classes = splits
        .first()
        .expect("a data set has a split")
        .1
        .classes()
        .clone();
    assert!(
        splits.iter().all(|(_, split)| *split.classes() == classes),
        "splits have the same classes"
    );
    let total = splits.iter().map(|(_, split)| split.len()).sum();
    let done = Mutex::new(0);
    let mut reports = Vec::new();
    let mut seen: BTreeMap<u64, Vec<(usize, usize)>> = BTreeMap::new();
    for (number, (name, dataset)) in splits.iter().enumerate() {
        let mut report = SplitReport::new(
            name,
            dataset.len(),
            dataset.is_labelled(),
            classes.num_classes(),
        );
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
            for (&index, item) in block.iter().zip(items) {
                if let Some(hash) = item.image_hash {
                    seen.entry(hash).or_default().push((number, index));
                }
                report.add(dataset.name(index), item);
            }
        }
        reports.push(report);
    }
    let duplicates = seen
        .into_values()
        .flat_map(|items| same_pictures(splits, &items))
        .collect();
    let mut report = CheckReport {
        classes,
        splits: reports,
        duplicates,
    };
    report.duplicates.sort();
    report
}

const BLOCK: usize = 64;

/// Pairs up items whose hashes agree with the first whose picture they really share.
fn same_pictures(
    splits: &[(&str, &dyn SegmentationDataset)],
    items: &[(usize, usize)],
) -> Vec<Duplicate> {
    if items.len() < 2 {
        return Vec::new();
    }
    let picture =
        |(split, index): (usize, usize)| splits[split].1.get(index).map(|sample| sample.image);
    let place =
        |(split, index): (usize, usize)| (splits[split].0.to_string(), splits[split].1.name(index));
    let mut duplicates = Vec::new();
    for (position, &second) in items.iter().enumerate().skip(1) {
        let same = |&&first: &&(usize, usize)| match (picture(first), picture(second)) {
            (Ok(first), Ok(second)) => first == second,
            // The labels are broken, which is reported; the hash of the picture was read.
            _ => true,
        };
        if let Some(&first) = items[..position].iter().find(same) {
            duplicates.push(Duplicate {
                first: place(first),
                second: place(second),
            });
        }
    }
    duplicates
}
