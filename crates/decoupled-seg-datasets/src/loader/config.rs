use serde::{Deserialize, Serialize};

use crate::augment::{Augmentation, Normalization};

/// Configuration of a [`Loader`](super::Loader).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoaderConfig {
    /// Samples in a batch.
    pub batch_size: usize,
    /// Whether the order changes with the epoch.
    pub shuffle: bool,
    /// Whether a last batch with fewer samples is left out.
    pub drop_last: bool,
    /// Seed. With the number of the epoch, it fixes order and augmentation.
    pub seed: u64,
    /// Threads that read and augment; 0 stands for the number of cores. The samples do not depend on the number of
    /// threads.
    pub workers: usize,
    /// Batches made ahead of the one in use. This number bounds the memory.
    pub prefetch: usize,
    /// Augmentation of each sample.
    pub augmentation: Augmentation,
    /// Normalisation of the images, of as many channels as they have.
    pub normalization: Normalization,
}

impl Default for LoaderConfig {
    /// Batches of one sample, in order, without augmentation.
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
    /// Full batches of `batch_size` only, in an order that changes with the epoch.
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

    /// Number of threads that [`workers`](Self::workers) gives on this machine.
    pub fn threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        }
    }
}
