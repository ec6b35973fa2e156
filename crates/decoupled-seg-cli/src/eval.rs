use burn::tensor::Device;
use clap::Args;
use decoupled_seg::engine::Evaluator;

use crate::args::{DataArgs, ProtocolArgs, SplitName};
use crate::checkpoint::CheckpointArgs;
use crate::{CliError, Project, variant_file};
use decoupled_seg::DecoupledSegNet;

#[derive(Args)]
pub(crate) struct EvalArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    #[command(flatten)]
    protocol: ProtocolArgs,
    /// The images to judge on; they need labels.
    #[arg(long, value_enum, default_value = "val")]
    split: SplitName,
    /// Images to judge at most.
    #[arg(long)]
    max_images: Option<usize>,
    /// Also say where the time goes.
    #[arg(long)]
    time: bool,
}

pub(crate) fn run(project: &Project, mut args: EvalArgs) -> Result<(), CliError> {
    let out = project.out(args.data.out.as_deref());
    variant_file::read(&mut args.data, &out)?;
    let (checkpoint, network) = args.checkpoint.open(&out)?;
    let device = Device::default();
    let model: DecoupledSegNet = checkpoint.load(network.init(&device))?;
    let recipe = &checkpoint.state().recipe;
    let mut evaluation = recipe.validation.clone();
    evaluation.max_images = args.max_images;
    evaluation.protocol = args.protocol.apply(evaluation.protocol)?;
    let images = project.split(&args.data, args.split.into())?;
    let mut evaluator = Evaluator::new(evaluation, recipe.normalization, &device);
    if args.time {
        evaluator = evaluator.timed();
    }
    let report = evaluator.evaluate(&model, &*images)?;
    println!("{}\n{report}", checkpoint.folder().display());
    report.write(out.join("evaluation"))?;
    Ok(())
}
