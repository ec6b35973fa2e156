use burn::tensor::{IndexingUpdateOp, Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::LossConfigError;
use crate::error::{factor, required};
use crate::pixel_losses::PixelLosses;

/// Configuration of a [`LovaszLoss`]; [`init`](LovaszLossConfig::init) builds it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LovaszLossConfig {
    /// Factor beside the cross entropy, in a [`DecoupledLoss`](crate::DecoupledLoss).
    pub weight: f64,
}

impl Default for LovaszLossConfig {
    fn default() -> Self {
        Self { weight: 1.0 }
    }
}

/// Lovász-Softmax: what is minimised is the intersection over union itself, made continuous.
///
/// ```text
/// e   = |Y_c - softmax(logits)_c| of every labelled pixel of the batch, sorted from the largest
/// J_k = 1 - |Y_c without the first k pixels| / |Y_c and the first k pixels|,   J_0 = 0
/// loss = mean over the classes c that the labels have of sum_k e_k * (J_k - J_(k-1))
/// ```
///
/// Source: Berman et al., CVPR 2018, [arXiv:1705.08790](https://arxiv.org/abs/1705.08790), algorithm 1. The pixels of the
/// batch are sorted once a class, which Burn 0.22 does on the host where the device is a GPU. Built by
/// [`LovaszLossConfig`].
#[derive(Clone, Copy, Debug)]
pub struct LovaszLoss;

impl LovaszLossConfig {
    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// Panics on a factor below 0.
    pub fn init(&self) -> LovaszLoss {
        required(self.validate());
        LovaszLoss
    }

    pub(crate) fn validate(&self) -> Result<(), LossConfigError> {
        factor("lovasz.weight", self.weight)
    }

    /// The loss over pixels whose labels are known.
    pub(crate) fn of_pixels(pixels: &PixelLosses) -> Tensor<1> {
        let truth = pixels.class_masks();
        // 0 at pixels without a label: they come last, and their errors of 0 add nothing.
        let errors = (truth.clone() - pixels.class_probs()).abs();
        let [batch, num_classes, height, width] = truth.dims();
        let row = |maps: &Tensor<4>, class: usize| {
            let map = maps.clone().narrow(1, class, 1);
            map.reshape([batch * height * width])
        };
        let mut sum: Option<Tensor<1>> = None;
        let mut classes: Option<Tensor<1>> = None;
        for class in 0..num_classes {
            let truth = row(&truth, class);
            let errors = row(&errors, class);
            let slopes = slopes(errors.clone().inner(), truth.clone());
            let seen = truth.sum().greater_elem(0.0).float();
            let loss = (errors * slopes).sum() * seen.clone();
            sum = Some(add(sum, loss));
            classes = Some(add(classes, seen));
        }
        let (sum, classes) = sum.zip(classes).expect("there is a class");
        sum / classes.clamp_min(1.0)
    }
}

fn add(sum: Option<Tensor<1>>, term: Tensor<1>) -> Tensor<1> {
    match sum {
        Some(sum) => sum + term,
        None => term,
    }
}

/// What each error counts: the step of the Jaccard loss at its place in the order, given back in the order of the pixels.
fn slopes(errors: Tensor<1>, truth: Tensor<1>) -> Tensor<1> {
    let order: Tensor<1, Int> = errors.argsort_descending(0);
    let sorted = truth.clone().gather(0, order.clone());
    let total = truth.sum();
    // Sums of ones: exact in f32 up to 16 million pixels.
    let left = total.clone() - sorted.clone().cumsum(0);
    let union = total + (sorted.neg() + 1.0).cumsum(0);
    let jaccard = (left / union).neg() + 1.0;
    let [pixels] = jaccard.dims();
    let first = Tensor::zeros([1], &jaccard.device());
    let before = Tensor::cat(vec![first, jaccard.clone().narrow(0, 0, pixels - 1)], 0);
    let steps = jaccard - before;
    Tensor::zeros([pixels], &steps.device()).scatter(0, order, steps, IndexingUpdateOp::Add)
}

impl LovaszLoss {
    /// The loss of a batch, without the [factor](LovaszLossConfig::weight).
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
        LovaszLossConfig::of_pixels(&PixelLosses::new(logits, labels))
    }
}
