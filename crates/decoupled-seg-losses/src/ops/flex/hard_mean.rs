//! The mean of [`hard_kernel`](super::hard_kernel) as an operation of Burn.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{BoolTensor, FloatTensor};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Bool, Tensor, TensorData};

use super::floats;
use super::hard_kernel::Pixels;

/// [`hard_mean`](crate::ops::hard_mean) on the host.
pub(in crate::ops) fn hard_mean(
    losses: Tensor<3>,
    candidates: Tensor<3, Bool>,
    min_kept: usize,
    easiest: f32,
) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::hard_mean(
        losses.into_dispatch(),
        candidates.into_dispatch(),
        min_kept,
        easiest,
    ))
}

#[backend_extension(Flex, Autodiff)]
trait HardMeanBackend: Backend {
    /// `[1]` from losses and candidates of one shape.
    fn hard_mean(
        losses: FloatTensor<Self>,
        candidates: BoolTensor<Self>,
        min_kept: usize,
        easiest: f32,
    ) -> FloatTensor<Self>;
}

/// The operands, contiguous, and which pixels are kept.
#[derive(Clone, Debug)]
struct Mined {
    losses: FloatTensor<Flex>,
    candidates: BoolTensor<Flex>,
    limit: f32,
    /// Number of pixels kept, but 1 at least.
    count: f64,
}

impl Mined {
    fn new(
        losses: FloatTensor<Flex>,
        candidates: BoolTensor<Flex>,
        min_kept: usize,
        easiest: f32,
    ) -> (Self, FloatTensor<Flex>) {
        let mut mined = Self {
            losses: losses.to_contiguous(),
            candidates: candidates.to_contiguous(),
            limit: -1.0,
            count: 1.0,
        };
        let (limit, kept) = mined.pixels().hardest(min_kept, easiest);
        mined.limit = limit;
        mined.count = kept.count.max(1) as f64;
        let mean = vec![(kept.sum / mined.count) as f32];
        let mean = FloatTensor::<Flex>::from_data(TensorData::new(mean, [1]));
        (mined, mean)
    }

    fn pixels(&self) -> Pixels<'_> {
        let (start, end) = self
            .candidates
            .layout()
            .contiguous_offsets()
            .expect("the tensor was made contiguous");
        Pixels {
            losses: floats(&self.losses),
            candidates: &self.candidates.storage::<u8>()[start..end],
        }
    }
}

impl HardMeanBackend for Flex {
    fn hard_mean(
        losses: FloatTensor<Self>,
        candidates: BoolTensor<Self>,
        min_kept: usize,
        easiest: f32,
    ) -> FloatTensor<Self> {
        Mined::new(losses, candidates, min_kept, easiest).1
    }
}

impl<C: CheckpointStrategy> HardMeanBackend for Autodiff<Flex, C> {
    fn hard_mean(
        losses: FloatTensor<Self>,
        candidates: BoolTensor<Self>,
        min_kept: usize,
        easiest: f32,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct OfLosses;

        impl Backward<Flex, 1> for OfLosses {
            type State = Mined;

            fn backward(
                self,
                ops: Ops<Self::State, 1>,
                gradients: &mut Gradients,
                _: &mut Checkpointer,
            ) {
                let [node] = ops.parents;
                let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
                let Some(node) = node else { return };
                let mined = ops.state;
                let factor = f64::from(floats(&gradient)[0]) / mined.count;
                let result = mined.pixels().gradient(mined.limit, factor as f32);
                let result =
                    FloatTensor::<Flex>::from_data(TensorData::new(result, mined.losses.shape()));
                gradients.register::<Flex>(node.id, result);
            }
        }

        let prepared = OfLosses
            .prepare::<C>([losses.node()])
            .compute_bound()
            .stateful();
        let (mined, mean) = Mined::new(losses.into_primitive(), candidates, min_kept, easiest);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(mined, mean),
            OpsKind::UnTracked(prepared) => prepared.finish(mean),
        }
    }
}
