//! What no training run may trip over: batches without labels or edges, tiny pictures, extreme and NaN logits.

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use decoupled_seg_losses::*;
use decoupled_seg_nn::SegmentationOutput;
use rstest::rstest;

const CLASSES: usize = 4;

fn device() -> Device {
    Device::default().autodiff()
}

fn presets() -> Vec<(DecoupledLossConfig, TargetsOptions)> {
    vec![
        (DecoupledLossConfig::new(), TargetsOptions::default()),
        (DecoupledLossConfig::paper(), TargetsOptions::paper()),
        (DecoupledLossConfig::official(), TargetsOptions::official()),
        (
            DecoupledLossConfig::paddleseg(),
            TargetsOptions::paddleseg(),
        ),
    ]
}

fn random(channels: usize, [batch, height, width]: [usize; 3], scale: f64) -> Tensor<4> {
    Tensor::random(
        [batch, channels, height, width],
        Distribution::Uniform(-scale, scale),
        &device(),
    )
    .require_grad()
}

fn labels(values: &[i32], shape: [usize; 3]) -> Tensor<3, Int> {
    let values = values
        .iter()
        .copied()
        .cycle()
        .take(shape.iter().product())
        .collect::<Vec<_>>();
    Tensor::from_data(TensorData::new(values, shape), &device())
}

fn scalar(value: &Tensor<1>) -> f32 {
    value.clone().into_scalar()
}

fn largest(tensor: Tensor<4>) -> f32 {
    tensor.max_abs().into_scalar()
}

/// The loss of random logits, with the largest gradient of each map.
fn train(
    config: &DecoupledLossConfig,
    targets: &TargetsOptions,
    labels: Tensor<3, Int>,
    scale: f64,
) -> (LossTerms, [f32; 3]) {
    let shape = labels.dims();
    let inputs = [CLASSES, CLASSES, 1].map(|channels| random(channels, shape, scale));
    let [logits, body, edge] = inputs.clone();
    let targets = Targets::from_labels(labels, CLASSES, targets);
    let output = SegmentationOutput::decoupled(logits, body, edge);
    let terms = config.init().forward(&output, &targets);
    let gradients = terms.total.backward();
    let gradients = inputs.map(|input| input.grad(&gradients).map_or(0.0, largest));
    (terms, gradients)
}

#[test]
fn all_ignored_is_zero_with_zero_gradients() {
    for (config, targets) in presets() {
        let (terms, gradients) = train(&config, &targets, labels(&[255], [2, 6, 7]), 3.0);
        for (name, term) in terms.iter() {
            assert_eq!(scalar(term), 0.0, "{name} of {config}");
        }
        assert_eq!(gradients, [0.0; 3], "{config}");
    }
}

#[test]
fn no_predicted_edge_is_zero_attention() {
    let shape = [1, 5, 6];
    let logits = random(CLASSES, shape, 2.0);
    let edge_logits = Tensor::<4>::full([1, 1, 5, 6], -3.0, &device());
    for config in [
        EdgeAttentionLossConfig::new(),
        EdgeAttentionLossConfig::paper(),
    ] {
        let loss = config.init().forward(
            logits.clone(),
            edge_logits.clone(),
            labels(&[0, 1, 2], shape),
        );
        assert_eq!(scalar(&loss), 0.0);
        let gradients = loss.backward();
        assert_eq!(largest(logits.grad(&gradients).expect("a gradient")), 0.0);
    }
}

#[test]
fn one_class_has_no_edge() {
    let (terms, _) = train(
        &DecoupledLossConfig::new(),
        &TargetsOptions::default(),
        labels(&[2], [2, 5, 5]),
        2.0,
    );
    // Without a pixel on either side there is nothing to balance.
    assert_eq!(scalar(&terms.edge.expect("an edge")), 0.0);
    assert!(scalar(&terms.total) > 0.0);
}

