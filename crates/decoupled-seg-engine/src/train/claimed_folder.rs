use std::path::{Path, PathBuf};

use super::network_difference::NetworkDifference;
use super::run_lock::RunLock;
use crate::checkpoint::{Checkpoint, CheckpointStore, TrainingImages};
use crate::recipe::{CheckpointRecipe, Recipe};
use crate::record::Position;
use crate::{EngineError, files};

pub(super) const CHECKPOINTS: &str = "checkpoints";

/// What a run does with the checkpoints in its folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Resume {
    /// A folder with checkpoints is refused, so that no run is overwritten by mistake.
    #[default]
    Never,
    /// Goes on from the newest whole checkpoint, or starts anew if there is none.
    IfPresent,
    /// Goes on from the newest whole checkpoint, of which there must be one.
    Must,
}

/// A run's folder that no other process trains into, before anything is written to it but the lock.
pub(super) struct ClaimedFolder {
    pub path: PathBuf,
    pub lock: RunLock,
    /// What to go on from, if there is something and that is wanted.
    pub checkpoint: Option<Checkpoint>,
    /// What is wrong with newer ones.
    pub damaged: Vec<EngineError>,
}

impl ClaimedFolder {
    /// Takes the lock of the folder, and finds the checkpoint to go on from. The folder is made if need be, but not to go on
    /// in it: a name with a slip in it leaves no folder.
    pub fn claim(
        path: &Path,
        checkpoints: CheckpointRecipe,
        resume: Resume,
    ) -> Result<Self, EngineError> {
        let store = CheckpointStore::open(path.join(CHECKPOINTS), checkpoints);
        if resume == Resume::Must && !path.exists() {
            return Err(EngineError::NoCheckpoint {
                folder: store.folder().to_path_buf(),
                skipped: Vec::new(),
            });
        }
        files::create_dir(path)?;
        let lock = RunLock::take(path)?;
        // Under the lock: what a kill has left aside may be the only checkpoint there is.
        store.tidy()?;
        let (checkpoint, damaged) = Self::find(path, &store, resume)?;
        Ok(Self {
            path: path.to_path_buf(),
            lock,
            checkpoint,
            damaged,
        })
    }

    fn find(
        path: &Path,
        store: &CheckpointStore,
        resume: Resume,
    ) -> Result<(Option<Checkpoint>, Vec<EngineError>), EngineError> {
        let nothing_there = |error: &EngineError| matches!(error, EngineError::NoCheckpoint { skipped, .. } if skipped.is_empty());
        match (resume, store.resumable()) {
            (Resume::Never | Resume::IfPresent, Err(error)) if nothing_there(&error) => {
                Ok((None, Vec::new()))
            }
            (Resume::Never, _) => Err(EngineError::RunExists {
                folder: path.to_path_buf(),
            }),
            (_, found) => found.map(|(checkpoint, damaged)| (Some(checkpoint), damaged)),
        }
    }

    /// Checks that the run to go on with has the network of this description, as far as both are described.
    pub fn check_network(&self, network: &serde_json::Value) -> Result<(), EngineError> {
        let Some(checkpoint) = &self.checkpoint else {
            return Ok(());
        };
        match NetworkDifference::find(&checkpoint.state().network, network) {
            None => Ok(()),
            Some(NetworkDifference { key, run, new }) => Err(EngineError::OtherNetwork {
                path: checkpoint.folder().to_path_buf(),
                key,
                run,
                new,
            }),
        }
    }

    /// Checks that the run to go on with is trained on these images.
    pub fn check_images(&self, images: TrainingImages) -> Result<(), EngineError> {
        let Some(checkpoint) = &self.checkpoint else {
            return Ok(());
        };
        match checkpoint.state().images {
            Some(run) if run != images => Err(EngineError::OtherImages {
                path: checkpoint.folder().to_path_buf(),
                run: run.count,
                data: images.count,
            }),
            _ => Ok(()),
        }
    }

    /// Checks that the run to go on with has epochs of as many optimizer steps. This finds other images where the checkpoint
    /// does not say which it is trained on, and another rule by which they are drawn.
    pub fn check_steps(&self, steps_per_epoch: usize) -> Result<(), EngineError> {
        let Some(checkpoint) = &self.checkpoint else {
            return Ok(());
        };
        let state = checkpoint.state();
        let Position { epoch, batch, step } = state.position;
        let within = batch / state.recipe.accumulate.max(1);
        let expected = epoch
            .checked_mul(steps_per_epoch)
            .and_then(|before| before.checked_add(within));
        match within <= steps_per_epoch && expected == Some(step) {
            true => Ok(()),
            false => Err(EngineError::OtherSteps {
                path: checkpoint.folder().to_path_buf(),
                step,
                epoch: epoch + 1,
                steps_per_epoch,
            }),
        }
    }

    /// Checks that the run to go on with was made by this recipe.
    pub fn check_recipe(&self, recipe: &Recipe) -> Result<(), EngineError> {
        let Some(checkpoint) = &self.checkpoint else {
            return Ok(());
        };
        let run = &checkpoint.state().recipe;
        let fields = recipe
            .clone()
            .with_weights_of_run(run)
            .with_bands_of_run(run)
            .differences(run);
        match fields.is_empty() {
            true => Ok(()),
            false => Err(EngineError::OtherRecipe {
                path: checkpoint.folder().to_path_buf(),
                fields,
            }),
        }
    }
}
