//! Checkpoints: everything that a run needs to go on as if it had never stopped, in one folder.

mod digest;
mod folder;
mod parameters;
mod replace;
mod state;
mod store;
mod training_images;

pub use digest::FileDigest;
pub use folder::Checkpoint;
pub(crate) use folder::Snapshot;
pub(crate) use parameters::{FiniteCheck, Parameters};
pub use state::CheckpointState;
pub use store::CheckpointStore;
pub use training_images::TrainingImages;
