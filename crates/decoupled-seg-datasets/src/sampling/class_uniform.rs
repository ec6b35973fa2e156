use std::sync::Arc;

use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{Centroid, CentroidIndex};
use crate::Point;
use crate::augment::epoch_rng;
use crate::loader::{Pick, Sampling};

/// Configuration of [`ClassUniform`]: the composition of an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassUniformConfig {
    /// Share of the epoch that is drawn by class, `0..=1`. The rest is drawn by image.
    pub fraction: f64,
    /// The first extra (coarsely labelled) item. Extra items are drawn for `extra_classes` only.
    pub extra_from: Option<usize>,
    /// Classes for which extra items are drawn, too.
    pub extra_classes: Vec<u8>,
    /// The epoch from which extra items are left out.
    pub extra_until: Option<u64>,
}

impl Default for ClassUniformConfig {
    /// Half of the epoch by class, no extra items, as in the authors' scripts.
    fn default() -> Self {
        Self {
            fraction: 0.5,
            extra_from: None,
            extra_classes: Vec::new(),
            extra_until: None,
        }
    }
}

/// Draws part of each epoch by class instead of by image. Every class gets the same number of crops, each around one of
/// its centroids.
///
/// With `N` images and `C` classes, an epoch has `trunc(N * fraction / C)` crops of each class, and images for the rest
/// of `N`. A class that occurs nowhere is left out, which shortens the epoch. From
/// [`extra_until`](ClassUniformConfig::extra_until) on no coarse crops are drawn, while the authors' code goes on
/// drawing them.
///
/// Source: Zhu et al. 2019, [arXiv:1812.01593](https://arxiv.org/abs/1812.01593), and the authors' code.
#[derive(Debug, Clone)]
pub struct ClassUniform {
    index: Arc<CentroidIndex>,
    config: ClassUniformConfig,
}

impl ClassUniform {
    /// Makes a sampling that draws from an index.
    ///
    /// # Panics
    ///
    /// Panics if the fraction is outside `0..=1` or the first extra item is beyond the end of the data set.
    pub fn new(index: Arc<CentroidIndex>, config: ClassUniformConfig) -> Self {
        assert!(
            (0.0..=1.0).contains(&config.fraction),
            "a fraction, got {}",
            config.fraction
        );
        let first = config.extra_from.unwrap_or(index.items);
        assert!(
            first <= index.items,
            "extra items from {first} on, of {}",
            index.items
        );
        Self { index, config }
    }

    /// Images that are not extra.
    fn images(&self) -> usize {
        self.config.extra_from.unwrap_or(self.index.items)
    }

    /// Crops of each class in an epoch.
    pub fn crops_per_class(&self) -> usize {
        (self.images() as f64 * self.config.fraction / self.index.classes.len() as f64) as usize
    }

    /// The centroids of a class that can be drawn.
    fn candidates(&self, class: usize, with_extra: bool) -> Vec<Centroid> {
        let extra = with_extra
            && self
                .config
                .extra_classes
                .iter()
                .any(|&extra| usize::from(extra) == class);
        let images = self.images();
        let usable = |centroid: &&Centroid| extra || (centroid.index as usize) < images;
        self.index.classes[class]
            .iter()
            .filter(usable)
            .copied()
            .collect()
    }

    fn classes_that_occur(&self) -> impl Iterator<Item = usize> {
        (0..self.index.classes.len()).filter(|&class| !self.candidates(class, true).is_empty())
    }
}

impl Sampling for ClassUniform {
    fn epoch(&self, seed: u64, epoch: u64) -> Vec<Pick> {
        let mut rng = epoch_rng(seed, epoch);
        let crops = self.crops_per_class();
        let images: Vec<usize> = (0..self.images()).collect();
        let by_image = self.images() - crops * self.index.classes.len();
        let plain = |index| Pick {
            index,
            centroid: None,
        };
        let mut picks: Vec<Pick> = drawn(&images, by_image, &mut rng).map(plain).collect();
        let with_extra = self.config.extra_until.is_none_or(|until| epoch < until);
        for class in self.classes_that_occur() {
            let candidates = self.candidates(class, with_extra);
            if candidates.is_empty() {
                // Only extra items show the class, and they are no longer drawn. Other images keep the epoch's length.
                picks.extend(drawn(&images, crops, &mut rng).map(plain));
                continue;
            }
            picks.extend(drawn(&candidates, crops, &mut rng).map(|centroid| Pick {
                index: centroid.index as usize,
                centroid: Some(Point {
                    y: centroid.y as usize,
                    x: centroid.x as usize,
                }),
            }));
        }
        picks.shuffle(&mut rng);
        picks
    }

    fn len(&self) -> usize {
        let crops = self.crops_per_class();
        let missing = self.index.classes.len() - self.classes_that_occur().count();
        self.images() - crops * missing
    }
}

