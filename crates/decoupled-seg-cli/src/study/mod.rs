//! `study`: many trainings from one file, and their comparison.

mod comparable;
mod pictures;
mod plain_runs;
mod results;
mod settings;
mod training;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use decoupled_seg_study::{
    Fold, Plan, PlannedRun, Study, StudyEnd, StudyError, StudyEvent, StudyFile, StudyReport,
    Variant,
};
use decoupled_seg_types::{caught, write_atomic};
use toml::Table;

use crate::device::DeviceArgs;
use crate::say::{say, tell};
use crate::train::tell_of_scales;
use crate::{CliError, Project, projects};
use settings::Settings;
use training::Training;

/// The key of the data set's name in `base` and `changes`.
const DATA: &str = "data";

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

/// The data for variants that name none.
#[derive(Clone, Copy)]
struct OfProgram<'a> {
    project: &'a Project,
    /// How `--data` called the project, if it did.
    data: Option<&'a str>,
}

/// Runs a command; `data` is how `--data` called the project, if it did.
pub(crate) fn run(project: &Project, data: Option<&str>, args: StudyArgs) -> Result<(), CliError> {
    let program = OfProgram { project, data };
    match args.command {
        StudyCommand::Run(args) => run_study(program, &args),
        StudyCommand::Report(args) => report(program, &args),
    }
}

fn run_study(program: OfProgram<'_>, args: &RunArgs) -> Result<(), CliError> {
    let (study, out) = args.place.open(&args.file, program)?;
    check(&study.plan()?, program.project)?;
    if args.plan {
        return show_plan(&study);
    }
    let training = Training::new(program.project, &out, args.tensorboard, args.device.open()?)?;
    let end = study.run(
        |run| whatever_happens(|| training.run(run)),
        |event| match event {
            StudyEvent::Begin { run, done, total } => {
                tell!("run {} of {total}: {}", done + 1, run.name());
            }
            StudyEvent::End { run, .. } => tell!("{} is done", run.name()),
            StudyEvent::Failed { run, cause } => tell!("{} failed: {cause}", run.name()),
        },
    );
    let failed = matches!(end, Err(StudyError::Failed { .. }));
    if end.is_ok() || failed {
        let written = study_report(&study).and_then(|report| write_report(report, &out));
        match written {
            // Runs that failed are more to know of.
            Err(error) if failed => tell!("{error}"),
            written => written?,
        }
    }
    match end? {
        StudyEnd::Finished => say!("all runs have their results"),
        StudyEnd::Stopped => {
            say!("stopped; the same command goes on");
            if let Some(status) = training.status() {
                return Err(CliError::Stopped { status });
            }
        }
    }
    Ok(())
}

/// A run that panics, as some devices do where memory runs out, is a run that failed.
fn whatever_happens<T>(run: impl FnOnce() -> Result<T, CliError>) -> Result<T, CliError> {
    caught(run).unwrap_or_else(|message| Err(CliError::BrokeOff { message }))
}

/// Finds what is wrong with a variant before others are trained for hours.
fn check(plan: &Plan, project: &Project) -> Result<(), CliError> {
    let runs: Vec<&PlannedRun> = plan.runs.iter().map(|(run, _)| run).collect();
    for (at, run) in runs.iter().copied().enumerate() {
        let same = |other: &&&PlannedRun| {
            other.variant != run.variant
                && (other.seed, &other.fold) == (run.seed, &run.fold)
                && (&other.settings, &other.context) == (&run.settings, &run.context)
        };
        if let Some(twin) = runs[..at].iter().find(same) {
            return Err(CliError::TwinVariants {
                first: twin.variant.clone(),
                second: run.variant.clone(),
            });
        }
        let settings = Settings::of(run)?;
        let named = settings.project()?;
        let project = named.as_ref().unwrap_or(project);
        let recipe = settings.recipe(project, run.seed)?;
        let is_first = runs[..at].iter().all(|other| other.variant != run.variant);
        if let Some(scale) = settings.scale().filter(|_| is_first) {
            tell_of_scales(scale, &recipe);
        }
        // Where classes are known from the data only, the training names what is wrong with those.
        if let Ok(classes) = project.class_table() {
            settings.network(classes.num_classes())?;
        }
    }
    Ok(())
}

fn show_plan(study: &Study) -> Result<(), CliError> {
    let plan = study.plan()?;
    let missing: Vec<_> = plan.missing().collect();
    say!(
        "{} of {} runs have their results",
        plan.runs.len() - missing.len(),
        plan.runs.len()
    );
    for run in missing {
        say!("missing: {}", run.name());
    }
    for folder in &plan.outdated {
        say!("of other settings, not used: {}", folder.display());
    }
    Ok(())
}

