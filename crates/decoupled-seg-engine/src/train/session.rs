use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use decoupled_seg_datasets::check::{check_mask_files, unseen_classes};
use decoupled_seg_datasets::{ClassTable, SegmentationDataset, Split};
use decoupled_seg_nn::SegmentationModel;

use super::claimed_folder::ClaimedFolder;
use super::feed::Feed;
use super::judges::Judges;
use super::losses::PendingLosses;
use super::model_in_training::ModelInTraining;
use super::plan::{EpochHook, Plan};
use super::progress::Reporter;
use super::recipe_file::write_recipe;
use super::run_folder::RunFolder;
use super::{Interrupt, LogEntry, Stop, Trained};
use crate::EngineError;
use crate::checkpoint::{CheckpointState, TrainingImages};
use crate::evaluate::Evaluator;
use crate::recipe::Recipe;
use crate::record::{EpochRecord, LossMeans, Position, Scores};

/// A run between two starts of the process.
pub(super) struct Session<'a, M: SegmentationModel> {
    recipe: Recipe,
    network: serde_json::Value,
    interrupt: Interrupt,
    images: TrainingImages,
    judges: Judges,
    classes: ClassTable,
    feed: Feed,
    validation: Option<&'a dyn SegmentationDataset>,
    model: ModelInTraining<M>,
    position: Position,
    running: LossMeans,
    history: Vec<EpochRecord>,
    pending: PendingLosses<StepTag>,
    folder: Option<RunFolder>,
    reporter: Reporter,
    clock: Clock,
    /// Steps that were done when the session began.
    first_step: usize,
    /// Steps that were done when the run was last saved, by this session or the one before it.
    saved_step: usize,
    on_epoch: Option<EpochHook<M>>,
}

/// A first step worth a remark.
const NOTEWORTHY: Duration = Duration::from_secs(10);

/// What is known of a step before its losses are.
struct StepTag {
    step: usize,
    epoch: usize,
    learning_rate: f64,
}

/// Training time, over all sessions.
struct Clock {
    before: f64,
    start: Instant,
    /// When losses were last read back, and how many steps were done then.
    last_reading: (Instant, usize),
}

impl Clock {
    fn start(before: f64, step: usize) -> Self {
        let now = Instant::now();
        Self {
            before,
            start: now,
            last_reading: (now, step),
        }
    }

    fn seconds(&self) -> f64 {
        self.before + self.start.elapsed().as_secs_f64()
    }
}

