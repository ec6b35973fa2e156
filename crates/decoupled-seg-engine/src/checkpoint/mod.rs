//! Checkpoints: everything that a run needs to go on as if it had never stopped, in one folder.

mod digest;
mod error;
mod folder;
mod parameters;
mod state;
mod store;
mod weights;

pub use digest::FileDigest;
pub use error::{CheckpointError, ShapeMismatch, TensorShape};
pub use folder::Checkpoint;
pub(crate) use folder::Snapshot;
pub(crate) use parameters::{FiniteCheck, Parameters};
pub use state::{BestMetric, BoundaryScore, CheckpointState, Position, Scores};
pub use store::{CheckpointRecipe, CheckpointStore};
pub use weights::{WeightsReport, load_weights, load_weights_partially, save_weights};
