use rand::seq::SliceRandom;

use super::{Pick, Sampling};
use crate::augment::epoch_rng;

/// A sampling that takes every sample once.
pub(super) struct EachOnce {
    pub len: usize,
    pub shuffle: bool,
}

impl Sampling for EachOnce {
    fn epoch(&self, seed: u64, epoch: u64) -> Vec<Pick> {
        let mut picks: Vec<Pick> = (0..self.len)
            .map(|index| Pick {
                index,
                centroid: None,
            })
            .collect();
        if self.shuffle {
            picks.shuffle(&mut epoch_rng(seed, epoch));
        }
        picks
    }

    fn len(&self) -> usize {
        self.len
    }
}
