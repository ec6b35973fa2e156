use std::path::{Path, PathBuf};

use clap::Args;
use decoupled_seg::DecoupledSegNetConfig;
use decoupled_seg::engine::{Checkpoint, CheckpointRecipe, CheckpointStore, EngineError};

use crate::CliError;

#[derive(Args)]
pub(crate) struct CheckpointArgs {
    /// A checkpoint folder; the best of the run unless given.
    #[arg(long)]
    checkpoint: Option<PathBuf>,
}

impl CheckpointArgs {
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
    CheckpointStore::open(out.join("checkpoints"), recipe)
}
