use burn::config::Config;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Int, Tensor, assert_shape};
use serde::{Deserialize, Serialize};

use crate::ops::edge_entropy;
use crate::tensors::{in_f32, plain};

/// What the edge logits go through before the binary cross entropy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeActivation {
    /// One sigmoid, as in the paper.
    #[default]
    SingleSigmoid,
    /// Two: the official network ends in a sigmoid and its loss applies another one (PaddleSeg's too), so the score
    /// is in `0..1` and the loss of a perfect map is not 0.
    DoubleSigmoid,
}

/// How edge pixels and others are weighed against each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeBalance {
    /// Edge pixels count by the share of the others, and the other way round, over the batch: both sides have the
    /// same weight as a whole. Without one of the two the loss is 0.
    #[default]
    Balanced,
    /// All pixels count the same, as in the paper.
    Uniform,
}

/// What the sum over pixels is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeReduction {
    /// The labelled pixels.
    #[default]
    MeanOverLabelled,
    /// All pixels, ignored ones included, as in the official code.
    MeanOverAll,
}

/// Configuration of an [`EdgeLoss`]; [`init`](EdgeLossConfig::init) builds it.
#[derive(Config, Debug, PartialEq)]
pub struct EdgeLossConfig {
    /// What the edge logits go through.
    #[config(default = "EdgeActivation::SingleSigmoid")]
    pub activation: EdgeActivation,
    /// How edge pixels and others are weighed against each other.
    #[config(default = "EdgeBalance::Balanced")]
    pub balance: EdgeBalance,
    /// What the sum over pixels is divided by.
    #[config(default = "EdgeReduction::MeanOverLabelled")]
    pub reduction: EdgeReduction,
}

/// Binary cross entropy of the edge map, `L_bce`.
///
/// ```text
/// loss = sum_p w(p) * [ max(z, 0) - z*E + log(1 + exp(-|z|)) ] / #p        over pixels with E(p) = 0 or 1
/// balanced:  w(p) = N_0 / (N_0 + N_1) where E = 1,  N_1 / (N_0 + N_1) where E = 0;  uniform: 1
/// z = edge logits; double sigmoid: z = sigmoid(edge logits)
/// ```
///
/// The counts `N_0`, `N_1` are taken on the device. A batch without a labelled pixel gives 0 with a zero gradient.
///
/// Source: eq. 4 of the paper (uniform); `bce2d` in the authors' code (balanced, double sigmoid, divided by all
/// pixels). Built by [`EdgeLossConfig`].
#[doc(alias = "bce2d")]
#[derive(Clone, Debug)]
pub struct EdgeLoss {
    config: EdgeLossConfig,
}

impl EdgeLossConfig {
    /// The loss of the authors' code, before its factor of 20.
    pub fn official() -> Self {
        Self::new()
            .with_activation(EdgeActivation::DoubleSigmoid)
            .with_reduction(EdgeReduction::MeanOverAll)
    }

    /// The loss of the paper, before its factor of 25.
    pub fn paper() -> Self {
        Self::new().with_balance(EdgeBalance::Uniform)
    }

    /// Builds the loss.
    pub fn init(&self) -> EdgeLoss {
        EdgeLoss {
            config: self.clone(),
        }
    }
}

impl EdgeLoss {
    /// The loss of a batch.
    ///
    /// # Shapes
    ///
    /// - `edge_logits`: `[batch, 1, height, width]`
    /// - `edge_labels`: `[batch, height, width]`, 1 for an edge, 0 for none; any other value is ignored
    /// - returned: `[1]`
    ///
    /// # Panics
    ///
    /// Panics if the sizes differ, or if there is more than one channel of logits.
    pub fn forward(&self, edge_logits: Tensor<4>, edge_labels: Tensor<3, Int>) -> Tensor<1> {
        let [batch, height, width] = edge_labels.dims();
        assert_shape!(edge_logits, [batch, 1, height, width]);
        let mut score: Tensor<3> = in_f32(edge_logits).squeeze_dim(1);
        if self.config.activation == EdgeActivation::DoubleSigmoid {
            score = sigmoid(score);
        }
        edge_entropy(
            score,
            plain(edge_labels),
            self.config.balance == EdgeBalance::Balanced,
            self.config.reduction == EdgeReduction::MeanOverAll,
        )
    }
}
