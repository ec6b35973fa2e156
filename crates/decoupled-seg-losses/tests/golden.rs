//! Values computed with the authors' code on two 6x8 label maps that can be read by eye.

use burn::tensor::{Device, Int, Tensor, TensorData};
use decoupled_seg_losses::*;
use decoupled_seg_nn::SegmentationOutput;
use rstest::rstest;

/// Seven digits were noted down.
const TOLERANCE: f64 = 2e-6;

const A: [&str; 6] = [
    "00001111", "00001111", "00011111", "00222111", "22222211", "22222..1",
];
const B: [&str; 6] = [
    "22222222", "22222222", "22200222", "22200222", "11111111", "11111111",
];

fn device() -> Device {
    Device::default().autodiff()
}

fn values(maps: &[[&str; 6]]) -> Vec<i32> {
    let digit = |letter: char| letter.to_digit(10).map_or(255, |digit| digit as i32);
    maps.iter()
        .flatten()
        .flat_map(|row| row.chars())
        .map(digit)
        .collect()
}

fn labels(maps: &[[&str; 6]]) -> Tensor<3, Int> {
    Tensor::from_data(TensorData::new(values(maps), [maps.len(), 6, 8]), &device())
}

/// Both images: 3 channels, element `n` is `((7n mod 23) - 11) / 4`.
fn logits() -> Tensor<4> {
    let value = |n: i32| ((7 * n) % 23 - 11) as f32 * 0.25;
    Tensor::from_data(
        TensorData::new((0..288).map(value).collect(), [2, 3, 6, 8]),
        &device(),
    )
}

/// Both images: element `n` is `((5n mod 13) - 5) * 0.6`.
fn edge_logits() -> Tensor<4> {
    let value = |n: i32| ((5 * n) % 13 - 5) as f32 * 0.6;
    Tensor::from_data(
        TensorData::new((0..96).map(value).collect(), [2, 1, 6, 8]),
        &device(),
    )
}

fn image(tensor: Tensor<4>, index: usize) -> Tensor<4> {
    tensor.narrow(0, index, 1)
}

fn relaxed(maps: &[[&str; 6]]) -> RelaxedLabels {
    RelaxedLabels::from_labels(labels(maps), 3, &TargetsOptions::paper())
}

fn recovered() -> Tensor<3, Int> {
    relaxed(&[A, B]).recovered_labels()
}

fn assert_close(actual: Tensor<1>, golden: f64) {
    let actual = f64::from(actual.into_scalar::<f32>());
    assert!(
        (actual - golden).abs() <= TOLERANCE * golden.abs().max(1.0),
        "{actual}, golden {golden}"
    );
}

fn integers<const D: usize>(tensor: Tensor<D, Int>) -> Vec<i32> {
    tensor.try_into_vec_as().expect("integers")
}

#[test]
fn relaxed_channels() {
    let golden = [
        [
            "11111000", "11111000", "11111000", "11110000", "11100000", "00000000",
        ],
        [
            "00011111", "00111111", "00111111", "00111111", "00001111", "00000111",
        ],
        [
            "00000000", "00000000", "01111100", "11111110", "11111110", "11111110",
        ],
        [
            "11111111", "10000001", "10000001", "10000001", "10001111", "11111111",
        ],
    ];
    assert_eq!(integers(relaxed(&[A]).to_multi_hot()), values(&golden));
}

#[test]
fn recovered_segmentation_labels() {
    let golden = [
        [
            "........", ".000011.", ".000011.", ".000111.", ".002....", "........",
        ],
        [
            "........", ".200002.", ".200002.", ".100001.", ".100001.", "........",
        ],
    ];
    assert_eq!(integers(recovered()), values(&golden));
}

fn edge_labels(maps: &[[&str; 6]], options: &TargetsOptions) -> Tensor<3, Int> {
    let targets = Targets::from_labels(labels(maps), 3, options);
    targets.supervision.expect("all targets").edge_labels
}

#[test]
fn edge_maps() {
    let plain = [
        [
            "11111111", "10011001", "10111001", "11111101", "11000111", "11111111",
        ],
        [
            "11111111", "10011001", "10111101", "11111111", "11111111", "11111111",
        ],
    ];
    let on_relaxed = [
        "11111111", "11111101", "11111111", "11111011", "11111011", "11111111",
    ];
    let one = |options| TargetsOptions {
        edge_radius: 1,
        ..options
    };
    let on_labels = one(TargetsOptions::paddleseg());
    assert_eq!(integers(edge_labels(&[A, B], &on_labels)), values(&plain));
    let on_sets = one(TargetsOptions::official());
    assert_eq!(integers(edge_labels(&[A], &on_sets)), values(&[on_relaxed]));
    for two in [TargetsOptions::paddleseg(), TargetsOptions::official()] {
        assert_eq!(integers(edge_labels(&[A], &two)), [1; 48]);
    }
}

