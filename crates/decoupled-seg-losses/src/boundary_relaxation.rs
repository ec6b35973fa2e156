use burn::config::Config;
use burn::tensor::{Int, Tensor, assert_shape};
use serde::{Deserialize, Serialize};

use crate::class_weights::ClassCounts;
use crate::error::required;
use crate::ops::set_loss;
use crate::tensors::in_f32;
use crate::{ClassWeights, RelaxedLabels};

/// How much the pixels near a border between classes count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BorderWeights {
    /// As much as any other pixel: the class weights of a pixel's set are averaged.
    #[default]
    Uniform,
    /// The class weights of a set are summed and divided by the number of its classes, counted in this image: what the
    /// official code means. The same as [`Uniform`](Self::Uniform), except with
    /// [`border_off`](crate::TargetsOptions::border_off): the sum is then multiplied by that number.
    OwnImage,
    /// What the official code and PaddleSeg do: the factors of *all* images of the batch are added up for every
    /// image, so the loss of a batch grows with the square of its size.
    WholeBatch,
}

/// What the sum over pixels is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyReduction {
    /// The labelled pixels of the batch.
    #[default]
    MeanOverPixels,
    /// Each image by its labelled pixels and one more, and the images are added up, as in the official code.
    SumOverImages,
}

/// Configuration of a [`BoundaryRelaxationLoss`]; [`init`](BoundaryRelaxationLossConfig::init) builds it.
#[derive(Config, Debug, PartialEq)]
pub struct BoundaryRelaxationLossConfig {
    /// How much each class counts.
    #[config(default = "ClassWeights::Uniform")]
    pub class_weights: ClassWeights,
    /// How much the pixels near a border count.
    #[config(default = "BorderWeights::Uniform")]
    pub border_weights: BorderWeights,
    /// What the sum over pixels is divided by.
    #[config(default = "BodyReduction::MeanOverPixels")]
    pub reduction: BodyReduction,
}

/// The loss of the body, `L_body`: near a border any of the classes there will do.
///
/// ```text
/// l(p)  = -log sum_(c in S(p)) softmax(x)_c                        S(p): the classes in the window around p
/// default:   sum_p l(p) / #p                                       over pixels with a class in their window
/// official:  sum_images [ sum_p f(p) * (sum_(c in S) w_c) * l(p) / (#p + 1) ]
///            f(p) = 1/|S(p)| of this image, or summed over the batch; w_c: see ClassWeights::ImageHistogram
/// ```
///
/// Computed as a difference of two `log sum exp`, so it is finite for all finite logits; the official code has NaN
/// from differences of about 104 on. A batch without a labelled pixel gives 0 with a zero gradient.
///
/// Source: `L_body` of eq. 3 in the paper, after Zhu et al., CVPR 2019; `ImgWtLossSoftNLL` in the authors' code.
/// Built by [`BoundaryRelaxationLossConfig`].
#[doc(alias = "ImgWtLossSoftNLL")]
#[derive(Clone, Debug)]
pub struct BoundaryRelaxationLoss {
    config: BoundaryRelaxationLossConfig,
}

impl BoundaryRelaxationLossConfig {
    /// The loss of the authors' code, with its batch-squared border weights.
    pub fn official() -> Self {
        Self::new()
            .with_class_weights(ClassWeights::ImageHistogram { upper_bound: 1.0 })
            .with_border_weights(BorderWeights::WholeBatch)
            .with_reduction(BodyReduction::SumOverImages)
    }

    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// Panics on negative class weights.
    pub fn init(&self) -> BoundaryRelaxationLoss {
        required(self.class_weights.validate());
        BoundaryRelaxationLoss {
            config: self.clone(),
        }
    }
}

impl BoundaryRelaxationLoss {
    /// The loss of a batch.
    ///
    /// # Shapes
    ///
    /// - `body_logits`: `[batch, num_classes, height, width]`
    /// - `relaxed`: of `[batch, height, width]` labels
    /// - returned: `[1]`
    ///
    /// # Panics
    ///
    /// Panics if sizes or numbers of classes differ.
    pub fn forward(&self, body_logits: Tensor<4>, relaxed: &RelaxedLabels) -> Tensor<1> {
        let [batch, height, width] = relaxed.classes.dims();
        assert_shape!(
            body_logits,
            [batch, relaxed.classes.num_classes(), height, width]
        );
        let weights = self.pixel_weights(relaxed);
        let counted = || relaxed.classes.is_empty().bool_not().int();
        let weights = match self.config.reduction {
            BodyReduction::MeanOverPixels => weights.map(|weights| {
                let counted = counted().sum().clamp_min(1).float();
                weights / counted.reshape([1, 1, 1])
            }),
            BodyReduction::SumOverImages => {
                let counted = counted().reshape([batch, height * width]).sum_dim(1) + 1;
                let share = counted.float().recip().reshape([batch, 1, 1]);
                Some(match weights {
                    Some(weights) => weights * share,
                    None => share.expand([batch, height, width]),
                })
            }
        };
        set_loss(in_f32(body_logits), &relaxed.classes, weights)
    }

