use std::collections::HashSet;
use std::path::{Path, PathBuf};

use decoupled_seg_datasets::{DatasetError, SegmentationDataset};
use decoupled_seg_nn::SegmentationModel;
use serde::{Deserialize, Serialize};

use super::output::{gray, label_ids};
use super::protected::check_own;
use super::{Predictor, Protected};
use crate::EngineError;
use crate::files::{self, write_png};

/// What became of the images of a submission.
#[derive(Debug, Default)]
pub struct Submitted {
    /// The files that were written.
    pub written: Vec<PathBuf>,
    /// Why other images could not be read; each names its file.
    pub failed: Vec<DatasetError>,
}

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
    /// Predicts all images of `dataset` and writes them as the server wants them, each at the size of its image. One that
    /// cannot be read does not keep the others from being predicted.
    ///
    /// # Errors
    ///
    /// Returns an error before anything is written if a file would be written over one of the data set or of another
    /// program, or two images have one name, and if a prediction cannot be written or the device does not answer.
    pub fn write<M: SegmentationModel, D: SegmentationDataset + ?Sized>(
        self,
        predictor: &mut Predictor<M>,
        dataset: &D,
        folder: impl AsRef<Path>,
    ) -> Result<Submitted, EngineError> {
        let folder = match self {
            Self::Kitti => folder.as_ref().join("semantic"),
            Self::Cityscapes | Self::Bdd100k => folder.as_ref().to_path_buf(),
        };
        let paths = outputs(dataset, &folder)?;
        files::create_dir(&folder)?;
        let mut submitted = Submitted::default();
        for (index, path) in paths.into_iter().enumerate() {
            let sample = match dataset.get(index) {
                Ok(sample) => sample,
                Err(error) => {
                    submitted.failed.push(error);
                    continue;
                }
            };
            let mut predictions = predictor.try_predict_batch(&[(&sample).into()])?;
            let labels = predictions.pop().expect("a prediction for an image").labels;
            let labels = match self {
                Self::Cityscapes | Self::Kitti => label_ids(&labels, predictor.classes()),
                Self::Bdd100k => labels,
            };
            write_png(&path, &gray(labels).into())?;
            submitted.written.push(path);
        }
        Ok(submitted)
    }
}

/// Where the prediction of each image goes: a file of its own that is none of the data set's.
fn outputs<D: SegmentationDataset + ?Sized>(
    dataset: &D,
    folder: &Path,
) -> Result<Vec<PathBuf>, EngineError> {
    let protected = Protected::new(dataset.files());
    let mut names = HashSet::new();
    let output = |index: usize| {
        let name = dataset.name(index);
        let path = folder.join(format!("{name}.png"));
        protected.check(&path)?;
        check_own(&path)?;
        if !names.insert(name.clone()) {
            return Err(EngineError::SameName { name, output: path });
        }
        Ok(path)
    };
    (0..dataset.len()).map(output).collect()
}
