//! Fast paths for the Flex backend, which works on the host: fused, and on all cores.
//!
//! They compute what the tensor code beside them computes for every backend; the tests compare the two.

mod kernel;
mod targets;

pub(super) use targets::host_targets;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::IntTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, DispatchDevice, Flex, backend_extension};
use burn::tensor::{DType, Device, IntDType, Tensor, TensorData};

use crate::LabelSets;
use kernel::{Likelihood, Sizes};

/// Whether the fast paths serve tensors on this device.
pub(super) fn serves(device: &Device) -> bool {
    matches!(
        device.clone().inner().as_dispatch(),
        DispatchDevice::Flex(_)
    )
}

/// [`set_nll`](super::set_nll) in one pass over the logits.
pub(super) fn set_nll(logits: Tensor<4>, sets: &LabelSets) -> Tensor<3> {
    let [batch, _, height, width] = logits.dims();
    let nll =
        <Dispatch as SetLikelihood>::set_nll(logits.into_dispatch(), sets.words().into_dispatch());
    Tensor::<2>::from_dispatch(nll).reshape([batch, height, width])
}

/// [`kth_largest`](super::kth_largest) by selection on the host, where the values are.
pub(super) fn kth_largest(rows: Tensor<2>, k: usize, at_most: f32) -> Tensor<2> {
    let [count, length] = rows.dims();
    let device = rows.device();
    let values: Vec<f32> = rows
        .try_into_vec_as()
        .expect("losses are floats, and the host has them");
    let of_row = |row: &[f32]| {
        let certain = row.iter().filter(|&&value| value >= at_most).count();
        if certain >= k {
            return at_most;
        }
        let mut below: Vec<f32> = row
            .iter()
            .copied()
            .filter(|&value| value >= 0.0 && value < at_most)
            .collect();
        let place = k - certain - 1;
        if place >= below.len() {
            return -1.0;
        }
        *below.select_nth_unstable_by(place, |a, b| b.total_cmp(a)).1
    };
    let found: Vec<f32> = values.chunks_exact(length.max(1)).map(of_row).collect();
    Tensor::from_data(TensorData::new(found, [count, 1]), &device)
}

#[backend_extension(Flex, Autodiff)]
trait SetLikelihood: Backend {
    /// `[batch, height * width]` from logits `[batch, classes, height, width]` and words `[batch, planes, ..]`.
    fn set_nll(logits: FloatTensor<Self>, words: IntTensor<Self>) -> FloatTensor<Self>;
}

/// The operands, contiguous and of the types that the kernel reads.
#[derive(Clone, Debug)]
struct Operands {
    logits: FloatTensor<Flex>,
    words: IntTensor<Flex>,
    sizes: Sizes,
}

impl Operands {
    fn new(logits: FloatTensor<Flex>, words: IntTensor<Flex>) -> Self {
        let words = if words.dtype() == DType::I32 {
            words
        } else {
            Flex::int_cast(words, IntDType::I32)
        };
        let shape = |tensor: &FloatTensor<Flex>| -> [usize; 4] {
            tensor
                .layout()
                .shape()
                .to_vec()
                .try_into()
                .expect("four axes, as the caller has them")
        };
        let [batch, classes, height, width] = shape(&logits);
        let [_, planes, _, _] = shape(&words);
        let sizes = Sizes {
            batch,
            classes,
            planes,
            pixels: height * width,
        };
        Self {
            logits: logits.to_contiguous(),
            words: words.to_contiguous(),
            sizes,
        }
    }

    fn slices(&self) -> (&[f32], &[i32]) {
        let logits = self
            .logits
            .layout()
            .contiguous_offsets()
            .expect("made contiguous");
        let words = self
            .words
            .layout()
            .contiguous_offsets()
            .expect("made contiguous");
        (
            &self.logits.storage()[logits.0..logits.1],
            &self.words.storage()[words.0..words.1],
        )
    }

    fn forward(&self) -> Likelihood {
        let (logits, words) = self.slices();
        kernel::forward(logits, words, self.sizes)
    }

    fn output(&self, nll: Vec<f32>) -> FloatTensor<Flex> {
        FloatTensor::<Flex>::from_data(TensorData::new(nll, [self.sizes.batch, self.sizes.pixels]))
    }
}

impl SetLikelihood for Flex {
    fn set_nll(logits: FloatTensor<Self>, words: IntTensor<Self>) -> FloatTensor<Self> {
        let operands = Operands::new(logits, words);
        let likelihood = operands.forward();
        operands.output(likelihood.nll)
    }
}

impl<C: CheckpointStrategy> SetLikelihood for Autodiff<Flex, C> {
    fn set_nll(logits: FloatTensor<Self>, words: IntTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct SetNll;

        impl Backward<Flex, 1> for SetNll {
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
                let (logits, words) = operands.slices();
                let (start, end) = gradient
                    .layout()
                    .contiguous_offsets()
                    .expect("made contiguous");
                let gradient = &gradient.storage()[start..end];
                let result = kernel::backward(gradient, logits, words, &saved, operands.sizes);
                let shape = operands.logits.layout().shape().clone();
                let result = FloatTensor::<Flex>::from_data(TensorData::new(result, shape));
                gradients.register::<Flex>(node.id, result);
            }
        }

        let prepared = SetNll
            .prepare::<C>([logits.node()])
            .compute_bound()
            .stateful();
        let operands = Operands::new(logits.into_primitive(), words);
        let mut likelihood = operands.forward();
        let output = operands.output(std::mem::take(&mut likelihood.nll));
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((operands, likelihood), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}
