use decoupled_seg_datasets::sampling::ClassUniformConfig;
use serde::{Deserialize, Serialize};

/// Draws part of each epoch by class instead of by image, so that rare classes are seen as often as common ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassUniformRecipe {
    /// Side of the tiles in which a class's middle is looked for, in pixels of the data set's images.
    pub tile: usize,
    /// How much is drawn by class, and what besides.
    #[serde(default)]
    pub draw: ClassUniformConfig,
}

impl ClassUniformRecipe {
    /// Half of each epoch, as in the authors' scripts.
    pub fn new(tile: usize) -> Self {
        Self {
            tile,
            draw: ClassUniformConfig::default(),
        }
    }

    /// Also draws `classes` from extra items ([`extra_from`](decoupled_seg_datasets::SegmentationDataset::extra_from)), until epoch `until`.
    pub fn with_extra(mut self, classes: impl Into<Vec<u8>>, until: u64) -> Self {
        self.draw.extra_classes = classes.into();
        self.draw.extra_until = Some(until);
        self
    }
}
