use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::Bytes;
use decoupled_seg_datasets::ClassTable;
use decoupled_seg_nn::KeyMap;
use decoupled_seg_weights::{LoadPolicy, WeightsFile, load, save};

use super::parameters::{FiniteCheck, Parameters, RestoreIds};
use super::replace::replace;
use super::state::FORMAT;
use super::{CheckpointState, FileDigest};
use crate::files::{self, at};
use crate::{EngineError, check_class_names};

pub(super) const STATE: &str = "state.json";
const MODEL: &str = "model.safetensors";
const EMA: &str = "ema.safetensors";
const OPTIMIZER: &str = "optimizer.bpk";

/// What a run hands over to be written. `state.parameters` and `state.files` are filled in while writing.
pub(crate) struct Snapshot<'a, M> {
    /// The network out of training.
    pub model: &'a M,
    /// Its moving average, if the recipe keeps one.
    pub ema: Option<&'a M>,
    pub optimizer: &'a ModuleOptimizer,
    pub state: CheckpointState,
}

/// A whole checkpoint on the disk: a folder with
///
/// ```text
/// state.json           position, recipe, classes, scores, history; size and checksum of the other files
/// model.safetensors    the weights, which load on their own (decoupled_seg_weights, burn-store, PyTorch's safetensors)
/// ema.safetensors      their moving average, if the recipe keeps one
/// optimizer.bpk        the momentum buffers, as burn-optim writes them
/// ```
///
/// The folder is written under another name, synced to the disk and renamed, so a checkpoint is whole or not there. One of
/// the same step that it replaces is moved aside for that moment; after a kill the next start of the run puts it back.
///
/// That of an epoch's end is written before the validation. The scores come into its state after it.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    folder: PathBuf,
    state: CheckpointState,
}

impl Checkpoint {
    /// Opens the checkpoint in a folder and checks that its files are the ones that were written. The state of the optimizer
    /// may be missing, as in a copy of what is needed to judge and predict; [`check_optimizer`](Self::check_optimizer) and
    /// [`load_optimizer`](Self::load_optimizer) say so then.
    ///
    /// # Errors
    ///
    /// Returns an error if it is no checkpoint, one of another format, or a file of it is missing, empty, truncated or
    /// damaged.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, EngineError> {
        let folder = folder.as_ref().to_path_buf();
        let state = read_state(&folder)?;
        for (name, digest) in &state.files {
            let path = folder.join(name);
            if name != OPTIMIZER || path.exists() {
                digest.check(&path)?;
            }
        }
        Ok(Self { folder, state })
    }

    /// Checks that the state of the optimizer is there, which a run needs to go on.
    ///
    /// # Errors
    ///
    /// Returns [`EngineError::NoOptimizer`] if it is not.
    pub fn check_optimizer(&self) -> Result<(), EngineError> {
        let path = self.folder.join(OPTIMIZER);
        match path.exists() {
            true => Ok(()),
            false => Err(EngineError::NoOptimizer { path }),
        }
    }

    /// Checks that data of these classes mean the same by each index as the data of the run.
    ///
    /// # Errors
    ///
    /// Returns [`EngineError::OtherClasses`] at the first class with another name. Colours and ids may differ.
    pub fn check_classes(&self, classes: &ClassTable) -> Result<(), EngineError> {
        check_class_names(&self.folder, &self.state.classes.names(), classes)
    }

    pub(crate) fn write<M: Module>(
        target: &Path,
        snapshot: Snapshot<'_, M>,
    ) -> Result<Self, EngineError> {
        let temporary = files::temporary_sibling(target);
        let written = Self::write_to(&temporary, snapshot).and_then(|state| {
            // One of the same step is there if the run was stopped before the validation of its epoch, or it was damaged.
            replace(&temporary, target)?;
            Ok(state)
        });
        match written {
            Ok(state) => Ok(Self {
                folder: target.to_path_buf(),
                state,
            }),
            Err(error) => {
                // Best effort: the error that matters is the first one. What is left is swept at the next start.
                let _ = fs::remove_dir_all(&temporary);
                Err(error)
            }
        }
    }

    fn write_to<M: Module>(
        folder: &Path,
        snapshot: Snapshot<'_, M>,
    ) -> Result<CheckpointState, EngineError> {
        if let Some(parameter) = FiniteCheck::first_offender(snapshot.model)? {
            return Err(EngineError::NotFiniteWeights { parameter });
        }
        remove_folder(folder)?;
        files::create_dir(folder)?;
        write_weights(snapshot.model, &folder.join(MODEL))?;
        let mut names = vec![MODEL];
        if let Some(ema) = snapshot.ema {
            write_weights(ema, &folder.join(EMA))?;
            names.push(EMA);
        }
        let path = folder.join(OPTIMIZER);
        let state_of_optimizer = snapshot.optimizer.into_bytes();
        let bytes = state_of_optimizer.map_err(|source| EngineError::OptimizerState {
            path: path.clone(),
            source,
        })?;
        files::write_synced(&path, &bytes)?;
        names.push(OPTIMIZER);

        let mut digests = BTreeMap::new();
        for name in names {
            digests.insert(name.to_string(), FileDigest::of(&folder.join(name))?);
        }
        let state = CheckpointState {
            parameters: Parameters::of(snapshot.model).ids(),
            files: digests,
            ..snapshot.state
        };
        let text = serde_json::to_vec_pretty(&state).expect("the state is plain data");
        // Last, so that a folder without it is recognised as unfinished.
        files::write_synced(&folder.join(STATE), &text)?;
        files::sync_dir(folder)?;
        Ok(state)
    }

    /// Replaces the state of a checkpoint in one move; what it says of parameters and files stays.
    pub(super) fn restate(folder: &Path, state: CheckpointState) -> Result<Self, EngineError> {
        let written = read_state(folder)?;
        let state = CheckpointState {
            parameters: written.parameters,
            files: written.files,
            ..state
        };
        let text = serde_json::to_vec_pretty(&state).expect("the state is plain data");
        files::write_atomic(&folder.join(STATE), &text)?;
        files::sync_dir(folder)?;
        Ok(Self {
            folder: folder.to_path_buf(),
            state,
        })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it says about itself.
    pub fn state(&self) -> &CheckpointState {
        &self.state
    }

    /// The file with the weights.
    pub fn model_path(&self) -> PathBuf {
        self.folder.join(MODEL)
    }

    /// The file with the averaged weights, if the run kept any.
    pub fn ema_path(&self) -> Option<PathBuf> {
        self.state
            .files
            .contains_key(EMA)
            .then(|| self.folder.join(EMA))
    }

    /// The file with the weights to evaluate with: the averaged ones where there are any.
    pub fn weights_path(&self) -> PathBuf {
        self.ema_path().unwrap_or_else(|| self.model_path())
    }

    /// The weights to evaluate with: the averaged ones where there are any.
    ///
    /// # Errors
    ///
    /// Returns an error if the checkpoint is of another architecture; it lists keys and shapes.
    pub fn load<M: Module>(&self, model: M) -> Result<M, EngineError> {
        read_weights(model, &self.weights_path())
    }

    /// The weights to go on training with, their parameters under the identities that the optimizer's state knows.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_for_training<M: Module>(&self, model: M) -> Result<M, EngineError> {
        let model = read_weights(model, &self.model_path())?;
        Ok(model.map(&mut RestoreIds::new(&self.state.parameters)))
    }

    pub(crate) fn load_ema<M: Module>(&self, model: M) -> Result<Option<M>, EngineError> {
        let Some(path) = self.ema_path() else {
            return Ok(None);
        };
        let model = read_weights(model, &path)?;
        Ok(Some(
            model.map(&mut RestoreIds::new(&self.state.parameters)),
        ))
    }

    /// The optimizer with the state it had.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is missing, no optimizer state or not the one of these weights.
    pub fn load_optimizer(
        &self,
        optimizer: ModuleOptimizer,
    ) -> Result<ModuleOptimizer, EngineError> {
        self.check_optimizer()?;
        let path = self.folder.join(OPTIMIZER);
        let bytes = Bytes::from_bytes_vec(files::read(&path)?);
        let record =
            OptimizerRecord::from_bytes(bytes).map_err(|source| EngineError::OptimizerState {
                path: path.clone(),
                source,
            })?;
        let found = record.len();
        let optimizer = optimizer.load_record(record);
        // burn-optim skips what it cannot place; a run that lost its momentum would not go on as it was.
        let taken = optimizer.to_record().len();
        if taken != found {
            return Err(EngineError::OtherOptimizer { path, found, taken });
        }
        Ok(optimizer)
    }
}

