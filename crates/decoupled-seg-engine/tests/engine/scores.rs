//! Predictions in files against ground truth in files.

use std::path::Path;

use burn::nn::conv::Conv2dConfig;
use burn::tensor::Device;
use decoupled_seg_datasets::augment::Normalization;
use decoupled_seg_datasets::files::read_image;
use decoupled_seg_datasets::files::{write_instances, write_mask};
use decoupled_seg_datasets::{Cityscapes, DatasetError, InstanceMap, LabelMap, Size, Split};
use decoupled_seg_engine::{
    BenchmarkReport, BenchmarkRow, EngineError, EvaluationRecipe, Evaluator, Predictor, Submission,
    score_cityscapes,
};
use decoupled_seg_synthetic::{SyntheticConfig, write_cityscapes};
use tempfile::TempDir;

use super::common::*;

const CAR: u8 = 26;

/// Mean size of a car in the training images, in pixels.
const CAR_SIZE: f64 = 12794.0202738185;

struct Files {
    root: TempDir,
}

impl Files {
    /// Two images of 3x2 pixels in two cities: cars of 2, 1 and 2 pixels, one of a group, road, sky and void.
    fn new() -> Self {
        let files = Self {
            root: tempfile::tempdir().expect("a temporary folder"),
        };
        files.truth(
            "lindau_000000_000019",
            [26, 26, 26, 26, 7, 0],
            [26000, 26000, 26001, 26, 7, 0],
        );
        files.truth(
            "munster_000001_000019",
            [26, 26, 23, 7, 7, 18],
            [26000, 26000, 23, 7, 7, 18],
        );
        // One pixel of the first car is found, none of the second, all of the third.
        files.predict("lindau_000000_000019_leftImg8bit", [26, 29, 7, 26, 7, 26]);
        files.predict("nested/munster_000001_000019", [26, 26, 23, 26, 7, 7]);
        files
    }

    fn truth(&self, name: &str, ids: [u8; 6], instances: [u16; 6]) {
        let city = name.split('_').next().expect("a city");
        let stem = format!("gtFine/val/{city}/{name}_gtFine");
        let path = |suffix: &str| self.root.path().join(format!("{stem}_{suffix}.png"));
        write_mask(
            path("labelIds"),
            &LabelMap::new(Size::new(2, 3), ids.into()),
        )
        .expect("writable");
        let instances = InstanceMap::new(Size::new(2, 3), instances.into());
        write_instances(path("instanceIds"), &instances).expect("writable");
    }

    fn predict(&self, name: &str, ids: [u8; 6]) {
        self.write(name, &LabelMap::new(Size::new(2, 3), ids.into()));
    }

    fn write(&self, name: &str, map: &LabelMap) {
        let path = self.predictions().join(format!("{name}.png"));
        write_mask(path, map).expect("writable");
    }

    fn predictions(&self) -> std::path::PathBuf {
        self.root.path().join("results")
    }

    fn error(&self) -> EngineError {
        score_cityscapes(self.root.path(), Split::Val, self.predictions()).expect_err("faulty")
    }
}

#[test]
fn what_nobody_labelled_is_not_scored() {
    let files = Files::new();
    for name in ["lindau_000000_000019", "munster_000001_000019"] {
        files.truth(name, [0; 6], [0; 6]);
    }
    let error = files.error().to_string();
    assert!(
        error.contains("every pixel of the val labels is ignored"),
        "{error}"
    );
}

