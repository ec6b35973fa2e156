//! The backward pass by hand. The input is kept for it and, if a ReLU follows, the output, which the next layer keeps anyway:
//! nothing in between.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::tensor::FloatTensor;
use burn::backend::{AutodiffBackend, Backend};

use super::backend::{NormBackend, NormGradients};

impl<B, C> NormBackend for Autodiff<B, C>
where
    B: Backend + NormBackend + NormGradients,
    C: CheckpointStrategy,
{
    fn normalize(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [x_value, gamma_value, beta_value] =
            [&x, &gamma, &beta].map(|tensor| tensor.primitive().clone());
        let (output, mean, variance) =
            B::normalize(x_value, gamma_value, beta_value, epsilon, relu);
        let statistics = [mean.clone(), variance.clone()].map(Self::from_inner);
        let nodes = [x.node(), gamma.node(), beta.node()];
        let output = match NormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = State::<B> {
                    x: prep.checkpoint(&x),
                    gamma: prep.checkpoint(&gamma),
                    beta: prep.checkpoint(&beta),
                    mean,
                    variance,
                    output: output.clone(),
                    epsilon,
                    relu,
                };
                prep.finish(state, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        let [mean, variance] = statistics;
        (output, mean, variance)
    }

    fn normalize_sum(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        addend: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [x_value, gamma_value, beta_value, addend_value] =
            [&x, &gamma, &beta, &addend].map(|tensor| tensor.primitive().clone());
        let (output, mean, variance) = B::normalize_sum(
            x_value,
            gamma_value,
            beta_value,
            addend_value,
            epsilon,
            relu,
        );
        let statistics = [mean.clone(), variance.clone()].map(Self::from_inner);
        let nodes = [x.node(), gamma.node(), beta.node(), addend.node()];
        let output = match NormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = State::<B> {
                    x: prep.checkpoint(&x),
                    gamma: prep.checkpoint(&gamma),
                    beta: prep.checkpoint(&beta),
                    mean,
                    variance,
                    output: output.clone(),
                    epsilon,
                    relu,
                };
                prep.finish(state, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        let [mean, variance] = statistics;
        (output, mean, variance)
    }
}

#[derive(Debug)]
struct NormBackward;

#[derive(Debug, Clone)]
struct State<B: Backend> {
    x: NodeId,
    gamma: NodeId,
    beta: NodeId,
    mean: FloatTensor<B>,
    variance: FloatTensor<B>,
    output: FloatTensor<B>,
    epsilon: f64,
    relu: bool,
}

/// Of input, gamma, beta and, if there are four, the addend.
impl<B: Backend + NormGradients, const N: usize> Backward<B, N> for NormBackward {
    type State = State<B>;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let state = ops.state;
        let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(state.x);
        let gamma = checkpointer.retrieve_node_output::<FloatTensor<B>>(state.gamma);
        let beta = checkpointer.retrieve_node_output::<FloatTensor<B>>(state.beta);
        let parent = |index: usize| ops.parents.get(index).and_then(Option::as_ref);
        let (x_grad, gamma_grad, beta_grad, addend_grad) = B::normalize_backward(
            x,
            gamma,
            beta,
            state.mean,
            state.variance,
            state.output,
            grad,
            state.epsilon,
            state.relu,
            parent(3).is_some(),
        );
        let found = [x_grad, gamma_grad, beta_grad, addend_grad];
        for (index, grad) in found.into_iter().enumerate() {
            if let Some(node) = parent(index) {
                grads.register::<B>(node.id, grad);
            }
        }
    }
}
