use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Distribution, Int, Tensor, s};
use serde::{Deserialize, Serialize};

use crate::LossConfigError;
use crate::error::{factor, required};
use crate::pixel_losses::PixelLosses;

/// Configuration of a [`DualityLoss`]; [`init`](DualityLossConfig::init) builds it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DualityLossConfig {
    /// Factor of the term, `lambda_3` of GSCNN.
    pub weight: f64,
    /// Temperature of the softmax that stands for the largest class in the gradient, above 0; `tau` of GSCNN.
    pub temperature: f64,
    /// Whether that softmax has Gumbel noise, drawn anew in each step.
    pub gumbel: bool,
}

impl Default for DualityLossConfig {
    /// As GSCNN: 1, 1, with noise.
    fn default() -> Self {
        Self {
            weight: 1.0,
            temperature: 1.0,
            gumbel: true,
        }
    }
}

/// The borders of the final map beside those of the labels: the first half of GSCNN's dual task regularizer.
///
/// ```text
/// zeta   = 1/sqrt(2) * |grad (G * argmax_k p_k)|              argmax as a map of 0 and 1 for each class
/// loss   = mean over p+ of |zeta - zeta'|                     zeta' of the labels
/// p+     = pixels at which zeta or zeta' is not 0
/// ```
///
/// `grad G *` is Sobel's filter, scaled so that a straight border between two classes has a `zeta` of 1. For the gradient
/// alone, the softmax of `(log p + g) / tau` stands for the argmax in all of `zeta`, so a border that is missing has one
/// too; `g` is Gumbel noise. Pixels on the frame and beside pixels without a label take no part. Without a border the loss is
/// 0 with a zero gradient.
///
/// Source: Takikawa et al., ICCV 2019, [arXiv:1907.05740](https://arxiv.org/abs/1907.05740), eq. 4, 5, 8 and 9. What the
/// paper leaves open stands in docs/fidelity.md. Built by [`DualityLossConfig`].
#[derive(Clone, Copy, Debug)]
pub struct DualityLoss {
    config: DualityLossConfig,
}

/// Added to the square under the root of `zeta`, whose slope at 0 would be infinite; far below the smallest border.
const ROUNDING: f64 = 1e-8;

impl DualityLossConfig {
    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// Panics on a factor below 0, or a temperature that is not above 0.
    pub fn init(&self) -> DualityLoss {
        required(self.validate());
        DualityLoss { config: *self }
    }

    pub(crate) fn validate(&self) -> Result<(), LossConfigError> {
        factor("gated.duality.weight", self.weight)?;
        let value = self.temperature;
        match value > 0.0 && value.is_finite() {
            true => Ok(()),
            false => Err(LossConfigError::Temperature { value }),
        }
    }
}

impl DualityLoss {
    /// The loss of a batch, without the [factor](DualityLossConfig::weight).
    ///
    /// # Shapes
    ///
    /// - `logits`: `[batch, num_classes, height, width]`
    /// - `labels`: `[batch, height, width]`, a class; any other value is ignored
    /// - returned: `[1]`
    ///
    /// # Panics
    ///
    /// Panics if the sizes differ.
    pub fn forward(&self, logits: Tensor<4>, labels: Tensor<3, Int>) -> Tensor<1> {
        self.of_pixels(&PixelLosses::new(logits, labels))
    }

    pub(crate) fn of_pixels(&self, pixels: &PixelLosses) -> Tensor<1> {
        let logits = pixels.known_logits();
        let [_, num_classes, height, width] = logits.dims();
        if height < 3 || width < 3 {
            return logits.sum() * 0.0;
        }
        let wanted = borders(pixels.class_masks());
        let largest = logits.clone().inner().argmax(1);
        let classes = Tensor::<1, Int>::arange(0..num_classes as i64, &largest.device());
        let classes = classes.reshape([1, num_classes, 1, 1]);
        let shape = logits.dims();
        let hard = largest.expand(shape).equal(classes.expand(shape)).float();
        let hard = borders(hard);

        // softmax(log p + g) is softmax(x + g): they differ by a constant of each pixel.
        let mut scores = logits;
        if self.config.gumbel {
            let noise = gumbel(&scores);
            scores = scores + noise;
        }
        let soft = borders(softmax(scores / self.config.temperature, 1));
        let found = soft.clone() - soft.inner() + hard.clone();

        let counted = known(&pixels.valid);
        let border = |borders: Tensor<4>| borders.greater_elem(2.0 * ROUNDING.sqrt());
        let counted = border(hard)
            .bool_or(border(wanted.clone()))
            .bool_and(counted);
        let count = counted.clone().int().sum().clamp_min(1).float();
        let differences = (found - wanted).abs();
        differences.mask_fill(counted.bool_not(), 0.0).sum() / count
    }
}

/// `zeta` of the inner pixels, `[batch, 1, height - 2, width - 2]`, of one map for each class.
fn borders(maps: Tensor<4>) -> Tensor<4> {
    let rows = maps.clone().slice(s![.., .., ..-2, ..])
        + maps.clone().slice(s![.., .., 1..-1, ..]) * 2.0
        + maps.clone().slice(s![.., .., 2.., ..]);
    let x = (rows.clone().slice(s![.., .., .., 2..]) - rows.slice(s![.., .., .., ..-2])) * 0.25;
    let columns = maps.clone().slice(s![.., .., .., ..-2])
        + maps.clone().slice(s![.., .., .., 1..-1]) * 2.0
        + maps.slice(s![.., .., .., 2..]);
    let y =
        (columns.clone().slice(s![.., .., 2.., ..]) - columns.slice(s![.., .., ..-2, ..])) * 0.25;
    ((x.clone() * x + y.clone() * y).sum_dim(1) * 0.5 + ROUNDING).sqrt()
}

