use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::Args;
use decoupled_seg_engine::{Checkpoint, CheckpointRecipe, CheckpointStore, Predictor};

use super::CliError;
use crate::{DecoupledSegNet, DecoupledSegNetConfig};

#[derive(Args)]
pub(super) struct CheckpointArgs {
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
        let network = serde_json::from_value(description).map_err(|source| CliError::Network {
            folder: checkpoint.folder().to_path_buf(),
            source,
        })?;
        Ok((checkpoint, network))
    }

    /// A predictor with its weights, and the checkpoint.
    pub fn predictor(
        &self,
        out: &Path,
    ) -> Result<(Predictor<DecoupledSegNet>, Checkpoint), CliError> {
        let (checkpoint, network) = self.open(out)?;
        let device = Device::default();
        let predictor = Predictor::from_checkpoint(&checkpoint, network.init(&device), &device)?;
        Ok((predictor, checkpoint))
    }
}

/// The best checkpoint of a run, or the newest if none was validated.
pub(super) fn best(out: &Path) -> Result<Checkpoint, CliError> {
    let store = CheckpointStore::open(out.join("checkpoints"), CheckpointRecipe::default());
    Ok(store.best().or_else(|_| store.latest())?)
}
