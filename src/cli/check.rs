use clap::Args;
use decoupled_seg_datasets::{Split, check};
use decoupled_seg_engine::Progress;

use super::args::DataArgs;
use super::{CliError, Project};

#[derive(Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Pictures of each split to write with their labels on top.
    #[arg(long, default_value_t = 4)]
    overlays: usize,
}

pub(super) fn run(project: &Project, args: &CheckArgs) -> Result<(), CliError> {
    let train = project.split(&args.data, Split::Train)?;
    let validation = project.split(&args.data, Split::Val)?;
    let splits = [("train", &*train), ("val", &*validation)];
    let counter = Progress::Auto.count("images read", train.len() + validation.len());
    let report = check::check(&splits, |done, _| counter.at(done));
    counter.finish();
    println!("{report}");
    let folder = project.out(args.data.out.as_deref()).join("check");
    for (name, split) in splits {
        for path in check::write_overlays(split, &folder.join(name), args.overlays)? {
            println!("{}", path.display());
        }
    }
    if report.is_ok() {
        Ok(())
    } else {
        Err(CliError::Problems)
    }
}
