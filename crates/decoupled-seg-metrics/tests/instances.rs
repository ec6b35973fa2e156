//! iIoU on random maps, against the plainest code that follows its definition.

use std::collections::HashMap;

use decoupled_seg_metrics::{EvaluationLabel, InstanceIou, LabelTable};
use proptest::prelude::*;

/// Average sizes of labels 0 to 3. Label 0 has no instances, label 3 is not evaluated.
const SIZES: [Option<f64>; 4] = [None, Some(3.0), Some(7.5), Some(2.0)];
const CATEGORIES: [usize; 4] = [0, 1, 1, 2];

/// Sums of a hundred f64 in another order.
const TOLERANCE: f64 = 1e-9;

/// A table with the labels in this order.
fn table(order: [usize; 4]) -> LabelTable {
    let mut labels = vec![None; 4];
    for (label, size) in SIZES.into_iter().enumerate() {
        labels[order[label]] = Some(EvaluationLabel {
            name: format!("label {label}"),
            category: CATEGORIES[label],
            evaluated: label != 3,
            average_instance_size: size,
        });
    }
    LabelTable {
        labels: labels.into_iter().flatten().collect(),
        categories: vec!["ground".into(), "things".into(), "rest".into()],
    }
}

/// Label, prediction and instance of each pixel.
type Pixel = (u8, u8, u32);

fn image() -> impl Strategy<Value = Vec<Pixel>> {
    let label = prop_oneof![8 => 0..4u8, 1 => Just(255)];
    let pixel = (label, 0..4u8, 0..3u32, any::<bool>());
    let pixel = pixel.prop_map(|(label, prediction, instance, found)| {
        let prediction = if found && label < 4 {
            label
        } else {
            prediction
        };
        // Instance 0 is a group.
        let number = match instance {
            0 => u32::from(label),
            _ => 1000 * u32::from(label) + instance,
        };
        (label, prediction, number)
    });
    proptest::collection::vec(pixel, 0..120)
}

fn add(metric: &mut InstanceIou, image: &[Pixel]) {
    let labels: Vec<u8> = image.iter().map(|pixel| pixel.0).collect();
    let predictions: Vec<u8> = image.iter().map(|pixel| pixel.1).collect();
    let instances: Vec<u32> = image.iter().map(|pixel| pixel.2).collect();
    metric
        .update(&labels, &predictions, &instances)
        .expect("known labels");
}

fn measured(images: &[Vec<Pixel>]) -> InstanceIou {
    let mut metric = InstanceIou::new(table([0, 1, 2, 3]));
    images.iter().for_each(|image| add(&mut metric, image));
    metric
}

fn scores(metric: &InstanceIou) -> [Vec<Option<f64>>; 4] {
    [
        metric.class_iou(),
        metric.class_iiou(),
        metric.category_iou(),
        metric.category_iiou(),
    ]
}

fn assert_close(left: &[Option<f64>], right: &[Option<f64>]) -> Result<(), TestCaseError> {
    prop_assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(right) {
        match (left, right) {
            (Some(left), Some(right)) => prop_assert!((left - right).abs() < TOLERANCE),
            (left, right) => prop_assert_eq!(left, right),
        }
    }
    Ok(())
}

/// iIoU of the labels for which `is_member` is true, taken as one.
fn iiou(images: &[Vec<Pixel>], is_member: impl Fn(u8) -> bool) -> Option<f64> {
    let (mut hits, mut misses, mut wrong) = (0.0, 0.0, 0.0);
    for image in images {
        let mut sizes = HashMap::<u32, f64>::new();
        for (_, _, number) in image.iter().filter(|pixel| pixel.0 != 255) {
            *sizes.entry(*number).or_default() += 1.0;
        }
        for &(label, prediction, number) in image.iter().filter(|pixel| pixel.0 < 3) {
            if !is_member(label) {
                wrong += f64::from(u8::from(is_member(prediction)));
            } else if number >= 1000 {
                let weight = SIZES[usize::from(label)].expect("a size") / sizes[&number];
                let hit = is_member(prediction);
                *(if hit { &mut hits } else { &mut misses }) += weight;
            }
        }
    }
    let union = hits + misses + wrong;
    (union > 0.0).then(|| hits / union)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn follows_the_definition(images in proptest::collection::vec(image(), 0..4)) {
        let metric = measured(&images);
        let classes = [1, 2].map(|class| iiou(&images, |label| label == class));
        assert_close(&metric.class_iiou(), &[None, classes[0], classes[1], None])?;
        let things = iiou(&images, |label| (1..=2).contains(&label));
        assert_close(&metric.category_iiou(), &[None, things, None])?;
    }

    #[test]
    fn a_perfect_prediction_scores_one(image in image()) {
        let perfect: Vec<Pixel> = image.iter().map(|&(label, _, number)| (label, label.min(3), number)).collect();
        for scores in scores(&measured(&[perfect])) {
            prop_assert!(scores.iter().flatten().all(|score| *score == 1.0), "{:?}", scores);
        }
    }

    #[test]
    fn ignored_pixels_move_nothing(image in image(), noise in proptest::collection::vec(any::<(u8, u16)>(), 120)) {
        let mut changed = image.clone();
        for ((label, prediction, number), (value, instance)) in changed.iter_mut().zip(noise) {
            if *label == 255 {
                (*prediction, *number) = (value % 4, u32::from(instance));
            }
        }
        prop_assert_eq!(scores(&measured(&[image])), scores(&measured(&[changed])));
    }

    #[test]
    fn merging_equals_one_pass(images in proptest::collection::vec(image(), 0..5), split in 0usize..5) {
        let split = split.min(images.len());
        let mut merged = measured(&images[..split]);
        merged.merge(&measured(&images[split..]));
        for (merged, one_pass) in scores(&merged).iter().zip(scores(&measured(&images))) {
            assert_close(merged, &one_pass)?;
        }
    }

    #[test]
    fn permuting_classes_permutes_the_scores(image in image(), order in Just([0usize, 1, 2, 3]).prop_shuffle()) {
        let order: [usize; 4] = order;
        let renamed = |value: u8| order.get(usize::from(value)).map_or(value, |&place| place as u8);
        let permuted: Vec<Pixel> = image
            .iter()
            .map(|&(label, prediction, number)| (renamed(label), renamed(prediction), number))
            .collect();
        let mut metric = InstanceIou::new(table(order));
        add(&mut metric, &permuted);
        let before = measured(&[image]);
        for (before, after) in [(before.class_iou(), metric.class_iou()), (before.class_iiou(), metric.class_iiou())] {
            let back: Vec<_> = order.iter().map(|&place| after[place]).collect();
            assert_close(&before, &back)?;
        }
        assert_close(&before.category_iou(), &metric.category_iou())?;
        assert_close(&before.category_iiou(), &metric.category_iiou())?;
    }
}