#[rstest]
#[case([1, 1, 1])]
#[case([1, 1, 9])]
#[case([2, 9, 1])]
#[case([3, 2, 2])]
fn tiny_pictures(#[case] shape: [usize; 3]) {
    for (config, targets) in presets() {
        let (terms, gradients) = train(&config, &targets, labels(&[0, 0, 3, 255, 1], shape), 2.0);
        assert!(scalar(&terms.total).is_finite(), "{config}");
        assert!(
            gradients.iter().all(|gradient| gradient.is_finite()),
            "{config}"
        );
    }
}

#[test]
fn logits_of_ten_thousand_are_finite() {
    for (config, targets) in presets() {
        let (terms, gradients) = train(
            &config,
            &targets,
            labels(&[0, 0, 3, 255, 1, 2, 2], [2, 8, 9]),
            1e4,
        );
        for (name, term) in terms.iter() {
            assert!(scalar(term).is_finite(), "{name} of {config}");
        }
        assert!(
            gradients.iter().all(|gradient| gradient.is_finite()),
            "{gradients:?} of {config}"
        );
    }
}

#[test]
fn nan_at_a_labelled_pixel_is_seen_in_the_total() {
    let shape = [1, 8, 9];
    // WGSL leaves it to the driver, and some return a number.
    let nan = Tensor::<1>::full([1], f32::NAN, &device());
    let sigmoid_keeps_nan = scalar(&sigmoid(nan)).is_nan();
    for (config, targets) in presets() {
        let targets = Targets::from_labels(labels(&[0, 0, 0, 1], shape), CLASSES, &targets);
        for poisoned in 0..3 {
            let double_sigmoid = config.edge.activation == EdgeActivation::DoubleSigmoid;
            if poisoned == 2 && double_sigmoid && !sigmoid_keeps_nan {
                continue;
            }
            let mut inputs = [CLASSES, CLASSES, 1].map(|channels| random(channels, shape, 2.0));
            let channels = inputs[poisoned].dims()[1];
            // In the middle: the official labels leave out the frame.
            let spot = Tensor::<4>::full([1, channels, 1, 1], f32::NAN, &device());
            inputs[poisoned] = inputs[poisoned]
                .clone()
                .slice_assign([0..1, 0..channels, 4..5, 4..5], spot);
            let [logits, body, edge] = inputs;
            let output = SegmentationOutput::decoupled(logits, body, edge);
            let terms = config.init().forward(&output, &targets);
            assert!(scalar(&terms.total).is_nan(), "map {poisoned} of {config}");
        }
    }
}

#[test]
fn nan_at_an_ignored_pixel_moves_no_loss() {
    let device = device();
    let logits = Tensor::<4>::from_data([[[[2.0, f32::NAN]], [[0.0, f32::NAN]]]], &device);
    let labels = Tensor::<3, Int>::from_data([[[0, 255]]], &device);
    let loss = OhemCrossEntropyLossConfig::new()
        .init()
        .forward(logits, labels);
    assert!((scalar(&loss) - 0.126_928).abs() < 1e-6);
}

#[test]
fn fewer_labelled_pixels_than_min_kept_are_all_kept() {
    let shape = [1, 4, 4];
    let labels = labels(&[1, 255, 2, 255], shape);
    let logits = random(CLASSES, shape, 2.0);
    let plain = OhemCrossEntropyLossConfig::without_mining()
        .init()
        .forward(logits.clone(), labels.clone());
    for min_kept in [9, 16, 17, 10_000] {
        let mining = PixelMining::Threshold {
            probability: 0.1,
            min_kept: PixelCount::Absolute(min_kept),
            at_limit: AtLimit::Kept,
        };
        let mined = OhemCrossEntropyLossConfig::new()
            .with_mining(mining)
            .init()
            .forward(logits.clone(), labels.clone());
        assert_eq!(scalar(&mined), scalar(&plain), "min_kept {min_kept}");
    }
}

