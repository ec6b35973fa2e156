use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Int, Tensor, assert_shape};

use crate::PixelMining;
use crate::class_weights::{ClassCounts, ClassWeights};
use crate::label_sets::is_class;
use crate::mining::Selection;
use crate::ops::label_nll;
use crate::tensors::{in_f32, plain};

/// Cross entropies of all pixels, which the segmentation and the attention term share.
pub(crate) struct PixelLosses {
    logits: Tensor<4>,
    /// The labels, with class 0 where there is none.
    classes: Tensor<3, Int>,
    /// Pixels with a label.
    pub valid: Tensor<3, Bool>,
    /// `-log softmax(logits)_label`, of class 0 where there is no label.
    pub nll: Tensor<3>,
}

impl PixelLosses {
    pub fn new(logits: Tensor<4>, labels: Tensor<3, Int>) -> Self {
        let [batch, num_classes, height, width] = logits.dims();
        assert_shape!(labels, [batch, height, width]);
        let logits = in_f32(logits);
        let labels = plain(labels);
        let valid = is_class(&labels, num_classes);
        let classes = labels.mask_fill(valid.clone().bool_not(), 0);
        let nll = label_nll(logits.clone(), classes.clone());
        Self {
            logits,
            classes,
            valid,
            nll,
        }
    }

    /// The loss over the pixels that `mining` keeps.
    pub fn mined(
        &self,
        mining: &PixelMining,
        class_weights: &ClassWeights,
        smoothing: f64,
    ) -> Tensor<1> {
        let weights = self.class_weights(class_weights);
        if weights.is_none() && smoothing <= 0.0 {
            return mining.mean(&self.nll, self.valid.clone());
        }
        let selection = mining.select(&self.nll, self.valid.clone());
        let mut losses = self.nll.clone();
        if smoothing > 0.0 {
            losses = losses * (1.0 - smoothing);
        }
        let pixel_weights = weights.clone().map(|weights| self.at_labels(weights));
        if let Some(weights) = &pixel_weights {
            losses = losses * weights.clone();
        }
        if smoothing > 0.0 {
            let [_, num_classes, _, _] = self.logits.dims();
            losses = losses + self.of_all_classes(weights) * (smoothing / num_classes as f64);
        }
        selection.mean(losses, pixel_weights)
    }

    /// The mean over all labelled pixels, by the weight of their classes, of what `change` makes of their cross entropies.
    pub fn weighted_mean(
        &self,
        class_weights: &ClassWeights,
        change: impl FnOnce(Tensor<3>) -> Tensor<3>,
    ) -> Tensor<1> {
        let weights = self.weights(class_weights);
        // Filled first, so that NaN at a pixel without a label stays out of what `change` does.
        let nll = self
            .nll
            .clone()
            .mask_fill(self.valid.clone().bool_not(), 0.0);
        let mut losses = change(nll);
        if let Some(weights) = &weights {
            losses = losses * weights.clone();
        }
        Selection::all(self.valid.clone()).mean(losses, weights)
    }

    /// The logits, 0 where there is no label.
    pub fn known_logits(&self) -> Tensor<4> {
        self.logits.clone().mask_fill(self.without_label(), 0.0)
    }

    /// The probability of every class, `[batch, num_classes, height, width]`; 0 where there is no label.
    pub fn class_probs(&self) -> Tensor<4> {
        softmax(self.known_logits(), 1).mask_fill(self.without_label(), 0.0)
    }

    /// 1 at the pixels of every class, `[batch, num_classes, height, width]`; 0 elsewhere and where there is no label.
    pub fn class_masks(&self) -> Tensor<4> {
        let [_, num_classes, _, _] = self.logits.dims();
        let device = self.classes.device();
        let classes = Tensor::<1, Int>::arange(0..num_classes as i64, &device);
        let masks = self
            .classes
            .clone()
            .unsqueeze_dim::<4>(1)
            .expand(self.logits.dims())
            .equal(
                classes
                    .reshape([1, num_classes, 1, 1])
                    .expand(self.logits.dims()),
            );
        masks.float().mask_fill(self.without_label(), 0.0)
    }

    /// `[batch, num_classes, height, width]`.
    fn without_label(&self) -> Tensor<4, Bool> {
        let none = self.valid.clone().bool_not();
        none.unsqueeze_dim::<4>(1).expand(self.logits.dims())
    }

    /// `sum_c w_c * -log softmax(logits)_c` of every pixel.
    fn of_all_classes(&self, weights: Option<Tensor<2>>) -> Tensor<3> {
        // -log softmax_c = log sum exp - x_c, and log sum exp = nll + x_label
        let at_label = self
            .logits
            .clone()
            .gather(1, self.classes.clone().unsqueeze_dim(1));
        let log_sum_exp = self.nll.clone().unsqueeze_dim(1) + at_label;
        let each = log_sum_exp - self.logits.clone();
        let weighted = match weights {
            Some(weights) => {
                let [batch, num_classes] = weights.dims();
                each * weights.reshape([batch, num_classes, 1, 1])
            }
            None => each,
        };
        weighted.sum_dim(1).squeeze_dim(1)
    }

    /// The weight of every pixel's class, `[batch, height, width]`; `None` if all are 1.
    pub fn weights(&self, class_weights: &ClassWeights) -> Option<Tensor<3>> {
        let weights = self.class_weights(class_weights);
        weights.map(|weights| self.at_labels(weights))
    }

    fn class_weights(&self, weights: &ClassWeights) -> Option<Tensor<2>> {
        let [batch, num_classes, _, _] = self.logits.dims();
        weights.of_batch([batch, num_classes], &self.classes.device(), || {
            let none = self.valid.clone().bool_not();
            let classes = self.classes.clone().mask_fill(none, -1);
            let count =
                |pixels: Tensor<3, Bool>| pixels.int().reshape([batch as i64, -1]).sum_dim(1);
            let by_class = (0..num_classes as i64)
                .map(|class| count(classes.clone().equal_elem(class)))
                .collect();
            ClassCounts {
                by_class: Tensor::cat(by_class, 1),
                all: count(self.valid.clone()),
            }
        })
    }

    /// The weight of every pixel's label, from `[batch, num_classes]`.
    fn at_labels(&self, weights: Tensor<2>) -> Tensor<3> {
        let [batch, height, width] = self.classes.dims();
        weights
            .gather(1, self.classes.clone().reshape([batch, height * width]))
            .reshape([batch, height, width])
    }
}
