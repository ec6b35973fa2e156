use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;

use super::folder::{STATE, read_state, remove_folder};
use super::replace::{ASIDE, put_back};
use super::{Checkpoint, CheckpointState, Snapshot};
use crate::EngineError;
use crate::files::{self, TEMPORARY, at};
use crate::recipe::CheckpointRecipe;
use crate::record::Position;

/// The checkpoints of one run, in one folder.
#[derive(Debug, Clone)]
pub struct CheckpointStore {
    folder: PathBuf,
    recipe: CheckpointRecipe,
}

const PREFIX: &str = "step-";

impl CheckpointStore {
    /// Opens a folder of checkpoints for writing: makes it, sweeps what a killed run left unfinished, and puts back what it
    /// was about to replace.
    ///
    /// # Errors
    ///
    /// Returns an error if the folder cannot be made or swept.
    pub fn create(folder: impl AsRef<Path>, recipe: CheckpointRecipe) -> Result<Self, EngineError> {
        let store = Self::open(folder, recipe);
        files::create_dir(&store.folder)?;
        store.tidy()?;
        Ok(store)
    }

    /// Sweeps what a killed run left unfinished, and puts back what it was about to replace. Nobody else writes to the folder
    /// then.
    pub(crate) fn tidy(&self) -> Result<(), EngineError> {
        if !self.folder.exists() {
            return Ok(());
        }
        let mut folders = entries(&self.folder)?;
        folders.retain(|path| path.is_dir());
        for path in &folders {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let unfinished = name.starts_with(TEMPORARY)
                || (name.starts_with(PREFIX) && !path.join(STATE).exists());
            if unfinished {
                fs::remove_dir_all(path).map_err(at(path, "sweeping an unfinished checkpoint"))?;
            }
        }
        for path in &folders {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if let Some(name) = name.strip_prefix(ASIDE) {
                put_back(path, &self.folder.join(name))?;
            }
        }
        Ok(())
    }

    /// Opens a folder of checkpoints for reading only.
    pub fn open(folder: impl AsRef<Path>, recipe: CheckpointRecipe) -> Self {
        Self {
            folder: folder.as_ref().to_path_buf(),
            recipe,
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The newest whole checkpoint: what a resumed run goes on from. Damaged ones are passed over.
    ///
    /// # Errors
    ///
    /// Returns [`EngineError::NoCheckpoint`] if there is none; it tells what is wrong with those that were passed over.
    pub fn latest(&self) -> Result<Checkpoint, EngineError> {
        let mut skipped = Vec::new();
        for path in self.paths()?.into_iter().rev() {
            match Checkpoint::open(&path) {
                Ok(checkpoint) => return Ok(checkpoint),
                Err(error) => skipped.push(error),
            }
        }
        Err(EngineError::NoCheckpoint {
            folder: self.folder.clone(),
            skipped,
        })
    }

    /// The checkpoint with the highest score, the newest among equals.
    ///
    /// # Errors
    ///
    /// Returns [`EngineError::NoCheckpoint`] if none was validated, and the error of the best one if it is damaged.
    pub fn best(&self) -> Result<Checkpoint, EngineError> {
        match self.best_path()? {
            Some(path) => Checkpoint::open(path),
            None => Err(EngineError::NoCheckpoint {
                folder: self.folder.clone(),
                skipped: Vec::new(),
            }),
        }
    }

    pub(crate) fn save<M: Module>(
        &self,
        snapshot: Snapshot<'_, M>,
    ) -> Result<Checkpoint, EngineError> {
        let position = snapshot.state.position;
        let checkpoint = Checkpoint::write(&self.path_of(position), snapshot)?;
        self.prune()?;
        Ok(checkpoint)
    }

    /// Replaces what the checkpoint of this step says about itself. Its weights stay.
    pub(crate) fn restate(&self, state: CheckpointState) -> Result<Checkpoint, EngineError> {
        let folder = self.path_of(state.position);
        let checkpoint = Checkpoint::restate(&folder, state)?;
        self.prune()?;
        Ok(checkpoint)
    }

    /// Names sort by age.
    fn path_of(&self, position: Position) -> PathBuf {
        self.folder.join(format!("{PREFIX}{:09}", position.step))
    }

    fn prune(&self) -> Result<(), EngineError> {
        let best = self.best_path()?;
        let mut paths = self.paths()?;
        let kept = paths.len().saturating_sub(self.recipe.keep_last.max(1));
        paths.truncate(kept);
        for path in paths {
            if Some(&path) != best.as_ref() {
                remove_folder(&path)?;
            }
        }
        Ok(())
    }

    fn best_path(&self) -> Result<Option<PathBuf>, EngineError> {
        let score = |state: &CheckpointState| {
            let scores = state.scores.as_ref()?;
            scores.by(self.recipe.best_by)
        };
        let mut best: Option<(f64, PathBuf)> = None;
        for path in self.paths()? {
            let Ok(state) = read_state(&path) else {
                continue;
            };
            if let Some(score) = score(&state)
                && best.as_ref().is_none_or(|(highest, _)| score >= *highest)
            {
                best = Some((score, path));
            }
        }
        Ok(best.map(|(_, path)| path))
    }

    /// Folders with a checkpoint's name, oldest first.
    fn paths(&self) -> Result<Vec<PathBuf>, EngineError> {
        if !self.folder.exists() {
            return Ok(Vec::new());
        }
        let mut paths: Vec<PathBuf> = entries(&self.folder)?
            .into_iter()
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with(PREFIX)
            })
            .collect();
        paths.sort();
        Ok(paths)
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let list = fs::read_dir(folder).map_err(at(folder, "listing the folder"))?;
    let mut paths = Vec::new();
    for entry in list {
        paths.push(entry.map_err(at(folder, "listing the folder"))?.path());
    }
    Ok(paths)
}
