use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;

use super::checkpoint::CheckpointArgs;
use super::{CliError, Project};

#[derive(Args)]
pub(super) struct ExportArgs {
    /// The file to write.
    to: PathBuf,
    /// Folder of the run.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    checkpoint: CheckpointArgs,
}

pub(super) fn run(project: &Project, args: &ExportArgs) -> Result<(), CliError> {
    let out = project.out(args.out.as_deref());
    let (checkpoint, network) = args.checkpoint.open(&out)?;
    let model = checkpoint.load(network.init(&Device::default()))?;
    network.save_weights(&model, &args.to)?;
    println!("{}", args.to.display());
    Ok(())
}
