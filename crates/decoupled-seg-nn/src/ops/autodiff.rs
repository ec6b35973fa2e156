//! Backward passes by hand. Only inputs are kept for them.

use std::sync::{Arc, Mutex};

use burn::backend::TensorMetadata;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::tensor::FloatTensor;
use burn::backend::{AutodiffBackend, Backend};
use burn::tensor::Shape;
use decoupled_seg_types::Size;

use super::backend::{SamplingBackend, SamplingGradients};
use super::options::WarpOptions;

impl<B, C> SamplingBackend for Autodiff<B, C>
where
    B: Backend + SamplingBackend + SamplingGradients,
    C: CheckpointStrategy,
{
    fn bilinear(x: FloatTensor<Self>, size: Size, align_corners: bool) -> FloatTensor<Self> {
        let [_, _, height, width] = x.shape().dims();
        let prepared = BilinearBackward
            .prepare::<C>([x.node()])
            .compute_bound()
            .stateful();
        let output = B::bilinear(x.into_primitive(), size, align_corners);
        match prepared {
            OpsKind::Tracked(prep) => {
                prep.finish((Size::new(height, width), align_corners), output)
            }
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
        // An operation has one output in the graph. Body and edge hang on a node without one of its own: they leave
        // their gradients for it, so that one pass can take both.
        let parts = PartGrads::<B>::default();
        let OpsKind::Tracked(mut prep) = WarpSplitBackward
            .prepare::<C>([features.node(), flow.node()])
            .compute_bound()
            .stateful()
        else {
            return (Self::from_inner(body), Self::from_inner(edge));
        };
        let state = SplitState {
            features: prep.checkpoint(&features),
            flow: prep.checkpoint(&flow),
            options,
            parts: parts.clone(),
        };
        let both = prep.finish(state, nothing::<B>(&body));
        let part = |part, output| match PartBackward
            .prepare::<C>([both.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish((parts.clone(), part), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (part(0, body), part(1, edge))
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

/// Hands the gradients of features and flow to those of both that are tracked.
fn register<B: Backend>(
    grads: &mut Gradients,
    [features, flow]: [Option<NodeId>; 2],
    (features_grad, flow_grad): (FloatTensor<B>, FloatTensor<B>),
) {
    for (node, grad) in [(features, features_grad), (flow, flow_grad)] {
        if let Some(node) = node {
            grads.register::<B>(node, grad);
        }
    }
}

#[derive(Debug)]
struct BilinearBackward;

impl<B: Backend + SamplingGradients> Backward<B, 1> for BilinearBackward {
    /// Size of the input, corner convention.
    type State = (Size, bool);

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
        let ids = ops.parents.map(|node| node.map(|node| node.id));
        let grad = grads.consume::<B>(&ops.node);
        let (features, flow, options) = ops.state;
        let features = checkpointer.retrieve_node_output::<FloatTensor<B>>(features);
        let flow = checkpointer.retrieve_node_output::<FloatTensor<B>>(flow);
        let found = B::warp_backward(features, flow, grad, options);
        register::<B>(grads, ids, found);
    }
}

/// The gradients of body and edge, on their way to [`WarpSplitBackward`].
type PartGrads<B> = Arc<Mutex<[Option<FloatTensor<B>>; 2]>>;

/// The value and the gradient of the node that body and edge hang on.
fn nothing<B: Backend>(like: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_zeros(Shape::new([1]), &like.device(), like.dtype().into())
}

/// Of body (0) or edge (1).
#[derive(Debug)]
struct PartBackward;

impl<B: Backend> Backward<B, 1> for PartBackward {
    type State = (PartGrads<B>, usize);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let (parts, part) = ops.state;
        let mut parts = parts.lock().expect("nothing panics that holds it");
        if let Some(node) = node
            && parts.iter().all(Option::is_none)
        {
            grads.register::<B>(node.id, nothing::<B>(&grad));
        }
        parts[part] = Some(grad);
    }
}

#[derive(Debug)]
struct WarpSplitBackward;

#[derive(Debug, Clone)]
struct SplitState<B: Backend> {
    features: NodeId,
    flow: NodeId,
    options: WarpOptions,
    parts: PartGrads<B>,
}

impl<B: Backend + SamplingGradients> Backward<B, 2> for WarpSplitBackward {
    type State = SplitState<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let ids = ops.parents.map(|node| node.map(|node| node.id));
        let state = ops.state;
        grads.consume::<B>(&ops.node);
        let [body, edge] =
            std::mem::take(&mut *state.parts.lock().expect("nothing panics that holds it"));
        let features = checkpointer.retrieve_node_output::<FloatTensor<B>>(state.features);
        let flow = checkpointer.retrieve_node_output::<FloatTensor<B>>(state.flow);
        let options = state.options;
        let found = match (body, edge) {
            (Some(body), Some(edge)) => B::warp_split_backward(features, flow, body, edge, options),
            (Some(body), None) => B::warp_backward(features, flow, body, options),
            (None, Some(edge)) => {
                let body = B::float_neg(edge.clone());
                let (features, flow) = B::warp_backward(features, flow, body, options);
                (B::float_add(features, edge), flow)
            }
            (None, None) => unreachable!("a part is there before its node is reached"),
        };
        register::<B>(grads, ids, found);
    }
}
