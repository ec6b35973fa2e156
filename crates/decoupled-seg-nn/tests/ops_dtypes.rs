//! Half and double precision: stored as asked for, calculated at least in `f32`.

mod common;

use burn::tensor::{DType, Device, Tensor};
use common::{assert_close, autodiff_device, device, random, values};
use decoupled_seg_nn::{Size, WarpGradient, WarpOptions, flow_warp, flow_warp_split, resize};
use rstest::rstest;

/// Whether the device under test stores this type; says so where it does not.
fn stores(device: &Device, dtype: DType) -> bool {
    let stores = device.supports_dtype(dtype);
    if !stores {
        eprintln!("{device:?} has no {dtype:?}: nothing to test");
    }
    stores
}

/// Half an ulp of the stored results, a little more for gradients that are rounded on their way.
#[rstest]
#[case(DType::F16, 2e-3)]
#[case(DType::BF16, 1.6e-2)]
#[case(DType::F64, 1e-5)]
fn other_types_agree_with_f32(#[case] dtype: DType, #[case] tolerance: f32) {
    if !stores(&device(), dtype) {
        return;
    }
    let device = autodiff_device();
    for gradient in [WarpGradient::Fast, WarpGradient::Deterministic] {
        let options = WarpOptions::official().with_gradient(gradient);
        let shape = [2, 11, 7, 10];
        // Inputs that all types hold exactly, or the flow's rounding would be seen.
        let exact = |x: Tensor<4>| (x * 64.0).round() / 64.0;
        let run = |dtype: DType| {
            let features = exact(random(shape, 1.0, 1, &device))
                .cast(dtype)
                .require_grad();
            let flow = exact(random([2, 2, 7, 10], 3.0, 2, &device))
                .cast(dtype)
                .require_grad();
            let weights = exact(random(shape, 1.0, 3, &device)).cast(dtype);
            let split = flow_warp_split(features.clone(), flow.clone(), options);
            assert_eq!(split.body.dtype(), dtype);
            assert_eq!(split.edge.dtype(), dtype);
            let warp = flow_warp(features.clone(), flow.clone(), options);
            let output = resize(warp, Size::new(9, 15), false);
            assert_eq!(output.dtype(), dtype);
            let gradients = (resize(split.body, Size::new(9, 15), false)
                * resize(weights, Size::new(9, 15), true))
            .sum()
            .backward();
            let grad = |x: &Tensor<4>| values(x.grad(&gradients).expect("inputs are tracked"));
            [
                values(output),
                values(split.edge),
                grad(&features),
                grad(&flow),
            ]
        };
        let expected = run(DType::F32);
        let names = [
            "output",
            "edge",
            "gradient of the features",
            "gradient of the flow",
        ];
        for ((ours, expected), name) in run(dtype).iter().zip(&expected).zip(names) {
            assert_close(ours, expected, tolerance, name);
        }
    }
}

/// `edge` is what is missing to the stored body, so the two add up to the features as well as the type allows.
#[rstest]
#[case(DType::F32)]
#[case(DType::F16)]
#[case(DType::BF16)]
fn body_and_edge_are_the_features(#[case] dtype: DType) {
    let device = device();
    if !stores(&device, dtype) {
        return;
    }
    let features = random([1, 8, 6, 8], 1.0, 1, &device).cast(dtype);
    let flow = random([1, 2, 6, 8], 2.0, 2, &device).cast(dtype);
    let split = flow_warp_split(features.clone(), flow, WarpOptions::paper());
    let sum = values(split.body).into_iter().zip(values(split.edge));
    let sum: Vec<f32> = sum.map(|(body, edge)| body + edge).collect();
    let tolerance = match dtype {
        DType::F16 => 5e-4,
        DType::BF16 => 4e-3,
        _ => 1e-7,
    };
    assert_close(&sum, &values(features), tolerance, "body + edge");
}

#[test]
#[should_panic(expected = "the same float type")]
fn mixed_types_panic() {
    let device = device();
    let features = random([1, 1, 2, 2], 1.0, 1, &device);
    let flow = random([1, 2, 2, 2], 1.0, 1, &device).cast(DType::F16);
    flow_warp(features, flow, WarpOptions::default());
}
