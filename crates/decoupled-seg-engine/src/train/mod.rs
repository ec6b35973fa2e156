//! The training loop.
//!
//! | from the outside in | |
//! |---|---|
//! | `trainer` | the builder that users see |
//! | `plan` | what it was told, checked |
//! | `session` | the loop over epochs and steps, between two starts of the process |
//! | `feed` | batches, and their targets on the device |
//! | `model_in_training` | one optimizer step: forward, `criterion`, backward, `gradients`, `rates`, `ema` |
//! | `claimed_folder` | the run's folder before the run: its lock, and the checkpoint to go on from |
//! | `run_folder` | log, curves, events and checkpoints on the disk |
//!
//! A plain loop on burn-optim rather than burn-train's `Learner`: the loss has up to five terms that are watched one by
//! one, a run has to go on from the middle of an epoch with the very same numbers, and a checkpoint has to be one thing
//! that is there or not. The `Learner` resumes by epoch, writes model, optimizer and scheduler as separate files, and
//! knows a single loss.

mod batch_norm;
mod claimed_folder;
mod criterion;
mod curves;
mod ema;
mod events;
mod feed;
mod gradients;
mod interrupt;
mod judges;
mod log;
mod losses;
mod model_in_training;
mod network_difference;
mod outcome;
mod plan;
mod precision;
mod progress;
mod rates;
mod recipe_file;
mod run_folder;
mod run_lock;
mod sampling;
mod session;
mod trainer;

pub use claimed_folder::Resume;
pub use interrupt::Interrupt;
pub use log::{LogEntry, read_log};
pub use outcome::{Stop, Trained};
pub use progress::{Counter, Progress};
pub use trainer::Trainer;
