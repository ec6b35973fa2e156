use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use decoupled_seg::engine::Protected;

use crate::checkpoint::CheckpointArgs;
use crate::{CliError, Project};

#[derive(Args)]
pub(crate) struct ExportArgs {
    /// The file to write.
    to: PathBuf,
    /// Folder of the run.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    checkpoint: CheckpointArgs,
}

pub(crate) fn run(project: &Project, args: &ExportArgs) -> Result<(), CliError> {
    let out = project.out(args.out.as_deref());
    let (checkpoint, network) = args.checkpoint.open(&out)?;
    // A checkpoint knows its files by their checksums.
    Protected::new([checkpoint.model_path(), checkpoint.weights_path()]).check(&args.to)?;
    let model = checkpoint.load(network.init(&Device::default()))?;
    model.save_weights(&args.to)?;
    println!("{}", args.to.display());
    Ok(())
}
