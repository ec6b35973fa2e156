//! Predictions for images on disk.

mod inputs;
mod output;
mod predictor;
mod submission;

pub use inputs::find_images;
pub use output::PredictionKind;
pub use predictor::{Prediction, Predictor};
pub use submission::Submission;