#[test]
fn two_images_by_hand() {
    let files = Files::new();
    let report = score_cityscapes(files.root.path(), Split::Val, files.predictions());
    let report = report.expect("whole");
    let row = |rows: &[BenchmarkRow], name: &str| {
        let row = rows.iter().find(|row| row.name == name).expect("a row");
        (row.iou, row.iiou)
    };
    assert_eq!(
        (report.images, report.classes.len(), report.categories.len()),
        (2, 19, 7)
    );
    // Pixels: 4 hits, 2 misses, 1 false one on the road; the one on void does not count.
    // Instances: hits 1/2 and 2/2, misses 1/2 and 1/1, each times the mean size.
    let weighted = (1.5 * CAR_SIZE) / (1.5 * CAR_SIZE + 1.0 + 1.5 * CAR_SIZE);
    let (iou, iiou) = row(&report.classes, "car");
    assert_eq!(iou, Some(4.0 / 7.0));
    assert!((iiou.expect("there are cars") - weighted).abs() < 1e-12);
    // Road: 2 hits, 1 miss, 1 false one on a car.
    assert_eq!(row(&report.classes, "road"), (Some(2.0 / 4.0), None));
    assert_eq!(row(&report.classes, "sky"), (Some(1.0), None));
    assert_eq!(row(&report.classes, "bus"), (None, None));
    // The caravan on a car is a hit for the category's iIoU, but not for its IoU.
    let weighted = (2.0 * CAR_SIZE) / (2.0 * CAR_SIZE + 1.0 + CAR_SIZE);
    let (iou, iiou) = row(&report.categories, "vehicle");
    assert_eq!(iou, Some(4.0 / 7.0));
    assert!((iiou.expect("there are cars") - weighted).abs() < 1e-12);
    let mean = (4.0 / 7.0 + 0.5 + 1.0) / 3.0;
    assert!((report.class_mean.iou.expect("scored") - mean).abs() < 1e-12);

    let json = serde_json::to_value(&report).expect("plain data");
    assert_eq!(
        json["class_mean"]["iou"],
        report.class_mean.iou.expect("scored")
    );
    assert!(
        report
            .to_string()
            .contains("\ncar             57.14   50.00\n"),
        "{report}"
    );
}

