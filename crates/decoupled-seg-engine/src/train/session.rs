use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use decoupled_seg_core::SegmentationModel;
use decoupled_seg_datasets::loader::Batch;
use decoupled_seg_datasets::{ClassTable, SegmentationDataset};

use super::clip::{clip_global_norm, divide};
use super::criterion::Criterion;
use super::curves::write_curves;
use super::feed::{Feed, upload};
use super::log::Log;
use super::losses::PendingLosses;
use super::progress::Reporter;
use super::rates::Rates;
use super::{
    EpochRecord, Interrupt, LogEntry, LossMeans, LossTerms, Resume, Stop, Trained, Trainer, ema,
};
use crate::checkpoint::{
    Checkpoint, CheckpointError, CheckpointState, CheckpointStore, FiniteCheck, Position, Scores,
    Snapshot,
};
use crate::evaluate::Evaluator;
use crate::recipe::{Recipe, SchedulePoint};
use crate::{EngineError, files};

/// A run between two starts of the process.
pub(super) struct Session<'a, M: SegmentationModel> {
    recipe: Recipe,
    device: Device,
    network: serde_json::Value,
    interrupt: Interrupt,
    classes: ClassTable,
    feed: Feed,
    validation: Option<&'a dyn SegmentationDataset>,
    criterion: Criterion,
    rates: Rates,
    /// Taken out while the optimizer works on it.
    model: Option<M>,
    ema: Option<M>,
    optimizer: ModuleOptimizer,
    position: Position,
    running: LossMeans,
    history: Vec<EpochRecord>,
    pending: PendingLosses<StepTag>,
    folder: Option<RunFolder>,
    reporter: Reporter,
    clock: Clock,
}

/// What is known of a step before its losses are.
struct StepTag {
    step: usize,
    epoch: usize,
    learning_rate: f64,
}

struct RunFolder {
    path: PathBuf,
    log: Log,
    store: CheckpointStore,
    last: Option<PathBuf>,
}

/// Training time, over all sessions.
struct Clock {
    before: f64,
    start: Instant,
    /// When losses were last read back, and how many steps were done then.
    last_reading: (Instant, usize),
}

impl Clock {
    fn seconds(&self) -> f64 {
        self.before + self.start.elapsed().as_secs_f64()
    }
}

impl<'a, M: SegmentationModel> Session<'a, M> {
    pub fn start(
        trainer: Trainer<M>,
        train: Arc<dyn SegmentationDataset>,
        validation: Option<&'a dyn SegmentationDataset>,
    ) -> Result<Self, EngineError> {
        let Trainer {
            recipe,
            model,
            device,
            run_folder,
            resume,
            progress,
            interrupt,
            network,
            sampling,
        } = trainer;
        recipe.validate()?;
        let classes = train.classes().clone();
        for dataset in [Some(&*train), validation].into_iter().flatten() {
            if dataset.classes().num_classes() != model.num_classes() {
                return Err(EngineError::Classes {
                    model: model.num_classes(),
                    dataset: dataset.classes().num_classes(),
                });
            }
        }
        let images = train.len();
        let feed = Feed::new(train, sampling, &recipe, true)?;

        let checkpoint = match &run_folder {
            Some(folder) => found(folder, &recipe, resume)?,
            None => None,
        };
        let (model, optimizer, ema) = prepare(model, &device, &recipe, checkpoint.as_ref())?;
        let state = checkpoint.map(|checkpoint| checkpoint.state().clone());
        let (position, running, history, before) = match state {
            Some(state) => (state.position, state.running, state.history, state.seconds),
            None => Default::default(),
        };

        let folder = match run_folder {
            Some(path) => Some(open_folder(&path, &recipe, position)?),
            None => None,
        };
        let total_steps = recipe.epochs * feed.steps_per_epoch();
        let now = Instant::now();
        let targets = recipe.targets.config(classes.num_classes());
        let mut session = Self {
            criterion: Criterion::new(&recipe.loss, targets),
            rates: Rates::new(&model, &recipe.rate_groups)?,
            reporter: progress.start(position.step, total_steps, recipe.epochs),
            clock: Clock {
                before,
                start: now,
                last_reading: (now, position.step),
            },
            pending: PendingLosses::new(),
            recipe,
            device,
            network,
            interrupt,
            classes,
            feed,
            validation,
            ema,
            optimizer,
            position,
            running,
            history,
            folder,
            model: Some(model),
        };
        let parameters = session.model().num_params();
        session.log(&LogEntry::Start {
            position,
            version: env!("CARGO_PKG_VERSION").to_string(),
            parameters,
            images,
            total_steps,
        })?;
        if position.step > 0 {
            session.reporter.note(&format!(
                "going on after step {} of {total_steps}",
                position.step
            ));
        }
        Ok(session)
    }

