use burn::tensor::Device;
use clap::Args;
use decoupled_seg_datasets::Split;
use decoupled_seg_engine::Evaluator;

use super::args::{DataArgs, ProtocolArgs};
use super::checkpoint::CheckpointArgs;
use super::{CliError, Project, variant_file};
use crate::DecoupledSegNet;

#[derive(Args)]
pub(super) struct EvalArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    #[command(flatten)]
    protocol: ProtocolArgs,
    /// Images to judge at most.
    #[arg(long)]
    max_images: Option<usize>,
    /// Also say where the time goes.
    #[arg(long)]
    time: bool,
}

pub(super) fn run(project: &Project, mut args: EvalArgs) -> Result<(), CliError> {
    let out = project.out(args.data.out.as_deref());
    variant_file::read(&mut args.data, &out)?;
    let (checkpoint, network) = args.checkpoint.open(&out)?;
    let device = Device::default();
    let model: DecoupledSegNet = checkpoint.load(network.init(&device))?;
    let recipe = &checkpoint.state().recipe;
    let mut evaluation = recipe.validation.clone();
    evaluation.max_images = args.max_images;
    evaluation.protocol = args.protocol.apply(evaluation.protocol)?;
    let validation = project.split(&args.data, Split::Val)?;
    let mut evaluator = Evaluator::new(evaluation, recipe.normalization, &device);
    if args.time {
        evaluator = evaluator.timed();
    }
    let report = evaluator.evaluate(&model, &*validation)?;
    println!("{}\n{report}", checkpoint.folder().display());
    report.write(out.join("evaluation"))?;
    Ok(())
}
