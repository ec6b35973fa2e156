use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;

use super::folder::{STATE, read_state, remove_folder};
use super::replace::{ASIDE, put_back};
use super::{Checkpoint, CheckpointState, Snapshot};
use crate::EngineError;
use crate::files::{self, TEMPORARY, at};
use crate::recipe::CheckpointRecipe;
use crate::record::EpochRecord;

/// The checkpoints of one run, in one folder.
#[derive(Debug, Clone)]
pub struct CheckpointStore {
    folder: PathBuf,
    recipe: CheckpointRecipe,
}

const PREFIX: &str = "step-";

/// Checkpoints by their scores.
#[derive(Default)]
struct Ranking {
    /// The highest score, and the newest checkpoint that has it.
    best: Option<(f64, PathBuf)>,
    /// The newest one that can be read, and its history.
    newest: Option<(PathBuf, Vec<EpochRecord>)>,
    /// Those whose state cannot be read, with what is wrong.
    unreadable: Vec<(PathBuf, EngineError)>,
}

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

    /// The newest whole checkpoint. Damaged ones are passed over; [`Checkpoint::open`] says what is whole.
    ///
    /// # Errors
    ///
    /// Returns [`EngineError::NoCheckpoint`] if there is none; it tells what is wrong with those that were passed over.
    pub fn latest(&self) -> Result<Checkpoint, EngineError> {
        let (checkpoint, _) = self.newest(|_| Ok(()))?;
        Ok(checkpoint)
    }

    /// What a resumed run goes on from: the newest whole checkpoint that has the state of the optimizer. The errors say what
    /// is wrong with newer ones, which were passed over.
    ///
    /// # Errors
    ///
    /// As [`latest`](Self::latest).
    pub fn resumable(&self) -> Result<(Checkpoint, Vec<EngineError>), EngineError> {
        self.newest(Checkpoint::check_optimizer)
    }

    fn newest(
        &self,
        check: impl Fn(&Checkpoint) -> Result<(), EngineError>,
    ) -> Result<(Checkpoint, Vec<EngineError>), EngineError> {
        let mut skipped = Vec::new();
        for path in self.paths()?.into_iter().rev() {
            let opened = Checkpoint::open(&path);
            let checked = opened.and_then(|checkpoint| check(&checkpoint).map(|()| checkpoint));
            match checked {
                Ok(checkpoint) => return Ok((checkpoint, skipped)),
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
    /// Returns [`EngineError::NoCheckpoint`] if none was validated, and the error of the best one if it is damaged. One whose
    /// state cannot be read is taken for the best unless the history of a newer one knows that it is not.
    pub fn best(&self) -> Result<Checkpoint, EngineError> {
        self.best_of(self.paths()?)
    }

    /// [`best`](Self::best) of those up to `newest`, beyond which the run has not been.
    pub(crate) fn best_up_to(&self, newest: &Path) -> Result<Checkpoint, EngineError> {
        let mut paths = self.paths()?;
        paths.retain(|path| path.as_path() <= newest);
        self.best_of(paths)
    }

    fn best_of(&self, paths: Vec<PathBuf>) -> Result<Checkpoint, EngineError> {
        let mut ranking = self.ranking(paths);
        let unreadable = std::mem::take(&mut ranking.unreadable);
        for (path, error) in unreadable {
            if self.may_be_best(&path, &ranking) {
                return Err(error);
            }
        }
        match ranking.best {
            Some((_, path)) => Checkpoint::open(path),
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
        let checkpoint = Checkpoint::write(&self.path_of(position.step), snapshot)?;
        self.prune(checkpoint.folder())?;
        Ok(checkpoint)
    }

    /// Replaces what the checkpoint of this step says about itself. Its weights stay.
    pub(crate) fn restate(&self, state: CheckpointState) -> Result<Checkpoint, EngineError> {
        let folder = self.path_of(state.position.step);
        let checkpoint = Checkpoint::restate(&folder, state)?;
        self.prune(checkpoint.folder())?;
        Ok(checkpoint)
    }

    /// Names sort by age.
    fn path_of(&self, step: usize) -> PathBuf {
        self.folder.join(format!("{PREFIX}{step:09}"))
    }

    /// Keeps the last ones up to `newest`, and the best. What lies beyond cannot be gone on from, so that it does not count; the
    /// run replaces it when it gets there.
    fn prune(&self, newest: &Path) -> Result<(), EngineError> {
        let mut paths = self.paths()?;
        paths.retain(|path| path.as_path() <= newest);
        // One that cannot be read is as good as none, and must not keep a run from going on.
        let best = self.ranking(paths.clone()).best.map(|(_, path)| path);
        let kept = paths.len().saturating_sub(self.recipe.keep_last.max(1));
        paths.truncate(kept);
        for path in paths {
            if Some(&path) != best.as_ref() {
                remove_folder(&path)?;
            }
        }
        Ok(())
    }

    fn ranking(&self, paths: Vec<PathBuf>) -> Ranking {
        let mut ranking = Ranking::default();
        for path in paths {
            let state = match read_state(&path) {
                Ok(state) => state,
                Err(error) => {
                    ranking.unreadable.push((path, error));
                    continue;
                }
            };
            let scores = state.scores.as_ref();
            if let Some(score) = scores.and_then(|scores| scores.by(self.recipe.best_by))
                && ranking
                    .best
                    .as_ref()
                    .is_none_or(|(highest, _)| score >= *highest)
            {
                ranking.best = Some((score, path.clone()));
            }
            ranking.newest = Some((path, state.history));
        }
        ranking
    }

    /// Whether a checkpoint whose state cannot be read may be better than all that can be: unless a newer one, which has the
    /// history up to itself, knows that it is not.
    fn may_be_best(&self, path: &Path, ranking: &Ranking) -> bool {
        let Some((newest, history)) = &ranking.newest else {
            return true;
        };
        if newest.as_path() < path {
            return true;
        }
        let is_it = |record: &&EpochRecord| self.path_of(record.step) == path;
        let scores = history.iter().find(is_it).and_then(|it| it.scores.as_ref());
        let score = scores.and_then(|scores| scores.by(self.recipe.best_by));
        let highest = ranking.best.as_ref().map(|(score, _)| *score);
        score.is_some_and(|score| highest.is_none_or(|highest| score >= highest))
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
