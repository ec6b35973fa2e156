//! What a training step pays for its losses and targets. The same maths in PyTorch: `benches/peers/losses.py`.

use burn::tensor::{Device, Int, Tensor, TensorData};
use criterion::{Criterion, criterion_group, criterion_main};
use decoupled_seg_losses::*;
use decoupled_seg_nn::SegmentationOutput;

const SHAPES: [[usize; 4]; 2] = [[2, 11, 180, 240], [2, 19, 512, 512]];

/// Bands and boxes of all classes, with an ignored corner; as in the peer.
fn street([batch, classes, height, width]: [usize; 4], device: &Device) -> Tensor<3, Int> {
    let label = |image: usize, y: usize, x: usize| {
        let block = (y / 37 * 7 + x / 53 * 5 + image) % classes;
        if y < height / 16 && x < width / 8 {
            IGNORE_INDEX as i32
        } else if (x + 2 * y) % 97 < 6 {
            ((block + 1) % classes) as i32
        } else {
            block as i32
        }
    };
    let pixels = (0..batch * height * width)
        .map(|n| label(n / (height * width), n / width % height, n % width));
    Tensor::from_data(
        TensorData::new(pixels.collect::<Vec<_>>(), [batch, height, width]),
        device,
    )
}

/// Logits without a pattern; as in the peer.
fn wave(shape: [usize; 4], seed: usize, device: &Device) -> Tensor<4> {
    let value = |n: usize| ((n * 7919 + seed * 104_729) % 2003) as f32 / 2003.0 * 12.0 - 6.0;
    let values = (0..shape.iter().product()).map(value).collect::<Vec<_>>();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn name(shape: [usize; 4]) -> String {
    shape.map(|length| length.to_string()).join("x")
}

fn decoupled(criterion: &mut Criterion) {
    let device = Device::default().autodiff();
    let presets = [
        (
            "default",
            DecoupledLossConfig::new(),
            TargetsOptions::paper(),
        ),
        (
            "official",
            DecoupledLossConfig::official(),
            TargetsOptions::official(),
        ),
    ];
    for shape in SHAPES {
        let [batch, classes, height, width] = shape;
        for (preset, config, targets) in &presets {
            let targets = Targets::from_labels(street(shape, &device), classes, targets);
            let logits = wave(shape, 1, &device);
            let body = wave(shape, 2, &device);
            let edge = wave([batch, 1, height, width], 3, &device);
            let loss = config.init();
            let step = || {
                let inputs = [logits.clone(), body.clone(), edge.clone()].map(Tensor::require_grad);
                let [logits, body, edge] = inputs;
                let output = SegmentationOutput::decoupled(logits, body, edge);
                let terms = loss.forward(&output, &targets);
                let mut gradients = terms.total.backward();
                let gradient = output
                    .logits
                    .grad_remove(&mut gradients)
                    .expect("logits take part");
                device.sync().expect("the device works");
                (terms.total, gradient)
            };
            let (total, gradient) = step();
            let total = total.into_scalar::<f32>();
            assert!(total.is_finite() && gradient.max_abs().into_scalar::<f32>() > 0.0);
            println!(
                "decoupled_{preset}/forward_backward/{}: loss {total:.5}",
                name(shape)
            );
            criterion.bench_function(
                &format!("decoupled_{preset}/forward_backward/{}", name(shape)),
                |bencher| {
                    bencher.iter(step);
                },
            );
        }
    }
}

fn targets(criterion: &mut Criterion) {
    let device = Device::default();
    for shape in SHAPES {
        let labels = street(shape, &device);
        for (preset, config) in [
            ("default", TargetsOptions::paper()),
            ("official", TargetsOptions::official()),
        ] {
            let make = || {
                let targets = Targets::from_labels(labels.clone(), shape[1], &config);
                device.sync().expect("the device works");
                targets.supervision.expect("all targets")
            };
            let edges = make()
                .edge_labels
                .equal_elem(1)
                .int()
                .sum()
                .into_scalar::<i32>();
            assert!(edges > 0);
            criterion.bench_function(&format!("targets_{preset}/{}", name(shape)), |bencher| {
                bencher.iter(make)
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(15);
    targets = decoupled, targets
}
criterion_main!(benches);