    pub fn run(mut self) -> Result<Trained<M>, EngineError> {
        let result = self.epochs();
        let reason = match &result {
            Ok(Stop::Finished) => "finished",
            Ok(Stop::Interrupted) => "interrupted",
            Err(_) => "failed",
        };
        let end = LogEntry::End {
            position: self.position,
            reason: reason.to_string(),
            seconds: self.clock.seconds(),
        };
        let logged = self.log(&end).and_then(|()| self.flush_log());
        self.reporter.finish();
        let stop = result?;
        logged?;
        let best = match &self.folder {
            Some(folder) => match folder.store.best() {
                Ok(best) => Some(best),
                Err(CheckpointError::None { .. }) => None,
                Err(error) => return Err(error.into()),
            },
            None => None,
        };
        Ok(Trained {
            model: self.judged_model(),
            history: self.history,
            position: self.position,
            stop,
            best,
        })
    }

    fn epochs(&mut self) -> Result<Stop, EngineError> {
        while self.position.epoch < self.recipe.epochs {
            self.epoch()?;
            if self.interrupt.is_requested() {
                self.checkpoint(None)?;
                return Ok(Stop::Interrupted);
            }
            self.end_epoch()?;
        }
        Ok(Stop::Finished)
    }

    /// Trains the rest of the current epoch, or until an interrupt.
    fn epoch(&mut self) -> Result<(), EngineError> {
        let epoch = self.position.epoch;
        let mut batches = self.feed.epoch(epoch, self.position.batch);
        let per_step = self.recipe.accumulate;
        while self.position.batch + per_step <= self.feed.batches_per_epoch() {
            let mut group = Vec::with_capacity(per_step);
            for _ in 0..per_step {
                let batch = batches
                    .next()
                    .expect("the feed has as many batches as it says")?;
                group.push(batch);
            }
            self.step(group);
            self.position.batch += per_step;
            self.position.step += 1;
            self.reporter.step(epoch);
            if self.pending.len() >= self.recipe.log_every {
                self.read_losses()?;
            }
            if self.interrupt.is_requested() {
                break;
            }
            let every = self.recipe.checkpoints.every_steps;
            let at_end = self.position.batch == self.feed.batches_per_epoch();
            if every.is_some_and(|every| self.position.step.is_multiple_of(every)) && !at_end {
                self.checkpoint(None)?;
            }
        }
        self.read_losses()
    }

