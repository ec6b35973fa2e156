use std::path::{Path, PathBuf};

use burn::module::Module;

use super::LogEntry;
use super::curves::write_curves;
use super::events::Events;
use super::log::Log;
use super::run_lock::RunLock;
use crate::checkpoint::{Checkpoint, CheckpointStore, Snapshot};
use crate::recipe::Recipe;
use crate::record::{EpochRecord, Position};
use crate::{EngineError, files};

const CHECKPOINTS: &str = "checkpoints";
const EVENTS: &str = "tensorboard";

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

/// What a run keeps on the disk.
pub(super) struct RunFolder {
    path: PathBuf,
    log: Log,
    events: Option<Events>,
    store: CheckpointStore,
    last: Option<PathBuf>,
    _lock: RunLock,
}

impl RunFolder {
    /// The checkpoint to go on from, if there is one and that is wanted.
    pub fn find(
        path: &Path,
        recipe: &Recipe,
        resume: Resume,
    ) -> Result<Option<Checkpoint>, EngineError> {
        let store = CheckpointStore::open(path.join(CHECKPOINTS), recipe.checkpoints);
        let nothing_there = |error: &EngineError| matches!(error, EngineError::NoCheckpoint { skipped, .. } if skipped.is_empty());
        let checkpoint = match (resume, store.latest()) {
            (Resume::Never | Resume::IfPresent, Err(error)) if nothing_there(&error) => {
                return Ok(None);
            }
            (Resume::Never, _) => {
                return Err(EngineError::RunExists {
                    folder: path.to_path_buf(),
                });
            }
            (_, latest) => latest?,
        };
        let run = &checkpoint.state().recipe;
        let fields = recipe
            .clone()
            .with_weights_of_run(run)
            .with_bands_of_run(run)
            .differences(run);
        if !fields.is_empty() {
            return Err(EngineError::OtherRecipe {
                path: checkpoint.folder().to_path_buf(),
                fields,
            });
        }
        Ok(Some(checkpoint))
    }

    /// Opens the folder to go on at `position`, with events for TensorBoard if they are wanted.
    pub fn open(
        path: &Path,
        recipe: &Recipe,
        position: Position,
        events: bool,
    ) -> Result<Self, EngineError> {
        files::create_dir(path)?;
        let lock = RunLock::take(path)?;
        recipe.write(path.join("recipe.toml"))?;
        let store = CheckpointStore::create(path.join(CHECKPOINTS), recipe.checkpoints)?;
        let log = Log::open(&path.join("log.jsonl"), position.step)?;
        let events = match events {
            true => Some(Events::open(&path.join(EVENTS), position.step)?),
            false => None,
        };
        let last = store
            .latest()
            .ok()
            .map(|checkpoint| checkpoint.folder().to_path_buf());
        Ok(Self {
            path: path.to_path_buf(),
            log,
            events,
            store,
            last,
            _lock: lock,
        })
    }

    pub fn log(&mut self, entry: &LogEntry) -> Result<(), EngineError> {
        if let Some(events) = &mut self.events {
            events.log(entry)?;
        }
        Ok(self.log.write(entry)?)
    }

    pub fn flush(&mut self) -> Result<(), EngineError> {
        if let Some(events) = &mut self.events {
            events.flush()?;
        }
        Ok(self.log.flush()?)
    }

    pub fn save<M: Module>(&mut self, snapshot: Snapshot<'_, M>) -> Result<PathBuf, EngineError> {
        let checkpoint = self.store.save(snapshot)?;
        let folder = checkpoint.folder().to_path_buf();
        self.last = Some(folder.clone());
        Ok(folder)
    }

    pub fn curves(&self, history: &[EpochRecord]) -> Result<(), EngineError> {
        Ok(write_curves(&self.path, history)?)
    }

    /// The newest checkpoint.
    pub fn last(&self) -> Option<&Path> {
        self.last.as_deref()
    }

    /// The best checkpoint, if one was validated.
    pub fn best(&self) -> Result<Option<Checkpoint>, EngineError> {
        match self.store.best() {
            Ok(best) => Ok(Some(best)),
            Err(EngineError::NoCheckpoint { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
