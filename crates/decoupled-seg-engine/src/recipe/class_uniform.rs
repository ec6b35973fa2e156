use std::path::Path;
use std::sync::Arc;

use decoupled_seg_datasets::loader::Sampling;
use decoupled_seg_datasets::sampling::{CentroidIndex, ClassUniform, ClassUniformConfig};
use decoupled_seg_datasets::{DatasetError, SegmentationDataset};
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

    /// Reads where the classes are in all labels of `dataset`, or finds it in `folder`.
    pub(crate) fn sampling(
        &self,
        dataset: &dyn SegmentationDataset,
        folder: Option<&Path>,
    ) -> Result<Arc<dyn Sampling>, DatasetError> {
        let silent = |_: usize, _: usize| ();
        let index = match folder {
            Some(folder) => CentroidIndex::cached(dataset, self.tile, folder, silent)?.0,
            None => CentroidIndex::build(dataset, self.tile, silent)?,
        };
        Ok(Arc::new(ClassUniform::new(
            Arc::new(index),
            self.draw.clone(),
        )))
    }
}
