//! `study`: many trainings from one file, and their comparison.

mod pictures;
mod plain_runs;
mod results;
mod settings;
mod training;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use decoupled_seg_study::{Fold, Study, StudyEnd, StudyEvent, StudyFile, StudyReport};
use decoupled_seg_types::write_atomic;

use crate::device::DeviceArgs;
use crate::{CliError, Project};
use training::Training;

#[derive(Args)]
pub(crate) struct StudyArgs {
    #[command(subcommand)]
    command: StudyCommand,
}

#[derive(Subcommand)]
enum StudyCommand {
    /// Train what a study is missing, one run after another, and write its report. Stopped at any moment, even by a power
    /// cut, it goes on where it was; a finished study trains nothing.
    Run(RunArgs),
    /// Write the report of a study as far as it is trained, or of plain runs: Markdown, CSV and one HTML file.
    Report(ReportArgs),
}

#[derive(Args)]
struct RunArgs {
    /// The study (TOML).
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Say what is there and what is missing, and train nothing.
    #[arg(long)]
    plan: bool,
    /// Write event files for TensorBoard into the folder of each run.
    #[arg(long)]
    tensorboard: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

#[derive(Args)]
struct ReportArgs {
    /// A study (TOML), or folders of runs. Runs that differ in nothing but their seeds are one variant; the first is the
    /// baseline.
    #[arg(required = true, value_name = "FILE|RUN")]
    of: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Where the report goes; into the folder of the study, or `runs/report`, unless given.
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

#[derive(Args)]
struct Place {
    /// Folder of the study; `runs/<name of its file>` unless given.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Judge by folds: patterns of the training pictures' names that are left out in turn, such as `0001TP_*`. They take
    /// the place of those in the file.
    #[arg(long, num_args = 1.., value_name = "PATTERN")]
    folds: Vec<String>,
}

pub(crate) fn run(project: &Project, args: StudyArgs) -> Result<(), CliError> {
    match args.command {
        StudyCommand::Run(args) => run_study(project, &args),
        StudyCommand::Report(args) => report(&args),
    }
}

fn run_study(project: &Project, args: &RunArgs) -> Result<(), CliError> {
    let (study, out) = args.place.open(&args.file)?;
    if args.plan {
        return show_plan(&study);
    }
    let training = Training::new(project, &out, args.tensorboard, args.device.open()?)?;
    let end = study.run(
        |run| training.run(run),
        |event| match event {
            StudyEvent::Begin { run, done, total } => {
                eprintln!("run {} of {total}: {}", done + 1, run.name());
            }
            StudyEvent::End { run, .. } => eprintln!("{} is done", run.name()),
        },
    )?;
    write_report(study_report(&study)?, &out)?;
    match end {
        StudyEnd::Finished => println!("all runs have their results"),
        StudyEnd::Stopped => println!("stopped; the same command goes on"),
    }
    Ok(())
}

fn show_plan(study: &Study) -> Result<(), CliError> {
    let plan = study.plan()?;
    let missing: Vec<_> = plan.missing().collect();
    println!(
        "{} of {} runs have their results",
        plan.runs.len() - missing.len(),
        plan.runs.len()
    );
    for run in missing {
        println!("missing: {}", run.name());
    }
    for folder in &plan.outdated {
        println!("of other settings, not used: {}", folder.display());
    }
    Ok(())
}

fn report(args: &ReportArgs) -> Result<(), CliError> {
    let is_study = |path: &Path| path.extension().is_some_and(|ending| ending == "toml");
    match &args.of[..] {
        [file] if is_study(file) => {
            let (study, out) = args.place.open(file)?;
            let to = args.to.as_deref().unwrap_or(&out);
            write_report(study_report(&study)?, to)
        }
        runs => {
            let to = args.to.as_deref().unwrap_or(Path::new("runs/report"));
            write_report(plain_runs::report(runs)?, to)
        }
    }
}

/// The report of a study, with its pictures.
fn study_report(study: &Study) -> Result<StudyReport, CliError> {
    let plan = study.plan()?;
    let mut report = StudyReport::new(study.file(), &plan);
    report.figures = pictures::figures(&plan)?;
    Ok(report)
}

fn write_report(report: StudyReport, folder: &Path) -> Result<(), CliError> {
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| CliError::Io { path, source }
    };
    std::fs::create_dir_all(folder).map_err(io(folder))?;
    for (name, text) in [
        ("report.md", report.to_markdown()),
        ("report.csv", report.to_csv()),
        ("report.html", report.to_html()),
    ] {
        let path = folder.join(name);
        write_atomic(&path, |file| file.write_all(text.as_bytes())).map_err(io(&path))?;
        println!("{}", path.display());
    }
    Ok(())
}

impl Place {
    /// The study in a file, and its folder.
    fn open(&self, file: &Path) -> Result<(Study, PathBuf), CliError> {
        let mut content = StudyFile::read(file)?;
        if !self.folds.is_empty() {
            content.folds = self.folds.iter().map(|pattern| fold(pattern)).collect();
        }
        let name = file.file_stem().unwrap_or(file.as_os_str());
        let out = match &self.out {
            Some(out) => out.clone(),
            None => Path::new("runs").join(name),
        };
        Ok((Study::new(content, &out)?, out))
    }
}

/// A fold named as its pattern, without what no name may have.
fn fold(pattern: &str) -> Fold {
    let letters = pattern.chars().filter(|c| c.is_ascii_alphanumeric());
    Fold {
        name: letters.collect(),
        validate: pattern.to_string(),
    }
}
