//! Writes tiny data sets of [`StreetScenes`] in the layout, the names and the encodings of the
//! official archives, so that every reader, example and script runs without a download.

mod files;
mod layouts;

pub use files::{write_image, write_index_mask, write_instances, write_mask};
pub use layouts::{
    write_bdd100k, write_bdd100k_2018, write_camvid, write_camvid_original, write_cityscapes,
    write_cityscapes_coarse, write_custom, write_kitti, write_mapillary,
};

use serde::{Deserialize, Serialize};

use crate::{IGNORE, Sample, Split, StreetScenes, StreetScenesConfig};

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticConfig {
    /// Training images.
    pub train: usize,
    /// Validation images.
    pub val: usize,
    /// Test images.
    pub test: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Fixes the scenes.
    pub seed: u64,
}

impl Default for SyntheticConfig {
    /// 24 training, 8 validation and 4 test images of 96x64.
    fn default() -> Self {
        Self {
            train: 24,
            val: 8,
            test: 4,
            width: 96,
            height: 64,
            seed: 0,
        }
    }
}

impl SyntheticConfig {
    fn len(&self, split: Split) -> usize {
        match split {
            Split::Train => self.train,
            Split::Val => self.val,
            Split::Test => self.test,
            Split::TrainVal => self.train + self.val,
        }
    }

    /// The scenes of a split; no scene is in two.
    fn scenes(&self, split: Split) -> impl Iterator<Item = Sample> {
        let Self {
            width,
            height,
            seed,
            ..
        } = *self;
        let start = match split {
            Split::Train | Split::TrainVal => 0,
            Split::Val => self.train,
            Split::Test => self.train + self.val,
        };
        let len = start + self.len(split);
        let scenes = StreetScenes::new(StreetScenesConfig {
            len,
            width,
            height,
            seed,
        });
        (start..len).map(move |index| scenes.scene(index))
    }
}

/// What another data set calls the classes of [`StreetScenes`](crate::StreetScenes).
#[derive(Debug, Clone)]
struct Coding {
    /// The values for the 10 classes, in order.
    values: [u8; 10],
    /// The value for ignored pixels.
    ignored: u8,
}

impl Coding {
    fn encode(&self, labels: &[u8]) -> Vec<u8> {
        let value = |&label: &u8| {
            if label == IGNORE {
                self.ignored
            } else {
                self.values[usize::from(label)]
            }
        };
        labels.iter().map(value).collect()
    }
}
