use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{factor, required};
use crate::pixel_losses::PixelLosses;
use crate::{ClassWeights, LossConfigError};

/// Configuration of a [`FocalLoss`]; [`init`](FocalLossConfig::init) builds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FocalLossConfig {
    /// Factor beside the cross entropy, in a [`DecoupledLoss`](crate::DecoupledLoss).
    pub weight: f64,
    /// How much less a pixel counts that is predicted well; 0 is the plain cross entropy. The paper's choice is 2.
    pub gamma: f64,
    /// How much each class counts, the paper's alpha. The mean is taken by weight.
    pub class_weights: ClassWeights,
}

impl Default for FocalLossConfig {
    fn default() -> Self {
        Self {
            weight: 1.0,
            gamma: 2.0,
            class_weights: ClassWeights::Uniform,
        }
    }
}

/// Cross entropy in which pixels that are predicted well count less.
///
/// ```text
/// loss = sum_p [ w_y * (1 - p_y)^gamma * -log p_y ] / sum_p w_y,    p = softmax(logits), y the label of the pixel
/// ```
///
/// Source: Lin et al., ICCV 2017, [arXiv:1708.02002](https://arxiv.org/abs/1708.02002), eq. 4 and 5 for several classes.
/// Built by [`FocalLossConfig`].
#[derive(Clone, Debug)]
pub struct FocalLoss {
    config: FocalLossConfig,
}

/// Keeps the slope of `(1 - p)^gamma` finite where `p` is 1 and `gamma` below 1.
const LEAST_DOUBT: f32 = 1e-7;

impl FocalLossConfig {
    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// Panics on a factor or `gamma` below 0, and on negative class weights.
    pub fn init(&self) -> FocalLoss {
        required(self.validate());
        FocalLoss {
            config: self.clone(),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), LossConfigError> {
        factor("focal.weight", self.weight)?;
        factor("focal.gamma", self.gamma)?;
        self.class_weights.validate()
    }

    /// The loss over pixels whose cross entropies are known.
    pub(crate) fn of_pixels(&self, pixels: &PixelLosses) -> Tensor<1> {
        let gamma = self.gamma as f32;
        pixels.weighted_mean(&self.class_weights, |nll| {
            if gamma == 0.0 {
                return nll;
            }
            let doubt = (nll.clone().neg().exp().neg() + 1.0).clamp_min(LEAST_DOUBT);
            doubt.powf_scalar(gamma) * nll
        })
    }
}

impl FocalLoss {
    /// The loss of a batch, without the [factor](FocalLossConfig::weight).
    ///
    /// # Shapes
    ///
    /// - `logits`: `[batch, num_classes, height, width]`
    /// - `labels`: `[batch, height, width]`, a class; any other value is ignored
    /// - returned: `[1]`; 0 with a zero gradient if no pixel has a label
    ///
    /// # Panics
    ///
    /// Panics if the sizes differ, or if there is not one fixed class weight for each class.
    pub fn forward(&self, logits: Tensor<4>, labels: Tensor<3, Int>) -> Tensor<1> {
        self.config.of_pixels(&PixelLosses::new(logits, labels))
    }
}