    /// One optimizer step, enqueued without reading anything back.
    fn step(&mut self, group: Vec<Batch>) {
        let learning_rate = self.learning_rate(self.position.step);
        // Dropout draws from the device's generator. Seeded anew at each step, a run can be taken up at any of them.
        self.device
            .seed(step_seed(self.recipe.seed, self.position.step));
        let model = self.model.take().expect("put back after every step");
        let mut losses = Vec::with_capacity(group.len());
        let mut accumulator = GradientsAccumulator::new();
        let mut gradients = None;
        let batches = group.len();
        for batch in group {
            let (images, targets) = upload(batch, &self.device);
            let terms = self.criterion.forward(model.forward(images), targets);
            let of_batch = GradientsParams::from_grads(terms.total.backward(), &model);
            losses.push(terms.detached());
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
        let model = self
            .optimizer
            .step(self.rates.at(learning_rate), model, gradients);
        if let (Some(average), Some(recipe)) = (self.ema.take(), self.recipe.ema) {
            let decay = recipe.decay_at(self.position.step);
            self.ema = Some(ema::update(average, &model.valid(), decay));
        }
        self.model = Some(model);
        let tag = StepTag {
            step: self.position.step + 1,
            epoch: self.position.epoch,
            learning_rate,
        };
        self.pending.push(&LossTerms::mean(losses), tag);
    }

    fn learning_rate(&self, step: usize) -> f64 {
        let steps_per_epoch = self.feed.steps_per_epoch();
        let factor = self.recipe.schedule.factor(SchedulePoint {
            step,
            total_steps: self.recipe.epochs * steps_per_epoch,
            epoch: step / steps_per_epoch,
            epochs: self.recipe.epochs,
        });
        self.recipe.optimizer.learning_rate * factor
    }

    /// Reads the losses of the last steps back, logs them, and stops at one that is not finite.
    fn read_losses(&mut self) -> Result<(), EngineError> {
        let read = self.pending.read();
        let Some((last, last_values)) = read.last() else {
            return Ok(());
        };
        let now = Instant::now();
        let (before, steps_before) = self.clock.last_reading;
        let images = (last.step - steps_before) * self.recipe.batch * self.recipe.accumulate;
        let images_per_second = images as f64 / now.duration_since(before).as_secs_f64().max(1e-9);
        self.clock.last_reading = (now, last.step);
        self.reporter
            .losses(last.epoch, last.learning_rate, last_values);
        let seconds = self.clock.seconds();
        for (tag, values) in read {
            self.log(&LogEntry::Step {
                step: tag.step,
                epoch: tag.epoch,
                learning_rate: tag.learning_rate,
                loss: values,
                seconds,
                images_per_second,
            })?;
            if let Some((term, value)) = values.first_not_finite() {
                return Err(EngineError::NotFinite {
                    step: tag.step,
                    term,
                    value,
                    last_checkpoint: self.folder.as_ref().and_then(|folder| folder.last.clone()),
                });
            }
            self.running.add(&values);
        }
        self.flush_log()
    }

    fn end_epoch(&mut self) -> Result<(), EngineError> {
        let epoch = self.position.epoch;
        let every = self.recipe.validate_every;
        let last = epoch + 1 == self.recipe.epochs;
        let due = every > 0 && ((epoch + 1).is_multiple_of(every) || last);
        let scores = match (due, self.validation) {
            (true, Some(validation)) => Some(self.validate(validation)?),
            _ => None,
        };
        let record = EpochRecord {
            epoch,
            step: self.position.step,
            loss: self.running.means().unwrap_or_default(),
            learning_rate: self.learning_rate(self.position.step.saturating_sub(1)),
            scores: scores.clone(),
            seconds: self.clock.seconds(),
        };
        self.reporter.note(&summary(&record, self.recipe.epochs));
        self.log(&LogEntry::Epoch(record.clone()))?;
        self.history.push(record);
        self.running = LossMeans::default();
        self.position = Position {
            epoch: epoch + 1,
            batch: 0,
            step: self.position.step,
        };
        self.checkpoint(scores)?;
        if let Some(folder) = &self.folder {
            write_curves(&folder.path, &self.history)?;
        }
        // Validation is no training time as far as the rate is concerned.
        self.clock.last_reading = (Instant::now(), self.position.step);
        Ok(())
    }

    fn validate(&self, dataset: &dyn SegmentationDataset) -> Result<Scores, EngineError> {
        let mut evaluator = Evaluator::new(
            self.recipe.validation.clone(),
            self.recipe.normalization,
            &self.device,
        );
        let report = evaluator.evaluate(&self.judged_model(), dataset)?;
        Ok(report.scores())
    }

    fn checkpoint(&mut self, scores: Option<Scores>) -> Result<(), EngineError> {
        // A checkpoint is only written once every step before it is known to be sound.
        self.read_losses()?;
        let Some(folder) = &mut self.folder else {
            return Ok(());
        };
        // Out of training, so that the running statistics of norms include the last step.
        let model = self
            .model
            .as_ref()
            .expect("put back after every step")
            .valid();
        let state = CheckpointState::new(
            self.position,
            self.recipe.clone(),
            self.classes.clone(),
            self.network.clone(),
        );
        let state = CheckpointState {
            scores,
            running: self.running.clone(),
            history: self.history.clone(),
            seconds: self.clock.before + self.clock.start.elapsed().as_secs_f64(),
            ..state
        };
        let checkpoint = folder.store.save(Snapshot {
            model: &model,
            ema: self.ema.as_ref(),
            optimizer: &self.optimizer,
            state,
        })?;
        folder.last = Some(checkpoint.folder().to_path_buf());
        let entry = LogEntry::Checkpoint {
            position: self.position,
            folder: checkpoint.folder().to_path_buf(),
            seconds: self.clock.seconds(),
        };
        self.log(&entry)?;
        self.flush_log()
    }

    fn model(&self) -> &M {
        self.model.as_ref().expect("put back after every step")
    }

    /// The network that is validated and handed over: out of training, averaged if the recipe says so.
    fn judged_model(&self) -> M {
        match &self.ema {
            Some(average) => average.clone(),
            None => self.model().valid(),
        }
    }

    fn log(&mut self, entry: &LogEntry) -> Result<(), EngineError> {
        match &mut self.folder {
            Some(folder) => Ok(folder.log.write(entry)?),
            None => Ok(()),
        }
    }

    fn flush_log(&mut self) -> Result<(), EngineError> {
        match &mut self.folder {
            Some(folder) => Ok(folder.log.flush()?),
            None => Ok(()),
        }
    }
}

const CHECKPOINTS: &str = "checkpoints";

/// The checkpoint to go on from, if there is one and that is wanted.
fn found(
    folder: &Path,
    recipe: &Recipe,
    resume: Resume,
) -> Result<Option<Checkpoint>, EngineError> {
    let store = CheckpointStore::open(folder.join(CHECKPOINTS), recipe.checkpoints);
    let latest = store.latest();
    let checkpoint = match (resume, latest) {
        (Resume::Never, Err(CheckpointError::None { skipped, .. })) if skipped.is_empty() => None,
        (Resume::Never, _) => {
            return Err(EngineError::RunExists {
                folder: folder.to_path_buf(),
            });
        }
        (_, Ok(checkpoint)) => Some(checkpoint),
        (Resume::IfPresent, Err(CheckpointError::None { skipped, .. })) if skipped.is_empty() => {
            None
        }
        (_, Err(error)) => return Err(error.into()),
    };
    if let Some(checkpoint) = &checkpoint {
        let fields = recipe.differences(&checkpoint.state().recipe);
        if !fields.is_empty() {
            return Err(CheckpointError::Recipe {
                path: checkpoint.folder().to_path_buf(),
                fields,
            }
            .into());
        }
    }
    Ok(checkpoint)
}

type Prepared<M> = (M, ModuleOptimizer, Option<M>);

/// Network, optimizer and average as the first step finds them.
fn prepare<M: SegmentationModel>(
    model: M,
    device: &Device,
    recipe: &Recipe,
    checkpoint: Option<&Checkpoint>,
) -> Result<Prepared<M>, EngineError> {
    let model = model.fork(device);
    let model = if model.devices().iter().all(Device::is_autodiff) {
        model
    } else {
        model.train()
    };
    // Burn draws initial weights when they are first looked at: here, from the recipe's seed.
    device.seed(recipe.seed);
    if let Some(parameter) = FiniteCheck::first_offender(&model) {
        return Err(CheckpointError::NotFinite { parameter }.into());
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
    let ema = recipe.ema.map(|_| ema.unwrap_or_else(|| model.valid()));
    Ok((model, optimizer, ema))
}

fn open_folder(path: &Path, recipe: &Recipe, position: Position) -> Result<RunFolder, EngineError> {
    files::create_dir(path)?;
    recipe.write(path.join("recipe.toml"))?;
    let store = CheckpointStore::create(path.join(CHECKPOINTS), recipe.checkpoints)?;
    let log = Log::open(&path.join("log.jsonl"), position.step)?;
    let last = store
        .latest()
        .ok()
        .map(|checkpoint| checkpoint.folder().to_path_buf());
    Ok(RunFolder {
        path: path.to_path_buf(),
        log,
        store,
        last,
    })
}

/// Spreads the step over all bits (the finaliser of SplitMix64), so that neighbouring steps draw unrelated numbers.
fn step_seed(seed: u64, step: usize) -> u64 {
    let mut z = seed.wrapping_add(
        (step as u64)
            .wrapping_add(1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15),
    );
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn summary(record: &EpochRecord, epochs: usize) -> String {
    let mut text = format!(
        "epoch {}/{epochs}: loss {:.4}",
        record.epoch + 1,
        record.loss.total
    );
    if let Some(scores) = &record.scores {
        text.push_str(&format!(
            ", mean IoU {:.2} %, pixel accuracy {:.2} %",
            100.0 * scores.mean_iou,
            100.0 * scores.pixel_accuracy
        ));
        for boundary in &scores.boundary_f {
            text.push_str(&format!(
                ", F at {} {:.2} %",
                boundary.threshold,
                100.0 * boundary.f_score
            ));
        }
    }
    text
}
