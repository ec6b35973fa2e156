use burn::module::{Module, ModuleDisplay};
use burn::tensor::{ExecutionError, Int, Tensor};
use burn_train::metric::{Adaptor, LossInput};
use burn_train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};
use decoupled_seg_nn::{SegmentationModel, SegmentationOutput};

use super::{SegmentationBatch, SegmentationMetricInput};
use crate::recipe::Recipe;
use crate::train::{BatchTargets, Criterion, Precision};

/// A network with its loss, as burn-train's `Learner` trains it.
#[derive(Module, Debug)]
pub struct LearnerNet<M: Module> {
    /// The network.
    pub net: M,
    #[module(skip)]
    criterion: Criterion,
    #[module(skip)]
    precision: Precision,
    share: usize,
}

impl<M: SegmentationModel> LearnerNet<M> {
    /// Trains `net` with the loss, targets and precision of `recipe`, its batch norms as the recipe says.
    pub fn new(net: M, recipe: &Recipe) -> Self {
        let targets = recipe.targets.config(net.num_classes());
        Self {
            criterion: Criterion::new(&recipe.loss, targets),
            precision: recipe.precision,
            net: recipe.batch_norm.apply(net),
            share: 1,
        }
    }

    /// Divides gradients by `count`: burn-train adds up those of several devices and of accumulated batches where the
    /// recipe's rate is meant for their mean. Give it the product of both numbers.
    ///
    /// # Panics
    ///
    /// Panics if it is 0.
    pub fn with_gradients_shared_by(mut self, count: usize) -> Self {
        assert!(count > 0, "gradients are shared by at least one");
        self.share = count;
        self
    }

    fn output(
        &self,
        output: SegmentationOutput,
        labels: Tensor<3, Int>,
    ) -> (Tensor<1>, LearnerOutput) {
        let predictions = output.logits.clone().inner().argmax(1).squeeze_dim::<3>(1);
        let targets = BatchTargets::Labels(labels.clone());
        let loss = self.criterion.forward(output, targets).total;
        let item = LearnerOutput {
            loss: loss.clone().inner(),
            labels,
            predictions,
        };
        (loss, item)
    }
}

/// What a step shows to metrics.
#[derive(Debug)]
pub struct LearnerOutput {
    /// Sum of the loss terms.
    pub loss: Tensor<1>,
    /// Class indices or 255, `[batch, height, width]`.
    pub labels: Tensor<3, Int>,
    /// Class indices, `[batch, height, width]`.
    pub predictions: Tensor<3, Int>,
}

impl ItemLazy for LearnerOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        // Metrics read back what they need on their own thread.
        self.loss.device().flush()?;
        Ok(self)
    }
}

impl Adaptor<LossInput> for LearnerOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}

impl Adaptor<SegmentationMetricInput> for LearnerOutput {
    fn adapt(&self) -> SegmentationMetricInput {
        SegmentationMetricInput {
            labels: self.labels.clone(),
            predictions: self.predictions.clone(),
        }
    }
}

impl<M: SegmentationModel + ModuleDisplay> TrainStep for LearnerNet<M> {
    type Input = SegmentationBatch;
    type Output = LearnerOutput;

    fn step(&self, batch: SegmentationBatch) -> TrainOutput<LearnerOutput> {
        let (loss, item) = self.output(
            self.precision.forward(&self.net, batch.images),
            batch.labels,
        );
        TrainOutput::new(self, (loss / self.share as f64).backward(), item)
    }
}

impl<M: SegmentationModel + ModuleDisplay> InferenceStep for LearnerNet<M> {
    type Input = SegmentationBatch;
    type Output = LearnerOutput;

    fn step(&self, batch: SegmentationBatch) -> LearnerOutput {
        self.output(self.net.forward(batch.images), batch.labels).1
    }
}
