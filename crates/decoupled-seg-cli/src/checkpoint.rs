use std::path::{Path, PathBuf};

use clap::Args;
use decoupled_seg::DecoupledSegNetConfig;
use decoupled_seg::engine::{Checkpoint, CheckpointRecipe, CheckpointStore, EngineError};

use crate::{CliError, Project};

/// The folder of checkpoints in that of a run.
const FOLDER: &str = "checkpoints";

#[derive(Args)]
pub(crate) struct CheckpointArgs {
    /// A checkpoint folder; the best of the run unless given.
    #[arg(long)]
    checkpoint: Option<PathBuf>,
}

impl CheckpointArgs {
    /// The checkpoint that is named.
    pub fn named(&self) -> Option<&Path> {
        self.checkpoint.as_deref()
    }

    /// The folder of the run: `given`, that of a named checkpoint, or the project's.
    pub fn out(&self, project: &Project, given: Option<&Path>) -> PathBuf {
        let run = self.checkpoint.as_deref().and_then(run_of);
        project.out(given.or(run.as_deref()))
    }

    /// The checkpoint, and the network that it is of.
    pub fn open(&self, out: &Path) -> Result<(Checkpoint, DecoupledSegNetConfig), CliError> {
        let checkpoint = match &self.checkpoint {
            Some(folder) => Checkpoint::open(folder)?,
            None => best(out)?,
        };
        let description = checkpoint.state().network.clone();
        let folder = || checkpoint.folder().to_path_buf();
        let network: DecoupledSegNetConfig =
            serde_json::from_value(description).map_err(|source| CliError::Network {
                folder: folder(),
                source,
            })?;
        network
            .validate()
            .map_err(|source| CliError::NetworkOfFile {
                path: folder(),
                source,
            })?;
        Ok((checkpoint, network))
    }

    /// As [`open`](Self::open), where a run or a checkpoint is named; `None` where neither is.
    pub fn open_named(
        &self,
        out: Option<&Path>,
    ) -> Option<Result<(Checkpoint, DecoupledSegNetConfig), CliError>> {
        // A checkpoint says everything by itself.
        let out = out.or(self.checkpoint.as_deref())?;
        Some(self.open(out))
    }
}

/// The folder of the run that a checkpoint lies in.
pub(crate) fn run_of(checkpoint: &Path) -> Option<PathBuf> {
    // It may be named by a link, or from within.
    let checkpoint = checkpoint.canonicalize().ok()?;
    let store = checkpoint.parent()?;
    // Any folder may have this name.
    let is_checkpoint = store.ends_with(FOLDER) && checkpoint.join("state.json").is_file();
    let run = store.parent().filter(|_| is_checkpoint)?;
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    let relative = here
        .ok()
        .and_then(|here| run.strip_prefix(here).ok().map(Path::to_path_buf));
    Some(relative.unwrap_or_else(|| run.to_path_buf()))
}

/// Refuses to write a file into a checkpoint, which knows its files by their checksums.
pub(crate) fn check_outside(file: &Path) -> Result<(), CliError> {
    let is_inside = |file: &Path| {
        let folder = file.parent().unwrap_or(Path::new(""));
        folder.join("state.json").exists()
    };
    // What is written to a link is written where it leads.
    let behind = file.canonicalize().or_else(|_| file.read_link());
    match is_inside(file) || behind.is_ok_and(|file| is_inside(&file)) {
        true => Err(CliError::IntoCheckpoint {
            path: file.to_path_buf(),
        }),
        false => Ok(()),
    }
}

/// The best checkpoint of a run by the run's own measure, or the newest if none was validated.
pub(crate) fn best(out: &Path) -> Result<Checkpoint, CliError> {
    let newest = newest(out)?;
    match store(out, newest.state().recipe.checkpoints).best() {
        Err(EngineError::NoCheckpoint { .. }) => Ok(newest),
        // A damaged one is named: another in its place would be judged under its name.
        best => Ok(best?),
    }
}

/// The newest checkpoint of a run.
pub(crate) fn newest(out: &Path) -> Result<Checkpoint, CliError> {
    Ok(store(out, CheckpointRecipe::default()).latest()?)
}

/// Whether there is no checkpoint yet, not even a damaged one.
pub(crate) fn is_new(out: &Path) -> bool {
    let newest = store(out, CheckpointRecipe::default()).latest();
    matches!(newest, Err(EngineError::NoCheckpoint { skipped, .. }) if skipped.is_empty())
}

fn store(out: &Path, recipe: CheckpointRecipe) -> CheckpointStore {
    CheckpointStore::open(out.join(FOLDER), recipe)
}
