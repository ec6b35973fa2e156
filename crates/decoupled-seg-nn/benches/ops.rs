//! Warp, split and resize against Burn's own `grid_sample_2d` and `interpolate`.
//!
//! ```text
//! cargo bench -p decoupled-seg-core --bench ops
//! BURN_DEVICE=cuda cargo bench -p decoupled-seg-core --bench ops --features cuda,fusion
//! ```
//!
//! Times end with a synchronisation of the device. The throughput counts every tensor that has to be read or written
//! once, so that it can be held against the bandwidth of the memory (`copy`). On the CPU freed memory is kept
//! ([`keep_freed_memory`]), unless `BENCH_FRESH_MEMORY` is set.

use std::time::Duration;

use burn::tensor::module::interpolate;
use burn::tensor::ops::{
    GridSampleOptions, GridSamplePaddingMode, InterpolateMode, InterpolateOptions,
};
use burn::tensor::{Device, Distribution, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use decoupled_seg_nn::{
    Size, WarpGradient, WarpOptions, flow_warp, flow_warp_split, keep_freed_memory, resize,
};

/// The feature maps that the module sees: CamVid at stride 4, crops of 832 at stride 8, Cityscapes at stride 8.
const SHAPES: [[usize; 4]; 4] = [
    [1, 256, 90, 120],
    [2, 256, 104, 104],
    [8, 256, 104, 104],
    [1, 256, 128, 256],
];

/// Bytes of a tensor of `f32`.
fn bytes(shape: [usize; 4]) -> u64 {
    4 * shape.iter().product::<usize>() as u64
}

fn random(shape: [usize; 4], amount: f64, device: &Device) -> Tensor<4> {
    Tensor::random(shape, Distribution::Uniform(-amount, amount), device)
}

/// Times `op` on `inputs`: alone, and with the gradients of its output's sum.
fn bench<const N: usize>(
    criterion: &mut Criterion,
    name: &str,
    label: &str,
    moved: [u64; 2],
    inputs: [Tensor<4>; N],
    op: impl Fn(&[Tensor<4>; N]) -> Vec<Tensor<4>>,
) {
    let device = inputs[0].device();
    let mut group = criterion.benchmark_group(format!("{name}/forward"));
    group.throughput(Throughput::Bytes(moved[0]));
    group.bench_function(label, |bencher| {
        bencher.iter(|| {
            let outputs = op(&inputs);
            device.sync().expect("the device works");
            outputs
        });
    });
    group.finish();
    if moved[1] == 0 {
        return;
    }

    let tracked = inputs.map(|input| Tensor::from_inner(input).require_grad());
    let mut group = criterion.benchmark_group(format!("{name}/train"));
    group.throughput(Throughput::Bytes(moved[0] + moved[1]));
    group.bench_function(label, |bencher| {
        bencher.iter(|| {
            // Burn starts with a gradient of ones for each element; PyTorch is given the same.
            let sum = op(&tracked).into_iter().reduce(|a, b| a + b);
            let gradients = sum.expect("there is an output").backward();
            let gradients = tracked.each_ref().map(|input| input.grad(&gradients));
            device.sync().expect("the device works");
            gradients
        });
    });
    group.finish();
}

/// What users of Burn write today: the grid of the official code, then `grid_sample_2d`.
fn grid_sample(features: Tensor<4>, flow: Tensor<4>) -> Tensor<4> {
    let [batch, _, height, width] = features.dims();
    let device = features.device();
    let line = |length: usize| {
        let last = (length - 1) as f64;
        Tensor::<1, burn::tensor::Int>::arange(0..length as i64, &device).float() * (2.0 / last)
            - 1.0
    };
    let x = line(width)
        .reshape([1, 1, width, 1])
        .expand([batch, height, width, 1]);
    let y = line(height)
        .reshape([1, height, 1, 1])
        .expand([batch, height, width, 1]);
    let size = Tensor::<1>::from_floats([width as f32, height as f32], &device);
    let flow = flow.permute([0, 2, 3, 1]) / size.reshape([1, 1, 1, 2]);
    let grid = Tensor::cat(vec![x, y], 3) + flow;
    let options = GridSampleOptions::new(InterpolateMode::Bilinear)
        .with_padding_mode(GridSamplePaddingMode::Zeros)
        .with_align_corners(true);
    features.grid_sample_2d(grid, options)
}

fn warp(criterion: &mut Criterion) {
    let device = Device::default();
    for shape in SHAPES {
        let [batch, channels, height, width] = shape;
        let label = format!("{batch}x{channels}x{height}x{width}");
        let map = bytes(shape);
        let flow_bytes = bytes([batch, 2, height, width]);
        let inputs = || {
            let features = random(shape, 1.0, &device);
            [features, random([batch, 2, height, width], 4.0, &device)]
        };
        // Forward: features, flow, result. Backward: the three of them, and two gradients.
        let moved = [2 * map + flow_bytes, 3 * map + 2 * flow_bytes];
        for (name, gradient) in [
            ("warp", WarpGradient::Fast),
            ("warp_deterministic", WarpGradient::Deterministic),
        ] {
            let options = WarpOptions::official().with_gradient(gradient);
            bench(criterion, name, &label, moved, inputs(), |[x, flow]| {
                vec![flow_warp(x.clone(), flow.clone(), options)]
            });
        }
        let moved = [3 * map + flow_bytes, 4 * map + 2 * flow_bytes];
        bench(
            criterion,
            "warp_split",
            &label,
            moved,
            inputs(),
            |[x, flow]| {
                let split = flow_warp_split(x.clone(), flow.clone(), WarpOptions::official());
                vec![split.body, split.edge]
            },
        );
        let moved = [2 * map + flow_bytes, 3 * map + 2 * flow_bytes];
        bench(
            criterion,
            "burn_grid_sample",
            &label,
            moved,
            inputs(),
            |[x, flow]| vec![grid_sample(x.clone(), flow.clone())],
        );
    }
}

fn resizes(criterion: &mut Criterion) {
    let device = Device::default();
    // The module's way back from two strided convolutions, and the logits' way to the picture.
    let ups = SHAPES.map(|[n, c, h, w]| ([n, c, h / 4, w / 4], [h, w]));
    let logits = ([1, 19, 90, 120], [360, 480]);
    let down = ([1, 256, 90, 120], [45, 60]);
    for (shape, size) in ups.into_iter().chain([logits, down]) {
        let [batch, channels, height, width] = shape;
        let label = format!(
            "{batch}x{channels}x{height}x{width}_to_{}x{}",
            size[0], size[1]
        );
        let both = bytes(shape) + bytes([batch, channels, size[0], size[1]]);
        let inputs = || [random(shape, 1.0, &device)];
        bench(
            criterion,
            "resize",
            &label,
            [both, both],
            inputs(),
            |[x]| vec![resize(x.clone(), Size::new(size[0], size[1]), false)],
        );
        // Burn has no bilinear gradient on GPUs.
        let on_cpu = format!("{device:?}").contains("Flex");
        let moved = [both, if on_cpu { both } else { 0 }];
        bench(
            criterion,
            "burn_interpolate",
            &label,
            moved,
            inputs(),
            |[x]| {
                let options = InterpolateOptions::new(InterpolateMode::Bilinear)
                    .with_align_corners(false)
                    .with_output_size(size);
                vec![interpolate(x.clone(), options)]
            },
        );
    }
}

/// What the memory can do: every element read once and written once.
fn copy(criterion: &mut Criterion) {
    let device = Device::default();
    for shape in SHAPES {
        let [batch, channels, height, width] = shape;
        let label = format!("{batch}x{channels}x{height}x{width}");
        let moved = [2 * bytes(shape), 0];
        bench(
            criterion,
            "copy",
            &label,
            moved,
            [random(shape, 1.0, &device)],
            |[x]| vec![x.clone() + 1.0],
        );
    }
}

fn memory(_: &mut Criterion) {
    if std::env::var_os("BENCH_FRESH_MEMORY").is_none() {
        keep_freed_memory();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = memory, copy, warp, resizes
}
criterion_main!(benches);
