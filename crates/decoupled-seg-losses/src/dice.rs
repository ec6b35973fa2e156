use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::LossConfigError;
use crate::error::{factor, required};
use crate::pixel_losses::PixelLosses;

/// Configuration of a [`DiceLoss`]; [`init`](DiceLossConfig::init) builds it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiceLossConfig {
    /// Factor beside the cross entropy, in a [`DecoupledLoss`](crate::DecoupledLoss).
    pub weight: f64,
    /// Pixels that are added to both sides of the fraction, so that a class of a few pixels is no cliff.
    pub smooth: f64,
}

impl Default for DiceLossConfig {
    fn default() -> Self {
        Self {
            weight: 1.0,
            smooth: 1.0,
        }
    }
}

/// One less the overlap of a class's probabilities with its pixels, the mean over the classes that the labels have.
///
/// ```text
/// P_c = softmax(logits)_c,   Y_c = 1 at the pixels of class c, else 0        over the labelled pixels of the batch
/// loss = 1 - mean over c of (2 * sum(P_c * Y_c) + smooth) / (sum(P_c) + sum(Y_c) + smooth)
/// ```
///
/// A class counts as much whether it has ten pixels or a million. Source: Milletari et al., 3DV 2016,
/// [arXiv:1606.04797](https://arxiv.org/abs/1606.04797), with plain instead of squared terms below the line (Sudre et al.,
/// 2017, [arXiv:1707.03237](https://arxiv.org/abs/1707.03237)). Built by [`DiceLossConfig`].
#[derive(Clone, Copy, Debug)]
pub struct DiceLoss {
    config: DiceLossConfig,
}

impl DiceLossConfig {
    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// Panics on a factor or smoothing below 0.
    pub fn init(&self) -> DiceLoss {
        required(self.validate());
        DiceLoss { config: *self }
    }

    pub(crate) fn validate(&self) -> Result<(), LossConfigError> {
        factor("dice.weight", self.weight)?;
        factor("dice.smooth", self.smooth)
    }

    /// The loss over pixels whose labels are known.
    pub(crate) fn of_pixels(&self, pixels: &PixelLosses) -> Tensor<1> {
        let probs = pixels.class_probs();
        let truth = pixels.class_masks();
        let sum = |maps: Tensor<4>| {
            let [_, num_classes, _, _] = maps.dims();
            maps.sum_dim(0).sum_dim(2).sum_dim(3).reshape([num_classes])
        };
        let both = sum(probs.clone() * truth.clone());
        let pixels = sum(truth);
        let seen = pixels.clone().greater_elem(0.0).float();
        let overlap = (both * 2.0 + self.smooth) / (sum(probs) + pixels + self.smooth);
        // A class that nobody labelled has no overlap to ask for.
        let missing = (overlap.neg() + 1.0) * seen.clone();
        missing.sum() / seen.sum().clamp_min(1.0)
    }
}

impl DiceLoss {
    /// The loss of a batch, without the [factor](DiceLossConfig::weight).
    ///
    /// # Shapes
    ///
    /// - `logits`: `[batch, num_classes, height, width]`
    /// - `labels`: `[batch, height, width]`, a class; any other value is ignored
    /// - returned: `[1]`; 0 with a zero gradient if no pixel has a label
    ///
    /// # Panics
    ///
    /// Panics if the sizes differ.
    pub fn forward(&self, logits: Tensor<4>, labels: Tensor<3, Int>) -> Tensor<1> {
        self.config.of_pixels(&PixelLosses::new(logits, labels))
    }
}
