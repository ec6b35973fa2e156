//! Small values from the reference's description, and cases that can be checked by hand.

mod common;

use burn::tensor::Tensor;
use common::{assert_close, device, tensor, values};
use decoupled_seg_nn::{Size, WarpOptions, WarpPadding, flow_warp, flow_warp_split, resize};
use rstest::rstest;

/// Printed to six digits, and a few ulps.
const TOLERANCE: f32 = 2e-6;

#[rstest]
#[case(WarpOptions::official(), [
    -0.088, 0.1, 2.36, -1.086, 0.126,
    -0.324, 0.76, 0.636, 2.05, 0.06,
    0.272, 0.034, -0.64, -0.48, -0.626,
    -0.4, 1.86, 0.088, -0.524, -0.288,
])]
#[case(WarpOptions::official_torch13(), [
    0.0, 0.0, 1.05, -0.5975, 0.0,
    0.0, 0.733333, 0.506667, 1.266667, 0.0,
    0.031667, -0.230833, -0.833333, 0.641667, -0.318333,
    -0.1, 0.9125, 0.0, -1.71, 0.0,
])]
fn warp_of_the_official_code(#[case] options: WarpOptions, #[case] expected: [f32; 20]) {
    let fill = |step: usize, modulus: usize, scale: f32| -> Vec<f32> {
        let middle = (modulus / 2) as f32;
        (0..40)
            .map(|n| ((step * n % modulus) as f32 - middle) * scale)
            .collect()
    };
    let features = tensor(fill(7, 11, 0.5), [1, 2, 4, 5], &device());
    let flow = tensor(fill(3, 7, 0.8), [1, 2, 4, 5], &device());
    let output = values(flow_warp(features, flow, options));
    assert_close(&output[..20], &expected, TOLERANCE, "channel 0");
}

#[test]
fn resize_with_aligned_corners() {
    let rows = vec![1.0, 2.0, 4.0, -1.0, 0.0, 3.0, 5.0, -2.0, 1.0];
    let x = tensor(rows, [1, 1, 3, 3], &device());
    let expected = [
        1.0, 1.666667, 2.666667, 4.0, //
        0.0, 0.666667, 1.833333, 3.5, //
        -1.0, -0.333333, 1.0, 3.0, //
        2.0, 0.0, 0.0, 2.0, //
        5.0, 0.333333, -1.0, 1.0,
    ];
    assert_close(
        &values(resize(x, Size::new(5, 4), true)),
        &expected,
        TOLERANCE,
        "up",
    );
}

#[test]
fn resize_with_centred_pixels_by_hand() {
    let x = tensor(vec![0.0, 4.0], [1, 1, 1, 2], &device());
    // Positions -1/4, 1/4, 3/4 and 5/4; the outer two are held at the border.
    let up = values(resize(x, Size::new(1, 4), false));
    assert_close(&up, &[0.0, 1.0, 3.0, 4.0], TOLERANCE, "up");

    let x = tensor(vec![0.0, 4.0, 8.0, 0.0], [1, 1, 1, 4], &device());
    // Positions 1/2 and 5/2: no antialiasing.
    let down = values(resize(x, Size::new(1, 2), false));
    assert_close(&down, &[2.0, 4.0], TOLERANCE, "down");
}

#[rstest]
#[case(true)]
#[case(false)]
fn one_pixel_fills_the_map(#[case] align_corners: bool) {
    let x = tensor(vec![3.0, -1.0], [1, 2, 1, 1], &device());
    let output = resize(x, Size::new(2, 3), align_corners);
    assert_eq!(output.dims(), [1, 2, 2, 3]);
    assert_eq!(values(output), [[3.0; 6], [-1.0; 6]].concat());
}

#[test]
fn the_same_size_is_the_identity() {
    let x = common::random([2, 3, 4, 5], 1.0, 1, &device());
    for align_corners in [true, false] {
        let same = resize(x.clone(), Size::new(4, 5), align_corners);
        assert_eq!(values(same), values(x.clone()));
    }
}

#[test]
fn one_row_and_one_column_keep_their_axis() {
    let x = tensor(vec![1.0, 2.0, 3.0], [1, 1, 1, 3], &device());
    let output = values(resize(x, Size::new(2, 5), true));
    let row = [1.0, 1.5, 2.0, 2.5, 3.0];
    assert_close(&output, &[row, row].concat(), TOLERANCE, "row");
    let x = tensor(vec![1.0, 2.0, 3.0], [1, 1, 3, 1], &device());
    let output = values(resize(x, Size::new(1, 1), true));
    assert_close(&output, &[1.0], TOLERANCE, "first pixel");
}

/// A shift by whole pixels moves the map, and what comes in from outside is the padding.
#[rstest]
#[case(WarpPadding::Zeros, [2.0, 3.0, 0.0, 5.0, 6.0, 0.0])]
#[case(WarpPadding::Border, [2.0, 3.0, 3.0, 5.0, 6.0, 6.0])]
fn a_shift_of_one_pixel(#[case] padding: WarpPadding, #[case] expected: [f32; 6]) {
    let features = tensor((1..=6).map(|v| v as f32).collect(), [1, 1, 2, 3], &device());
    let flow = [[1.0; 6], [0.0; 6]].concat();
    let flow = tensor(flow, [1, 2, 2, 3], &device());
    let options = WarpOptions::paper().with_padding(padding);
    let BodyAndEdge(body, edge) = split(features, flow, options);
    assert_eq!(body, expected);
    let difference: Vec<f32> = (1..=6)
        .zip(expected)
        .map(|(v, moved)| v as f32 - moved)
        .collect();
    assert_eq!(edge, difference);
}

struct BodyAndEdge(Vec<f32>, Vec<f32>);

fn split(features: Tensor<4>, flow: Tensor<4>, options: WarpOptions) -> BodyAndEdge {
    let both = flow_warp_split(features, flow, options);
    BodyAndEdge(values(both.body), values(both.edge))
}

#[test]
#[should_panic(expected = "flow must be [batch, 2, height, width]")]
fn a_flow_of_another_size_panics() {
    let features = common::random([1, 3, 4, 4], 1.0, 1, &device());
    let flow = common::random([1, 2, 4, 5], 1.0, 1, &device());
    flow_warp(features, flow, WarpOptions::default());
}

#[test]
#[should_panic(expected = "cannot resize 4x4 to 0x3")]
fn an_empty_size_panics() {
    resize(
        common::random([1, 1, 4, 4], 1.0, 1, &device()),
        Size::new(0, 3),
        true,
    );
}
