#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod args;
mod bench;
mod check;
mod checkpoint;
mod device;
mod error;
mod eval;
mod export;
mod left_out;
mod network_args;
mod onnx;
mod predict;
mod predict_video;
mod pretrained;
mod project;
mod projects;
mod remembered;
mod say;
mod score;
mod serve;
mod source;
mod start;
mod study;
mod submit;
mod summary;
mod train;
mod weights;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use say::tell;

pub use error::CliError;
pub use project::{OpenSplit, Project, Variant};

/// Trains, judges and uses a segmentation network with decoupled body and edge.
#[derive(Parser)]
#[command(name = "decoupled-seg", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The same for the program that knows several data sets.
#[derive(Parser)]
#[command(
    name = "decoupled-seg",
    version,
    about = "Trains, judges and uses segmentation networks with decoupled body and edge"
)]
struct CliWithData {
    /// The data set: bdd100k, camvid, cityscapes, kitti, mapillary, street_scenes (made up), or the path of a dataset.toml.
    #[arg(long, global = true, value_name = "NAME|FILE")]
    data: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Look for label mistakes before training; fails if there are any.
    Check(check::CheckArgs),
    /// Train a network.
    Train(Box<train::TrainArgs>),
    /// Judge the best checkpoint of a run on the images of a split.
    Eval(eval::EvalArgs),
    /// Predict files, folders or patterns with the best checkpoint of a run.
    Predict(predict::PredictArgs),
    /// Write the folder that the benchmark's server takes.
    Submit(submit::SubmitArgs),
    /// Write the best checkpoint as `.onnx`, or as `.safetensors` with the authors' names for PyTorch.
    Export(export::ExportArgs),
    /// Score pictures of label ids against the ground truth, as the benchmark does (Cityscapes only).
    Score(score::ScoreArgs),
    /// Look into a file of weights, or convert it.
    Weights(weights::WeightsArgs),
    /// Train variants of a network with several seeds, and compare them.
    Study(study::StudyArgs),
    /// Parameters and operations of a network, part by part.
    Summary(summary::SummaryArgs),
    /// Time the predictions of a network.
    Bench(bench::BenchArgs),
    /// Lend the devices of this machine to programs on others, which name them by `--device remote:HOST:PORT`.
    Serve(serve::ServeArgs),
}

/// Runs the command that the program was called with on one project, and says on standard error why it failed.
///
/// It [keeps freed memory](decoupled_seg::keep_freed_memory).
pub fn main(project: &Project) -> ExitCode {
    exit(|| run(project, std::env::args_os()))
}

/// The program `decoupled-seg`: as [`main`], with the project that `--data` names.
pub fn main_with_data() -> ExitCode {
    exit(|| run_with_data(std::env::args_os()))
}

fn exit(run: impl FnOnce() -> Result<(), CliError>) -> ExitCode {
    decoupled_seg::keep_freed_memory();
    match run() {
        Ok(()) => match say::lost() {
            None => ExitCode::SUCCESS,
            Some(error) => {
                tell!("error: cannot write to the standard output: {error}");
                ExitCode::FAILURE
            }
        },
        Err(CliError::Arguments(error)) => error.exit(),
        // What waits behind this command, such as `eval`, is not to go on with half of it.
        Err(CliError::Stopped { status }) => ExitCode::from(status),
        Err(error) => {
            tell!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command on a project; `args` begin with the program's name, as [`std::env::args_os`].
///
/// # Errors
///
/// Returns an error if the arguments are wrong or ask for help ([`CliError::Arguments`]), `check` finds problems
/// ([`CliError::Problems`]), a signal ends a training ([`CliError::Stopped`]), or the command fails.
pub fn run<A: Into<OsString> + Clone>(
    project: &Project,
    args: impl IntoIterator<Item = A>,
) -> Result<(), CliError> {
    let mut matches = project
        .describe(Cli::command())
        .try_get_matches_from(args)?;
    Cli::from_arg_matches_mut(&mut matches)?
        .command
        .run(project, None)
}

/// Runs a command on the project that `--data` names among `args`, which begin with the program's name.
///
/// # Errors
///
/// As [`run`], and if there is no such project, or none is named and the command needs one.
pub fn run_with_data<A: Into<OsString> + Clone>(
    args: impl IntoIterator<Item = A>,
) -> Result<(), CliError> {
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    // Looked for before the arguments are read: what `--variant` may be depends on the project.
    let data = named_data(&args);
    let project = data.as_deref().map(Project::of).transpose()?;
    let command = CliWithData::command();
    let command = match &project {
        Some(project) => project.describe(command),
        None => command,
    };
    let mut matches = command.try_get_matches_from(args)?;
    let command = CliWithData::from_arg_matches_mut(&mut matches)?.command;
    if let (Some(command), true) = (command.without_use_of_data(), data.is_some()) {
        return Err(CliError::ReadsNoData { command });
    }
    match project {
        Some(project) => command.run(&project, data),
        None if command.needs_data() => Err(CliError::NoData {
            expected: projects::known(),
        }),
        None => command.run(&Project::without_data(), None),
    }
}

fn named_data(args: &[OsString]) -> Option<String> {
    let mut args = args.iter().map(|arg| arg.to_string_lossy());
    while let Some(arg) = args.next() {
        match arg.strip_prefix("--data") {
            Some("") => return args.next().map(Into::into),
            Some(rest) => {
                if let Some(value) = rest.strip_prefix('=') {
                    return Some(value.to_string());
                }
            }
            None => {}
        }
    }
    None
}

impl Command {
    /// The command's name, if no data set changes what it does.
    fn without_use_of_data(&self) -> Option<&'static str> {
        match self {
            Self::Weights(_) => Some("weights"),
            Self::Summary(_) => Some("summary"),
            Self::Bench(_) => Some("bench"),
            Self::Serve(_) => Some("serve"),
            _ => None,
        }
    }

    /// What a run or a file of weights knows by itself does not ask for the data.
    fn needs_data(&self) -> bool {
        let by_themselves = matches!(
            self,
            Self::Predict(_)
                | Self::Export(_)
                | Self::Weights(_)
                | Self::Summary(_)
                | Self::Bench(_)
                | Self::Study(_)
                | Self::Serve(_)
        );
        !by_themselves
    }

    /// Runs the command on a project; `data` is how `--data` called it, if it did.
    fn run(self, project: &Project, data: Option<String>) -> Result<(), CliError> {
        match self {
            Self::Check(args) => check::run(project, &args),
            Self::Train(args) => train::run(project, *args),
            Self::Eval(args) => eval::run(project, args),
            Self::Predict(args) => predict::run(project, &args),
            Self::Submit(args) => submit::run(project, args),
            Self::Export(args) => export::run(project, &args),
            Self::Score(args) => score::run(project, &args),
            Self::Weights(args) => weights::run(args),
            Self::Study(args) => study::run(project, data.as_deref(), args),
            Self::Summary(args) => summary::run(&args),
            Self::Bench(args) => bench::run(&args),
            Self::Serve(args) => serve::run(&args),
        }
    }
}
