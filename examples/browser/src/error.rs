use burn::tensor::ExecutionError;
use decoupled_seg::nn::Size;
use decoupled_seg::weights::{DescriptionError, WeightsError};

/// Why the page has nothing to show. The messages stand on the page.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// The weights could not be read, or are not those of the network that the file describes.
    #[error("{0}")]
    Weights(#[from] WeightsError),
    /// The file describes its network in a way that this version does not know.
    #[error(
        "`{name}` describes a network that this page does not know ({source}); export it with the version of the page"
    )]
    Description {
        /// The file.
        name: String,
        /// What is not known.
        source: DescriptionError,
    },
    /// The description names another number of classes than the network predicts.
    #[error(
        "`{name}` names {named} classes, but its network predicts {predicted}; export it again"
    )]
    Classes {
        /// The file.
        name: String,
        /// Classes that have a name.
        named: usize,
        /// Classes that the network predicts.
        predicted: usize,
    },
    /// The network reads other pictures than a browser has.
    #[error(
        "the network in `{name}` reads images of {channels} channels; this page has red, green and blue: drop the weights \
         of a network of three channels"
    )]
    Channels {
        /// The file.
        name: String,
        /// Channels that the network reads.
        channels: usize,
    },
    /// The file has no description, and its tensors are of none of the networks that have a name.
    #[error(
        "`{name}` holds weights, such as `{tensor}`, but of no network that is known here; drop a file that \
         `decoupled-seg export net.safetensors` wrote"
    )]
    UnknownNetwork {
        /// The file.
        name: String,
        /// The name of a tensor in it.
        tensor: String,
    },
    /// The network cannot take pictures so small.
    #[error(
        "the picture has {size} pixels (height x width) at this working size, and the network needs {least} on each side; \
         choose a larger working size, or another picture"
    )]
    TooSmall {
        /// Size of the picture.
        size: Size,
        /// Least height and width.
        least: usize,
    },
    /// The device failed.
    #[error("the device could not finish ({0}); try a smaller working size, or the CPU")]
    Device(#[from] ExecutionError),
    /// The device calculates something else than the CPU.
    #[error(
        "{device} computes other numbers than the CPU: logits differ by {difference}, at most {allowed} is rounding; the \
         CPU is used instead"
    )]
    WrongNumbers {
        /// The device.
        device: String,
        /// The largest difference.
        difference: f32,
        /// The largest difference that rounding explains.
        allowed: f32,
    },
}
