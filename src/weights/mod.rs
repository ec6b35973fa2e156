//! Reads and writes weights: PyTorch checkpoints and safetensors, under the names that other code gives to the tensors.

mod description;
mod network;

pub use decoupled_seg_weights::{
    Entry, FittedImage, Format, LoadPolicy, LoadReport, LoadedPart, Mismatch, Misshaped,
    Placeholder, SaveOptions, WeightsError, WeightsFile, convert, load, save, save_with,
};
pub use description::{DescriptionError, NamedClass, NetworkDescription};
