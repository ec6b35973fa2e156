use std::collections::HashSet;
use std::error::Error;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use decoupled_seg_types::write_atomic;
use toml::Table;

use crate::error::{at, is_full_disk};
use crate::{FailedRun, Plan, PlannedRun, RunResult, RunState, StudyError, StudyFile, StudyReport};

const SETTINGS: &str = "settings.toml";
const RESULT: &str = "result.json";

/// A study and the folder with its runs.
///
/// A run is done when its folder has a `result.json`; nothing else is kept. So a study that was stopped, even by a power
/// cut, goes on where it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    file: StudyFile,
    runs: PathBuf,
    context: Table,
}

/// What [`Study::run`] tells on its way.
#[derive(Debug, Clone, Copy)]
pub enum StudyEvent<'a> {
    /// A run begins or goes on.
    Begin {
        /// The run.
        run: &'a PlannedRun,
        /// Number of runs that have their results or have failed.
        done: usize,
        /// Number of runs.
        total: usize,
    },
    /// A run has its result.
    End {
        /// The run.
        run: &'a PlannedRun,
        /// Its result.
        result: &'a RunResult,
    },
    /// A run has failed; the study goes on with the others.
    Failed {
        /// The run.
        run: &'a PlannedRun,
        /// Why.
        cause: &'a (dyn Error + 'static),
    },
}

/// How [`Study::run`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StudyEnd {
    /// All runs have their results.
    Finished,
    /// It was asked to stop.
    Stopped,
}

impl Study {
    /// A study whose runs are in `out/runs`.
    ///
    /// # Errors
    ///
    /// What [`StudyFile::check`] finds.
    pub fn new(file: StudyFile, out: &Path) -> Result<Self, StudyError> {
        file.check()?;
        Ok(Self {
            file,
            runs: out.join("runs"),
            context: Table::new(),
        })
    }

    /// Says what decides how the runs end and does not stand in the file, such as the data that a program takes where the file
    /// names none. Runs in another context are other runs: neither takes the results of the other for its own.
    #[must_use]
    pub fn with_context(mut self, context: Table) -> Self {
        self.context = context;
        self
    }

    /// The file.
    pub fn file(&self) -> &StudyFile {
        &self.file
    }

    /// What is to be trained and what the disk has of it.
    ///
    /// # Errors
    ///
    /// [`StudyError::Result`] for a damaged result, [`StudyError::Io`].
    pub fn plan(&self) -> Result<Plan, StudyError> {
        let mut runs = Vec::new();
        for variant in &self.file.variants {
            let settings = self.file.settings(variant);
            let folds: Vec<_> = match &*self.file.folds {
                [] => vec![None],
                folds => folds.iter().map(Some).collect(),
            };
            for fold in folds {
                for &seed in &self.file.seeds {
                    let (settings, context) = (settings.clone(), self.context.clone());
                    let run =
                        PlannedRun::new(&variant.name, seed, fold, settings, context, &self.runs);
                    let state = state_of(&run)?;
                    runs.push((run, state));
                }
            }
        }
        let planned: HashSet<&Path> = runs.iter().map(|(run, _)| &*run.folder).collect();
        let mut outdated: Vec<PathBuf> = self
            .folders()?
            .into_iter()
            .filter(|folder| !planned.contains(&**folder))
            .collect();
        outdated.sort();
        Ok(Plan { runs, outdated })
    }

