//! The backward pass by hand. Input and output are kept, which the layers before and behind keep anyway, and no indices.

use burn::backend::Backend;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::tensor::FloatTensor;

use super::Window;
use super::backend::{PoolBackend, PoolGradients};

impl<B, C> PoolBackend for Autodiff<B, C>
where
    B: Backend + PoolBackend + PoolGradients,
    C: CheckpointStrategy,
{
    fn largest(x: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        let output = B::largest(x.primitive().clone(), window);
        match LargestBackward
            .prepare::<C>([x.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&x), output.clone(), window);
                prep.finish(state, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

#[derive(Debug)]
struct LargestBackward;

impl<B: Backend + PoolGradients> Backward<B, 1> for LargestBackward {
    /// Input, output, window.
    type State = (NodeId, FloatTensor<B>, Window);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [node] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let (x, output, window) = ops.state;
        let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(x);
        if let Some(node) = node {
            grads.register::<B>(node.id, B::largest_backward(x, output, grad, window));
        }
    }
}
