use burn::tensor::{Int, Tensor};
use decoupled_seg_losses::{DecoupledLoss, LossTerms, Targets, TargetsOptions};
use decoupled_seg_nn::SegmentationOutput;

use crate::recipe::Recipe;

/// The loss of any network, and the targets that it asks for.
#[derive(Debug, Clone)]
pub(crate) struct Criterion {
    loss: DecoupledLoss,
    targets: TargetsOptions,
    num_classes: usize,
}

impl Criterion {
    /// The loss of `recipe`, for a network of `num_classes` classes.
    pub fn new(recipe: &Recipe, num_classes: usize) -> Self {
        Self {
            loss: recipe.loss.init(),
            targets: recipe.targets.clone(),
            num_classes,
        }
    }

    /// The losses of a batch with labels `[batch, height, width]`.
    pub fn forward(&self, output: &SegmentationOutput, labels: Tensor<3, Int>) -> LossTerms {
        let edges = output.supervision.is_some() || output.boundary_logits.is_some();
        let targets = match edges {
            true => Targets::from_labels(labels, self.num_classes, &self.targets),
            false => Targets::plain(labels),
        };
        self.loss.forward(output, &targets)
    }
}
