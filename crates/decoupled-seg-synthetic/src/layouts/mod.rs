//! Writers, one for each layout that a reader opens.

mod bdd100k;
mod camvid;
mod cityscapes;
mod custom;
mod kitti;
mod mapillary;

pub use bdd100k::{write_bdd100k, write_bdd100k_2018};
pub use camvid::{write_camvid, write_camvid_original};
pub use cityscapes::{write_cityscapes, write_cityscapes_coarse};
pub use custom::write_custom;
pub use kitti::write_kitti;
pub use mapillary::write_mapillary;

use std::fs;
use std::path::Path;

use decoupled_seg_datasets::{DatasetError, IGNORE_LABEL, LabelMap, Sample, Split};
use decoupled_seg_types::Size;
use serde::{Deserialize, Serialize};

use crate::{StreetScenes, StreetScenesConfig};

const SPLITS: [Split; 3] = [Split::Train, Split::Val, Split::Test];

/// How many images a writer makes, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticConfig {
    /// Training images.
    pub train: usize,
    /// Validation images.
    pub val: usize,
    /// Test images.
    pub test: usize,
    /// Size of the images.
    pub size: Size,
    /// Seed of the scenes.
    pub seed: u64,
}

impl Default for SyntheticConfig {
    /// 24 training, 8 validation and 4 test images of 64x96 (height x width).
    fn default() -> Self {
        Self {
            train: 24,
            val: 8,
            test: 4,
            size: Size::new(64, 96),
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

    /// The scenes of a split. No scene belongs to two splits.
    fn scenes(&self, split: Split) -> impl Iterator<Item = Sample> {
        let Self { size, seed, .. } = *self;
        let start = match split {
            Split::Train | Split::TrainVal => 0,
            Split::Val => self.train,
            Split::Test => self.train + self.val,
        };
        let len = start + self.len(split);
        let scenes = StreetScenes::new(StreetScenesConfig { len, size, seed });
        (start..len).map(move |index| scenes.scene(index))
    }
}

/// The values that another data set has for the classes of [`StreetScenes`](crate::StreetScenes).
#[derive(Debug, Clone)]
struct Coding {
    /// The values for the 10 classes, in order.
    values: [u8; 10],
    /// The value for ignored pixels.
    ignored: u8,
}

impl Coding {
    fn encode(&self, labels: &LabelMap) -> LabelMap {
        let value = |&label: &u8| match label {
            IGNORE_LABEL => self.ignored,
            class => self.values[usize::from(class)],
        };
        LabelMap::new(labels.size(), labels.data.iter().map(value).collect())
    }
}

/// Writes a text file, and makes missing folders.
fn write_text(path: &Path, text: &str) -> Result<(), DatasetError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, text));
    written.map_err(|source| DatasetError::Io {
        path: path.to_path_buf(),
        source,
    })
}