    fn folders(&self) -> Result<Vec<PathBuf>, StudyError> {
        let entries = match fs::read_dir(&self.runs) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(at(&self.runs, "reading"))?,
        };
        let mut folders = Vec::new();
        for entry in entries {
            let path = entry.map_err(at(&self.runs, "reading"))?.path();
            if path.is_dir() {
                folders.push(path);
            }
        }
        Ok(folders)
    }

    /// Trains what is missing, one run after another. `train` is given a run whose folder is there; it goes on where an
    /// earlier attempt left off, if the folder has something of it. `None` from it stops the study: it was asked to.
    ///
    /// A run that fails ends no other: its failure is told by [`StudyEvent::Failed`], and the study goes on. Only a full
    /// disk, anywhere among the causes, stops it, since every further run would fail alike.
    ///
    /// # Errors
    ///
    /// [`StudyError::Failed`] with all runs that failed, once the others are done or the study was stopped;
    /// [`StudyError::Training`] and [`StudyError::Io`] for a full disk; [`StudyError::Busy`]; what [`plan`](Study::plan)
    /// returns.
    pub fn run<E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        mut train: impl FnMut(&PlannedRun) -> Result<Option<RunResult>, E>,
        mut on_event: impl FnMut(StudyEvent<'_>),
    ) -> Result<StudyEnd, StudyError> {
        let _lock = self.lock()?;
        let plan = self.plan()?;
        let total = plan.runs.len();
        let finished = total - plan.missing().count();
        let mut failed = Vec::new();
        let mut end = StudyEnd::Finished;
        for (done, run) in (finished..).zip(plan.missing()) {
            on_event(StudyEvent::Begin { run, done, total });
            match train_one(run, &mut train) {
                Ok(Some(result)) => {
                    let result = &result;
                    on_event(StudyEvent::End { run, result });
                }
                Ok(None) => {
                    end = StudyEnd::Stopped;
                    break;
                }
                Err(error) if is_full_disk(&error) => return Err(error),
                Err(error) => {
                    // The name of the run stands beside what the training said.
                    let cause = match error {
                        StudyError::Training { source, .. } => source,
                        error => error.into(),
                    };
                    on_event(StudyEvent::Failed {
                        run,
                        cause: &*cause,
                    });
                    let run = run.name();
                    failed.push(FailedRun { run, cause });
                }
            }
        }
        if failed.is_empty() {
            Ok(end)
        } else {
            Err(StudyError::Failed {
                failed,
                runs: total,
            })
        }
    }

    /// The report of what is there.
    ///
    /// # Errors
    ///
    /// What [`plan`](Study::plan) returns.
    pub fn report(&self) -> Result<StudyReport, StudyError> {
        Ok(StudyReport::new(&self.file, &self.plan()?))
    }

    /// Held by the system, so a killed process leaves no lock behind.
    fn lock(&self) -> Result<File, StudyError> {
        fs::create_dir_all(&self.runs).map_err(at(&self.runs, "creating"))?;
        let path = self.runs.join("lock");
        let file = File::create(&path).map_err(at(&path, "opening"))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(StudyError::Busy { path }),
            Err(TryLockError::Error(source)) => Err(at(&path, "locking")(source)),
        }
    }
}

fn state_of(run: &PlannedRun) -> Result<RunState, StudyError> {
    let path = run.folder.join(RESULT);
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(|result| RunState::Done(Box::new(result)))
            .map_err(|source| StudyError::Result { path, source }),
        // A file in place of the folder is that run's trouble, once it is its turn.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(if run.folder.exists() {
                RunState::Started
            } else {
                RunState::Missing
            })
        }
        Err(error) => Err(at(&path, "reading")(error)),
    }
}

/// Trains a run and keeps its result.
fn train_one<E: Into<Box<dyn Error + Send + Sync>>>(
    run: &PlannedRun,
    train: &mut impl FnMut(&PlannedRun) -> Result<Option<RunResult>, E>,
) -> Result<Option<RunResult>, StudyError> {
    begin(run)?;
    let result = train(run).map_err(|error| StudyError::Training {
        run: run.name(),
        source: error.into(),
    })?;
    if let Some(result) = &result {
        finish(run, result)?;
    }
    Ok(result)
}

fn begin(run: &PlannedRun) -> Result<(), StudyError> {
    fs::create_dir_all(&run.folder).map_err(at(&run.folder, "creating"))?;
    let path = run.folder.join(SETTINGS);
    let text = run.identity().to_string();
    write_atomic(&path, |file| file.write_all(text.as_bytes())).map_err(at(&path, "writing"))
}