impl<'a, M: SegmentationModel> Session<'a, M> {
    pub fn start(
        mut plan: Plan<M>,
        train: Arc<dyn SegmentationDataset>,
        validation: Option<&'a dyn SegmentationDataset>,
    ) -> Result<Self, EngineError> {
        plan.check(&*train, validation)?;
        // Before the data are looked through, which may take minutes in which another process could begin.
        let claimed = plan.claim()?;
        let images = TrainingImages::of(&*train);
        let checkpoint = claimed.as_ref().and_then(|it| it.checkpoint.clone());
        if let Some(claimed) = &claimed {
            for damaged in &claimed.damaged {
                plan.progress.note(&format!(
                    "warning: {damaged}; the run goes on from an older checkpoint"
                ));
            }
            claimed.check_recipe(&plan.recipe)?;
            claimed.check_network(&plan.network)?;
            claimed.check_images(images)?;
        }
        if let Some(checkpoint) = &checkpoint {
            checkpoint.check_classes(train.classes())?;
        }
        // Told before the first step: hours later it would be a score of nothing, or of other classes.
        let splits = [Some(&*train as &dyn SegmentationDataset), validation];
        check_mask_files(&splits.into_iter().flatten().collect::<Vec<_>>())?;
        let unseen = unseen_classes(&*train, Split::Train)?;
        let unjudged = match validation {
            Some(validation) => unseen_classes(validation, Split::Val)?,
            None => Vec::new(),
        };
        // A part of a benchmark may well lack some classes.
        let own = validation.is_some_and(|validation| validation.has_own_classes());
        let overlap = validation.and_then(|validation| Judges::overlap(&*train, validation));
        plan.recipe = match &checkpoint {
            Some(checkpoint) => {
                let run = &checkpoint.state().recipe;
                plan.recipe.with_weights_of_run(run).with_bands_of_run(run)
            }
            None => plan
                .recipe
                .with_weights_of(&*train)?
                .with_bands_of(&*train)?,
        };
        let sampling = plan.sampling(&*train)?;
        let classes = train.classes().clone();
        let feed = Feed::new(train, sampling, &plan.recipe)?;
        let steps_per_epoch = feed.steps_per_epoch();
        let total_steps = plan.recipe.total_steps(steps_per_epoch)?;
        if let Some(claimed) = &claimed {
            claimed.check_steps(steps_per_epoch)?;
        }
        let model = ModelInTraining::new(
            plan.model,
            plan.device,
            &plan.recipe,
            steps_per_epoch,
            checkpoint.as_ref(),
        )?;
        let state = checkpoint.map(|checkpoint| checkpoint.state().clone());
        let judges_before = state
            .as_ref()
            .map(Judges::of_checkpoint)
            .unwrap_or_default();
        let (position, running, history, seconds) = match state {
            Some(state) => (state.position, state.running, state.history, state.seconds),
            None => Default::default(),
        };
        if let Some(ClaimedFolder {
            path, checkpoint, ..
        }) = &claimed
            && let Some(kept) = write_recipe(path, &plan.recipe, checkpoint.is_some())?
        {
            plan.progress.note(&format!(
                "`{}` is the recipe of the run now; what was there is kept as `{}`",
                path.join("recipe.toml").display(),
                kept.display()
            ));
        }
        let checkpoints = plan.recipe.checkpoints;
        let judges = validation.map(|it| Judges::of(it, &plan.recipe.validation));
        let open = |claimed| RunFolder::open(claimed, checkpoints, position, plan.tensorboard);
        let folder = claimed.map(open).transpose()?;
        let mut session = Self {
            reporter: plan
                .progress
                .start(position.step, total_steps, plan.recipe.epochs),
            clock: Clock::start(seconds, position.step),
            pending: PendingLosses::new(),
            recipe: plan.recipe,
            network: plan.network,
            interrupt: plan.interrupt,
            on_epoch: plan.on_epoch,
            images,
            judges: judges.unwrap_or_default(),
            classes,
            feed,
            validation,
            model,
            position,
            first_step: position.step,
            saved_step: position.step,
            running,
            history,
            folder,
        };
        session.warn_of("training", &unseen);
        if own {
            session.warn_of("validation", &unjudged);
        }
        let warnings = [session.judges.warning(&judges_before), overlap];
        for warning in warnings.into_iter().flatten() {
            session.reporter.note(&warning);
        }
        for remark in session.feed.remarks() {
            session.reporter.note(&remark);
        }
        session.announce(total_steps)?;
        Ok(session)
    }

    /// Names the classes that no label of a split shows.
    fn warn_of(&self, split: &str, unseen: &[u8]) {
        if unseen.is_empty() {
            return;
        }
        let names = self.classes.names();
        let names: Vec<&str> = unseen
            .iter()
            .map(|&class| names[usize::from(class)])
            .collect();
        self.reporter.note(&format!(
            "warning: no {split} label shows {}; `check` tells more",
            names.join(", ")
        ));
    }

    /// The first entry of the log.
    fn announce(&mut self, total_steps: usize) -> Result<(), EngineError> {
        self.log(&LogEntry::Start {
            position: self.position,
            version: env!("CARGO_PKG_VERSION").to_string(),
            parameters: self.model.num_params(),
            images: self.images.count,
            total_steps,
        })?;
        if self.position.step > 0 {
            self.reporter.note(&format!(
                "going on after step {} of {total_steps}",
                self.position.step
            ));
        }
        Ok(())
    }

    pub fn run(mut self) -> Result<Trained<M>, EngineError> {
        let result = self.epochs();
        let result = result.map_err(|error| error.in_run(self.position, self.last_checkpoint()));
        if let Err(EngineError::Dataset(_)) = &result {
            // A file that cannot be read says nothing against what was trained. Best effort: the first error matters.
            let _ = self.save_progress();
            if let Some(last) = self.last_checkpoint() {
                self.reporter.note(&format!(
                    "note: what was trained is kept in `{}`; once the file is mended, --resume goes on",
                    last.display()
                ));
            }
        }
        let end = LogEntry::End {
            position: self.position,
            stop: result.as_ref().ok().copied(),
            seconds: self.clock.seconds(),
        };
        let logged = self.log(&end).and_then(|()| self.flush_log());
        self.reporter.finish();
        let stop = result?;
        logged?;
        let best = match &self.folder {
            Some(folder) => folder.best()?,
            None => None,
        };
        Ok(Trained {
            model: self.model.judged_model(),
            history: self.history,
            position: self.position,
            stop,
            best,
        })
    }

