#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod digest;
mod error;
mod plan;
mod report;
mod result;
mod statistics;
mod study;
mod study_file;

pub use error::{FailedRun, StudyError};
pub use plan::{Plan, PlannedRun, RunState};
pub use report::{Figure, ReportedRun, StudyReport, VariantReport};
pub use result::{BoundaryResult, History, PartScore, RunResult, Score};
pub use statistics::{PairedDifference, Summary, Verdict};
pub use study::{Study, StudyEnd, StudyEvent};
pub use study_file::{Fold, StudyFile, Variant};
