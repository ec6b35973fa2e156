//! Dice, focal and Lovász losses against their formulas in PyTorch: `fixtures/training.safetensors`, made by
//! `fixtures/generate/make_training.py` in f64.

use burn::tensor::{Device, Int, Tensor};
use decoupled_seg_fixtures::{Group, default_folder};
use decoupled_seg_losses::*;
use decoupled_seg_nn::SegmentationOutput;
use rstest::rstest;

/// Of f32 sums over 198 pixels.
const TOLERANCE: f64 = 1e-6;

fn group() -> Group {
    Group::open(&default_folder(), "training").expect("part of the repository")
}

fn logits(group: &Group) -> Tensor<4> {
    let device = Device::default().autodiff();
    group.tensor::<4>("losses/logits", &device).require_grad()
}

fn labels(group: &Group) -> Tensor<3, Int> {
    group.int_tensor::<3>("losses/labels", &Device::default())
}

fn weighted_focal() -> FocalLossConfig {
    FocalLossConfig {
        gamma: 0.5,
        class_weights: ClassWeights::Fixed(vec![0.5, 1.0, 2.5, 1.5, 4.0]),
        ..FocalLossConfig::default()
    }
}

fn loss_of(name: &str, logits: Tensor<4>, labels: Tensor<3, Int>) -> Tensor<1> {
    let smooth = DiceLossConfig {
        smooth: 100.0,
        ..DiceLossConfig::default()
    };
    match name {
        "dice" => DiceLossConfig::default().init().forward(logits, labels),
        "dice_smooth" => smooth.init().forward(logits, labels),
        "focal" => FocalLossConfig::default().init().forward(logits, labels),
        "focal_weighted" => weighted_focal().init().forward(logits, labels),
        "lovasz" => LovaszLossConfig::default().init().forward(logits, labels),
        other => panic!("no loss `{other}`"),
    }
}

const ALL: [&str; 5] = ["dice", "dice_smooth", "focal", "focal_weighted", "lovasz"];

#[rstest]
#[case("dice")]
#[case("dice_smooth")]
#[case("focal")]
#[case("focal_weighted")]
#[case("lovasz")]
fn value_and_gradient_are_those_of_the_formula(#[case] name: &str) {
    let group = group();
    let logits = logits(&group);
    let loss = loss_of(name, logits.clone(), labels(&group));
    let gradients = loss.backward();
    let found = f64::from(loss.into_scalar::<f32>());
    let expected = group.f64(&format!("losses/{name}/value"))[0];
    assert!(
        (found - expected).abs() <= TOLERANCE,
        "{found}, expected {expected}"
    );
    let gradient: Vec<f32> = logits
        .grad(&gradients)
        .expect("a gradient")
        .try_into_vec_as()
        .expect("floats");
    let expected = group.f64(&format!("losses/{name}/gradient"));
    assert_eq!(gradient.len(), expected.len());
    let largest = expected.iter().fold(0.0_f64, |max, it| max.max(it.abs()));
    assert!(largest > 1e-4, "the fixture has a gradient");
    for (found, expected) in gradient.iter().zip(&expected) {
        let difference = (f64::from(*found) - expected).abs();
        assert!(
            difference <= TOLERANCE * largest.max(0.1),
            "{found}, expected {expected}"
        );
    }
}

#[test]
fn without_a_label_the_loss_is_zero() {
    for name in ALL {
        let logits = logits(&group());
        let labels = Tensor::full([2, 9, 11], 255, &Device::default());
        let loss = loss_of(name, logits.clone(), labels);
        let gradients = loss.backward();
        assert_eq!(loss.into_scalar::<f32>(), 0.0, "{name}");
        let gradient = logits.grad(&gradients).expect("a gradient");
        assert_eq!(gradient.abs().max().into_scalar::<f32>(), 0.0, "{name}");
    }
}

#[test]
fn nan_is_seen_where_a_label_is_and_nowhere_else() {
    let group = group();
    let labels = labels(&group);
    let at = |y: usize, x: usize| {
        let nan = Tensor::<4>::full([1, 1, 1, 1], f32::NAN, &Device::default());
        let plain = logits(&group).inner();
        let broken = plain.slice_assign([0..1, 1..2, y..y + 1, x..x + 1], nan);
        Tensor::from_inner(broken).require_grad()
    };
    for name in ALL {
        let labelled = loss_of(name, at(0, 0), labels.clone());
        assert!(labelled.into_scalar::<f32>().is_nan(), "{name}");
        // The ignored block of the first picture.
        let broken = at(3, 4);
        let loss = loss_of(name, broken.clone(), labels.clone());
        let gradients = loss.backward();
        assert!(loss.into_scalar::<f32>().is_finite(), "{name}");
        if name.starts_with("focal") {
            // Through the cross entropy, whose gradient is NaN at such a pixel.
            continue;
        }
        let gradient = broken.grad(&gradients).expect("a gradient");
        assert!(
            gradient.abs().max().into_scalar::<f32>().is_finite(),
            "{name}"
        );
    }
}

#[test]
fn they_join_the_segmentation_term() {
    let group = group();
    let total = |config: &DecoupledLossConfig| {
        let output = SegmentationOutput::plain(logits(&group));
        let targets = Targets::plain(labels(&group));
        let terms = config.init().forward(&output, &targets);
        let terms = terms.map(|term| term.into_scalar::<f32>());
        assert_eq!(terms.total, terms.segmentation);
        terms.total
    };
    let plain = DecoupledLossConfig::paper();
    let with_all = plain
        .clone()
        .with_segmentation_weight(0.5)
        .with_dice(Some(DiceLossConfig {
            weight: 2.0,
            ..DiceLossConfig::default()
        }))
        .with_focal(Some(FocalLossConfig {
            weight: 3.0,
            ..FocalLossConfig::default()
        }))
        .with_lovasz(Some(LovaszLossConfig { weight: 4.0 }));
    let alone = |name| loss_of(name, logits(&group), labels(&group)).into_scalar::<f32>();
    let expected =
        0.5 * total(&plain) + 2.0 * alone("dice") + 3.0 * alone("focal") + 4.0 * alone("lovasz");
    let found = total(&with_all);
    assert!(
        (found - expected).abs() < 1e-5,
        "{found}, expected {expected}"
    );
}

#[test]
#[should_panic(expected = "dice.smooth must be finite and not below 0, got -1")]
fn smoothing_is_a_number_of_pixels() {
    let dice = DiceLossConfig {
        smooth: -1.0,
        ..DiceLossConfig::default()
    };
    DecoupledLossConfig::new().with_dice(Some(dice)).init();
}
