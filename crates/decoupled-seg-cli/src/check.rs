use clap::Args;
use decoupled_seg::datasets::{Split, check};
use decoupled_seg::engine::{EngineError, Progress, write_label_overlays};

use crate::args::DataArgs;
use crate::say::{say, tell};
use crate::{CliError, Project};

#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Pictures of each labelled split to write with their labels on top.
    #[arg(long, default_value_t = 4)]
    overlays: usize,
}

pub(crate) fn run(project: &Project, args: &CheckArgs) -> Result<(), CliError> {
    let open = project.opener(&args.data)?;
    let splits = [Split::Train, Split::Val, Split::Test].map(|split| (split, open(split)));
    let readable = splits
        .iter()
        .filter_map(|(split, opened)| Some((*split, opened.dataset.clone()?)));
    let readable: Vec<_> = readable.collect();
    let images = readable.iter().map(|(_, split)| split.len()).sum();
    // Reading all images takes minutes. Whoever has to rename files need not wait for it.
    for (split, opened) in &splits {
        if let (Some(first), true) = (opened.problems.first(), opened.dataset.is_some()) {
            let (name, more) = (split.as_str(), opened.problems.len() - 1);
            let more = match more {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            tell!("{name}: {first}{more}; reading the others");
        }
    }
    let counter = Progress::Auto.count("images read", images);
    let report = check::check_splits(splits.into(), |done, _| counter.at(done));
    counter.finish();
    say!("{report}");
    let unread = |split: &Split| readable.iter().all(|(read, _)| read != split);
    if let Some(split) = [Split::Train, Split::Val].into_iter().find(unread)
        && let Some(variant) = project.variant_of(&args.data, split)
    {
        say!("`--variant {variant}` reads these data");
    }
    let one_class = readable
        .iter()
        .find_map(|(_, split)| match split.classes().names()[..] {
            [class] => Some(class.to_string()),
            _ => None,
        });
    if let Some(class) = &one_class {
        let class = class.clone();
        say!("{}", EngineError::OneClass { class });
    }
    let folder = project.out(args.data.out.as_deref()).join("check");
    for (name, split) in readable.iter().filter(|(_, split)| split.is_labelled()) {
        let folder = folder.join(name.as_str());
        let written = match write_label_overlays(&**split, &folder, args.overlays) {
            // Says nothing against the data, which may well lie where nobody writes.
            Err(EngineError::File(error)) => {
                tell!(
                    "warning: no labels drawn: {error}; --out names another folder, --overlays 0 draws none"
                );
                break;
            }
            written => written?,
        };
        if !written.is_empty() {
            say!(
                "{}: labels drawn on {} pictures",
                folder.display(),
                written.len()
            );
        }
    }
    if report.is_ok() && one_class.is_none() {
        Ok(())
    } else {
        Err(CliError::Problems)
    }
}