/// Class indices are all among the label ids, and mean others.
#[test]
fn class_indices_are_no_label_ids() {
    let files = Files::new();
    files.predict("lindau_000000_000019_leftImg8bit", [13, 13, 0, 13, 0, 2]);
    files.predict("nested/munster_000001_000019", [13, 13, 10, 13, 0, 18]);
    let error = files.error();
    assert!(
        matches!(error, EngineError::ScoredIndices { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("`--kinds label_id`"), "{error}");
    // One picture may show little.
    files.predict("nested/munster_000001_000019", [26, 26, 23, 26, 7, 7]);
    score_cityscapes(files.root.path(), Split::Val, files.predictions()).expect("label ids");
}

/// What the evaluator says of a network is what its submission scores.
#[test]
fn the_evaluator_says_the_same() {
    let _turn = alone();
    let root = tempfile::tempdir().expect("a temporary folder");
    let config = SyntheticConfig {
        val: 3,
        ..SyntheticConfig::default()
    };
    write_cityscapes(root.path(), &config).expect("writable");
    let dataset = Cityscapes::open(root.path(), Split::Val).expect("just written");
    let device = Device::default();
    let mut net = TinyNet::new(8, false, &device);
    net.num_classes = 19;
    net.classify = Conv2dConfig::new([8, 19], [1, 1]).init(&device);

    let normalization = Normalization::default();
    let mut evaluator = Evaluator::new(EvaluationRecipe::default(), normalization.clone(), &device);
    let report = evaluator.evaluate(&net, &dataset).expect("evaluates");
    let classes = Cityscapes::classes();
    let mut predictor = Predictor::new(net.clone(), classes, normalization.clone(), &device);
    let folder = root.path().join("submission");
    Submission::Cityscapes
        .write(&mut predictor, &dataset, &folder)
        .expect("writable");
    let scored = score_cityscapes(root.path(), Split::Val, &folder).expect("whole");

    let of_network = report.benchmark().expect("the files have instances");
    let rows = |report: &BenchmarkReport| {
        let means = [&report.class_mean, &report.category_mean].map(Clone::clone);
        [&report.classes[..], &report.categories[..], &means[..]].concat()
    };
    let (of_network, of_files) = (rows(&of_network), rows(&scored));
    assert_eq!(of_network.len(), of_files.len());
    // The instances of several images are added up in another order.
    let same = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-12,
        (a, b) => a == b,
    };
    for (a, b) in of_network.iter().zip(&of_files) {
        assert!(a.name == b.name && same(a.iou, b.iou), "{a:?} {b:?}");
        assert!(same(a.iiou, b.iiou), "{a:?} {b:?}");
    }
    assert!(scored.class_mean.iiou.is_some(), "{scored}");
    assert!(report.to_string().contains("iIoU"), "{report}");
    assert_eq!(report.to_json()["benchmark"]["images"], 3);

    // Without the instances of one image there is no score of all.
    let truths = Cityscapes::ground_truth(root.path(), Split::Val).expect("just written");
    std::fs::remove_file(&truths[1].instances).expect("writable");
    let dataset = Cityscapes::open(root.path(), Split::Val).expect("labels suffice");
    let mut evaluator = Evaluator::new(EvaluationRecipe::default(), normalization, &device);
    let report = evaluator.evaluate(&net, &dataset).expect("evaluates");
    assert_eq!(report.benchmark(), None);
    let told = format!("no iIoU: `{}", truths[1].name);
    assert!(report.to_string().contains(&told), "{report}");
    assert!(
        report.to_string().contains("category vehicle: IoU"),
        "{report}"
    );
}

#[test]
fn missing_predictions_are_counted() {
    let files = Files::new();
    std::fs::remove_dir_all(files.predictions()).expect("writable");
    let error = files.error();
    assert!(
        matches!(&error, EngineError::File(error) if error.source.kind() == std::io::ErrorKind::NotFound),
        "{error:?}"
    );
    files.predict("lindau_000000_000020", [7; 6]);
    let EngineError::MissingPredictions { labels, looked_for } = files.error() else {
        panic!("{:?}", files.error());
    };
    assert_eq!(labels.len(), 2);
    assert_eq!(
        looked_for,
        files.predictions().join("lindau_000000_000019*.png")
    );
    assert!(files.error().to_string().ends_with("(and 1 more images)"));
}

#[test]
fn two_predictions_for_one_image() {
    let files = Files::new();
    files.predict("munster_000001_000019_again", [7; 6]);
    let error = files.error();
    assert!(
        matches!(error, EngineError::SeveralPredictions { .. }),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("munster_000001_000019_again.png"),
        "{error}"
    );
}

#[test]
fn other_sizes_and_unknown_ids_name_the_file() {
    let name = "nested/munster_000001_000019";
    let files = Files::new();
    files.write(name, &LabelMap::filled(Size::new(3, 2), CAR));
    let error = files.error();
    let EngineError::Size { size, expected, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!((*size, *expected), (Size::new(3, 2), Size::new(2, 3)));
    assert!(
        error
            .to_string()
            .contains("munster_000001_000019.png`: 3x2"),
        "{error}"
    );

    // Train ids instead of ids would be silent but for the 255.
    files.predict(name, [255, 7, 7, 7, 7, 7]);
    let error = files.error();
    let EngineError::Dataset(DatasetError::UnknownLabel { path, label, .. }) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*label, 255);
    assert!(path.ends_with(Path::new(name).with_extension("png")));
    assert!(read_image(path).is_ok(), "whole, but for the value");
}

#[test]
fn instances_must_be_there() {
    let files = Files::new();
    let path = "gtFine/val/lindau/lindau_000000_000019_gtFine_instanceIds.png";
    std::fs::remove_file(files.root.path().join(path)).expect("writable");
    let error = files.error();
    assert!(
        matches!(error, EngineError::Dataset(DatasetError::Io { .. })),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("lindau_000000_000019_gtFine_instanceIds.png"),
        "{error}"
    );
}
