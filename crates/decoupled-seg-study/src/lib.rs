//! Studies: one file names a base, variants of it, seeds and folds; what is missing is trained, and the report compares
//! the variants with paired intervals. No Burn: the training is a closure of the caller.
//!
//! - [`StudyFile`]: the file.
//! - [`Study`]: the file and a folder. [`Study::plan`] says what is there and what is missing, [`Study::run`] trains the
//!   rest, [`Study::report`] reads the results. A study has no state but the folders of its runs: it can be stopped at
//!   any moment and goes on from there.
//! - [`RunResult`]: what a run hands over.
//! - [`StudyReport`]: the comparison, as Markdown, CSV and one self-contained HTML file; of a study, or of any runs.
//! - [`Summary`], [`PairedDifference`]: mean, deviation, and the paired t-interval.

#![forbid(unsafe_code)]

mod digest;
mod error;
mod plan;
mod report;
mod result;
mod statistics;
mod study;
mod study_file;

pub use error::StudyError;
pub use plan::{Plan, PlannedRun, RunState};
pub use report::{Figure, ReportedRun, StudyReport, VariantReport};
pub use result::{BoundaryResult, History, PartScore, RunResult, Score};
pub use statistics::{PairedDifference, Summary, Verdict};
pub use study::{Study, StudyEnd, StudyEvent};
pub use study_file::{Fold, StudyFile, Variant};