fn report(program: OfProgram<'_>, args: &ReportArgs) -> Result<(), CliError> {
    let is_study = |path: &Path| path.extension().is_some_and(|ending| ending == "toml");
    match &args.of[..] {
        [file] if is_study(file) => {
            let (study, out) = args.place.open(file, program)?;
            let plan = study.plan()?;
            if plan.missing().count() == plan.runs.len() {
                return Err(CliError::NoResults { path: out });
            }
            let to = args.to.as_deref().unwrap_or(&out);
            write_report(study_report(&study)?, to)
        }
        runs => {
            args.place.refuse()?;
            let to = args.to.as_deref().unwrap_or(Path::new("runs/report"));
            let report = plain_runs::report(runs)?;
            for warning in &report.warnings {
                tell!("warning: {warning}");
            }
            write_report(report, to)
        }
    }
}

/// The figures of a report.
const TABLE: &str = "report.csv";

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
    let table = report.to_csv();
    let is_own = is_report(folder, table.lines().next().unwrap_or_default());
    let files = [
        ("report.md", report.to_markdown()),
        (TABLE, table),
        ("report.html", report.to_html()),
    ];
    let mut there = files.iter().map(|(name, _)| folder.join(name));
    if let Some(path) = there.find(|path| path.exists() && !is_own) {
        return Err(CliError::OverNoReport { path });
    }
    for (name, text) in files {
        let path = folder.join(name);
        write_atomic(&path, |file| file.write_all(text.as_bytes())).map_err(io(&path))?;
        say!("{}", path.display());
    }
    Ok(())
}

/// Whether the files of a folder are those of a report, by the columns of its table. The three are written together, so one
/// speaks for the others.
fn is_report(folder: &Path, columns: &str) -> bool {
    let there = std::fs::read(folder.join(TABLE)).unwrap_or_default();
    there.starts_with(columns.as_bytes())
}

impl Place {
    /// Refuses what plain runs have no use for.
    fn refuse(&self) -> Result<(), CliError> {
        let given = [
            ("--out", self.out.is_some()),
            ("--folds", !self.folds.is_empty()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(CliError::StudyOnly { flag }),
            None => Ok(()),
        }
    }

    /// The study in a file, and its folder.
    fn open(&self, file: &Path, program: OfProgram<'_>) -> Result<(Study, PathBuf), CliError> {
        let mut content = StudyFile::read(file)?;
        let context = program.take_over(&mut content).map_err(|error| {
            // A slip in the name of the key is told as what it is.
            slip(&content).err().unwrap_or(error)
        })?;
        if !self.folds.is_empty() {
            content.folds = folds(&self.folds);
        }
        let name = file.file_stem().unwrap_or(file.as_os_str());
        let out = match &self.out {
            Some(out) => out.clone(),
            None => Path::new("runs").join(name),
        };
        Ok((Study::new(content, &out)?.with_context(context), out))
    }
}

/// What is wrong with the settings of a study, if anything is.
fn slip(content: &StudyFile) -> Result<(), CliError> {
    let plan = Study::new(content.clone(), Path::new("runs"))?.plan()?;
    plan.runs
        .iter()
        .try_for_each(|(run, _)| Settings::of(run).map(drop))
}

impl OfProgram<'_> {
    /// Makes the data of the program a part of what a run is, where the file leaves them open: runs on other data are other
    /// runs. Returns what does not fit into the file.
    fn take_over(self, content: &mut StudyFile) -> Result<Table, CliError> {
        let named = |variant: &Variant| content.settings(variant).get(DATA).cloned();
        let named: Vec<_> = content.variants.iter().map(named).collect();
        if named.iter().all(Option::is_some) {
            return match self.data {
                Some(data) if !named.contains(&Some(data.into())) => Err(CliError::DataOfStudy {
                    found: data.to_string(),
                }),
                _ => Ok(Table::new()),
            };
        }
        if let Some(data) = self.data {
            content.base.insert(DATA.to_string(), data.into());
            return Ok(Table::new());
        }
        if self.project.is_without_data() {
            return Err(CliError::NoData {
                expected: projects::known(),
            });
        }
        // A project of another program, which no name finds.
        let Project { name, root, .. } = self.project;
        let root = root.display().to_string();
        Ok(Table::from_iter([
            ("project".to_string(), name.clone().into()),
            ("root".to_string(), root.into()),
        ]))
    }
}

/// Folds named as their patterns, without what no name may have. Where nothing is left of a pattern, or another fold has the
/// name, its number stands behind the name.
fn folds(patterns: &[String]) -> Vec<Fold> {
    let mut folds: Vec<Fold> = Vec::with_capacity(patterns.len());
    for (index, pattern) in patterns.iter().enumerate() {
        let letters = pattern.chars().filter(|c| c.is_ascii_alphanumeric());
        let mut name: String = letters.collect();
        if name.is_empty() {
            name = format!("fold-{}", index + 1);
        } else if folds.iter().any(|it| it.name.eq_ignore_ascii_case(&name)) {
            name = format!("{name}-{}", index + 1);
        }
        folds.push(Fold {
            name,
            validate: pattern.clone(),
        });
    }
    folds
}

