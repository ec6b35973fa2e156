use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// Why a study could not be read, run or reported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The file is no TOML, or has fields that a study does not have.
    #[error("`{}` is no study: see the message of the parser and correct the file", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        #[source]
        source: Box<toml::de::Error>,
    },

    /// The file can be read, but makes no study.
    #[error("the study's {field} is {found}, expected {expected}: correct the file")]
    Invalid {
        /// Where in the file.
        field: String,
        /// What stands there.
        found: String,
        /// What could stand there.
        expected: &'static str,
    },

    /// The pattern of a fold.
    #[error(
        "the pattern `{pattern}` of the fold `{fold}` is none: write something like `0001TP_*`"
    )]
    Pattern {
        /// Name of the fold.
        fold: String,
        /// Its pattern.
        pattern: String,
        /// What is wrong with it.
        #[source]
        source: glob::PatternError,
    },

    /// A result that the study wrote cannot be read.
    #[error("`{}` is damaged: delete it, and `study run` trains the run again", path.display())]
    Result {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },

    /// A run failed by what each further run would fail by, a full disk, so the study stopped there. What is done is not
    /// done again.
    #[error(
        "the run `{run}` failed: remove its cause and run the study again; finished runs are kept"
    )]
    Training {
        /// Name of the run.
        run: String,
        /// What the training said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },

    /// Some runs failed; the others went on. What is done is not done again.
    #[error(
        "{} of {runs} runs failed: remove the causes and run the study again; finished runs are kept{}",
        failed.len(),
        lines(.failed)
    )]
    Failed {
        /// Those that failed, in the order in which they were tried.
        failed: Vec<FailedRun>,
        /// Number of runs of the study.
        runs: usize,
    },

    /// Another process runs the same study.
    #[error("`{}` is in use: another process runs this study; wait until it has finished", path.display())]
    Busy {
        /// The locked file.
        path: PathBuf,
    },

    /// The disk.
    #[error("{doing} `{}` failed{}", path.display(), what_to_do(.source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, such as "writing".
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A run that has no result, and why.
#[derive(Debug)]
pub struct FailedRun {
    /// Name of the run.
    pub run: String,
    /// What the training said.
    pub cause: Box<dyn Error + Send + Sync>,
}

fn lines(failed: &[FailedRun]) -> String {
    let line = |it: &FailedRun| format!("\n  `{}`: {}", it.run, it.cause);
    failed.iter().map(line).collect()
}

/// Whether a full disk is among an error's causes.
pub(crate) fn is_full_disk(error: &(dyn Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| is_full(cause.kind()))
}

fn is_full(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn what_to_do(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => ": check the name",
        kind if is_full(kind) => ": make space and do it again, what is done is kept",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ": check whose the folder is"
        }
        _ => "",
    }
}

pub(crate) fn at(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> StudyError {
    move |source| StudyError::Io {
        path: path.to_path_buf(),
        doing,
        source,
    }
}
