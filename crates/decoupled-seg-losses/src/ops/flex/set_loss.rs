//! The loss of [`set_kernel`](super::set_kernel) as an operation of Burn.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Tensor, TensorData};

use super::blocks::Sizes;
use super::set_kernel;
use super::{floats, ints, plain_ints};
use crate::LabelSets;

/// [`set_loss`](crate::ops::set_loss) in one pass over the logits.
pub(in crate::ops) fn set_loss(
    logits: Tensor<4>,
    sets: &LabelSets,
    weights: Option<Tensor<3>>,
) -> Tensor<1> {
    let (logits, words) = (logits.into_dispatch(), sets.words().into_dispatch());
    Tensor::from_dispatch(match weights {
        Some(weights) => Dispatch::weighted_set_loss(logits, words, weights.into_dispatch()),
        None => Dispatch::mean_set_loss(logits, words),
    })
}

#[backend_extension(Flex, Autodiff)]
trait SetLossBackend: Backend {
    /// `[1]` from logits `[batch, classes, height, width]` and words `[batch, planes, height, width]`.
    fn mean_set_loss(logits: FloatTensor<Self>, words: IntTensor<Self>) -> FloatTensor<Self>;

    /// The same, of weights `[batch, height, width]`, which are constants.
    fn weighted_set_loss(
        logits: FloatTensor<Self>,
        words: IntTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// The operands, contiguous and of the types that the kernel reads.
struct Operands {
    logits: FloatTensor<Flex>,
    words: IntTensor<Flex>,
    weights: Option<FloatTensor<Flex>>,
}

impl Operands {
    fn new(
        logits: FloatTensor<Flex>,
        words: IntTensor<Flex>,
        weights: Option<FloatTensor<Flex>>,
    ) -> Self {
        Self {
            logits: logits.to_contiguous(),
            words: plain_ints(words),
            weights: weights.map(|weights| weights.to_contiguous()),
        }
    }

    fn of_kernel(&self) -> set_kernel::Operands<'_> {
        let [batch, classes, height, width] = self.logits.shape().dims();
        let [_, planes, _, _] = self.words.shape().dims();
        set_kernel::Operands {
            logits: floats(&self.logits),
            words: ints(&self.words),
            weights: self.weights.as_ref().map(floats),
            sizes: Sizes {
                batch,
                classes,
                planes,
                pixels: height * width,
            },
        }
    }

    /// What the sum of the losses is multiplied by.
    fn scale(&self) -> f64 {
        match self.weights {
            Some(_) => 1.0,
            None => 1.0 / self.of_kernel().count().max(1) as f64,
        }
    }

    fn loss(&self) -> FloatTensor<Flex> {
        scalar(self.of_kernel().loss() * self.scale())
    }

    fn loss_and_gradient(&self) -> (FloatTensor<Flex>, FloatTensor<Flex>) {
        let scale = self.scale();
        let (loss, gradient) = self.of_kernel().loss_and_gradient(scale as f32);
        let gradient = TensorData::new(gradient, self.logits.shape());
        (
            scalar(loss * scale),
            FloatTensor::<Flex>::from_data(gradient),
        )
    }
}

fn scalar(value: f64) -> FloatTensor<Flex> {
    FloatTensor::<Flex>::from_data(TensorData::new(vec![value as f32], [1]))
}

impl SetLossBackend for Flex {
    fn mean_set_loss(logits: FloatTensor<Self>, words: IntTensor<Self>) -> FloatTensor<Self> {
        Operands::new(logits, words, None).loss()
    }

    fn weighted_set_loss(
        logits: FloatTensor<Self>,
        words: IntTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Operands::new(logits, words, Some(weights)).loss()
    }
}

impl<C: CheckpointStrategy> SetLossBackend for Autodiff<Flex, C> {
    fn mean_set_loss(logits: FloatTensor<Self>, words: IntTensor<Self>) -> FloatTensor<Self> {
        track::<C>(logits, words, None)
    }

    fn weighted_set_loss(
        logits: FloatTensor<Self>,
        words: IntTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        track::<C>(logits, words, Some(weights.into_primitive()))
    }
}

/// Calculates the gradient with the loss, where one will be asked for: the exponentials are the same. It takes the place of
/// the logits, which nothing here needs any more.
fn track<C: CheckpointStrategy>(
    logits: FloatTensor<Autodiff<Flex, C>>,
    words: IntTensor<Flex>,
    weights: Option<FloatTensor<Flex>>,
) -> FloatTensor<Autodiff<Flex, C>> {
    #[derive(Debug)]
    struct OfLogits;

    impl Backward<Flex, 1> for OfLogits {
        /// The gradient of the logits for a gradient of 1.
        type State = FloatTensor<Flex>;

        fn backward(
            self,
            ops: Ops<Self::State, 1>,
            gradients: &mut Gradients,
            _: &mut Checkpointer,
        ) {
            let [node] = ops.parents;
            let factor = floats(&gradients.consume::<Flex>(&ops.node).to_contiguous())[0];
            let Some(node) = node else { return };
            let gradient = match factor {
                1.0 => ops.state,
                _ => Flex::float_mul_scalar(ops.state, factor.into()),
            };
            gradients.register::<Flex>(node.id, gradient);
        }
    }

    let prepared = OfLogits
        .prepare::<C>([logits.node()])
        .compute_bound()
        .stateful();
    let operands = Operands::new(logits.into_primitive(), words, weights);
    match prepared {
        OpsKind::Tracked(prepared) => {
            let (loss, gradient) = operands.loss_and_gradient();
            prepared.finish(gradient, loss)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(operands.loss()),
    }
}
