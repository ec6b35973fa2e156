use burn::tensor::{Int, Tensor};
use decoupled_seg_losses::{
    AuxiliaryLoss, DecoupledLoss, DecoupledLossConfig, IGNORE_INDEX, LabelSource,
    OhemCrossEntropyLoss, RelaxedLabels, Targets, TargetsConfig,
};
use decoupled_seg_nn::SegmentationOutput;

use super::losses::LossTerms;

/// The loss of any network: all four terms where it predicts body and edge, cross-entropy of the segmentation alone
/// where it does not, an auxiliary head's where it has one.
#[derive(Debug, Clone)]
pub(crate) struct Criterion {
    decoupled: DecoupledLoss,
    segmentation: OhemCrossEntropyLoss,
    auxiliary: AuxiliaryLoss,
    config: DecoupledLossConfig,
    targets: TargetsConfig,
}

/// What a batch is trained towards.
#[expect(clippy::large_enum_variant, reason = "one per batch")]
pub(crate) enum BatchTargets {
    /// Labels `[batch, height, width]`; what else is needed is made from them.
    Labels(Tensor<3, Int>),
    /// All of it, made by the loader.
    All(Targets),
}

impl Criterion {
    pub fn new(config: &DecoupledLossConfig, targets: TargetsConfig) -> Self {
        Self {
            decoupled: config.init(),
            segmentation: config.segmentation.init(),
            auxiliary: config.auxiliary.init(),
            config: config.clone(),
            targets,
        }
    }

    pub fn forward(&self, output: SegmentationOutput, targets: BatchTargets) -> LossTerms {
        match output.supervision {
            Some(supervision) => {
                let targets = match targets {
                    BatchTargets::Labels(labels) => Targets::from_labels(labels, &self.targets),
                    BatchTargets::All(targets) => targets,
                };
                let (body, edge) = (supervision.body_logits, supervision.edge_logits);
                let losses = match output.aux_logits {
                    None => self.decoupled.forward(output.logits, body, edge, &targets),
                    Some(aux) => self.decoupled.forward_with_auxiliary(
                        output.logits,
                        body,
                        edge,
                        aux,
                        &targets,
                    ),
                };
                LossTerms {
                    total: losses.total,
                    segmentation: Some(losses.segmentation),
                    body: Some(losses.body),
                    edge: Some(losses.edge),
                    attention: Some(losses.attention),
                    auxiliary: losses.auxiliary,
                }
            }
            None => {
                let labels = self.labels(targets);
                let segmentation = self.segmentation.forward(output.logits, labels.clone())
                    * self.config.segmentation_weight;
                let auxiliary = output
                    .aux_logits
                    .map(|logits| self.auxiliary.forward(logits, labels));
                let total = match &auxiliary {
                    Some(auxiliary) => segmentation.clone() + auxiliary.clone(),
                    None => segmentation.clone(),
                };
                LossTerms {
                    total,
                    segmentation: Some(segmentation),
                    body: None,
                    edge: None,
                    attention: None,
                    auxiliary,
                }
            }
        }
    }

    /// The labels of the segmentation term, for networks without body and edge.
    fn labels(&self, targets: BatchTargets) -> Tensor<3, Int> {
        match (targets, self.config.label_source) {
            (BatchTargets::Labels(labels), LabelSource::Labels) => labels,
            (BatchTargets::Labels(labels), LabelSource::Relaxed) => {
                RelaxedLabels::from_labels(labels, &self.targets.relaxation())
                    .recovered_labels(IGNORE_INDEX)
            }
            (BatchTargets::All(targets), LabelSource::Labels) => targets.labels,
            (BatchTargets::All(targets), LabelSource::Relaxed) => {
                targets.relaxed.recovered_labels(targets.ignore_index)
            }
        }
    }
}
