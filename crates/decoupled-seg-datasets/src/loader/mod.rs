//! Reads, augments and batches samples on threads, ahead of the training loop.

mod batch;
mod config;
mod order;
mod pipeline;
mod sampling;

pub use batch::Batch;
pub use config::LoaderConfig;
pub use pipeline::{Batches, Loader};
pub use sampling::{Pick, Sampling};
