//! What the mathematics promises, on random shapes and flows.

mod common;

use burn::tensor::{Device, Tensor};
use common::composed;
use common::{
    all_options, assert_close, assert_close_where, autodiff_device, device, inner, noise, random,
    smooth, tensor, values,
};
use decoupled_seg_nn::{
    FlowUnit, Size, WarpGradient, WarpOptions, WarpPadding, flow_warp, flow_warp_split, resize,
};
use proptest::prelude::*;

/// Two ways to sum the same few dozen products in `f32`.
const TOLERANCE: f32 = 1e-5;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn options() -> impl Strategy<Value = WarpOptions> {
    let all = all_options();
    let count = all.len();
    (0..count, any::<bool>()).prop_map(move |(index, deterministic)| {
        all[index].with_gradient(if deterministic {
            WarpGradient::Deterministic
        } else {
            WarpGradient::Fast
        })
    })
}

/// Shapes with full and partial blocks of channels, odd and 1-pixel sides.
fn shapes() -> impl Strategy<Value = [usize; 4]> {
    (1..=2_usize, 1..=19_usize, 1..=9_usize, 1..=21_usize).prop_map(|(n, c, h, w)| [n, c, h, w])
}

/// From within a pixel to far outside.
fn amounts() -> impl Strategy<Value = f32> {
    prop_oneof![Just(0.4_f32), Just(3.0), Just(25.0), Just(1e4)]
}

/// Output and gradients of `sum(output * weights)`.
struct Run {
    output: Vec<f32>,
    features: Vec<f32>,
    flow: Vec<f32>,
}

fn run(
    shape: [usize; 4],
    flow: &[f32],
    seed: u64,
    warp: impl Fn(Tensor<4>, Tensor<4>) -> Tensor<4>,
) -> Run {
    run_on(autodiff_device(), shape, flow, seed, warp)
}

fn run_on(
    device: Device,
    shape: [usize; 4],
    flow: &[f32],
    seed: u64,
    warp: impl Fn(Tensor<4>, Tensor<4>) -> Tensor<4>,
) -> Run {
    let [batch, _, height, width] = shape;
    let features = random(shape, 1.0, seed, &device).require_grad();
    let flow = tensor(flow.to_vec(), [batch, 2, height, width], &device).require_grad();
    let output = warp(features.clone(), flow.clone());
    let weights = random(shape, 1.0, seed + 1, &device);
    let gradients = (output.clone() * weights).sum().backward();
    Run {
        output: values(output),
        features: values(features.grad(&gradients).expect("features are tracked")),
        flow: values(flow.grad(&gradients).expect("the flow is tracked")),
    }
}

