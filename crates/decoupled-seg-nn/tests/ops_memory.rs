//! What training through the split holds at a time, on the CPU.

mod common;

use burn::tensor::Device;
use common::random;
use decoupled_seg_fixtures::memory::{Counting, most_held};
use decoupled_seg_nn::{WarpGradient, WarpOptions, flow_warp, flow_warp_split};
use rstest::rstest;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SHAPE: [usize; 4] = [2, 256, 48, 40];

/// Bytes of a feature map of that shape.
fn map() -> usize {
    SHAPE.iter().product::<usize>() * size_of::<f32>()
}

/// The most held by forward and backward on top of features and flow, in feature maps. What each thread of the pool
/// works in, a block of channels of one image, is not counted.
fn maps_held(split: bool, gradient: WarpGradient) -> f64 {
    let device = Device::flex().autodiff();
    let options = WarpOptions::official().with_gradient(gradient);
    let [batch, _, height, width] = SHAPE;
    let features = random(SHAPE, 1.0, 1, &device).require_grad();
    let flow = random([batch, 2, height, width], 3.0, 2, &device).require_grad();
    // The outputs are kept, as the layers behind the module keep them.
    let (_, held) = most_held(|| {
        if split {
            let split = flow_warp_split(features.clone(), flow.clone(), options);
            let loss = split.body.clone().sum() + split.edge.clone().sum() * 2.0;
            (loss.backward(), vec![split.body, split.edge])
        } else {
            let body = flow_warp(features.clone(), flow.clone(), options);
            (body.clone().sum().backward(), vec![body])
        }
    });
    held as f64 / map() as f64
}

#[rstest]
#[case(WarpGradient::Fast)]
#[case(WarpGradient::Deterministic)]
fn backward_holds_outputs_and_gradients_only(#[case] gradient: WarpGradient) {
    // Body, edge, the gradients of both and that of the features. Beside them: an eighth of a map for each block's share
    // of the flow's gradient, and what is as small as a flow.
    let split = maps_held(true, gradient);
    assert!(split <= 5.2, "{split} maps");
    let warp = maps_held(false, gradient);
    assert!(warp <= 3.2, "{warp} maps");
}
