use clap::Args;
use decoupled_seg::datasets::{DatasetError, Split};
use decoupled_seg::engine::Evaluator;

use crate::args::{DataArgs, ProtocolArgs, SplitName};
use crate::say::say;
use crate::source::SourceArgs;
use crate::{CliError, Project, remembered};

#[derive(Args)]
pub(crate) struct EvalArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    source: SourceArgs,
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
    let out = args.source.out(project, args.data.out.as_deref());
    remembered::variant(&mut args.data, &out)?;
    let split = args.split.into();
    let images = project.split(&args.data, split)?;
    if !images.is_labelled() {
        return Err(DatasetError::Unlabelled { split }.into());
    }
    let source = args
        .source
        .open(project, &out, || Ok(images.classes().clone()))?;
    source.check_classes(images.classes())?;
    let mut evaluation = source.recipe.validation.clone();
    evaluation.max_images = args.max_images;
    evaluation.protocol = args.protocol.apply(evaluation.protocol)?;
    if evaluation.boundary.is_empty() {
        evaluation.boundary = project.boundary.clone();
    }
    let normalization = source.recipe.normalization.clone();
    let mut evaluator = Evaluator::new(evaluation, normalization, &source.device);
    if args.time {
        evaluator = evaluator.timed();
    }
    let report = evaluator.evaluate(&source.model, &*images)?;
    if report.confusion.total() == 0 {
        return Err(DatasetError::AllIgnored { split }.into());
    }
    let mut folder = match args.split {
        SplitName::Val => "evaluation".to_string(),
        split => format!("evaluation-{}", Split::from(split).as_str()),
    };
    if report.images < images.len() {
        folder.push_str(&format!("-first-{}", report.images));
    }
    let folder = source.folder(&out, &folder);
    // Before it is said, since nobody may be there to hear it; and said if there is no space to write it.
    let written = report.write(&folder);
    say!("{}\n{report}", source.path.display());
    written?;
    say!("{}", folder.display());
    Ok(())
}
