use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{factor, required};
use crate::pixel_losses::PixelLosses;
use crate::{
    DualityLoss, DualityLossConfig, EdgeAttentionLoss, EdgeAttentionLossConfig, EdgeLoss,
    EdgeLossConfig, LossConfigError, PixelMining,
};

/// The terms of a network with a shape stream beside its segmentation term, in a
/// [`DecoupledLossConfig`](crate::DecoupledLossConfig).
///
/// ```text
/// L = l1 * L_bce + L_seg + l3 * L_reg-> + l4 * L_reg<-                 eq. 3 and 7 of GSCNN
/// ```
///
/// | term | loss | what |
/// |---|---|---|
/// | edge | `L_bce` | balanced binary cross entropy of the borders |
/// | duality | `L_reg->`, eq. 5 | [`DualityLoss`]: borders of the final map beside those of the labels |
/// | attention | `L_reg<-`, eq. 6 | mean cross entropy of the final map where the predicted border is above a threshold |
///
/// The segmentation term is that of the other networks, `l2` its factor, so that twins differ in the shape stream alone; GSCNN
/// takes the plain mean. Source: Takikawa et al., ICCV 2019, [arXiv:1907.05740](https://arxiv.org/abs/1907.05740), section
/// 3.3 and its factors 20, 1, 1, 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatedLossConfig {
    /// Factor of the edge term, `lambda_1`.
    pub edge_weight: f64,
    /// Edge probability above which a pixel is on a border, for the attention term; in `0..1`.
    pub edge_threshold: f64,
    /// Factor of the attention term, `lambda_4`.
    pub attention_weight: f64,
    /// The duality term and its factor.
    pub duality: DualityLossConfig,
}

impl Default for GatedLossConfig {
    fn default() -> Self {
        Self {
            edge_weight: 20.0,
            edge_threshold: 0.8,
            attention_weight: 1.0,
            duality: DualityLossConfig::default(),
        }
    }
}

/// The losses of a [`GatedLossConfig`].
#[derive(Clone, Debug)]
pub(crate) struct GatedLoss {
    edge: EdgeLoss,
    attention: EdgeAttentionLoss,
    duality: DualityLoss,
    config: GatedLossConfig,
}

/// Terms with their factors.
pub(crate) struct GatedTerms {
    pub edge: Tensor<1>,
    pub attention: Tensor<1>,
    pub duality: Tensor<1>,
}

impl GatedLossConfig {
    pub(crate) fn init(&self) -> GatedLoss {
        required(self.validate());
        GatedLoss {
            edge: EdgeLossConfig::new().init(),
            attention: self.attention().init(),
            duality: self.duality.init(),
            config: self.clone(),
        }
    }

    fn attention(&self) -> EdgeAttentionLossConfig {
        EdgeAttentionLossConfig::new()
            .with_edge_threshold(self.edge_threshold)
            .with_mining(PixelMining::Off)
    }

    pub(crate) fn validate(&self) -> Result<(), LossConfigError> {
        factor("gated.edge_weight", self.edge_weight)?;
        factor("gated.attention_weight", self.attention_weight)?;
        self.attention().validate()?;
        self.duality.validate()
    }
}

impl GatedLoss {
    pub fn forward(
        &self,
        pixels: &PixelLosses,
        boundary_logits: Tensor<4>,
        edge_labels: Tensor<3, Int>,
    ) -> GatedTerms {
        let attention = self.attention.of_pixels(pixels, boundary_logits.clone());
        GatedTerms {
            edge: self.edge.forward(boundary_logits, edge_labels) * self.config.edge_weight,
            attention: attention * self.config.attention_weight,
            duality: self.duality.of_pixels(pixels) * self.config.duality.weight,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};
    use decoupled_seg_nn::SegmentationOutput;

    use super::*;
    use crate::{DecoupledLossConfig, LossTerm, Targets, TargetsOptions};

    #[test]
    fn a_network_with_a_shape_stream_has_its_terms() {
        let device = Device::default();
        let random = |channels| {
            let shape = [2, channels, 9, 10];
            Tensor::<4>::random(shape, Distribution::Uniform(-3.0, 3.0), &device)
        };
        let labels = Tensor::<1, Int>::arange(0..10, &device).div_scalar(4);
        let labels = labels.reshape([1, 1, 10]).expand([2, 9, 10]);
        let targets = Targets::from_labels(labels.clone(), 3, &TargetsOptions::paper());
        let (logits, boundary) = (random(3), random(1));
        let output = SegmentationOutput::plain(logits.clone()).with_boundary(boundary.clone());

        let config = GatedLossConfig {
            edge_weight: 3.0,
            attention_weight: 0.5,
            duality: DualityLossConfig {
                weight: 2.0,
                gumbel: false,
                ..DualityLossConfig::default()
            },
            ..GatedLossConfig::default()
        };
        let whole = DecoupledLossConfig::new().with_gated(Some(config.clone()));
        let terms = whole.init().forward(&output, &targets);

        let names: Vec<LossTerm> = terms.iter().map(|(term, _)| term).collect();
        let expected = [
            LossTerm::Total,
            LossTerm::Segmentation,
            LossTerm::Edge,
            LossTerm::Attention,
            LossTerm::Duality,
        ];
        assert_eq!(names, expected);
        let values = terms.map(|term| term.into_scalar::<f32>());
        let duality = config
            .duality
            .init()
            .forward(logits.clone(), labels.clone());
        assert_eq!(values.duality, Some(2.0 * duality.into_scalar::<f32>()));
        let edges = targets.supervision.expect("all targets").edge_labels;
        let edge = EdgeLossConfig::new().init().forward(boundary, edges);
        assert_eq!(values.edge, Some(3.0 * edge.into_scalar::<f32>()));
        let parts: f32 = values.iter().skip(1).map(|(_, value)| value).sum();
        assert!((values.total - parts).abs() < 1e-5);
    }

    #[test]
    fn recipes_name_what_differs() {
        let config: GatedLossConfig =
            serde_json::from_str(r#"{"duality": {"weight": 0.0}}"#).expect("known keys");
        assert_eq!(config.edge_weight, 20.0);
        assert_eq!(
            (config.duality.weight, config.duality.temperature),
            (0.0, 1.0)
        );
    }

    #[test]
    #[should_panic(expected = "gated.edge_weight must be finite and not below 0, got -1")]
    fn a_factor_below_zero_is_refused() {
        let gated = GatedLossConfig {
            edge_weight: -1.0,
            ..GatedLossConfig::default()
        };
        DecoupledLossConfig::new().with_gated(Some(gated)).init();
    }
}
