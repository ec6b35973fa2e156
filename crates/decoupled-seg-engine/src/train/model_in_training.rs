use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, TensorReadError};
use decoupled_seg_datasets::loader::Batch;
use decoupled_seg_losses::LossTerms;
use decoupled_seg_nn::SegmentationModel;
use decoupled_seg_types::Size;

use super::criterion::Criterion;
use super::feed::upload;
use super::gradients::{clip_global_norm, divide};
use super::plan::check_batches;
use super::rates::Rates;
use super::{ema, losses};
use crate::EngineError;
use crate::checkpoint::{Checkpoint, CheckpointState, FiniteCheck, Snapshot};
use crate::recipe::{Recipe, SchedulePoint};

/// A network while it is trained, with all else that an optimizer step changes: the average of its weights, momentum.
pub(super) struct ModelInTraining<M> {
    recipe: Recipe,
    device: Device,
    steps_per_epoch: usize,
    criterion: Criterion,
    rates: Rates,
    /// Taken out while the optimizer works on it.
    model: Option<M>,
    ema: Option<M>,
    optimizer: ModuleOptimizer,
}

impl<M: SegmentationModel> ModelInTraining<M> {
    /// Network, optimizer and average as the first step of a session finds them.
    pub fn new(
        model: M,
        device: Device,
        recipe: &Recipe,
        steps_per_epoch: usize,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<Self, EngineError> {
        recipe.precision.check(&device)?;
        let criterion = Criterion::new(recipe, model.num_classes());
        let model = model.fork(&device);
        let model = if model.devices().iter().all(Device::is_autodiff) {
            model
        } else {
            model.train()
        };
        // Burn draws initial weights when they are first looked at: here, from the recipe's seed.
        device.seed(recipe.seed);
        if let Some(parameter) = FiniteCheck::first_offender(&model)? {
            return Err(EngineError::NotFiniteWeights { parameter });
        }
        let optimizer = recipe.optimizer.init();
        let (model, optimizer, ema) = match checkpoint {
            None => (model, optimizer, None),
            Some(checkpoint) => {
                let average = checkpoint.load_ema(model.valid())?;
                let model = checkpoint.load_for_training(model)?;
                (model, checkpoint.load_optimizer(optimizer)?, average)
            }
        };
        let model = recipe.batch_norm.apply(model);
        Ok(Self {
            criterion,
            rates: Rates::new(&model, &recipe.rate_groups)?,
            ema: recipe.ema.map(|_| ema.unwrap_or_else(|| model.valid())),
            model: Some(model),
            recipe: recipe.clone(),
            device,
            steps_per_epoch,
            optimizer,
        })
    }

    /// Refuses a batch of images that the network cannot take: without a crop they are as large as their files.
    pub fn check_size(&self, batch: &Batch) -> Result<(), EngineError> {
        let size = Size::new(batch.height, batch.width);
        check_batches(self.model(), &self.recipe, size)
    }

    /// One optimizer step, after `done` of them, enqueued without reading anything back. Returns the losses, still on
    /// the device.
    pub fn step(&mut self, group: Vec<Batch>, done: usize) -> LossTerms {
        // Dropout draws from the device's generator. Seeded anew at each step, a run can be taken up at any of them.
        self.device.seed(step_seed(self.recipe.seed, done));
        let rates = self.rates.at(self.learning_rate(done));
        let batches = group.len();
        let model = self.model.take().expect("put back after every step");
        let mut of_batches = Vec::with_capacity(batches);
        let mut accumulator = GradientsAccumulator::new();
        let mut gradients = None;
        for batch in group {
            let (images, labels) = upload(batch, &self.device);
            let output = self.recipe.precision.forward(&model, images);
            let terms = self.criterion.forward(&output, labels);
            drop(output);
            let of_batch = GradientsParams::from_grads(terms.total.backward(), &model);
            of_batches.push(terms);
            if batches == 1 {
                gradients = Some(of_batch);
            } else {
                accumulator.accumulate(&model, of_batch);
            }
        }
        let mut gradients =
            gradients.unwrap_or_else(|| divide(&model, accumulator.grads(), batches));
        if let Some(max_norm) = self.recipe.clip_norm {
            gradients = clip_global_norm(&model, gradients, max_norm);
        }
        let model = self.optimizer.step(rates, model, gradients);
        if let (Some(average), Some(recipe)) = (self.ema.take(), self.recipe.ema) {
            let decay = recipe.decay_at(done);
            self.ema = Some(ema::update(average, &model.valid(), decay));
        }
        self.model = Some(model);
        losses::mean(of_batches)
    }

    /// The base rate after `done` steps.
    pub fn learning_rate(&self, done: usize) -> f64 {
        self.recipe.learning_rate(SchedulePoint {
            step: done,
            total_steps: self.recipe.epochs * self.steps_per_epoch,
            epoch: done / self.steps_per_epoch,
            epochs: self.recipe.epochs,
        })
    }

    /// Waits for the device to finish what was enqueued. `Err` if it does not answer.
    pub fn wait(&self) -> Result<(), TensorReadError> {
        Ok(self.device.sync()?)
    }

    /// Whether the device runs kernels that are compiled for it, as GPUs do: Burn's compiled backends are those that
    /// report on their memory pools.
    pub fn compiles_kernels(&self) -> bool {
        self.device.memory_pool_usage().is_some()
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The path of the first weight or running statistic that is not finite. `Err` if the device does not answer.
    pub fn first_not_finite(&self) -> Result<Option<String>, TensorReadError> {
        FiniteCheck::first_offender(&self.model().valid())
    }

    /// The network that is validated and handed over: out of training, averaged if the recipe says so.
    pub fn judged_model(&self) -> M {
        match &self.ema {
            Some(average) => average.clone(),
            None => self.model().valid(),
        }
    }

    pub fn num_params(&self) -> usize {
        self.model().num_params()
    }

    /// Hands everything over to be written.
    pub fn write<T>(&self, state: CheckpointState, write: impl FnOnce(Snapshot<'_, M>) -> T) -> T {
        // Out of training, so that the running statistics of norms include the last step.
        let model = self.model().valid();
        write(Snapshot {
            model: &model,
            ema: self.ema.as_ref(),
            optimizer: &self.optimizer,
            state,
        })
    }

    fn model(&self) -> &M {
        self.model.as_ref().expect("put back after every step")
    }
}

/// Spreads the step over all bits (the finaliser of SplitMix64), so that neighbouring steps draw unrelated numbers.
fn step_seed(seed: u64, step: usize) -> u64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut z = seed.wrapping_add((step as u64).wrapping_add(1).wrapping_mul(GOLDEN));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
