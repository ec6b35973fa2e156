//! The golden metrics of the fixtures: integers exactly, scores within 1e-12.

use decoupled_seg_fixtures::{Group, group};
use decoupled_seg_metrics::{
    AbsentClass, Aggregation, BoundaryFScore, BoundaryThreshold, ClassBoundaries, ConfusionMatrix,
    EvaluationLabel, InstanceIou, LabelTable, boundary_counts,
};
use decoupled_seg_types::Size;
use serde_json::Value;

/// Scores are quotients of the same integers; only the order of a few sums may differ.
const RELATIVE: f64 = 1e-12;

#[track_caller]
fn assert_score(actual: Option<f64>, golden: &Value, what: &str) {
    match (actual, golden.as_f64()) {
        (Some(actual), Some(golden)) => assert!(
            (actual - golden).abs() <= RELATIVE * golden.abs().max(1.0),
            "{what}: {actual}, golden {golden}"
        ),
        (actual, golden) => assert_eq!(actual, golden, "{what}"),
    }
}

fn number(value: &Value) -> usize {
    value.as_u64().expect("a count") as usize
}

/// Cases of the group whose name starts with `prefix`; there must be some.
fn cases<'a>(group: &'a Group, prefix: &str) -> Vec<&'a Value> {
    let name = |case: &Value| {
        case["case"]
            .as_str()
            .expect("a case has a name")
            .to_string()
    };
    let found: Vec<_> = group
        .cases()
        .iter()
        .filter(|case| name(case).starts_with(prefix))
        .collect();
    assert!(!found.is_empty(), "no case {prefix}");
    found
}

/// The images of a tensor `[images, height, width]`, and their size.
fn images(group: &Group, name: &str) -> (Vec<Vec<u8>>, Size) {
    let shape = group.shape(name);
    let size = Size::new(shape[1], shape[2]);
    let values = group.u8(name);
    let images = values.chunks(size.pixels()).map(<[u8]>::to_vec).collect();
    (images, size)
}

/// Calls `check` for each case of boundaries, with the labels and predictions of all images.
fn for_each_boundary_case(check: impl Fn(&Group, &Value, [&[Vec<u8>]; 2], Size)) {
    let Some(group) = group("metrics") else {
        return;
    };
    let (labels, size) = images(&group, "boundary/gt");
    let (predictions, _) = images(&group, "boundary/pred");
    for case in cases(&group, "boundary") {
        check(&group, case, [&labels, &predictions], size);
    }
}

#[test]
fn boundaries_of_each_class() {
    for_each_boundary_case(|group, case, [labels, predictions], size| {
        let classes = number(&case["classes"]);
        for (name, maps) in [("gt", labels), ("pred", predictions)] {
            let golden = group.u8(&format!("boundary/{name}_boundary"));
            let mut planes = golden.chunks(size.pixels());
            for (map, labels) in maps.iter().zip(labels) {
                let masked: Vec<u8> = map
                    .iter()
                    .zip(labels)
                    .map(|(&value, &label)| if label == 255 { 255 } else { value })
                    .collect();
                let boundaries = ClassBoundaries::new(&masked, size, classes);
                for class in 0..classes {
                    let golden = planes.next().expect("a plane per image and class");
                    let golden: Vec<u32> = (0..golden.len() as u32)
                        .filter(|&pixel| golden[pixel as usize] == 1)
                        .collect();
                    assert_eq!(boundaries.positions(class), golden, "{name}, class {class}");
                }
            }
        }
    });
}

#[test]
fn boundary_f_scores() {
    for_each_boundary_case(|group, case, [labels, predictions], size| {
        let classes = number(&case["classes"]);
        for golden in case["thresholds"].as_array().expect("thresholds") {
            let value = golden["threshold"].as_f64().expect("a threshold");
            let threshold = if value >= 1.0 {
                BoundaryThreshold::Pixels(value as u32)
            } else {
                BoundaryThreshold::DiagonalFraction(value)
            };
            let radius = threshold.pixels(size);
            assert_eq!(f64::from(radius), golden["radius_px"].as_f64().unwrap());

            // Image by image.
            let [f, precision, recall] = ["f", "precision", "recall"]
                .map(|score| group.f64(&format!("boundary/{score}_{value}")));
            for (image, (labels, predictions)) in labels.iter().zip(predictions).enumerate() {
                let counts =
                    boundary_counts(classes, labels, predictions, size, &[radius]).unwrap();
                for (class, counts) in counts[0].iter().enumerate() {
                    let score = counts.score(AbsentClass::Perfect).unwrap();
                    let at = image * classes + class;
                    let what = format!("threshold {value}, image {image}, class {class}");
                    for (actual, golden) in [
                        (score.f, f[at]),
                        (score.precision, precision[at]),
                        (score.recall, recall[at]),
                    ] {
                        assert!(
                            (actual - golden).abs() <= RELATIVE,
                            "{what}: {actual}, golden {golden}"
                        );
                    }
                }
            }

            // All together.
            let mut metric =
                BoundaryFScore::new(classes, [threshold]).with_absent_class(AbsentClass::Perfect);
            for (labels, predictions) in labels.iter().zip(predictions) {
                metric.update(labels, predictions, size).unwrap();
            }
            assert_eq!(metric.images(), number(&case["images"]) as u64);
            let scores = &metric.class_scores(Aggregation::PerImage)[0];
            for (class, score) in scores.iter().enumerate() {
                let what = format!("threshold {value}, class {class}");
                assert_score(
                    score.map(|score| score.f),
                    &golden["f_per_class"][class],
                    &what,
                );
            }
            let mean = metric.mean_scores(Aggregation::PerImage)[0];
            assert_score(mean.map(|score| score.f), &golden["f_mean"], "mean");
        }
    });
}