#[cfg(test)]
mod tests {
    use super::*;

    const STUDY: &str = "title = 't'\nbaseline = 'a'\nseeds = [1]\n[[variants]]\nname = 'a'\n[[variants]]\nname = 'b'\n";

    fn place() -> Place {
        Place {
            out: Some("no such folder".into()),
            folds: Vec::new(),
        }
    }

    /// The folders of the runs of a study.
    fn folders(text: &str, project: &Project, data: Option<&str>) -> Result<Vec<String>, CliError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("study.toml");
        std::fs::write(&file, text).expect("writable");
        let (study, _) = place().open(&file, OfProgram { project, data })?;
        let runs = study.plan()?.runs;
        Ok(runs.iter().map(|(run, _)| run.name()).collect())
    }

    #[test]
    fn a_run_that_panics_has_failed() {
        let is = |panics: fn() -> Result<(), CliError>| {
            let error = whatever_happens(panics).expect_err("a panic");
            error.to_string()
        };
        let (plain, formatted) = (is(|| panic!("out of memory")), is(|| panic!("{} MiB", 7)));
        assert!(plain.contains("broke off: out of memory"), "{plain}");
        assert!(formatted.contains("broke off: 7 MiB"), "{formatted}");
        assert_eq!(whatever_happens(|| Ok(3)).expect("no panic"), 3);
    }

    #[test]
    fn runs_on_other_data_are_other_runs() -> Result<(), CliError> {
        let [camvid, kitti] = [Project::camvid(), Project::kitti()];
        let of_camvid = folders(STUDY, &camvid, Some("camvid"))?;
        let of_kitti = folders(STUDY, &kitti, Some("kitti"))?;
        assert!(of_camvid.iter().all(|run| !of_kitti.contains(run)));
        // As if the file named it.
        let named = format!("{STUDY}[base]\ndata = 'camvid'\n");
        assert_eq!(folders(&named, &camvid, Some("camvid"))?, of_camvid);
        let error = folders(&named, &kitti, Some("kitti")).expect_err("two data sets");
        assert!(matches!(error, CliError::DataOfStudy { .. }), "{error}");
        assert_eq!(folders(&named, &Project::without_data(), None)?, of_camvid);

        // Projects that no name finds.
        let own = folders(STUDY, &camvid, None)?;
        assert_eq!(folders(STUDY, &camvid, None)?, own);
        let renamed = Project {
            name: "ours".to_string(),
            ..Project::camvid()
        };
        assert!(!folders(STUDY, &renamed, None)?.contains(&own[0]));
        let moved = Project {
            root: "elsewhere".into(),
            ..Project::camvid()
        };
        assert!(!folders(STUDY, &moved, None)?.contains(&own[0]));

        let error = folders(STUDY, &Project::without_data(), None).expect_err("no data");
        assert!(matches!(error, CliError::NoData { .. }), "{error}");
        Ok(())
    }

    #[test]
    fn a_variant_that_names_its_data_stays_what_it_is() -> Result<(), CliError> {
        let text = STUDY.replace("'b'\n", "'b'\nchanges = { data = 'camvid' }\n");
        let [camvid, kitti] = ["camvid", "kitti"].map(|data| {
            let project = Project::of(data).expect("a known data set");
            folders(&text, &project, Some(data)).expect("a study")
        });
        assert_ne!(camvid[0], kitti[0]);
        assert_eq!(camvid[1], kitti[1]);
        Ok(())
    }

    #[test]
    fn plain_runs_have_no_folds_and_no_folder_of_a_study() {
        for (flag, value) in [("--folds", "a_*"), ("--out", "runs/study")] {
            let args = ["decoupled-seg", "study", "report", "runs/a", flag, value];
            let error = crate::run_with_data(args).expect_err(flag).to_string();
            assert_eq!(
                error,
                format!("`{flag}` is for a study file (.toml): leave it out")
            );
        }
    }

    #[test]
    fn folds_have_names_of_their_own_whatever_the_patterns() -> Result<(), CliError> {
        let patterns =
            ["0001TP_*", "0001TP-*", "???", "*", "0001tp*", "0006R0_*"].map(String::from);
        let folds = folds(&patterns);
        let names: Vec<&str> = folds.iter().map(|fold| &*fold.name).collect();
        assert_eq!(
            names,
            [
                "0001TP", "0001TP-2", "fold-3", "fold-4", "0001tp-5", "0006R0"
            ]
        );
        let mut study = StudyFile::parse(STUDY)?;
        study.folds = folds;
        study.check()?;
        Ok(())
    }

    #[test]
    fn the_same_fold_twice_is_refused() {
        let mut study = StudyFile::parse(STUDY).expect("a study");
        study.folds = folds(&["a_*", "a_*"].map(String::from));
        let error = study.check().expect_err("twice").to_string();
        assert!(
            error.contains("a_*") && error.contains("each pattern once"),
            "{error}"
        );
    }
}