#[test]
fn body() {
    let official = BoundaryRelaxationLossConfig::official();
    let own = official
        .clone()
        .with_border_weights(BorderWeights::OwnImage)
        .init();
    let official = official.init();
    assert_close(
        official.forward(image(logits(), 0), &relaxed(&[A])),
        2.1627591,
    );
    assert_close(
        official.forward(image(logits(), 1), &relaxed(&[B])),
        1.8802866,
    );
    assert_close(own.forward(logits(), &relaxed(&[A, B])), 4.0430456);

    let logits = logits().require_grad();
    let loss = official.forward(logits.clone(), &relaxed(&[A, B]));
    assert_close(loss.clone(), 7.7318869);
    let gradient: Vec<f32> = logits
        .grad(&loss.backward())
        .expect("a gradient")
        .try_into_vec_as()
        .expect("floats");
    let at = |y: usize, x: usize| [0, 1, 2].map(|class| gradient[class * 48 + y * 8 + x]);
    for (actual, golden) in at(0, 0).into_iter().zip([-0.0711373, 0.0643544, 0.0067829]) {
        assert!((actual - golden).abs() < 1e-6, "{actual}, golden {golden}");
    }
    // All three classes are in the window: nothing to learn.
    assert!(
        at(2, 3).iter().all(|value| value.abs() < 1e-7),
        "{:?}",
        at(2, 3)
    );
}

#[test]
fn body_of_a_nearly_ignored_crop() {
    let crop = [
        "111.....", "111.....", "........", "........", "........", "........",
    ];
    let relaxed = relaxed(&[crop]);
    assert_eq!(integers(relaxed.classes.is_empty().int().sum()), [36]);
    assert_close(
        BoundaryRelaxationLossConfig::official()
            .init()
            .forward(image(logits(), 0), &relaxed),
        3.1592674,
    );
}

#[rstest]
#[case(10_000, 0.7, 2.2070701)]
#[case(5, 0.7, 2.8699176)]
#[case(5, 0.1, 3.3540409)]
#[case(20, 0.1, 3.3540409)]
#[case(48, 0.1, 2.2070701)]
fn ohem(#[case] min_kept: usize, #[case] probability: f64, #[case] golden: f64) {
    let min_kept = PixelCount::Absolute(min_kept);
    let mining = PixelMining::Threshold {
        probability,
        min_kept,
        at_limit: AtLimit::Kept,
    };
    let loss = OhemCrossEntropyLossConfig::new().with_mining(mining).init();
    assert_close(loss.forward(logits(), recovered()), golden);
}

#[rstest]
#[case(1, &[0.2, 0.45], 1.3132616)]
#[case(1, &[0.7], 1.0032043)]
#[case(1, &[0.95], 0.7111123)]
#[case(2, &[0.2], 1.0032043)]
#[case(3, &[0.2], 0.7111123)]
#[case(4, &[0.0, 0.2, 0.7, 1.0], 0.7111123)]
fn ohem_of_four_pixels(
    #[case] min_kept: usize,
    #[case] probabilities: &[f64],
    #[case] golden: f64,
) {
    let device = device();
    let logits =
        Tensor::<4>::from_data([[[[2.0, 0.0, -1.0, 0.5]], [[0.0, 1.0, 1.0, 0.5]]]], &device);
    let labels = Tensor::<3, Int>::from_data([[[0, 0, 255, 1]]], &device);
    for &probability in probabilities {
        let min_kept = PixelCount::Absolute(min_kept);
        let mining = PixelMining::Threshold {
            probability,
            min_kept,
            at_limit: AtLimit::Kept,
        };
        let loss = OhemCrossEntropyLossConfig::new().with_mining(mining).init();
        assert_close(loss.forward(logits.clone(), labels.clone()), golden);
    }
}

#[test]
fn edge() {
    let options = TargetsOptions {
        edge_radius: 1,
        ..TargetsOptions::paddleseg()
    };
    let edge_labels = edge_labels(&[A, B], &options);
    assert_close(
        EdgeLossConfig::official()
            .init()
            .forward(edge_logits(), edge_labels.clone()),
        0.2205093,
    );
    assert_close(
        EdgeLossConfig::new()
            .init()
            .forward(edge_logits(), edge_labels),
        0.3725145,
    );
}

#[rstest]
#[case(5000, 2.3510175)]
#[case(3, 2.6475732)]
fn attention(#[case] min_kept: usize, #[case] golden: f64) {
    let loss = EdgeAttentionLossConfig::new()
        .with_mining(PixelMining::official(min_kept))
        .init();
    assert_close(loss.forward(logits(), edge_logits(), recovered()), golden);
}

#[test]
fn joint() {
    // The plain masks at radius 1 are not the official edges, but the noted values were made with them.
    let options = TargetsOptions {
        edge_source: EdgeSource::Labels,
        edge_radius: 1,
        ..TargetsOptions::official()
    };
    let targets = Targets::from_labels(labels(&[A, B]), 3, &options);
    let predicted = SegmentationOutput::decoupled(logits(), logits().flip([1]), edge_logits());
    let terms = DecoupledLossConfig::official()
        .init()
        .forward(&predicted, &targets);
    assert_close(terms.segmentation, 2.2070701);
    assert_close(terms.body.expect("a body"), 8.1391659);
    assert_close(terms.edge.expect("an edge"), 4.4101868);
    assert_close(terms.attention.expect("an edge"), 2.3510175);
    assert_close(terms.total, 17.1074402);
}
