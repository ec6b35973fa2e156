//! The whole module on the device under test against the CPU: forward, backward and a step of training.

mod common;

use burn::module::Module;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use common::{assert_close, device, random, values};
use decoupled_seg_body_edge::{BodyEdgeModule, BodyEdgeModuleConfig};
use decoupled_seg_nn::{WarpGradient, WarpOptions};

/// Two convolutions whose sums have another order.
const TOLERANCE: f32 = 1e-4;

/// Loss before and after one step, the body after it, and the gradient that went back into the features.
fn step(module: BodyEdgeModule, device: &Device) -> [Vec<f32>; 4] {
    let mut module = module.fork(device).train();
    let device = device.clone().autodiff();
    let shape = [2, 24, 19, 26];
    let features = random(shape, 1.0, 1, &device).require_grad();
    let loss = |module: &BodyEdgeModule, features: Tensor<4>| {
        let split = module.forward(features);
        let target = random(shape, 1.0, 2, &device);
        let body = (split.body.clone() - target).powi_scalar(2).mean();
        (body + split.edge.abs().mean(), split.body)
    };
    let (before, _) = loss(&module, features.clone());
    let gradients = before.backward();
    let grad = values(features.grad(&gradients).expect("features are tracked"));
    let gradients = GradientsParams::from_grads(gradients, &module);
    module = SgdConfig::new().init().step(1.0, module, gradients);
    let (after, body) = loss(&module, features);
    [values(before), values(after), values(body), grad]
}

#[test]
fn a_training_step_is_that_of_the_cpu() {
    let (cpu, device) = (Device::flex(), device());
    if device == cpu {
        eprintln!("the device under test is the CPU: nothing to compare");
        return;
    }
    for gradient in [WarpGradient::Fast, WarpGradient::Deterministic] {
        let options = WarpOptions::official().with_gradient(gradient);
        let config = BodyEdgeModuleConfig::new(24).with_warp(options);
        let module = config.init(&cpu);
        let expected = step(module.clone(), &cpu);
        let ours = step(module, &device);
        let names = [
            "loss",
            "loss after the step",
            "body",
            "gradient of the features",
        ];
        for ((ours, expected), name) in ours.iter().zip(&expected).zip(names) {
            assert_close(ours, expected, TOLERANCE, name);
        }
        assert_ne!(expected[0], expected[1], "the step changed nothing");
    }
}
