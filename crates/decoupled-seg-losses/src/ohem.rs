use burn::config::Config;
use burn::tensor::{Int, Tensor};

use crate::error::{required, share};
use crate::pixel_losses::PixelLosses;
use crate::{ClassWeights, LossConfigError, PixelMining};

/// Configuration of an [`OhemCrossEntropyLoss`]; [`init`](OhemCrossEntropyLossConfig::init) builds it.
#[derive(Config, Debug, PartialEq)]
pub struct OhemCrossEntropyLossConfig {
    /// Which pixels are kept.
    #[config(default = "PixelMining::official(10_000)")]
    pub mining: PixelMining,
    /// How much each class counts. The mean is taken by weight, as PyTorch does it.
    #[config(default = "ClassWeights::Uniform")]
    pub class_weights: ClassWeights,
    /// Share of the target that is spread over all classes, in `0..=1`. Mining looks at the plain cross entropy.
    #[config(default = 0.0)]
    pub label_smoothing: f64,
}

/// Cross entropy of a segmentation map: the mean over the pixels that [`PixelMining`] keeps.
///
/// ```text
/// loss = sum_p [ (1 - s) * w_y * -log softmax(x)_y + s/C * sum_c w_c * -log softmax(x)_c ] / sum_p w_y
/// ```
///
/// over the pixels `p` that are kept, of those whose label `y` is a class; `s` is the label smoothing, `w` the class
/// weights. Without mining this is what `torch.nn.CrossEntropyLoss` computes, except that a batch without a labelled
/// pixel gives 0 with a zero gradient.
///
/// Source: `L_final` of eq. 3 in the paper, a plain cross entropy
/// ([`without_mining`](OhemCrossEntropyLossConfig::without_mining)); `OhemCrossEntropy2dTensor` in the authors' code; the
/// pixel count of eq. 5 as [`PixelMining::Hardest`]. Built by [`OhemCrossEntropyLossConfig`].
#[doc(alias = "OhemCrossEntropy2dTensor")]
#[derive(Clone, Debug)]
pub struct OhemCrossEntropyLoss {
    config: OhemCrossEntropyLossConfig,
}

impl OhemCrossEntropyLossConfig {
    /// Plain cross entropy, the mean over all labelled pixels: `L_final` of eq. 3 in the paper.
    #[doc(alias = "SegmentationCrossEntropyLoss")]
    #[doc(alias = "CrossEntropyLoss")]
    pub fn without_mining() -> Self {
        Self::new().with_mining(PixelMining::Off)
    }

    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// Panics on a probability, fraction or label smoothing outside `0..=1`, and on negative class weights.
    pub fn init(&self) -> OhemCrossEntropyLoss {
        required(self.validate());
        OhemCrossEntropyLoss {
            config: self.clone(),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), LossConfigError> {
        self.mining.validate()?;
        self.class_weights.validate()?;
        share("label_smoothing", self.label_smoothing)
    }

    /// The loss over pixels whose cross entropies are known.
    pub(crate) fn of_pixels(&self, pixels: &PixelLosses) -> Tensor<1> {
        pixels.mined(&self.mining, &self.class_weights, self.label_smoothing)
    }
}

impl OhemCrossEntropyLoss {
    /// The loss of a batch.
    ///
    /// # Shapes
    ///
    /// - `logits`: `[batch, num_classes, height, width]`
    /// - `labels`: `[batch, height, width]`, a class; any other value is ignored
    /// - returned: `[1]`; 0 with a zero gradient if no pixel has a label
    ///
    /// # Panics
    ///
    /// Panics if the sizes differ, or if there is not one fixed class weight for each class.
    pub fn forward(&self, logits: Tensor<4>, labels: Tensor<3, Int>) -> Tensor<1> {
        self.config.of_pixels(&PixelLosses::new(logits, labels))
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
        let config = OhemCrossEntropyLossConfig::without_mining()
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
        let config = OhemCrossEntropyLossConfig::without_mining().with_class_weights(weights);
        let loss = config
            .init()
            .forward(logits(), labels())
            .into_scalar::<f32>();
        assert!((loss - golden).abs() < 2e-6, "{loss}, golden {golden}");
    }

    #[test]
    #[should_panic(expected = "label_smoothing must be in 0..=1, got 10")]
    fn smoothing_is_a_share() {
        OhemCrossEntropyLossConfig::without_mining()
            .with_label_smoothing(10.0)
            .init();
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 2, got 3")]
    fn labels_have_the_size_of_the_logits() {
        let labels = Tensor::zeros([2, 3, 3], &Device::default());
        OhemCrossEntropyLossConfig::without_mining()
            .init()
            .forward(logits(), labels);
    }
}
