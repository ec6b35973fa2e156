//! The likelihood of [`label_kernel`](super::label_kernel) as an operation of Burn.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Int, Tensor, TensorData};

use super::blocks::Sizes;
use super::label_kernel::{self, Likelihood};
use super::{floats, ints, plain_ints};

/// [`label_nll`](crate::ops::label_nll) in one pass over the logits.
pub(in crate::ops) fn label_nll(logits: Tensor<4>, labels: Tensor<3, Int>) -> Tensor<3> {
    let [batch, _, height, width] = logits.dims();
    let nll = Dispatch::likelihood(logits.into_dispatch(), labels.into_dispatch());
    Tensor::<2>::from_dispatch(nll).reshape([batch, height, width])
}

#[backend_extension(Flex, Autodiff)]
trait LikelihoodBackend: Backend {
    /// `[batch, height * width]` from logits `[batch, classes, height, width]` and labels `[batch, height, width]`.
    fn likelihood(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> FloatTensor<Self>;
}

/// The operands, contiguous and of the types that the kernel reads.
#[derive(Clone, Debug)]
struct Operands {
    logits: FloatTensor<Flex>,
    labels: IntTensor<Flex>,
    sizes: Sizes,
}

impl Operands {
    fn new(logits: FloatTensor<Flex>, labels: IntTensor<Flex>) -> Self {
        let [batch, classes, height, width] = logits.shape().dims();
        let sizes = Sizes {
            batch,
            classes,
            planes: 1,
            pixels: height * width,
        };
        Self {
            logits: logits.to_contiguous(),
            labels: plain_ints(labels),
            sizes,
        }
    }

    fn forward(&self) -> Likelihood {
        label_kernel::forward(floats(&self.logits), ints(&self.labels), self.sizes)
    }

    fn backward(&self, gradient: &[f32], saved: &Likelihood) -> Vec<f32> {
        let (logits, labels) = (floats(&self.logits), ints(&self.labels));
        label_kernel::backward(gradient, logits, labels, saved, self.sizes)
    }

    fn output(&self, nll: Vec<f32>) -> FloatTensor<Flex> {
        FloatTensor::<Flex>::from_data(TensorData::new(nll, [self.sizes.batch, self.sizes.pixels]))
    }
}

impl LikelihoodBackend for Flex {
    fn likelihood(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> FloatTensor<Self> {
        let operands = Operands::new(logits, labels);
        let likelihood = operands.forward();
        operands.output(likelihood.nll)
    }
}

impl<C: CheckpointStrategy> LikelihoodBackend for Autodiff<Flex, C> {
    fn likelihood(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct OfLogits;

        impl Backward<Flex, 1> for OfLogits {
            type State = (Operands, Likelihood);

            fn backward(
                self,
                ops: Ops<Self::State, 1>,
                gradients: &mut Gradients,
                _: &mut Checkpointer,
            ) {
                let [logits_node] = ops.parents;
                let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
                let (operands, saved) = ops.state;
                let Some(node) = logits_node else { return };
                let result = operands.backward(floats(&gradient), &saved);
                let result = FloatTensor::<Flex>::from_data(TensorData::new(
                    result,
                    operands.logits.shape(),
                ));
                gradients.register::<Flex>(node.id, result);
            }
        }

        let prepared = OfLogits
            .prepare::<C>([logits.node()])
            .compute_bound()
            .stateful();
        let operands = Operands::new(logits.into_primitive(), labels);
        let mut likelihood = operands.forward();
        let output = operands.output(std::mem::take(&mut likelihood.nll));
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((operands, likelihood), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}