fn random_flow([batch, _, height, width]: [usize; 4], amount: f32, seed: u64) -> Vec<f32> {
    let flow = noise(batch * 2 * height * width, seed ^ 0xf10);
    flow.into_iter().map(|value| value * amount).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn warp_is_its_formula(
        shape in shapes(), amount in amounts(), options in options(), seed in 0..1000_u64,
    ) {
        let flow = random_flow(shape, amount, seed);
        let ours = run(shape, &flow, seed, |x, flow| flow_warp(x, flow, options));
        let cpu = Device::flex().autodiff();
        let formula = run_on(cpu, shape, &flow, seed, |x, flow| composed::flow_warp(x, flow, options));
        // Far positions lose digits in the formula, which adds the flow to the position first.
        let tolerance = if amount > 100.0 { 1e-3 } else { TOLERANCE };
        assert_close(&ours.output, &formula.output, tolerance, "output");
        assert_close(&ours.features, &formula.features, tolerance, "gradient of the features");
        let smooth = smooth(&flow, shape, options);
        assert_close_where(&ours.flow, &formula.flow, 4.0 * tolerance, "gradient of the flow", |i| smooth[i]);
    }

    #[test]
    fn split_is_warp_and_rest(
        shape in shapes(), amount in amounts(), options in options(), seed in 0..1000_u64,
    ) {
        let flow = random_flow(shape, amount, seed);
        let body = run(shape, &flow, seed, |x, flow| flow_warp_split(x, flow, options).body);
        let edge = run(shape, &flow, seed, |x, flow| flow_warp_split(x, flow, options).edge);
        let both = run(shape, &flow, seed, |x, flow| {
            let split = flow_warp_split(x, flow, options);
            split.body * 2.0 + split.edge
        });
        let warp = run(shape, &flow, seed, |x, flow| flow_warp(x, flow, options));
        let rest = run(shape, &flow, seed, |x, flow| x.clone() - flow_warp(x, flow, options));
        // `2 warp + (x - warp)`
        let sum = run(shape, &flow, seed, |x, flow| x.clone() + flow_warp(x, flow, options));
        for (ours, expected) in [(body, warp), (edge, rest), (both, sum)] {
            assert_close(&ours.output, &expected.output, TOLERANCE, "output");
            assert_close(&ours.features, &expected.features, TOLERANCE, "gradient of the features");
            assert_close(&ours.flow, &expected.flow, TOLERANCE, "gradient of the flow");
        }
    }

    #[test]
    fn the_gradient_of_the_features_is_the_transpose(
        shape in shapes(), amount in amounts(), options in options(), seed in 0..1000_u64,
    ) {
        let flow = random_flow(shape, amount, seed);
        let run = run(shape, &flow, seed, |x, flow| flow_warp(x, flow, options));
        let len = run.output.len();
        // <A x, y> = <x, A' y>
        let left = inner(&run.output, &noise(len, seed + 1));
        let right = inner(&noise(len, seed), &run.features);
        prop_assert!((left - right).abs() < 1e-4 * (len as f64).sqrt(), "{left} {right}");
    }

    #[test]
    fn the_gradient_of_the_flow_is_the_difference_quotient(
        shape in shapes(), options in options(), seed in 0..1000_u64,
    ) {
        // The flow that puts every pixel of a random cell well inside it.
        let [batch, channels, height, width] = shape;
        let plane = height * width;
        let start = noise(batch * 2 * plane, seed ^ 0xce11);
        let flow: Vec<f32> = start.iter().enumerate().map(|(index, start)| {
            let (axis, pixel) = (index / plane % 2, index % plane);
            let (x, length) = if axis == 0 { (pixel % width, width) } else { (pixel / width, height) };
            let slope = slope(length, options);
            if slope == 0.0 { return 0.0; }
            let target = (f64::from(*start) * 3.0).floor() + x as f64 + 0.3 + 0.4 * f64::from(start.abs());
            ((target - common::position(x, length, 0.0, options)) / slope) as f32
        }).collect();
        let run = run(shape, &flow, seed, |x, flow| flow_warp(x, flow, options));

        // Linear along each axis within a cell, so that a wide step is as exact as a narrow one.
        let step = 0.2;
        let features = random(shape, 1.0, seed, &device());
        let weights = noise(features.dims().iter().product(), seed + 1);
        for axis in 0..2 {
            let length = if axis == 0 { width } else { height };
            let slope = slope(length, options);
            if slope == 0.0 { continue; }
            let moved = |step: f64| {
                let moved: Vec<f32> = flow.iter().enumerate().map(|(index, flow)| {
                    if index / plane % 2 == axis { flow + (step / slope) as f32 } else { *flow }
                }).collect();
                let moved = tensor(moved, [batch, 2, height, width], &device());
                values(flow_warp(features.clone(), moved, options))
            };
            let (above, below) = (moved(step), moved(-step));
            let mut expected = vec![0.0_f32; batch * plane];
            for index in 0..above.len() {
                let (image, pixel) = (index / (channels * plane), index % plane);
                let quotient = f64::from(above[index] - below[index]) / (2.0 * step) * slope;
                expected[image * plane + pixel] += weights[index] * quotient as f32;
            }
            let ours: Vec<f32> = (0..batch * plane)
                .map(|index| run.flow[(index / plane * 2 + axis) * plane + index % plane])
                .collect();
            assert_close(&ours, &expected, 1e-4, "gradient of the flow");
        }
    }

    #[test]
    fn zero_flow_changes_nothing(shape in shapes(), seed in 0..1000_u64) {
        let [batch, _, height, width] = shape;
        let features = random(shape, 5.0, seed, &device());
        for options in [WarpOptions::official(), WarpOptions::paddleseg(), WarpOptions::paper()] {
            for padding in [WarpPadding::Zeros, WarpPadding::Border] {
                let flow = Tensor::zeros([batch, 2, height, width], &device());
                let split = flow_warp_split(features.clone(), flow, options.with_padding(padding));
                prop_assert_eq!(values(split.body), values(features.clone()));
                prop_assert!(values(split.edge).iter().all(|&edge| edge == 0.0));
            }
        }
    }

    #[test]
    fn resize_is_its_matrices(
        shape in shapes(), height in 1..=24_usize, width in 1..=40_usize,
        align_corners in any::<bool>(), seed in 0..1000_u64,
    ) {
        let [batch, channels, ..] = shape;
        let size = Size::new(height, width);
        let len = batch * channels * height * width;
        let run = |device: Device, resize: &dyn Fn(Tensor<4>) -> Tensor<4>| {
            let x = random(shape, 1.0, seed, &device).require_grad();
            let output = resize(x.clone());
            let weights = random([batch, channels, height, width], 1.0, seed + 1, &device);
            let gradients = (output.clone() * weights).sum().backward();
            (values(output), values(x.grad(&gradients).expect("x is tracked")))
        };
        let (output, grad) = run(autodiff_device(), &|x| resize(x, size, align_corners));
        let (output_formula, grad_formula) =
            run(Device::flex().autodiff(), &|x| composed::resize(x, size, align_corners));
        assert_close(&output, &output_formula, TOLERANCE, "output");
        assert_close(&grad, &grad_formula, TOLERANCE, "gradient");
        // <A x, y> = <x, A' y>
        let left = inner(&output, &noise(len, seed + 1));
        let right = inner(&noise(grad.len(), seed), &grad);
        prop_assert!((left - right).abs() < 1e-4 * (output.len() as f64).sqrt(), "{left} {right}");
    }
}

