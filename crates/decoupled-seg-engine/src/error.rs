use std::path::PathBuf;

use decoupled_seg_datasets::DatasetError;
use decoupled_seg_metrics::MetricsError;

use crate::checkpoint::CheckpointError;
use crate::files::FileError;
use crate::recipe::RecipeError;
use crate::train::LossTerm;

/// Why training, evaluation or prediction stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The recipe cannot be read or used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A checkpoint or weights file cannot be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A log, report or prediction cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// An image or its labels cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A label map cannot be scored.
    #[error("`{name}`: {source}")]
    Metrics {
        /// The image.
        name: String,
        /// What is wrong.
        source: MetricsError,
    },
    /// A loss is not finite. What the run had reached is in the last checkpoint.
    #[error("step {step}: the {term} loss is {value}; {}", last_good(.last_checkpoint))]
    NotFinite {
        /// The optimizer step, from 1.
        step: usize,
        /// The first such term.
        term: LossTerm,
        /// Its value.
        value: f32,
        /// The newest checkpoint before it.
        last_checkpoint: Option<PathBuf>,
    },
    /// The folder of a new run holds another run's checkpoints.
    #[error("`{folder}`: there are checkpoints of another run; resume it or choose another folder")]
    RunExists {
        /// The run's folder.
        folder: PathBuf,
    },
    /// The device does not calculate in the float type that the recipe asks for.
    #[error("{device} does not calculate in {dtype}; set `precision = \"full\"`")]
    Precision {
        /// The device.
        device: String,
        /// The float type.
        dtype: String,
    },
    /// The network predicts other classes than the data set has.
    #[error("the network predicts {model} classes, the data set has {dataset}")]
    Classes {
        /// Classes of the network.
        model: usize,
        /// Classes of the data set.
        dataset: usize,
    },
    /// There are fewer images than fill one batch, and a partial one is not trained on.
    #[error("{images} images do not fill a batch of {batch}")]
    TooFewImages {
        /// Images of the data set.
        images: usize,
        /// Images a batch.
        batch: usize,
    },
    /// A data set without images.
    #[error("there are no images to evaluate")]
    NoImages,
    /// A folder or pattern without images to predict.
    #[error("`{path}`: no images; looked for .png, .jpg and .jpeg files")]
    NothingToPredict {
        /// The folder.
        path: PathBuf,
    },
    /// Two inputs would be written to the same file.
    #[error("`{first}` and `{second}` would both be written to `{output}`")]
    SameOutput {
        /// One input.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// The file.
        output: PathBuf,
    },
}

fn last_good(path: &Option<PathBuf>) -> String {
    match path {
        Some(path) => format!("the last good checkpoint is `{}`", path.display()),
        None => "no checkpoint was written yet".to_string(),
    }
}
