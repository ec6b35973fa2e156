use std::path::{Path, PathBuf};

use burn::module::Module;

use super::LogEntry;
use super::claimed_folder::{CHECKPOINTS, ClaimedFolder};
use super::curves::write_curves;
use super::events::Events;
use super::log::Log;
use super::run_lock::RunLock;
use crate::EngineError;
use crate::checkpoint::{Checkpoint, CheckpointState, CheckpointStore, Snapshot};
use crate::recipe::CheckpointRecipe;
use crate::record::{EpochRecord, Position};

const EVENTS: &str = "tensorboard";

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
    /// Opens the folder to go on at `position`, with events for TensorBoard if they are wanted.
    pub fn open(
        claimed: ClaimedFolder,
        checkpoints: CheckpointRecipe,
        position: Position,
        events: bool,
    ) -> Result<Self, EngineError> {
        let ClaimedFolder { path, lock, .. } = claimed;
        let store = CheckpointStore::create(path.join(CHECKPOINTS), checkpoints)?;
        let log = path.join("log.jsonl");
        if position.step == 0 && !Log::is_free_or_log(&log)? {
            return Err(EngineError::OtherLog { path: log });
        }
        let log = Log::open(&log, position)?;
        let events = match events {
            true => Some(Events::open(&path.join(EVENTS), position.step)?),
            false => None,
        };
        let last = store
            .resumable()
            .ok()
            .map(|(checkpoint, _)| checkpoint.folder().to_path_buf());
        Ok(Self {
            path,
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

    /// Says more in the checkpoint of the state's step, of the same weights. Returns its folder.
    pub fn restate(&mut self, state: CheckpointState) -> Result<PathBuf, EngineError> {
        let checkpoint = self.store.restate(state)?;
        Ok(checkpoint.folder().to_path_buf())
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
        let best = match &self.last {
            Some(last) => self.store.best_up_to(last),
            None => self.store.best(),
        };
        match best {
            Ok(best) => Ok(Some(best)),
            Err(EngineError::NoCheckpoint { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