/// Derivative of the position with respect to the flow.
fn slope(length: usize, options: WarpOptions) -> f64 {
    let size = length as f64;
    match (options.flow_unit, options.align_corners) {
        (FlowUnit::Pixels, _) => 1.0,
        (FlowUnit::HalfGrid, true) => (size - 1.0) / (2.0 * size),
        (FlowUnit::HalfGrid, false) => 0.5,
    }
}

/// A flow that points nowhere reads the padding, disturbs no other pixel and leaves every gradient finite.
#[test]
fn broken_flows_read_the_padding() {
    let shape = [2, 11, 5, 9];
    let [batch, channels, height, width] = shape;
    let plane = height * width;
    let broken = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        1e30,
        -1e30,
        f32::MAX,
        3e9,
        -3e9,
    ];
    for options in all_options() {
        for gradient in [WarpGradient::Fast, WarpGradient::Deterministic] {
            let options = options.with_gradient(gradient);
            let healthy = random_flow(shape, 2.0, 5);
            let mut flow = healthy.clone();
            for (index, value) in broken.into_iter().enumerate() {
                // Broken along x in the first image, along y in the second.
                flow[4 * index + 2] = value;
                flow[2 * plane + plane + 4 * index + 2] = value;
            }
            let is_broken = |image: usize, pixel: usize| {
                flow[image * 2 * plane + pixel] != healthy[image * 2 * plane + pixel]
                    || flow[(image * 2 + 1) * plane + pixel]
                        != healthy[(image * 2 + 1) * plane + pixel]
            };
            let ours = run(shape, &flow, 7, |x, flow| flow_warp(x, flow, options));
            let undisturbed = run(shape, &healthy, 7, |x, flow| flow_warp(x, flow, options));
            for index in 0..batch * channels * plane {
                let (image, pixel) = (index / (channels * plane), index % plane);
                let value = ours.output[index];
                if !is_broken(image, pixel) {
                    assert_eq!(value, undisturbed.output[index], "{options:?} at {index}");
                } else if options.padding == WarpPadding::Zeros {
                    assert_eq!(value, 0.0, "{options:?} at {index}");
                }
                assert!(value.abs() <= 1.0, "{options:?}: {value} at {index}");
            }
            assert!(ours.features.iter().all(|value| value.is_finite()));
            for index in 0..batch * 2 * plane {
                let (image, axis, pixel) = (index / (2 * plane), index / plane % 2, index % plane);
                let value = ours.flow[index];
                if !is_broken(image, pixel) {
                    let expected = undisturbed.flow[index];
                    assert!((value - expected).abs() < 1e-5, "{options:?} at {index}");
                } else if options.padding == WarpPadding::Zeros || axis == image {
                    assert_eq!(value, 0.0, "{options:?} at {index}");
                }
            }
        }
    }
}