#[test]
fn labels_that_are_no_class_are_ignored() {
    let shape = [1, 2, 3];
    let logits = random(CLASSES, shape, 2.0);
    let loss = OhemCrossEntropyLossConfig::without_mining().init();
    let strange = loss.forward(logits.clone(), labels(&[1, -7, 4, 255, 2, 1000], shape));
    let plain = loss.forward(logits, labels(&[1, 255, 255, 255, 2, 255], shape));
    assert_eq!(scalar(&strange), scalar(&plain));
}

#[test]
fn labels_of_one_byte() {
    use burn::tensor::IntDType;
    if !device().supports_dtype(IntDType::U8) {
        eprintln!("the device has no bytes: nothing to compare");
        return;
    }
    let shape = [2, 6, 7];
    let wide = labels(&[0, 3, 3, 255, 1, 1, 2], shape);
    let bytes = wide.clone().cast(IntDType::U8);
    let maps = [CLASSES, CLASSES, 1].map(|channels| random(channels, shape, 2.0));
    for (config, targets) in presets() {
        let total = |labels: &Tensor<3, Int>| {
            let [logits, body, edge] = maps.clone();
            let targets = Targets::from_labels(labels.clone(), CLASSES, &targets);
            let output = SegmentationOutput::decoupled(logits, body, edge);
            scalar(&config.init().forward(&output, &targets).total)
        };
        assert_eq!(total(&bytes), total(&wide), "{config}");
    }
}

#[test]
fn more_classes_than_bits() {
    let shape = [2, 6, 6];
    let labels = labels(&[0, 33, 33, 149, 64, 64, 31], shape);
    let logits = random(150, shape, 2.0);
    let unrelaxed = TargetsOptions {
        border: 0,
        ..TargetsOptions::default()
    };
    let sharp = RelaxedLabels::from_labels(labels.clone(), 150, &unrelaxed);
    let relaxed = BoundaryRelaxationLossConfig::new()
        .init()
        .forward(logits.clone(), &sharp);
    let plain = OhemCrossEntropyLossConfig::without_mining()
        .init()
        .forward(logits, labels);
    assert!((scalar(&relaxed) - scalar(&plain)).abs() < 1e-5);
}

#[test]
#[should_panic(expected = "axis 1 expected 1, got 4")]
fn edge_logits_have_one_channel() {
    let logits = random(4, [1, 3, 3], 1.0);
    EdgeLossConfig::new()
        .init()
        .forward(logits, labels(&[0], [1, 3, 3]));
}

#[test]
#[should_panic(expected = "number of class weights, and of classes")]
fn a_weight_for_each_class() {
    let config = OhemCrossEntropyLossConfig::without_mining()
        .with_class_weights(ClassWeights::Fixed(vec![1.0; 3]));
    config
        .init()
        .forward(random(4, [1, 3, 3], 1.0), labels(&[0], [1, 3, 3]));
}

#[test]
#[should_panic(expected = "edge_threshold must be between 0 and 1, got 80")]
fn thresholds_are_no_percentages() {
    EdgeAttentionLossConfig::new()
        .with_edge_threshold(80.0)
        .init();
}

#[test]
fn presets_survive_their_files() {
    use burn::config::Config;
    for (config, targets) in presets() {
        let json = config.to_string();
        assert_eq!(
            DecoupledLossConfig::load_binary(json.as_bytes()).expect("own JSON"),
            config
        );
        let json = serde_json::to_string(&targets).expect("plain data");
        assert_eq!(
            serde_json::from_str::<TargetsOptions>(&json).expect("own JSON"),
            targets
        );
    }
    // The dialect of all files: small letters and underscores.
    let json = DecoupledLossConfig::official().to_string();
    for value in [
        "double_sigmoid",
        "whole_batch",
        "image_histogram",
        "within_edges",
        "relaxed",
    ] {
        assert!(json.contains(&format!("\"{value}\"")), "{value} in {json}");
    }
}
