use burn::config::Config;
use burn::tensor::{Int, Tensor};

use crate::check::{ensure, required};
use crate::cross_entropy::PixelLosses;
use crate::{ClassWeights, IGNORE_INDEX, PixelMining};

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
    /// Label of pixels that take no part.
    #[config(default = "IGNORE_INDEX")]
    pub ignore_index: i64,
}

/// Cross entropy over the hard pixels of a segmentation map, by [`PixelMining`].
///
/// Source: `L_final` of the authors' code (the paper's eq. 3 has a plain cross entropy there); the pixel count of
/// eq. 5 as [`PixelMining::Hardest`]. Formula of a pixel as in
/// [`SegmentationCrossEntropyLoss`](crate::SegmentationCrossEntropyLoss). Built by [`OhemCrossEntropyLossConfig`].
#[doc(alias = "OhemCrossEntropy2dTensor")]
#[derive(Clone, Debug)]
pub struct OhemCrossEntropyLoss {
    config: OhemCrossEntropyLossConfig,
}

impl OhemCrossEntropyLossConfig {
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

    pub(crate) fn validate(&self) -> Result<(), String> {
        self.mining.validate()?;
        self.class_weights.validate()?;
        let smoothing = self.label_smoothing;
        ensure((0.0..=1.0).contains(&smoothing), || {
            format!("label_smoothing must be in 0..=1, got {smoothing}")
        })
    }
}

impl OhemCrossEntropyLoss {
    /// The loss of a batch.
    ///
    /// # Shapes
    ///
    /// - `logits`: `[batch, num_classes, height, width]`
    /// - `labels`: `[batch, height, width]`, a class or the ignore index (any other value is ignored as well)
    /// - returned: `[1]`; 0 with a zero gradient if no pixel has a label
    ///
    /// # Panics
    ///
    /// Panics if the sizes differ, or if there is not one fixed class weight for each class.
    pub fn forward(&self, logits: Tensor<4>, labels: Tensor<3, Int>) -> Tensor<1> {
        PixelLosses::new(logits, labels, self.config.ignore_index).mined(&self.config)
    }
}
