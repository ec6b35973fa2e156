//! Binary cross entropy of edges: one pass over the scores forward, one backward.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Int, Tensor, TensorData};

use super::entropy_kernel::{self, Weights};
use super::{floats, ints, plain_ints};

/// [`edge_entropy`](crate::ops::edge_entropy) on the host.
pub(in crate::ops) fn edge_entropy(
    score: Tensor<3>,
    labels: Tensor<3, Int>,
    balanced: bool,
    over_all: bool,
) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::edge_entropy(
        score.into_dispatch(),
        labels.into_dispatch(),
        balanced,
        over_all,
    ))
}

#[backend_extension(Flex, Autodiff)]
trait EntropyBackend: Backend {
    /// `[1]` from scores and labels of one shape.
    fn edge_entropy(
        scores: FloatTensor<Self>,
        labels: IntTensor<Self>,
        balanced: bool,
        over_all: bool,
    ) -> FloatTensor<Self>;
}

/// The loss, and what its gradient is made from.
fn forward(
    scores: &FloatTensor<Flex>,
    labels: &IntTensor<Flex>,
    balanced: bool,
    over_all: bool,
) -> (FloatTensor<Flex>, Weights) {
    let sums = entropy_kernel::forward(floats(scores), ints(labels));
    let weights = Weights::new(&sums, balanced, over_all, scores.shape().num_elements());
    let loss = sums.losses[0] * weights.of_others + sums.losses[1] * weights.of_edges;
    let loss = FloatTensor::<Flex>::from_data(TensorData::new(vec![loss as f32], [1]));
    (loss, weights)
}

impl EntropyBackend for Flex {
    fn edge_entropy(
        scores: FloatTensor<Self>,
        labels: IntTensor<Self>,
        balanced: bool,
        over_all: bool,
    ) -> FloatTensor<Self> {
        forward(
            &scores.to_contiguous(),
            &plain_ints(labels),
            balanced,
            over_all,
        )
        .0
    }
}

impl<C: CheckpointStrategy> EntropyBackend for Autodiff<Flex, C> {
    fn edge_entropy(
        scores: FloatTensor<Self>,
        labels: IntTensor<Self>,
        balanced: bool,
        over_all: bool,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct OfScores;

        impl Backward<Flex, 1> for OfScores {
            type State = (FloatTensor<Flex>, IntTensor<Flex>, Weights);

            fn backward(
                self,
                ops: Ops<Self::State, 1>,
                gradients: &mut Gradients,
                _: &mut Checkpointer,
            ) {
                let [node] = ops.parents;
                let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
                let (scores, labels, weights) = ops.state;
                let Some(node) = node else { return };
                let weights = weights.times(floats(&gradient)[0]);
                let result = entropy_kernel::backward(floats(&scores), ints(&labels), weights);
                let result =
                    FloatTensor::<Flex>::from_data(TensorData::new(result, scores.shape()));
                gradients.register::<Flex>(node.id, result);
            }
        }

        let prepared = OfScores
            .prepare::<C>([scores.node()])
            .compute_bound()
            .stateful();
        let (scores, labels) = (scores.into_primitive().to_contiguous(), plain_ints(labels));
        let (loss, weights) = forward(&scores, &labels, balanced, over_all);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((scores, labels, weights), loss),
            OpsKind::UnTracked(prepared) => prepared.finish(loss),
        }
    }
}