#[test]
fn confusion_matrices() {
    let Some(group) = group("metrics") else {
        return;
    };
    let (labels, _) = images(&group, "boundary/gt");
    let (predictions, _) = images(&group, "boundary/pred");
    let classes = number(&cases(&group, "confusion")[0]["classes"]);
    let matrix_of = |images: &[usize]| {
        let mut matrix = ConfusionMatrix::new(classes);
        for &image in images {
            matrix.update(&labels[image], &predictions[image]).unwrap();
        }
        matrix
    };
    let assert_counts = |matrix: &ConfusionMatrix, name: &str| {
        let counts: Vec<i64> = matrix.counts().iter().map(|&count| count as i64).collect();
        assert_eq!(counts, group.i64(name), "{name}");
    };

    for case in cases(&group, "confusion") {
        let images = case["images"].as_array().expect("images");
        let images: Vec<usize> = images.iter().map(number).collect();
        let matrix = matrix_of(&images);
        let name = case["case"].as_str().unwrap();
        assert_counts(
            &matrix,
            &match name.strip_prefix("confusion_") {
                Some(image) => format!("confusion/{image}"),
                None => "confusion/all".to_string(),
            },
        );
        for (class, iou) in matrix.iou().into_iter().enumerate() {
            assert_score(iou, &case["iou"][class], &format!("{name}, class {class}"));
        }
        assert_score(matrix.mean_iou(), &case["miou"], "miou");
        assert_score(matrix.pixel_accuracy(), &case["acc"], "acc");
        assert_score(matrix.class_accuracy(), &case["acc_cls"], "acc_cls");
        assert_score(matrix.frequency_weighted_iou(), &case["fwavacc"], "fwavacc");
    }
    // Some matrices (of an image that is all ignored) have no record in the JSON.
    for name in group.names() {
        if let Some(Ok(image)) = name.strip_prefix("confusion/image").map(str::parse) {
            assert_counts(&matrix_of(&[image]), &name);
        }
    }
}

#[test]
fn cityscapes_scores() {
    let Some(group) = group("metrics") else {
        return;
    };
    let table = LabelTable::cityscapes();
    assert_table(&table, group.json());
    let (labels, _) = images(&group, "cityscapes/gt_label_ids");
    let (predictions, size) = images(&group, "cityscapes/pred_label_ids");
    let numbers: Vec<u32> = group
        .i64("cityscapes/gt_instance_ids")
        .iter()
        .map(|&number| number as u32)
        .collect();
    let instances: Vec<_> = numbers.chunks(size.pixels()).collect();

    for case in cases(&group, "cityscapes") {
        let mut metric = InstanceIou::new(table.clone());
        for ((labels, predictions), instances) in labels.iter().zip(&predictions).zip(&instances) {
            metric.update(labels, predictions, instances).unwrap();
        }
        let counts: Vec<i64> = metric
            .confusion()
            .counts()
            .iter()
            .map(|&c| c as i64)
            .collect();
        assert_eq!(counts, group.i64("cityscapes/confusion"));

        let label_names: Vec<&str> = table
            .labels
            .iter()
            .map(|label| label.name.as_str())
            .collect();
        let category_names: Vec<&str> = table.categories.iter().map(String::as_str).collect();
        for (key, names, scores, mean) in [
            (
                "class_iou",
                &label_names,
                metric.class_iou(),
                metric.mean_class_iou(),
            ),
            (
                "class_iiou",
                &label_names,
                metric.class_iiou(),
                metric.mean_class_iiou(),
            ),
            (
                "category_iou",
                &category_names,
                metric.category_iou(),
                metric.mean_category_iou(),
            ),
            (
                "category_iiou",
                &category_names,
                metric.category_iiou(),
                metric.mean_category_iiou(),
            ),
        ] {
            for (name, score) in names.iter().zip(scores) {
                // A label without a record is not evaluated, so it must have no score.
                assert_score(score, &case[key][name], &format!("{key} of {name}"));
            }
            assert_score(mean, &case[format!("mean_{key}")], key);
        }
    }
}

/// The built-in table equals the table of the fixtures.
fn assert_table(table: &LabelTable, json: &Value) {
    let golden = json["cityscapes_labels"].as_array().expect("labels");
    assert_eq!(table.labels.len(), golden.len());
    for (value, (label, golden)) in table.labels.iter().zip(golden).enumerate() {
        let EvaluationLabel {
            name,
            category,
            evaluated,
            average_instance_size,
        } = label;
        assert_eq!(number(&golden["id"]), value);
        assert_eq!(golden["name"], name.as_str());
        assert_eq!(golden["category"], table.categories[*category].as_str());
        assert_eq!(golden["ignored"] == 0, *evaluated, "{name}");
        assert_eq!(
            golden["has_instances"] == 1,
            average_instance_size.is_some(),
            "{name}"
        );
        if *evaluated {
            let golden = &json["cityscapes_average_instance_size"][name.as_str()];
            assert_eq!(golden.as_f64(), *average_instance_size, "{name}");
        }
    }
    let train_ids = LabelTable::cityscapes_train_ids();
    for golden in golden.iter().filter(|label| label["train_id"] != 255) {
        let label = &train_ids.labels[number(&golden["train_id"])];
        assert_eq!(golden["name"], label.name.as_str());
        assert_eq!(
            golden["category"],
            train_ids.categories[label.category].as_str()
        );
    }
}
