//! Backward passes by hand. Only inputs are kept for them.

use burn::backend::Backend;
use burn::backend::TensorMetadata;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::tensor::FloatTensor;

use super::backend::{SamplingBackend, SamplingGradients};
use super::options::WarpOptions;

impl<B, C> SamplingBackend for Autodiff<B, C>
where
    B: Backend + SamplingBackend + SamplingGradients,
    C: CheckpointStrategy,
{
    fn bilinear(x: FloatTensor<Self>, size: [usize; 2], align_corners: bool) -> FloatTensor<Self> {
        let [_, _, height, width] = x.shape().dims();
        let prepared = BilinearBackward
            .prepare::<C>([x.node()])
            .compute_bound()
            .stateful();
        let output = B::bilinear(x.into_primitive(), size, align_corners);
        match prepared {
            OpsKind::Tracked(prep) => prep.finish(([height, width], align_corners), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn warp(
        features: FloatTensor<Self>,
        flow: FloatTensor<Self>,
        options: WarpOptions,
    ) -> FloatTensor<Self> {
        let output = B::warp(
            features.primitive().clone(),
            flow.primitive().clone(),
            options,
        );
        track_warp::<B, C>(&features, &flow, options, output)
    }

    fn warp_split(
        features: FloatTensor<Self>,
        flow: FloatTensor<Self>,
        options: WarpOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (body, edge) = B::warp_split(
            features.primitive().clone(),
            flow.primitive().clone(),
            options,
        );
        let body = track_warp::<B, C>(&features, &flow, options, body);
        // An operation has one output in the graph. The edge hangs on the body as a subtraction does, but its values
        // came with the same pass.
        let edge = DifferenceBackward
            .prepare::<C>([features.node(), body.node()])
            .compute_bound()
            .stateless(edge);
        (body, edge)
    }
}

fn track_warp<B, C>(
    features: &FloatTensor<Autodiff<B, C>>,
    flow: &FloatTensor<Autodiff<B, C>>,
    options: WarpOptions,
    output: FloatTensor<B>,
) -> FloatTensor<Autodiff<B, C>>
where
    B: Backend + SamplingBackend + SamplingGradients,
    C: CheckpointStrategy,
{
    match WarpBackward
        .prepare::<C>([features.node(), flow.node()])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let features = prep.checkpoint(features);
            let flow = prep.checkpoint(flow);
            prep.finish((features, flow, options), output)
        }
        OpsKind::UnTracked(prep) => prep.finish(output),
    }
}

#[derive(Debug)]
struct BilinearBackward;

impl<B: Backend + SamplingGradients> Backward<B, 1> for BilinearBackward {
    /// Size of the input, corner convention.
    type State = ([usize; 2], bool);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let (input_size, align_corners) = ops.state;
        if let Some(node) = node {
            let grad = B::bilinear_backward(grad, input_size, align_corners);
            grads.register::<B>(node.id, grad);
        }
    }
}

#[derive(Debug)]
struct WarpBackward;

impl<B: Backend + SamplingGradients> Backward<B, 2> for WarpBackward {
    /// Features, flow.
    type State = (NodeId, NodeId, WarpOptions);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [features_node, flow_node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let (features, flow, options) = ops.state;
        let features = checkpointer.retrieve_node_output::<FloatTensor<B>>(features);
        let flow = checkpointer.retrieve_node_output::<FloatTensor<B>>(flow);
        let (features_grad, flow_grad) = B::warp_backward(features, flow, grad, options);
        if let Some(node) = features_node {
            grads.register::<B>(node.id, features_grad);
        }
        if let Some(node) = flow_node {
            grads.register::<B>(node.id, flow_grad);
        }
    }
}

/// Of `minuend - subtrahend`.
#[derive(Debug)]
struct DifferenceBackward;

impl<B: Backend> Backward<B, 2> for DifferenceBackward {
    type State = ();

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [minuend, subtrahend] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        if let Some(node) = minuend {
            grads.register::<B>(node.id, grad.clone());
        }
        if let Some(node) = subtrahend {
            grads.register::<B>(node.id, B::float_neg(grad));
        }
    }
}