fn finish(run: &PlannedRun, result: &RunResult) -> Result<(), StudyError> {
    let path = run.folder.join(RESULT);
    write_atomic(&path, |file| {
        Ok(serde_json::to_writer_pretty(file, result)?)
    })
    .map_err(at(&path, "writing"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Score;

    fn study(out: &Path, factor: &str) -> Study {
        let text = format!(
            "title = 't'\nbaseline = 'a'\nseeds = [1, 2]\n[base]\nfactor = 1\n[[variants]]\nname = 'a'\n\
             [[variants]]\nname = 'b'\nchanges = {{ factor = {factor} }}\n"
        );
        Study::new(StudyFile::parse(&text).expect("a study"), out).expect("a study")
    }

    fn train(run: &PlannedRun) -> Result<Option<RunResult>, StudyError> {
        let factor = run.settings["factor"].as_integer().expect("a number");
        Ok(Some(RunResult {
            scores: vec![Score {
                name: "score".into(),
                value: Some((factor * 10 + run.seed as i64) as f64),
            }],
            ..RunResult::default()
        }))
    }

    fn trained(study: &Study) -> Vec<String> {
        let mut names = Vec::new();
        let note = |event: StudyEvent<'_>| {
            if let StudyEvent::Begin { run, .. } = event {
                names.push(format!("{} {}", run.variant, run.seed));
            }
        };
        let end = study.run(train, note).expect("all trained");
        assert_eq!(end, StudyEnd::Finished);
        names
    }

    #[test]
    fn a_finished_study_runs_nothing_and_a_changed_variant_alone_is_run_anew() {
        let out = tempfile::tempdir().expect("a folder");
        assert_eq!(
            trained(&study(out.path(), "2")),
            ["a 1", "a 2", "b 1", "b 2"]
        );
        assert_eq!(trained(&study(out.path(), "2")), [""; 0]);
        let changed = study(out.path(), "3");
        assert_eq!(trained(&changed), ["b 1", "b 2"]);
        assert_eq!(changed.plan().expect("readable").outdated.len(), 2);
        // The old variant is still there.
        assert_eq!(trained(&study(out.path(), "2")), [""; 0]);
    }

    #[test]
    fn the_results_of_another_context_are_not_taken_over() {
        let out = tempfile::tempdir().expect("a folder");
        let of = |data: &str| {
            let context = format!("data = '{data}'").parse().expect("TOML");
            study(out.path(), "2").with_context(context)
        };
        assert_eq!(trained(&of("camvid")).len(), 4);
        assert_eq!(trained(&of("kitti")).len(), 4);
        assert_eq!(trained(&study(out.path(), "2")).len(), 4);
        assert_eq!(trained(&of("camvid")), [""; 0]);
        let plan = of("kitti").plan().expect("readable");
        assert_eq!(plan.outdated.len(), 8);
        let written = plan.runs[0].0.folder.join(SETTINGS);
        let written = fs::read_to_string(written).expect("a run has its settings");
        assert!(written.contains("[context]\ndata = \"kitti\""), "{written}");
    }

    #[test]
    fn a_failed_run_is_told_and_ends_no_other() {
        let out = tempfile::tempdir().expect("a folder");
        let study = study(out.path(), "2");
        let mut told = Vec::new();
        let fails = |run: &PlannedRun| run.variant == "a" && run.seed == 1;
        let error = study
            .run(
                |run| match fails(run) {
                    true => Err("out of memory".into()),
                    false => train(run).map_err(Box::<dyn Error + Send + Sync>::from),
                },
                |event| match event {
                    StudyEvent::Begin { run, done, .. } => {
                        told.push(format!("{done} {}", run.variant))
                    }
                    StudyEvent::End { .. } => {}
                    StudyEvent::Failed { cause, .. } => told.push(cause.to_string()),
                },
            )
            .expect_err("one fails");
        assert_eq!(told, ["0 a", "out of memory", "1 a", "2 b", "3 b"]);
        let StudyError::Failed { failed, runs } = &error else {
            panic!("{error}");
        };
        assert_eq!((failed.len(), *runs), (1, 4));
        let said = error.to_string();
        assert!(said.starts_with("1 of 4 runs failed: "), "{said}");
        assert!(said.contains("\n  `a-seed1-"), "{said}");
        assert!(said.ends_with("`: out of memory"), "{said}");
        assert_eq!(trained(&study), ["a 1"]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_ends_no_other_run() {
        let out = tempfile::tempdir().expect("a folder");
        let study = study(out.path(), "2");
        let run = study.plan().expect("readable").runs[0].0.clone();
        fs::create_dir_all(&study.runs).expect("writable");
        fs::write(&run.folder, "in the way").expect("writable");
        let error = study.run(train, |_| {}).expect_err("a file").to_string();
        assert!(error.contains("1 of 4 runs failed"), "{error}");
        assert!(error.contains(&run.name()), "{error}");
        fs::remove_file(&run.folder).expect("writable");
        assert_eq!(trained(&study), ["a 1"]);
    }

    #[test]
    fn a_full_disk_stops_the_study() {
        for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded] {
            let out = tempfile::tempdir().expect("a folder");
            let study = study(out.path(), "2");
            let mut tries = 0;
            let error = study
                .run(
                    |_| {
                        tries += 1;
                        // As trainings tell it: the system's error is among the causes.
                        Err(at(Path::new("model.safetensors"), "writing")(kind.into()))
                    },
                    |_| {},
                )
                .expect_err("no space");
            assert_eq!(tries, 1);
            assert!(error.to_string().contains("`a-seed1-"), "{error}");
            let cause = Error::source(&error).expect("a cause").to_string();
            assert!(cause.contains("make space"), "{cause}");
            assert_eq!(trained(&study).len(), 4);
        }
    }

    #[test]
    fn a_study_that_is_stopped_behind_a_failed_run_names_it() {
        let out = tempfile::tempdir().expect("a folder");
        let study = study(out.path(), "2");
        let mut tries = 0;
        let error = study
            .run(
                |_| {
                    tries += 1;
                    if tries == 1 {
                        Err("not finite")
                    } else {
                        Ok(None)
                    }
                },
                |_| {},
            )
            .expect_err("one failed");
        assert_eq!(tries, 2);
        assert!(error.to_string().contains("1 of 4 runs failed"), "{error}");
    }

    #[test]
    fn a_study_that_is_asked_to_stop_keeps_what_is_done() {
        let out = tempfile::tempdir().expect("a folder");
        let study = study(out.path(), "2");
        let mut left = 3;
        let stopping = |run: &PlannedRun| {
            left -= 1;
            if left == 0 { Ok(None) } else { train(run) }
        };
        let end = study.run(stopping, |_| {}).expect("no error");
        assert_eq!(end, StudyEnd::Stopped);
        assert_eq!(trained(&study), ["b 1", "b 2"]);
    }

    #[test]
    fn a_damaged_result_is_named() {
        let out = tempfile::tempdir().expect("a folder");
        let study = study(out.path(), "2");
        trained(&study);
        let run = study.plan().expect("readable").runs[0].0.clone();
        fs::write(run.folder.join(RESULT), "{\"scores\": ").expect("writable");
        let error = study.plan().expect_err("damaged").to_string();
        assert!(error.contains("delete it"), "{error}");
    }

    #[test]
    fn two_processes_do_not_run_one_study() {
        let out = tempfile::tempdir().expect("a folder");
        let study = study(out.path(), "2");
        let _other = study.lock().expect("free");
        let error = study.run(train, |_| {}).expect_err("locked");
        assert!(matches!(error, StudyError::Busy { .. }), "{error}");
    }
}
