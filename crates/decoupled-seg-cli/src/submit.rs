use std::path::PathBuf;

use clap::Args;

use crate::args::{DataArgs, ProtocolArgs, SplitName};
use crate::predict::not_predicted;
use crate::say::say;
use crate::source::SourceArgs;
use crate::{CliError, Project, remembered};

#[derive(Args)]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    data: DataArgs,
    /// The images to predict.
    #[arg(long, value_enum, default_value = "test")]
    split: SplitName,
    /// Where the files go; `submission` in the run's folder unless given.
    #[arg(long)]
    to: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    protocol: ProtocolArgs,
}

pub(crate) fn run(project: &Project, mut args: SubmitArgs) -> Result<(), CliError> {
    let Some(submission) = project.submission else {
        return Err(CliError::NoBenchmark {
            project: project.name.clone(),
        });
    };
    let out = args.source.out(project, args.data.out.as_deref());
    remembered::variant(&mut args.data, &out)?;
    let images = project.split(&args.data, args.split.into())?;
    let source = args
        .source
        .open(project, &out, || Ok(images.classes().clone()))?;
    source.check_classes(images.classes())?;
    let protocol = args
        .protocol
        .apply(source.recipe.validation.protocol.clone())?;
    let to = args
        .to
        .clone()
        .unwrap_or_else(|| source.folder(&out, "submission"));
    let mut predictor = source.predictor().with_protocol(protocol);
    let submitted = submission.write(&mut predictor, &*images, &to)?;
    say!("{} files in {}", submitted.written.len(), to.display());
    not_predicted(&submitted.failed, images.len())
}
