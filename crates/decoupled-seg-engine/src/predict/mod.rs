//! Predictions for images on disk.

mod inputs;
mod output;
mod predictor;
mod protected;
mod submission;

pub use inputs::find_images;
pub use output::PredictionKind;
pub use predictor::{FailedPrediction, Predicted, Prediction, Predictor};
pub use protected::Protected;
pub use submission::Submission;
