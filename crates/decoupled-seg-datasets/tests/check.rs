//! The check finds every mistake that is planted in a data set, and the known facts of a real one.

use std::fs;
use std::path::Path;

use decoupled_seg_datasets::check::{CheckReport, check, write_overlays};
use decoupled_seg_datasets::synthetic::{
    self, SyntheticConfig, write_image, write_index_mask, write_mask,
};
use decoupled_seg_datasets::{CamVid, FileDataset, IGNORE, LabelMap, SegmentationDataset, Split};
use image::RgbImage;

const CONFIG: SyntheticConfig = SyntheticConfig {
    train: 6,
    val: 3,
    test: 2,
    width: 48,
    height: 32,
    seed: 2,
};

fn report(root: &Path) -> CheckReport {
    let open = |split| CamVid::open(root, split).expect("a whole layout");
    let splits: Vec<(&str, FileDataset)> = [Split::Train, Split::Val, Split::Test]
        .map(|split| (split.as_str(), open(split)))
        .into();
    let splits: Vec<(&str, &dyn SegmentationDataset)> = splits
        .iter()
        .map(|(name, split)| (*name, split as &dyn SegmentationDataset))
        .collect();
    check(&splits, |done, total| assert!(done >= 1 && done <= total))
}

fn camvid() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a temporary folder");
    synthetic::write_camvid(root.path(), &CONFIG).expect("writable");
    root
}

#[test]
fn a_sound_data_set() {
    let root = camvid();
    let report = report(root.path());
    assert!(report.is_ok(), "{report}");
    assert_eq!(
        report
            .splits
            .iter()
            .map(|split| split.items)
            .collect::<Vec<_>>(),
        [6, 3, 2]
    );
    let train = &report.splits[0];
    assert_eq!(train.sizes[&[48, 32]], 6);
    assert_eq!(train.mask_formats["8-bit grey"], 6);
    assert_eq!(train.pixels.iter().sum::<u64>(), 6 * 48 * 32);
    assert_eq!(train.raw_values.values().sum::<u64>(), 6 * 48 * 32);
    assert_eq!(
        train.raw_values.get(&11).copied().unwrap_or(0),
        train.pixels[usize::from(IGNORE)]
    );
    // The scenes have no bicyclists.
    assert!(train.absent().contains(&10));
    let text = report.to_string();
    for part in [
        "train: 6 images",
        "sizes: 48x32 (6)",
        "masks: 8-bit grey (6)",
        "bicyclist",
        "no problems",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
}

#[test]
fn all_mistakes_are_listed() {
    let root = camvid();
    let mask = |number: usize| {
        root.path()
            .join(format!("trainannot/0006R0_f{:05}.png", 930 + 30 * number))
    };
    let image = |number: usize| {
        root.path()
            .join(format!("train/0006R0_f{:05}.png", 930 + 30 * number))
    };
    // Two unknown labels in one file; a palette; colours; another size; a truncated and an empty file.
    write_mask(
        mask(0),
        &LabelMap::new(48, 32, (0..1536).map(|i| [0, 77, 13][i % 3]).collect()),
    )
    .expect("writable");
    write_index_mask(mask(1), &LabelMap::filled(48, 32, 1), &[[0; 3]; 2]).expect("writable");
    write_image(mask(2), &RgbImage::new(48, 32)).expect("writable");
    write_mask(mask(3), &LabelMap::filled(32, 48, 1)).expect("writable");
    let bytes = fs::read(image(4)).expect("there");
    fs::write(image(4), &bytes[..bytes.len() - 20]).expect("writable");
    fs::write(mask(4), "").expect("writable");
    // A validation picture that is trained on, and one that is there twice.
    let val = |number: usize| {
        root.path()
            .join(format!("val/0016E5_{:05}.png", 7959 + 2 * number))
    };
    fs::copy(image(5), val(0)).expect("writable");
    fs::copy(val(1), val(2)).expect("writable");

    let report = report(root.path());
    let text = report.to_string();
    assert!(!report.is_ok());
    for part in [
        "label 13 on 512 pixels",
        "label 77 on 512 pixels",
        "stored as 8-bit palette",
        "stored as 8-bit RGB",
        "label of 32x48, expected the 48x32",
        "truncated after",
        "empty file",
        "same picture: train/0006R0_f01080 and val/0016E5_07959",
        "same picture: val/0016E5_07961 and val/0016E5_07963",
        "7 problems, 1 pictures in two splits",
        "masks: 8-bit RGB (1), 8-bit grey (3), 8-bit palette (1)",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    assert_eq!(report.leaks().count(), 1);
    assert_eq!(report.splits[0].problems.len(), 7);
}

#[test]
fn overlays_are_written() {
    let root = camvid();
    let train = CamVid::open(root.path(), Split::Train).expect("a whole layout");
    let folder = root.path().join("overlays");
    let files = write_overlays(&train, &folder, 3).expect("writable");
    assert_eq!(files.len(), 3);
    for file in files {
        let picture = decoupled_seg_datasets::files::read_image(&file).expect("written by us");
        assert_eq!(picture.dimensions(), (48, 32));
    }
}

/// Facts of the SegNet release: fence is absent from 194 of 367 training images.
#[test]
fn the_real_camvid() {
    let Some(root) = std::env::var_os("DECOUPLED_SEG_CAMVID") else {
        return;
    };
    let open = |split| CamVid::open(&root, split).expect("the release");
    let (train, val) = (open(Split::Train), open(Split::Val));
    let report = check(&[("train", &train), ("val", &val)], |_, _| {});
    assert!(report.is_ok(), "{report}");
    assert_eq!(report.splits[0].images[7], 367 - 194);
    assert_eq!(report.splits[0].absent(), Vec::<u8>::new());
    assert_eq!(
        report.splits[0]
            .raw_values
            .keys()
            .copied()
            .collect::<Vec<_>>(),
        (0..12).collect::<Vec<_>>()
    );
    println!("{report}");
}