/// Draws `count` items. How often two items occur differs by at most one.
fn drawn<T: Copy>(items: &[T], count: usize, rng: &mut impl Rng) -> impl Iterator<Item = T> {
    let mut items = items.to_vec();
    items.shuffle(rng);
    let len = items.len().max(1);
    (0..if items.is_empty() { 0 } else { count }).map(move |i| items[i % len])
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rstest::rstest;

    use super::*;

    /// `per_item[c]` centroids of class `c` in every item.
    fn index(items: usize, per_item: &[u32]) -> Arc<CentroidIndex> {
        let class = |&count: &u32| {
            (0..items as u32)
                .flat_map(|index| (0..count).map(move |x| Centroid { index, x, y: 0 }))
                .collect()
        };
        Arc::new(CentroidIndex {
            tile: 8,
            items,
            classes: per_item.iter().map(class).collect(),
        })
    }

    #[rstest]
    #[case(2975, 19, 78, 1493)]
    #[case(2820, 19, 74, 1414)]
    #[case(7000, 19, 184, 3504)]
    #[case(468, 11, 21, 237)]
    #[case(179, 19, 4, 103)]
    fn golden_counts(
        #[case] items: usize,
        #[case] classes: usize,
        #[case] crops: usize,
        #[case] images: usize,
    ) {
        let sampler = ClassUniform::new(
            index(items, &vec![1; classes]),
            ClassUniformConfig::default(),
        );
        assert_eq!(sampler.crops_per_class(), crops);
        let picks = sampler.epoch(0, 0);
        assert_eq!(picks.len(), items);
        assert_eq!(sampler.len(), items);
        assert_eq!(
            picks.iter().filter(|pick| pick.centroid.is_none()).count(),
            images
        );
    }

    #[test]
    fn every_class_gets_its_share_however_rare() {
        // Class 1 is ten times as common as class 0, and class 2 occurs nowhere. The row of a centroid tells its class.
        let mut index = (*index(100, &[1, 10, 0])).clone();
        index.classes[0].truncate(3);
        index
            .classes
            .iter_mut()
            .zip(0..)
            .for_each(|(class, y)| class.iter_mut().for_each(|c| c.y = y));
        let sampler = ClassUniform::new(
            Arc::new(index),
            ClassUniformConfig {
                fraction: 0.6,
                ..Default::default()
            },
        );
        let picks = sampler.epoch(1, 2);
        assert_eq!((picks.len(), sampler.len()), (80, 80));
        let mut rows: HashMap<Option<usize>, usize> = HashMap::new();
        picks
            .iter()
            .for_each(|pick| *rows.entry(pick.centroid.map(|at| at.y)).or_default() += 1);
        assert_eq!(
            rows,
            HashMap::from([(None, 40), (Some(0), 20), (Some(1), 20)])
        );
        // The three centroids of the rare class are drawn in turn.
        let mut counts: HashMap<usize, usize> = HashMap::new();
        let rare = picks
            .iter()
            .filter(|pick| pick.centroid.is_some_and(|at| at.y == 0));
        rare.for_each(|pick| *counts.entry(pick.index).or_default() += 1);
        let mut counts: Vec<usize> = counts.into_values().collect();
        counts.sort_unstable();
        assert_eq!(counts, [6, 7, 7]);
    }

    #[test]
    fn a_seed_fixes_the_epoch() {
        let sampler = ClassUniform::new(index(40, &[1, 2]), ClassUniformConfig::default());
        assert_eq!(sampler.epoch(3, 1), sampler.epoch(3, 1));
        assert_ne!(sampler.epoch(3, 1), sampler.epoch(3, 2));
        assert_ne!(sampler.epoch(3, 1), sampler.epoch(4, 1));
    }

    #[test]
    fn extra_items_serve_their_classes_for_their_time() {
        let config = ClassUniformConfig {
            fraction: 0.5,
            extra_from: Some(20),
            extra_classes: vec![1],
            extra_until: Some(5),
        };
        let mut index = (*index(100, &[1, 1])).clone();
        index
            .classes
            .iter_mut()
            .zip(0..)
            .for_each(|(class, y)| class.iter_mut().for_each(|c| c.y = y));
        let sampler = ClassUniform::new(Arc::new(index), config);
        assert_eq!(sampler.len(), 20);
        let extra = |epoch| {
            let picks = sampler.epoch(0, epoch);
            assert_eq!(picks.len(), 20);
            let extra: Vec<Pick> = picks.into_iter().filter(|pick| pick.index >= 20).collect();
            assert!(
                extra
                    .iter()
                    .all(|pick| pick.centroid.is_some_and(|at| at.y == 1))
            );
            extra.len()
        };
        assert!((0..5).map(extra).sum::<usize>() > 0);
        assert_eq!((5..10).map(extra).sum::<usize>(), 0);
    }
}