    fn epochs(&mut self) -> Result<Stop, EngineError> {
        while self.position.epoch < self.recipe.epochs {
            if self.is_out_of_patience() {
                return Ok(Stop::NoImprovement);
            }
            self.epoch()?;
            if self.interrupt.is_requested() {
                self.save_progress()?;
                return Ok(Stop::Interrupted);
            }
            if !self.end_epoch()? {
                return Ok(Stop::Interrupted);
            }
        }
        Ok(Stop::Finished)
    }

    /// Read off the history, which a resumed run has too.
    fn is_out_of_patience(&self) -> bool {
        let metric = self.recipe.checkpoints.best_by;
        let scores = self
            .history
            .iter()
            .filter_map(|record| record.scores.as_ref());
        let (mut best, mut since) = (f64::NEG_INFINITY, 0);
        for score in scores.map(|scores| scores.by(metric)) {
            match score {
                Some(score) if score > best => (best, since) = (score, 0),
                _ => since += 1,
            }
        }
        self.recipe
            .patience
            .is_some_and(|patience| since >= patience)
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
                self.model.check_size(&batch)?;
                group.push(batch);
            }
            let start = Instant::now();
            if self.position.step == self.first_step {
                self.announce_warm_up();
            }
            let losses = self.model.step(group, self.position.step);
            // Which terms a network has is known by its first step.
            if self.position.step == self.first_step && !self.recipe.loss.weighs_any_of(&losses) {
                return Err(EngineError::NothingToLearn);
            }
            let learning_rate = self.model.learning_rate(self.position.step);
            self.position.batch += per_step;
            self.position.step += 1;
            let tag = StepTag {
                step: self.position.step,
                epoch,
                learning_rate,
            };
            self.pending.push(losses, tag);
            if self.position.step == self.first_step + 1 {
                self.note_warm_up(start)?;
            }
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
                self.checkpoint()?;
            }
        }
        self.read_losses()
    }

    /// The first step of a session compiles and tunes kernels for the size of the crops, where the device has any to
    /// compile; all others have that size too.
    fn announce_warm_up(&self) {
        if self.model.compiles_kernels() {
            self.reporter
                .note("first step: kernels are compiled and tuned for this size of crops");
        }
    }

    fn note_warm_up(&mut self, start: Instant) -> Result<(), EngineError> {
        self.model.wait()?;
        let taken = start.elapsed();
        if taken > NOTEWORTHY {
            self.reporter.note(&format!(
                "the first step took {:.0} s; those that follow take less",
                taken.as_secs_f64()
            ));
        }
        // The rate is that of the steps that follow.
        self.clock.last_reading = (Instant::now(), self.position.step);
        Ok(())
    }

    /// Reads the losses of the last steps back, logs them, and stops at one that is not finite.
    fn read_losses(&mut self) -> Result<(), EngineError> {
        let read = self.pending.read()?;
        let Some((last, last_values)) = read.last() else {
            return Ok(());
        };
        let now = Instant::now();
        let (before, steps_before) = self.clock.last_reading;
        let steps = last.step.saturating_sub(steps_before);
        let images = steps * self.recipe.batch * self.recipe.accumulate;
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
                    last_checkpoint: self.last_checkpoint(),
                });
            }
            self.running.add(&values);
        }
        self.flush_log()
    }

    /// Validates, if it is time to, and saves. `false` if an interrupt ended the validation: the next session validates.
    fn end_epoch(&mut self) -> Result<bool, EngineError> {
        self.check_weights()?;
        let epoch = self.position.epoch;
        let every = self.recipe.validate_every;
        let last = epoch + 1 == self.recipe.epochs;
        let due = every > 0 && ((epoch + 1).is_multiple_of(every) || last);
        let scores = match (due, self.validation) {
            (true, Some(validation)) => {
                // Validation may take longer than whoever ends the process waits.
                self.save_progress()?;
                match self.validate(validation)? {
                    Some(scores) => Some(scores),
                    None => return Ok(false),
                }
            }
            _ => None,
        };
        let record = EpochRecord {
            epoch,
            step: self.position.step,
            loss: self.running.means().unwrap_or_default(),
            learning_rate: self
                .model
                .learning_rate(self.position.step.saturating_sub(1)),
            scores: scores.clone(),
            seconds: self.clock.seconds(),
        };
        self.reporter.note(&summary(&record, self.recipe.epochs));
        self.log(&LogEntry::Epoch(record.clone()))?;
        // Ahead of the checkpoint: behind it, a process that dies would leave an epoch that nobody logs any more.
        self.flush_log()?;
        if let Some(mut hook) = self.on_epoch.take() {
            hook(&record, &self.model.judged_model());
            self.on_epoch = Some(hook);
        }
        self.history.push(record);
        self.running = LossMeans::default();
        self.position = Position {
            epoch: epoch + 1,
            batch: 0,
            step: self.position.step,
        };
        match scores {
            Some(scores) => self.score_checkpoint(scores)?,
            None => self.checkpoint()?,
        }
        if let Some(folder) = &self.folder {
            folder.curves(&self.history)?;
        }
        // Validation is no training time as far as the rate is concerned.
        self.clock.last_reading = (Instant::now(), self.position.step);
        Ok(true)
    }

    /// Losses are looked at for every step; running statistics that only validation uses may overflow unseen.
    fn check_weights(&self) -> Result<(), EngineError> {
        match self.model.first_not_finite()? {
            None => Ok(()),
            Some(parameter) => Err(EngineError::Diverged {
                step: self.position.step,
                parameter,
                last_checkpoint: self.last_checkpoint(),
            }),
        }
    }

    /// `None` if an interrupt came before the last image.
    fn validate(&self, dataset: &dyn SegmentationDataset) -> Result<Option<Scores>, EngineError> {
        let mut evaluator = Evaluator::new(
            self.recipe.validation.clone(),
            self.recipe.normalization.clone(),
            self.model.device(),
        );
        let go_on = |_: &_, _: &_| !self.interrupt.is_requested();
        let report = evaluator.evaluate_while(&self.model.judged_model(), dataset, go_on)?;
        Ok(report.map(|report| report.scores()))
    }

    /// Saves what was trained since the last checkpoint. Without a step since then there is nothing to save, and the
    /// checkpoint that is there may have the scores of its epoch, which another one would not have.
    fn save_progress(&mut self) -> Result<(), EngineError> {
        match self.position.step > self.saved_step {
            true => self.checkpoint(),
            false => Ok(()),
        }
    }

    fn checkpoint(&mut self) -> Result<(), EngineError> {
        // A checkpoint is only written once every step before it is known to be sound.
        self.read_losses()?;
        self.check_weights()?;
        let state = self.state(None);
        let Some(folder) = &mut self.folder else {
            return Ok(());
        };
        let written = self.model.write(state, |snapshot| folder.save(snapshot))?;
        self.saved_step = self.position.step;
        self.log_checkpoint(written)
    }

    /// Adds the validation to the checkpoint that was written before it, of the same weights.
    fn score_checkpoint(&mut self, scores: Scores) -> Result<(), EngineError> {
        let state = self.state(Some(scores));
        let Some(folder) = &mut self.folder else {
            return Ok(());
        };
        let written = folder.restate(state)?;
        self.log_checkpoint(written)
    }

    fn state(&self, scores: Option<Scores>) -> CheckpointState {
        let state = CheckpointState::new(
            self.position,
            self.recipe.clone(),
            self.classes.clone(),
            self.network.clone(),
        );
        CheckpointState {
            images: Some(self.images),
            validation: self.judges.images,
            validation_labels: self.judges.labels,
            scores,
            running: self.running.clone(),
            history: self.history.clone(),
            seconds: self.clock.seconds(),
            ..state
        }
    }

    fn log_checkpoint(&mut self, folder: PathBuf) -> Result<(), EngineError> {
        let entry = LogEntry::Checkpoint {
            position: self.position,
            folder,
            seconds: self.clock.seconds(),
        };
        self.log(&entry)?;
        self.flush_log()
    }

    fn last_checkpoint(&self) -> Option<PathBuf> {
        let last = self.folder.as_ref()?.last()?;
        Some(last.to_path_buf())
    }

    fn log(&mut self, entry: &LogEntry) -> Result<(), EngineError> {
        match &mut self.folder {
            Some(folder) => folder.log(entry),
            None => Ok(()),
        }
    }

    fn flush_log(&mut self) -> Result<(), EngineError> {
        match &mut self.folder {
            Some(folder) => folder.flush(),
            None => Ok(()),
        }
    }
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
