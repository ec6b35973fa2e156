//! The same networks, losses, data and schedules in burn-train's `Learner`: its several devices, its early stopping, and,
//! with the feature `dashboard`, its terminal dashboard.
//!
//! [`Trainer`](crate::Trainer) is what the project's own figures come from; it resumes within an epoch and writes whole
//! checkpoints. The `Learner` resumes by epoch and shows one loss. `ExecutionStrategy::multi` trains on several devices of any
//! kind; `ExecutionStrategy::ddp` needs CUDA devices in Burn 0.22 and panics on others (it has not been run here). On
//! several devices each normalises by the statistics of its own crops: Burn 0.22 has no
//! batch norm that shares them, so freeze them ([`BatchNormMode`](crate::BatchNormMode)) or give each device several
//! crops. Gradients of several devices are added up, not averaged: see
//! [`LearnerNet::with_gradients_shared_by`].

mod loader;
mod metric;
mod net;
mod schedule;

pub use loader::{SegmentationBatch, SegmentationLoader};
pub use metric::{SegmentationMetric, SegmentationMetricInput};
pub use net::{LearnerNet, LearnerOutput};
pub use schedule::RecipeScheduler;
