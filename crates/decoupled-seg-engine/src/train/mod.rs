//! The training loop.
//!
//! A plain loop on burn-optim rather than burn-train's `Learner`: the loss has up to five terms that are watched one by
//! one, a run has to go on from the middle of an epoch with the very same numbers, and a checkpoint has to be one thing
//! that is there or not. The `Learner` resumes by epoch, writes model, optimizer and scheduler as separate files, and
//! knows a single loss. Its metrics can still be fed: see the feature `learner`.

mod clip;
mod criterion;
mod curves;
mod ema;
mod feed;
mod freeze;
mod interrupt;
mod log;
mod losses;
mod precision;
mod progress;
mod rates;
mod run_folder;
mod session;
mod stepper;
mod trainer;

#[cfg(feature = "learner")]
pub(crate) use criterion::{BatchTargets, Criterion};
pub use ema::EmaRecipe;
pub use freeze::BatchNormMode;
pub use interrupt::{Interrupt, InterruptError};
pub use log::{EpochRecord, LogEntry, read_log};
pub use losses::{LossMeans, LossTerm, LossTerms, LossValues};
pub use precision::Precision;
pub use progress::{Counter, Progress};
pub use trainer::{Resume, Stop, Trained, Trainer};
