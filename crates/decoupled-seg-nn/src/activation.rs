use burn::tensor::Tensor;
use burn::tensor::activation::{hard_swish, relu};
use serde::{Deserialize, Serialize};

/// What a convolution block ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `x * clamp(x + 3, 0, 6) / 6`, of the MobileNets.
    HardSwish,
}

impl Activation {
    /// Applies it to every element.
    pub fn forward<const D: usize>(self, input: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu => relu(input),
            Self::HardSwish => hard_swish(input),
        }
    }
}