    /// What the loss of every pixel is multiplied by, `None` for 1.
    fn pixel_weights(&self, relaxed: &RelaxedLabels) -> Option<Tensor<3>> {
        let sets = &relaxed.classes;
        let [batch, _, _] = sets.dims();
        let size = [batch, sets.num_classes()];
        let class_weights = self
            .config
            .class_weights
            .of_batch(size, &sets.device(), || count_classes(relaxed));
        if class_weights.is_none() && self.config.border_weights == BorderWeights::Uniform {
            return None;
        }
        let sizes = sets.counts().clamp_min(1).float();
        let summed = match class_weights {
            None => sizes.clone(),
            Some(weights) => {
                let of_class = |class: usize| {
                    let weight = weights.clone().narrow(1, class, 1).reshape([batch, 1, 1]);
                    sets.contains(class).float() * weight
                };
                (0..sets.num_classes())
                    .map(of_class)
                    .reduce(|sum, next| sum + next)
                    .expect("at least one class")
            }
        };
        let factor = match relaxed.multiplicity() {
            // The official code inverts its border weights when the relaxation ends.
            Some(multiplicity) => (sets.counts() * multiplicity).clamp_min(1).float(),
            None => sizes.clone().recip(),
        };
        Some(match self.config.border_weights {
            BorderWeights::Uniform => summed / sizes,
            BorderWeights::OwnImage => summed * factor,
            BorderWeights::WholeBatch => summed * factor.sum_dim(0),
        })
    }
}

/// Set bits of every class, and of all channels, the one of ignored pixels included.
fn count_classes(relaxed: &RelaxedLabels) -> ClassCounts {
    let [batch, _, _] = relaxed.classes.dims();
    let multiplicity = relaxed.multiplicity();
    let count = |pixels: Tensor<3, Int>| {
        let counted = match &multiplicity {
            Some(multiplicity) => pixels * multiplicity.clone(),
            None => pixels,
        };
        counted.reshape([batch as i64, -1]).sum_dim(1)
    };
    let by_class = (0..relaxed.classes.num_classes())
        .map(|class| count(relaxed.classes.contains(class).int()));
    let by_class = Tensor::cat(by_class.collect(), 1);
    let ignored = count(relaxed.touches_ignored.clone().int());
    ClassCounts {
        all: by_class.clone().sum_dim(1) + ignored,
        by_class,
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use rstest::rstest;

    use super::*;
    use crate::TargetsOptions;

    /// The class weights that the authors' code gives two 6x8 label maps; 255 is ignored.
    #[rstest]
    #[case(["00001111", "00001111", "00011111", "00222111", "22222211", "22222..1"], [1.7904762, 1.7142857, 1.752381])]
    #[case(["22222222", "22222222", "22200222", "22200222", "11111111", "11111111"], [1.8461538, 1.7692308, 1.6153846])]
    fn class_weights_are_counted_on_relaxed_labels(
        #[case] rows: [&str; 6],
        #[case] golden: [f32; 3],
    ) {
        let labels: Vec<_> = rows
            .concat()
            .chars()
            .map(|letter| letter.to_digit(10).map_or(255, |digit| digit as i32))
            .collect();
        let labels = Tensor::from_data(TensorData::new(labels, [1, 6, 8]), &Device::default());
        let relaxed = RelaxedLabels::from_labels(labels, 3, &TargetsOptions::paper());
        let weights = ClassWeights::ImageHistogram { upper_bound: 1.0 }.of_batch(
            [1, 3],
            &Device::default(),
            || count_classes(&relaxed),
        );
        let weights: Vec<f32> = weights
            .expect("not uniform")
            .try_into_vec_as()
            .expect("floats");
        for (found, golden) in weights.into_iter().zip(golden) {
            assert!((found - golden).abs() < 1e-6, "{found}, golden {golden}");
        }
    }

    #[test]
    fn any_class_of_the_window_will_do() {
        // One border between classes 0 and 1, and a class 2 that is nowhere.
        let device = Device::default();
        let labels = Tensor::<3, Int>::from_data([[[0, 0, 1, 1]]], &device);
        let relaxed = RelaxedLabels::from_labels(labels, 3, &TargetsOptions::paper());
        let logits = Tensor::<4>::zeros([1, 3, 1, 4], &device);
        let loss = BoundaryRelaxationLossConfig::new()
            .init()
            .forward(logits, &relaxed)
            .into_scalar::<f32>();
        // Probabilities 1/3, 2/3, 2/3, 1/3.
        let golden = (3f32.ln() + 1.5f32.ln()) / 2.0;
        assert!((loss - golden).abs() < 1e-6, "{loss}, golden {golden}");
    }

    #[test]
    fn the_official_form_grows_with_the_square_of_the_batch() {
        let device = Device::default();
        let loss = |batch: usize, config: BoundaryRelaxationLossConfig| {
            let labels = Tensor::<3, Int>::from_data([[[0, 0, 1], [0, 0, 1], [2, 2, 2]]], &device)
                .repeat_dim(0, batch);
            let relaxed = RelaxedLabels::from_labels(labels, 3, &TargetsOptions::paper());
            config
                .init()
                .forward(Tensor::zeros([batch, 3, 3, 3], &device), &relaxed)
                .into_scalar::<f32>()
        };
        let one = loss(1, BoundaryRelaxationLossConfig::official());
        let four = loss(4, BoundaryRelaxationLossConfig::official());
        assert!((four / one - 16.0).abs() < 1e-4, "{}", four / one);
        let mean = loss(4, BoundaryRelaxationLossConfig::new())
            / loss(1, BoundaryRelaxationLossConfig::new());
        assert!((mean - 1.0).abs() < 1e-6, "{mean}");
    }
}
