//! A command line for a data set: `check`, `train`, `eval`, `predict`, `submit`, `export` and `score`.
//!
//! Each data set of `examples/` is a [`Project`], and so is one of your own:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use std::sync::Arc;
//!
//! use decoupled_seg::cli::{self, Project};
//! use decoupled_seg::datasets::CustomDataset;
//! use decoupled_seg::engine::{Recipe, RecipePreset};
//!
//! fn main() -> ExitCode {
//!     let recipe = Recipe { epochs: 40, batch: 4, ..RecipePreset::Paper.recipe() };
//!     let project = Project::new("cracks", "data/cracks", recipe, |root, split| {
//!         Ok(Arc::new(CustomDataset::open(root.join("dataset.toml"), split.as_str())?))
//!     });
//!     cli::main(&project)
//! }
//! ```
//!
//! ```sh
//! cracks check                          # label mistakes, before anything is trained
//! cracks train --network fcn-resnet50   # Ctrl-C stops it, --resume goes on
//! cracks eval --scales 0.5 1 2 --flip
//! cracks predict 'photos/*/*.jpg' --kinds overlay edge
//! ```
//!
//! Runs go to `runs/<name>`. Every command tells its options with `--help`.

mod args;
mod check;
mod checkpoint;
mod error;
mod eval;
mod export;
mod network;
mod predict;
mod project;
mod score;
mod submit;
mod train;
mod variant_file;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use error::CliError;
pub use network::NetworkName;
pub use project::{OpenSplit, Project, Variant};

#[derive(Parser)]
#[command(about = "Trains, judges and uses a segmentation network with decoupled body and edge")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Look for label mistakes before training; fails if there are any.
    Check(check::CheckArgs),
    /// Train a network.
    Train(train::TrainArgs),
    /// Judge the best checkpoint of a run on the validation images.
    Eval(eval::EvalArgs),
    /// Predict files, folders or patterns with the best checkpoint of a run.
    Predict(predict::PredictArgs),
    /// Write the folder that the benchmark's server takes.
    Submit(submit::SubmitArgs),
    /// Write the best checkpoint as `.safetensors` with the authors' names, for PyTorch.
    Export(export::ExportArgs),
    /// Score pictures of label ids against the ground truth, as the benchmark does (Cityscapes only).
    Score(score::ScoreArgs),
}

/// Runs the command that the program was called with, and says on standard error why it failed.
///
/// It [keeps freed memory](crate::keep_freed_memory).
pub fn main(project: &Project) -> ExitCode {
    crate::keep_freed_memory();
    match run(project, std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Arguments(error)) => error.exit(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command; `args` begin with the program's name, as [`std::env::args_os`].
///
/// # Errors
///
/// Returns an error if the arguments are wrong or ask for help ([`CliError::Arguments`]), `check` finds problems
/// ([`CliError::Problems`]), or the command fails.
pub fn run<A: Into<OsString> + Clone>(
    project: &Project,
    args: impl IntoIterator<Item = A>,
) -> Result<(), CliError> {
    let mut matches = project
        .describe(Cli::command())
        .try_get_matches_from(args)?;
    let cli = Cli::from_arg_matches_mut(&mut matches)?;
    match cli.command {
        Command::Check(args) => check::run(project, &args),
        Command::Train(args) => train::run(project, args),
        Command::Eval(args) => eval::run(project, args),
        Command::Predict(args) => predict::run(project, &args),
        Command::Submit(args) => submit::run(project, args),
        Command::Export(args) => export::run(project, &args),
        Command::Score(args) => score::run(project, &args),
    }
}