/// Inner pixels that have a label, as all their neighbours have.
fn known(valid: &Tensor<3, Bool>) -> Tensor<4, Bool> {
    let valid: Tensor<4, Bool> = valid.clone().unsqueeze_dim(1);
    let [_, _, height, width] = valid.dims();
    let places = (0..3).flat_map(|down| (0..3).map(move |right| (down, right)));
    places
        .map(|(down, right)| {
            let rows = valid.clone().narrow(2, down, height - 2);
            rows.narrow(3, right, width - 2)
        })
        .reduce(Tensor::bool_and)
        .expect("nine places")
}

/// Noise of the Gumbel distribution, of the shape of `like` and off its graph.
fn gumbel(like: &Tensor<4>) -> Tensor<4> {
    let like = like.clone().inner();
    // The ends of the interval would give infinities.
    let uniform = like.random_like(Distribution::Uniform(0.0, 1.0));
    let uniform = uniform.clamp(1e-7, 1.0 - 1e-7);
    uniform.log().neg().log().neg()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tolerance};

    use super::*;

    fn halves(step: usize) -> Tensor<3, Int> {
        let columns = Tensor::<1, Int>::arange(0..8, &Device::default());
        let right = columns.greater_equal_elem(step as i64).int();
        right.reshape([1, 1, 8]).expand([1, 6, 8])
    }

    fn logits(labels: &Tensor<3, Int>, height: f64) -> Tensor<4> {
        let right = labels.clone().float().unsqueeze_dim::<4>(1);
        Tensor::cat(vec![(right.clone() - 1.0).neg(), right], 1) * height
    }

    fn loss(logits: Tensor<4>, labels: Tensor<3, Int>) -> f32 {
        let loss = DualityLossConfig::default().init();
        loss.forward(logits, labels).into_scalar()
    }

    #[test]
    fn a_straight_border_is_one_on_both_its_sides() {
        let maps = logits(&halves(4), 1.0);
        let zeta = borders(maps);
        let line = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0];
        let line = Tensor::<1>::from_floats(line, &Device::default());
        let expected = line.reshape([1, 1, 1, 6]).expand([1, 1, 4, 6]);
        let tolerance = Tolerance::absolute(2e-4);
        zeta.into_data()
            .assert_approx_eq::<f32>(&expected.into_data(), tolerance);
    }

    #[test]
    fn right_classes_cost_nothing_and_each_wrong_border_pixel_one() {
        let labels = halves(4);
        assert!(loss(logits(&labels, 2.0), labels.clone()) < 1e-6);
        // Two columns of borders by two pixels aside: all four columns are wrong by 1.
        let aside = loss(logits(&halves(6), 2.0), labels.clone());
        assert!((aside - 1.0).abs() < 1e-3, "{aside}");
        let none = labels
            .clone()
            .mask_fill(labels.clone().greater_equal_elem(0), 255);
        assert_eq!(loss(logits(&labels, 2.0), none), 0.0);
    }

    #[test]
    fn a_missing_border_has_a_gradient() {
        let labels = halves(4);
        let device = Device::default().autodiff();
        let flat = Tensor::<4>::zeros([1, 2, 6, 8], &device);
        // Barely a border, and below the largest class.
        let hint = logits(&labels, 0.2).slice([0..1, 1..2, 0..6, 0..8]) - 1.0;
        let flat = flat.slice_assign(
            [0..1, 1..2, 0..6, 0..8],
            Tensor::from_data(hint.into_data(), &device),
        );
        let leaf = flat.require_grad();
        let config = DualityLossConfig {
            gumbel: false,
            ..DualityLossConfig::default()
        };
        let loss = config.init().forward(leaf.clone(), labels);
        assert!((loss.clone().into_scalar::<f32>() - 1.0).abs() < 1e-3);
        let gradients = loss.backward();
        let gradient = leaf.grad(&gradients).expect("it is a leaf");
        let values: Vec<f32> = gradient.into_data().try_into_vec().expect("floats");
        // Class 1: less of it on the left of the border, more of it on the right.
        let second = &values[48..];
        let line = &second[2 * 8..3 * 8];
        assert!(line[3] > 0.0 && line[4] < 0.0, "{line:?}");
    }

    #[test]
    fn noise_is_gumbel() {
        let device = Device::default();
        let noise = gumbel(&Tensor::zeros([1, 10, 100, 100], &device));
        // Mean 0.5772, variance pi^2 / 6; five standard errors of 100 000 draws are 0.0203 and 0.0544.
        let mean: f32 = noise.clone().mean().into_scalar();
        assert!((mean - 0.577_2).abs() < 0.021, "{mean}");
        let variance: f32 = (noise - mean).powi_scalar(2).mean().into_scalar();
        assert!((variance - 1.644_9).abs() < 0.055, "{variance}");
    }

    #[test]
    fn a_temperature_of_zero_is_refused() {
        let config = DualityLossConfig {
            temperature: 0.0,
            ..DualityLossConfig::default()
        };
        let error = config.validate().expect_err("no softmax");
        assert!(error.to_string().contains("temperature"), "{error}");
    }
}