fn write_weights<M: Module>(model: &M, path: &Path) -> Result<(), EngineError> {
    save(model, &KeyMap::new(), &[], path).map_err(EngineError::writing_weights)
}

fn read_weights<M: Module>(mut model: M, path: &Path) -> Result<M, EngineError> {
    let file = WeightsFile::open(path)?;
    load(&mut model, &KeyMap::new(), &file, LoadPolicy::Whole)?;
    Ok(model)
}

/// Reads `state.json` without looking at the other files.
pub(super) fn read_state(folder: &Path) -> Result<CheckpointState, EngineError> {
    let other = |found| EngineError::NotACheckpoint {
        path: folder.to_path_buf(),
        found,
    };
    let metadata = fs::metadata(folder).map_err(at(folder, "opening the checkpoint"))?;
    if !metadata.is_dir() {
        return Err(other("it is a file, and a checkpoint is a folder"));
    }
    let path = folder.join(STATE);
    if !path.exists() {
        return Err(other("there is no `state.json` in it"));
    }
    let text = files::read(&path)?;
    let not_the_state = |source| EngineError::State {
        path: path.clone(),
        source,
    };
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(not_the_state)?;
    match value["format"].as_u64() {
        Some(found) if found == u64::from(FORMAT) => {
            let state: CheckpointState = serde_json::from_value(value).map_err(not_the_state)?;
            let is_beside = |name: &String| {
                let mut parts = Path::new(name).components();
                matches!(
                    (parts.next(), parts.next()),
                    (Some(Component::Normal(_)), None)
                )
            };
            // A checkpoint from a stranger must not have other files read, or a device that never ends.
            match state.files.keys().all(is_beside) {
                true => Ok(state),
                false => Err(other("its `state.json` names files outside the folder")),
            }
        }
        Some(found) => Err(EngineError::Format {
            path,
            found,
            expected: FORMAT,
        }),
        None => Err(other("its `state.json` names no format")),
    }
}

/// Removes a folder, its state first, so that a removal that is cut short leaves nothing that looks whole.
pub(super) fn remove_folder(folder: &Path) -> Result<(), EngineError> {
    if !folder.exists() {
        return Ok(());
    }
    let state = folder.join(STATE);
    if state.exists() {
        fs::remove_file(&state).map_err(at(&state, "removing an old checkpoint"))?;
    }
    fs::remove_dir_all(folder).map_err(at(folder, "removing an old checkpoint"))?;
    Ok(())
}
