use std::path::{Path, PathBuf};

use decoupled_seg_datasets::SegmentationDataset;
use decoupled_seg_nn::SegmentationModel;
use serde::{Deserialize, Serialize};

use super::Predictor;
use super::output::{gray, label_ids};
use crate::EngineError;
use crate::files::{self, write_png};

/// The folder that a benchmark's server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Submission {
    /// Cityscapes: `{name}.png` with label ids.
    Cityscapes,
    /// KITTI semantics: `semantic/{name}.png` with label ids.
    Kitti,
    /// BDD100K: `{name}.png` with class indices.
    Bdd100k,
}

impl Submission {
    /// Predicts all images of `dataset` and writes them as the server wants them, each at the size of its image.
    /// Returns the files.
    ///
    /// # Errors
    ///
    /// Returns an error if an image cannot be read or a prediction not be written.
    pub fn write<M: SegmentationModel, D: SegmentationDataset + ?Sized>(
        self,
        predictor: &mut Predictor<M>,
        dataset: &D,
        folder: impl AsRef<Path>,
    ) -> Result<Vec<PathBuf>, EngineError> {
        let folder = match self {
            Self::Kitti => folder.as_ref().join("semantic"),
            Self::Cityscapes | Self::Bdd100k => folder.as_ref().to_path_buf(),
        };
        files::create_dir(&folder)?;
        let mut written = Vec::with_capacity(dataset.len());
        for index in 0..dataset.len() {
            let sample = dataset.get(index)?;
            let labels = predictor.predict(&sample.image).labels;
            let labels = match self {
                Self::Cityscapes | Self::Kitti => label_ids(&labels, predictor.classes()),
                Self::Bdd100k => labels,
            };
            let path = folder.join(format!("{}.png", sample.name));
            write_png(&path, &gray(labels).into())?;
            written.push(path);
        }
        Ok(written)
    }
}