/// Where the border stops a broken flow.
#[test]
fn broken_flows_end_at_the_border() {
    let features = tensor(vec![1.0, 2.0, 3.0, 4.0], [1, 1, 1, 4], &device());
    let flow_x = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e30];
    let flow = [flow_x, [0.0; 4]].concat();
    let flow = tensor(flow, [1, 2, 1, 4], &device());
    let options = WarpOptions::paper().with_padding(WarpPadding::Border);
    let output = values(flow_warp(features, flow, options));
    assert_eq!(output, [4.0, 1.0, 1.0, 4.0]);
}

#[test]
fn the_deterministic_gradient_is_the_same_bit_by_bit() {
    let shape = [2, 37, 24, 31];
    for options in all_options() {
        let options = options.with_gradient(WarpGradient::Deterministic);
        for amount in [2.0, 60.0] {
            let flow = random_flow(shape, amount, 3);
            let first = run(shape, &flow, 9, |x, flow| flow_warp(x, flow, options));
            for _ in 0..3 {
                let again = run(shape, &flow, 9, |x, flow| flow_warp(x, flow, options));
                assert_eq!(first.features, again.features, "{options:?}");
                assert_eq!(first.flow, again.flow, "{options:?}");
            }
        }
    }
}

/// On the CPU the order of every sum is fixed by the shapes alone.
#[test]
fn the_number_of_threads_changes_no_bit() {
    let shape = [2, 67, 12, 15];
    let flow = random_flow(shape, 3.0, 3);
    let run = || {
        run(shape, &flow, 9, |x, flow| {
            let options = WarpOptions::official().with_gradient(WarpGradient::Deterministic);
            resize(flow_warp(x, flow, options), Size::new(30, 20), false)
                .narrow(3, 0, 15)
                .narrow(2, 0, 12)
        })
    };
    let expected = run();
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let ours = pool.expect("threads can be started").install(run);
        assert_eq!(ours.output, expected.output, "{threads} threads");
        assert_eq!(ours.features, expected.features, "{threads} threads");
        assert_eq!(ours.flow, expected.flow, "{threads} threads");
    }
}

/// All pixels of an image read the same one: the longest sum there is.
#[test]
fn many_pixels_may_read_one() {
    let shape = [1, 9, 30, 40];
    let [_, channels, height, width] = shape;
    for gradient in [WarpGradient::Fast, WarpGradient::Deterministic] {
        let options = WarpOptions::paper()
            .with_padding(WarpPadding::Border)
            .with_gradient(gradient);
        let flow = vec![1e6; 2 * height * width];
        let ours = run(shape, &flow, 1, |x, flow| flow_warp(x, flow, options));
        let weights = noise(channels * height * width, 2);
        for channel in 0..channels {
            let plane = &ours.features[channel * height * width..][..height * width];
            let (rest, last) = plane.split_at(height * width - 1);
            assert!(rest.iter().all(|&value| value == 0.0));
            let sum: f64 = weights[channel * height * width..][..height * width]
                .iter()
                .map(|&weight| f64::from(weight))
                .sum();
            assert!((f64::from(last[0]) - sum).abs() < 1e-3, "{} {sum}", last[0]);
        }
    }
}

/// Views with other strides than a fresh tensor.
#[test]
fn permuted_inputs_are_read_as_they_are() {
    let device = device();
    let features = random([2, 6, 9, 5], 1.0, 1, &device);
    let flow = random([2, 6, 9, 2], 2.0, 2, &device);
    let plain = |x: Tensor<4>| tensor(values(x.clone()), x.dims(), &device);
    // [batch, height, width, channels] to [batch, channels, height, width]
    let features = features.permute([0, 3, 1, 2]);
    let flow = flow.permute([0, 3, 1, 2]);
    let (features_plain, flow_plain) = (plain(features.clone()), plain(flow.clone()));
    let options = WarpOptions::paper();
    assert_eq!(
        values(flow_warp(features.clone(), flow, options)),
        values(flow_warp(features_plain.clone(), flow_plain, options))
    );
    assert_eq!(
        values(resize(features, Size::new(13, 4), false)),
        values(resize(features_plain, Size::new(13, 4), false))
    );
}
