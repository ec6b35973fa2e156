use burn::config::Config;
use burn::tensor::{Int, Tensor};

use crate::{OhemCrossEntropyLoss, OhemCrossEntropyLossConfig};

/// Configuration of an [`AuxiliaryLoss`]; [`init`](AuxiliaryLossConfig::init) builds it.
#[derive(Config, Debug, PartialEq)]
pub struct AuxiliaryLossConfig {
    /// Factor of the loss.
    #[config(default = 0.4)]
    pub weight: f64,
    /// The loss itself.
    #[config(default = "OhemCrossEntropyLossConfig::new()")]
    pub cross_entropy: OhemCrossEntropyLossConfig,
}

/// Cross entropy of an auxiliary head, on a stage below the last, with the usual factor of 0.4.
///
/// Source: Zhao et al., CVPR 2017 (PSPNet); `OHEM + aux` in the authors' code. Built by [`AuxiliaryLossConfig`].
#[derive(Clone, Debug)]
pub struct AuxiliaryLoss {
    weight: f64,
    cross_entropy: OhemCrossEntropyLoss,
}

impl AuxiliaryLossConfig {
    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// As [`OhemCrossEntropyLossConfig::init`].
    pub fn init(&self) -> AuxiliaryLoss {
        AuxiliaryLoss {
            weight: self.weight,
            cross_entropy: self.cross_entropy.init(),
        }
    }
}

impl AuxiliaryLoss {
    /// The loss of a batch, its factor included.
    ///
    /// # Shapes
    ///
    /// - `aux_logits`: `[batch, num_classes, height, width]`, at the size of the labels
    /// - `labels`: `[batch, height, width]`
    /// - returned: `[1]`
    ///
    /// # Panics
    ///
    /// As [`OhemCrossEntropyLoss::forward`].
    pub fn forward(&self, aux_logits: Tensor<4>, labels: Tensor<3, Int>) -> Tensor<1> {
        self.cross_entropy.forward(aux_logits, labels) * self.weight
    }
}
