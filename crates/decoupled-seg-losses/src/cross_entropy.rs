use burn::config::Config;
use burn::tensor::{Bool, Int, Tensor, assert_shape};

use crate::check::required;
use crate::class_weights::{ClassCounts, ClassWeights};
use crate::label_sets::is_class;
use crate::ops::{in_f32, label_nll, plain};
use crate::{IGNORE_INDEX, OhemCrossEntropyLossConfig, PixelMining};

/// Configuration of a [`SegmentationCrossEntropyLoss`]; [`init`](SegmentationCrossEntropyLossConfig::init) builds it.
#[derive(Config, Debug, PartialEq)]
pub struct SegmentationCrossEntropyLossConfig {
    /// How much each class counts. The mean is taken by weight, as PyTorch does it.
    #[config(default = "ClassWeights::Uniform")]
    pub class_weights: ClassWeights,
    /// Share of the target that is spread over all classes, in `0..=1`.
    #[config(default = 0.0)]
    pub label_smoothing: f64,
    /// Label of pixels that take no part.
    #[config(default = "IGNORE_INDEX")]
    pub ignore_index: i64,
}

/// Cross entropy of segmentation maps: the mean over labelled pixels.
///
/// ```text
/// loss = sum_p [ (1 - s) * w_y * -log softmax(x)_y + s/C * sum_c w_c * -log softmax(x)_c ] / sum_p w_y
/// ```
///
/// over the pixels `p` whose label `y` is a class; `s` is the label smoothing, `w` the class weights. This is what
/// `torch.nn.CrossEntropyLoss` computes, except that a batch without a labelled pixel gives 0 with a zero gradient.
/// `L_final` of eq. 3 in the paper. Built by [`SegmentationCrossEntropyLossConfig`].
#[derive(Clone, Debug)]
pub struct SegmentationCrossEntropyLoss {
    config: OhemCrossEntropyLossConfig,
}

impl SegmentationCrossEntropyLossConfig {
    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// Panics on a label smoothing outside `0..=1` and on negative class weights.
    pub fn init(&self) -> SegmentationCrossEntropyLoss {
        let config = OhemCrossEntropyLossConfig::new()
            .with_mining(PixelMining::Off)
            .with_class_weights(self.class_weights.clone())
            .with_label_smoothing(self.label_smoothing)
            .with_ignore_index(self.ignore_index);
        required(config.validate());
        SegmentationCrossEntropyLoss { config }
    }
}

impl SegmentationCrossEntropyLoss {
    /// The loss of a batch.
    ///
    /// # Shapes
    ///
    /// - `logits`: `[batch, num_classes, height, width]`
    /// - `labels`: `[batch, height, width]`, a class or the ignore index (any other value is ignored as well)
    /// - returned: `[1]`
    ///
    /// # Panics
    ///
    /// Panics if the sizes differ, or if there is not one fixed class weight for each class.
    pub fn forward(&self, logits: Tensor<4>, labels: Tensor<3, Int>) -> Tensor<1> {
        PixelLosses::new(logits, labels, self.config.ignore_index).mined(&self.config)
    }
}

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
    pub fn new(logits: Tensor<4>, labels: Tensor<3, Int>, ignore_index: i64) -> Self {
        let [batch, num_classes, height, width] = logits.dims();
        assert_shape!(labels, [batch, height, width]);
        let logits = in_f32(logits);
        let labels = plain(labels);
        let valid =
            is_class(&labels, num_classes).bool_and(labels.clone().not_equal_elem(ignore_index));
        let classes = labels.mask_fill(valid.clone().bool_not(), 0);
        let nll = label_nll(logits.clone(), classes.clone());
        Self {
            logits,
            classes,
            valid,
            nll,
        }
    }

    /// The loss over the pixels that the configuration keeps.
    pub fn mined(&self, config: &OhemCrossEntropyLossConfig) -> Tensor<1> {
        let weights = self.class_weights(&config.class_weights);
        let selection = config.mining.select(&self.nll, self.valid.clone());
        let smoothing = config.label_smoothing;
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

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use rstest::rstest;

    use super::*;

    /// Element `n` is `((7n mod 23) - 11) / 4`.
    fn logits() -> Tensor<4> {
        let values: Vec<_> = (0..36).map(|n| ((7 * n) % 23 - 11) as f32 * 0.25).collect();
        Tensor::from_data(
            TensorData::new(values, [2, 3, 2, 3]),
            &Device::default().autodiff(),
        )
        .require_grad()
    }

    fn labels() -> Tensor<3, Int> {
        let labels = [[[0, 1, 255], [2, 2, 0]], [[1, 1, 0], [255, 2, 2]]];
        Tensor::from_data(labels, &Device::default())
    }

    /// `torch.nn.CrossEntropyLoss(weight, label_smoothing, ignore_index=255)` of PyTorch 2.15 in f64, and the gradient
    /// of the first pixel.
    #[rstest]
    #[case(ClassWeights::Uniform, 0.0, 2.4310055, [-0.0993715, 0.0726464, 0.0267251])]
    #[case(ClassWeights::Uniform, 0.1, 2.3826722, [-0.0927048, 0.0693130, 0.0233918])]
    #[case(ClassWeights::Fixed(vec![0.5, 1.0, 2.5]), 0.0, 1.9507826, [-0.0342660, 0.0250505, 0.0092156])]
    #[case(ClassWeights::Fixed(vec![0.5, 1.0, 2.5]), 0.1, 1.9168888, [-0.0319311, 0.0269267, 0.0050044])]
    fn equals_pytorch(
        #[case] weights: ClassWeights,
        #[case] smoothing: f64,
        #[case] golden: f32,
        #[case] gradient: [f32; 3],
    ) {
        let config = SegmentationCrossEntropyLossConfig::new()
            .with_class_weights(weights)
            .with_label_smoothing(smoothing);
        let logits = logits();
        let loss = config.init().forward(logits.clone(), labels());
        let gradients = loss.backward();
        let loss = loss.into_scalar::<f32>();
        assert!((loss - golden).abs() < 2e-6, "{loss}, golden {golden}");
        let found: Vec<f32> = logits
            .grad(&gradients)
            .expect("a gradient")
            .try_into_vec_as()
            .expect("floats");
        for (class, golden) in gradient.into_iter().enumerate() {
            assert!(
                (found[class * 6] - golden).abs() < 2e-7,
                "class {class}: {}, golden {golden}",
                found[class * 6]
            );
        }
    }

    /// The weights by hand: of the first image's labels, shares of 2/5, 1/5 and 2/5.
    #[rstest]
    #[case(ClassWeights::ImageHistogram { upper_bound: 0.5 }, 2.4688027)]
    #[case(ClassWeights::BatchHistogram { upper_bound: 0.5 }, 2.4443799)]
    fn weighs_by_histogram(#[case] weights: ClassWeights, #[case] golden: f32) {
        let config = SegmentationCrossEntropyLossConfig::new().with_class_weights(weights);
        let loss = config
            .init()
            .forward(logits(), labels())
            .into_scalar::<f32>();
        assert!((loss - golden).abs() < 2e-6, "{loss}, golden {golden}");
    }

    #[test]
    #[should_panic(expected = "label_smoothing must be in 0..=1, got 10")]
    fn smoothing_is_a_share() {
        SegmentationCrossEntropyLossConfig::new()
            .with_label_smoothing(10.0)
            .init();
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 2, got 3")]
    fn labels_have_the_size_of_the_logits() {
        let labels = Tensor::zeros([2, 3, 3], &Device::default());
        SegmentationCrossEntropyLossConfig::new()
            .init()
            .forward(logits(), labels);
    }
}
