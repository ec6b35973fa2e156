//! The backward pass by hand. Input and weights are kept for it.

use burn::backend::Backend;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::tensor::FloatTensor;
use burn::tensor::ops::ConvOptions;

use super::backend::{ConvBackend, ConvGradients, finish};

impl<B, C> ConvBackend for Autodiff<B, C>
where
    B: Backend + ConvBackend + ConvGradients,
    C: CheckpointStrategy,
{
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions<2>,
        relu: bool,
    ) -> FloatTensor<Self> {
        let (x_value, weight_value) = (x.primitive().clone(), weight.primitive().clone());
        let output = B::convolve(x_value, weight_value, options.clone(), false);
        let nodes = [x.node(), weight.node()];
        let output = match ConvBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = State {
                    x: prep.checkpoint(&x),
                    weight: prep.checkpoint(&weight),
                    bias: None,
                    options,
                };
                prep.finish(state, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        finish::<Self>(output, None, relu)
    }

    fn convolve_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
        relu: bool,
    ) -> FloatTensor<Self> {
        let (x_value, weight_value) = (x.primitive().clone(), weight.primitive().clone());
        let bias_value = bias.primitive().clone();
        let output = B::convolve_bias(x_value, weight_value, bias_value, options.clone(), false);
        let nodes = [x.node(), weight.node(), bias.node()];
        let output = match ConvBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = State {
                    x: prep.checkpoint(&x),
                    weight: prep.checkpoint(&weight),
                    bias: Some(prep.checkpoint(&bias)),
                    options,
                };
                prep.finish(state, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        finish::<Self>(output, None, relu)
    }

    fn convolve_sum(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        addend: FloatTensor<Self>,
        options: ConvOptions<2>,
        relu: bool,
    ) -> FloatTensor<Self> {
        let output = Self::convolve_bias(x, weight, bias, options, false);
        finish::<Self>(output, Some(addend), relu)
    }
}

#[derive(Debug)]
struct ConvBackward;

#[derive(Debug, Clone)]
struct State {
    x: NodeId,
    weight: NodeId,
    bias: Option<NodeId>,
    options: ConvOptions<2>,
}

/// Of input, weights and, if there are three, bias.
impl<B: Backend + ConvGradients, const N: usize> Backward<B, N> for ConvBackward {
    type State = State;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let state = ops.state;
        let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(state.x);
        let weight = checkpointer.retrieve_node_output::<FloatTensor<B>>(state.weight);
        let parent = |index: usize| ops.parents.get(index).and_then(Option::as_ref);
        if let (Some(node), Some(bias)) = (parent(2), state.bias) {
            let bias = checkpointer.retrieve_node_output::<FloatTensor<B>>(bias);
            let grad = B::conv2d_bias_backward(x.clone(), bias, grad.clone());
            grads.register::<B>(node.id, grad);
        }
        if let Some(node) = parent(1) {
            let options = state.options.clone();
            let grad =
                B::convolve_weight_gradient(x.clone(), weight.clone(), grad.clone(), options);
            grads.register::<B>(node.id, grad);
        }
        if let Some(node) = parent(0) {
            let grad = B::convolve_input_gradient(x, weight, grad, state.options);
            grads.register::<B>(node.id, grad);
        }
    }
}
