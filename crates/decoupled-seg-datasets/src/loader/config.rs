use serde::{Deserialize, Serialize};

use crate::augment::{Augmentation, Normalization};

/// What a [`Loader`](super::Loader) does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoaderConfig {
    /// Samples in a batch.
    pub batch_size: usize,
    /// Whether the order changes with the epoch.
    pub shuffle: bool,
    /// Whether a last batch of fewer samples is left out.
    pub drop_last: bool,
    /// Fixes order and augmentation, with the epoch.
    pub seed: u64,
    /// Threads that read and augment; 0 takes as many as the machine has cores. The samples do not depend on it.
    pub workers: usize,
    /// Batches made ahead of the one in use; they bound the memory.
    pub prefetch: usize,
    /// What happens to each sample.
    pub augmentation: Augmentation,
    /// How images become numbers.
    pub normalization: Normalization,
}

impl Default for LoaderConfig {
    /// Batches of one, in order, unchanged.
    fn default() -> Self {
        Self {
            batch_size: 1,
            shuffle: false,
            drop_last: false,
            seed: 0,
            workers: 0,
            prefetch: 2,
            augmentation: Augmentation::default(),
            normalization: Normalization::default(),
        }
    }
}

impl LoaderConfig {
    /// Batches of `batch_size` in an order that changes with the epoch, of full size only.
    pub fn training(batch_size: usize, seed: u64, augmentation: Augmentation) -> Self {
        Self {
            batch_size,
            seed,
            augmentation,
            shuffle: true,
            drop_last: true,
            ..Self::default()
        }
    }

    /// Sets [`workers`](Self::workers).
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Sets [`prefetch`](Self::prefetch).
    pub fn with_prefetch(mut self, prefetch: usize) -> Self {
        self.prefetch = prefetch;
        self
    }

    /// Sets [`normalization`](Self::normalization).
    pub fn with_normalization(mut self, normalization: Normalization) -> Self {
        self.normalization = normalization;
        self
    }

    /// The threads that [`workers`](Self::workers) stands for.
    pub fn threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        }
    }
}
