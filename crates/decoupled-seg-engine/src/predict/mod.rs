//! Predictions for images on disk.

mod inputs;
mod label_overlays;
mod output;
mod pattern;
mod predictor;
mod protected;
mod submission;

pub use inputs::{Inputs, find_images};
pub use label_overlays::write_label_overlays;
pub use output::PredictionKind;
pub use predictor::{FailedPrediction, Predicted, Prediction, Predictor};
pub use protected::Protected;
pub use submission::{Submission, Submitted};
