//! Resize and warp.

use burn::backend::ir::BackendIr;
use burn::backend::{Remote, TensorMetadata};
use burn::tensor::Shape;
use decoupled_seg_types::Size;

use super::super::backend::{SamplingBackend, SamplingGradients, resized};
use super::super::options::WarpOptions;
use super::call::{Operations, Primitive, call, like};

const BILINEAR: &str = "decoupled_seg.bilinear";
const BILINEAR_BACKWARD: &str = "decoupled_seg.bilinear_backward";
const WARP: &str = "decoupled_seg.warp";
const WARP_BACKWARD: &str = "decoupled_seg.warp_backward";
const WARP_SPLIT: &str = "decoupled_seg.warp_split";
const WARP_SPLIT_BACKWARD: &str = "decoupled_seg.warp_split_backward";

impl SamplingBackend for Remote {
    fn bilinear(x: Primitive, size: Size, align_corners: bool) -> Primitive {
        let output = (resized(&x.shape(), &size), x.dtype());
        let [output] = call(BILINEAR, [x], [output], (size, align_corners));
        output
    }

    fn warp(features: Primitive, flow: Primitive, options: WarpOptions) -> Primitive {
        let output = like(&features);
        let [output] = call(WARP, [features, flow], [output], options);
        output
    }

    fn warp_split(
        features: Primitive,
        flow: Primitive,
        options: WarpOptions,
    ) -> (Primitive, Primitive) {
        let outputs = [like(&features), like(&features)];
        call(WARP_SPLIT, [features, flow], outputs, options).into()
    }
}

impl SamplingGradients for Remote {
    fn bilinear_backward(grad: Primitive, input_size: Size, align_corners: bool) -> Primitive {
        let output = (resized(&grad.shape(), &input_size), grad.dtype());
        let arguments = (input_size, align_corners);
        let [output] = call(BILINEAR_BACKWARD, [grad], [output], arguments);
        output
    }

    fn warp_backward(
        features: Primitive,
        flow: Primitive,
        grad: Primitive,
        options: WarpOptions,
    ) -> (Primitive, Primitive) {
        let outputs = [like(&features), like(&flow)];
        call(WARP_BACKWARD, [features, flow, grad], outputs, options).into()
    }

    fn warp_split_backward(
        features: Primitive,
        flow: Primitive,
        body: Primitive,
        edge: Primitive,
        options: WarpOptions,
    ) -> (Primitive, Primitive) {
        let outputs = [like(&features), like(&flow)];
        let inputs = [features, flow, body, edge];
        call(WARP_SPLIT_BACKWARD, inputs, outputs, options).into()
    }
}

/// A map of rank 4 with pixels on both sides of the resize, as [`resize`](crate::resize) sees to.
fn check_resize(x: &Shape, size: Size) {
    assert!(
        x.rank() == 4 && x.num_elements() > 0 && size.pixels() > 0,
        "cannot resize {x:?} to {size}"
    );
}

/// A flow for each pixel of the features, as [`flow_warp`](crate::flow_warp) sees to.
fn check_flow(features: &Shape, flow: &Shape) {
    assert!(
        features.rank() == 4 && features.num_elements() > 0,
        "cannot warp {features:?}"
    );
    assert_eq!(
        *flow,
        Shape::new([features[0], 2, features[2], features[3]]),
        "flow of the features {features:?}"
    );
}

/// Gradients of what a warp of the features returned.
fn check_grads<const N: usize>(features: &Shape, grads: [Shape; N]) {
    for grad in &grads {
        assert_eq!(grad, features, "the gradient is of the features' shape");
    }
}

pub(super) fn add<B: BackendIr + SamplingBackend + SamplingGradients>(ops: &mut Operations<B>) {
    ops.add(BILINEAR, |[x], (size, align_corners)| {
        check_resize(&x.shape(), size);
        [B::bilinear(x, size, align_corners)]
    });
    ops.add(BILINEAR_BACKWARD, |[grad], (size, align_corners)| {
        check_resize(&grad.shape(), size);
        [B::bilinear_backward(grad, size, align_corners)]
    });
    ops.add(WARP, |[features, flow], options| {
        check_flow(&features.shape(), &flow.shape());
        [B::warp(features, flow, options)]
    });
    ops.add(WARP_SPLIT, |[features, flow], options| {
        check_flow(&features.shape(), &flow.shape());
        B::warp_split(features, flow, options).into()
    });
    ops.add(WARP_BACKWARD, |[features, flow, grad], options| {
        check_flow(&features.shape(), &flow.shape());
        check_grads(&features.shape(), [grad.shape()]);
        B::warp_backward(features, flow, grad, options).into()
    });
    ops.add(
        WARP_SPLIT_BACKWARD,
        |[features, flow, body, edge], options| {
            check_flow(&features.shape(), &flow.shape());
            check_grads(&features.shape(), [body.shape(), edge.shape()]);
            B::warp_split_backward(features, flow, body, edge, options).into()
        },
    );
}
