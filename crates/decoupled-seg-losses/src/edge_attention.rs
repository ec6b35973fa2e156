use burn::config::Config;
use burn::tensor::{Int, Tensor, assert_shape};
use serde::{Deserialize, Serialize};

use crate::error::required;
use crate::pixel_losses::PixelLosses;
use crate::{ClassWeights, LossConfigError, PixelMining};

/// Among which pixels the hard ones are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeScope {
    /// Those inside the predicted edges, as in the official code.
    #[default]
    WithinEdges,
    /// All pixels; of the hard ones, those inside the predicted edges count: eq. 5 of the paper as it is written.
    WholeImage,
}

/// Configuration of an [`EdgeAttentionLoss`]; [`init`](EdgeAttentionLossConfig::init) builds it.
#[derive(Config, Debug, PartialEq)]
pub struct EdgeAttentionLossConfig {
    /// Edge probability above which a pixel is inside an edge, `t_b`, in `0..1`.
    #[config(default = 0.8)]
    pub edge_threshold: f64,
    /// Which of these pixels are kept.
    #[config(default = "PixelMining::official(5_000)")]
    pub mining: PixelMining,
    /// Among which pixels the hard ones are looked for.
    #[config(default = "EdgeScope::WithinEdges")]
    pub scope: EdgeScope,
    /// How much each class counts; none: all the same, as in the authors' code. The mean is taken by weight; mining looks at
    /// the plain cross entropy.
    #[config(default = "None")]
    pub class_weights: Option<ClassWeights>,
}

/// Cross entropy of the final map on the hard pixels of predicted edges.
///
/// ```text
/// paper, eq. 5:   1/K * sum_p [ s(p) is among the K hardest  and  sigmoid(b(p)) > t_b ] * -log softmax(x)_y
/// official:       OHEM cross entropy (PixelMining::Threshold) over pixels with sigmoid(b(p)) > t_b
/// ```
///
/// `b` are the edge logits; they only choose pixels and get no gradient. Without a pixel to choose the loss is 0 with
/// a zero gradient; the official code gives NaN there on PyTorch 1.5 and later.
///
/// Source: eq. 5 of the paper with `K = 0.1 * height * width`, `t_b = 0.8`; `edge_attention` in the authors' code.
/// Built by [`EdgeAttentionLossConfig`].
#[doc(alias = "edge_attention")]
#[derive(Clone, Debug)]
pub struct EdgeAttentionLoss {
    config: EdgeAttentionLossConfig,
}

impl EdgeAttentionLossConfig {
    /// The loss of the paper: the hardest tenth of each image, where it lies on a predicted edge.
    pub fn paper() -> Self {
        Self::new()
            .with_mining(PixelMining::Hardest { fraction: 0.1 })
            .with_scope(EdgeScope::WholeImage)
    }

    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// Panics if the threshold is not between 0 and 1, on shares outside `0..=1`, and on negative class weights.
    pub fn init(&self) -> EdgeAttentionLoss {
        required(self.validate());
        EdgeAttentionLoss {
            config: self.clone(),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), LossConfigError> {
        let value = self.edge_threshold;
        if !(value > 0.0 && value < 1.0) {
            return Err(LossConfigError::EdgeThreshold { value });
        }
        self.class_weights
            .as_ref()
            .map_or(Ok(()), ClassWeights::validate)?;
        self.mining.validate()
    }
}

impl EdgeAttentionLoss {
    /// The loss of a batch.
    ///
    /// # Shapes
    ///
    /// - `logits`: `[batch, num_classes, height, width]`, of the final map
    /// - `edge_logits`: `[batch, 1, height, width]`
    /// - `labels`: `[batch, height, width]`, a class; any other value is ignored
    /// - returned: `[1]`
    ///
    /// # Panics
    ///
    /// Panics if the sizes differ, if there is more than one channel of edge logits, or if there is not one fixed class
    /// weight for each class.
    pub fn forward(
        &self,
        logits: Tensor<4>,
        edge_logits: Tensor<4>,
        labels: Tensor<3, Int>,
    ) -> Tensor<1> {
        self.of_pixels(&PixelLosses::new(logits, labels), edge_logits)
    }

    pub(crate) fn of_pixels(&self, pixels: &PixelLosses, edge_logits: Tensor<4>) -> Tensor<1> {
        let [batch, height, width] = pixels.nll.dims();
        assert_shape!(edge_logits, [batch, 1, height, width]);
        let threshold = self.config.edge_threshold;
        // sigmoid(b) > t as b > log(t / (1 - t)).
        let limit = (threshold / (1.0 - threshold)).ln();
        let on_edge = edge_logits.inner().squeeze_dim::<3>(1).greater_elem(limit);
        let (mining, nll) = (&self.config.mining, &pixels.nll);
        let weights = self.config.class_weights.as_ref();
        let weights = weights.and_then(|weights| pixels.weights(weights));
        let selection = match self.config.scope {
            EdgeScope::WithinEdges => {
                let candidates = pixels.valid.clone().bool_and(on_edge);
                if weights.is_none() {
                    return mining.mean(nll, candidates);
                }
                mining.select(nll, candidates)
            }
            EdgeScope::WholeImage => mining.select(nll, pixels.valid.clone()).within(on_edge),
        };
        let losses = match &weights {
            Some(weights) => nll.clone() * weights.clone(),
            None => nll.clone(),
        };
        selection.mean(losses, weights)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::OhemCrossEntropyLossConfig;

    /// Weighted, it is the weighted cross entropy of the pixels on edges; the others are taken out of the labels.
    #[test]
    fn class_weights_are_those_of_the_cross_entropy() {
        let device = Device::default();
        let values = (0..36)
            .map(|n| ((7 * n) % 23) as f32 * 0.25 - 2.75)
            .collect();
        let logits = Tensor::<4>::from_data(TensorData::new(values, [2, 3, 2, 3]), &device);
        let edges = [
            [[[3.0, -3.0, 3.0], [3.0, 3.0, -3.0]]],
            [[[-3.0, 3.0, 3.0], [3.0, 3.0, 3.0]]],
        ];
        let labels = [[[0, 1, 255], [2, 2, 0]], [[1, 1, 0], [255, 2, 2]]];
        let on_edges = [[[0, 255, 255], [2, 2, 255]], [[255, 1, 0], [255, 2, 2]]];
        let weights = ClassWeights::Fixed(vec![0.5, 1.0, 2.5]);

        let attention = EdgeAttentionLossConfig::new()
            .with_mining(PixelMining::Off)
            .with_class_weights(Some(weights.clone()))
            .init();
        let found = attention.forward(
            logits.clone(),
            Tensor::from_data(edges, &device),
            Tensor::from_data(labels, &device),
        );
        let cross_entropy = OhemCrossEntropyLossConfig::without_mining()
            .with_class_weights(weights)
            .init();
        let expected = cross_entropy.forward(logits, Tensor::from_data(on_edges, &device));
        let [found, expected] = [found, expected].map(|loss| loss.into_scalar::<f32>());
        assert!((found - expected).abs() < 1e-6, "{found}, {expected}");
    }
}
