use burn::tensor::{Bool, Tensor};
use serde::{Deserialize, Serialize};

use crate::LossConfigError;
use crate::error::share;
use crate::ops::{hard_mean, kth_largest};

/// A number of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelCount {
    /// As it is, whatever the size of the batch: 10 000 is 1.4 % of an 832x832 crop and 23 % of a 240x180 one.
    Absolute(usize),
    /// A share of all pixels of the batch, in `0..=1`.
    Fraction(f64),
}

impl PixelCount {
    fn of(self, pixels: usize) -> usize {
        match self {
            Self::Absolute(count) => count,
            // The small push keeps 0.1 * 30 from being 2.
            Self::Fraction(fraction) => (fraction * pixels as f64 + 1e-9).floor() as usize,
        }
    }
}

/// What happens to a pixel exactly at the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtLimit {
    /// It is kept (`probability <= limit`), as in the official code.
    #[default]
    Kept,
    /// It is dropped (`probability < limit`), as in PaddleSeg: mining then needs more than `min_kept` pixels.
    Dropped,
}

/// Which pixels a cross entropy is the mean of: online hard example mining.
///
/// Which pixels are kept is decided on the device, without a sort and without reading anything back, and is a
/// constant for the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelMining {
    /// All of them.
    Off,
    /// The pixels whose own class has no more than some probability, and if these are too few the hardest ones.
    ///
    /// ```text
    /// limit = max(probability, min_kept-th smallest probability of a pixel's own class)     over the batch
    /// loss  = mean over pixels with p <= limit of -log p
    /// ```
    ///
    /// With fewer than `min_kept` pixels, or a `min_kept` of 0, all are kept. Without any the loss is 0. The
    /// comparison is made between losses, `-log p`, so pixels whose probabilities an f32 cannot tell from 1 or from 0
    /// still have an order.
    ///
    /// Source: `OhemCrossEntropy2dTensor` of the authors' code, with 0.7 and 10 000.
    Threshold {
        /// Probability of the own class up to which a pixel counts as hard, in `0..=1`.
        probability: f64,
        /// The least number of pixels to keep.
        min_kept: PixelCount,
        /// Whether the pixel at the limit is kept.
        at_limit: AtLimit,
    },
    /// The same number of pixels of every image.
    ///
    /// ```text
    /// K    = max(1, floor(fraction * height * width))
    /// loss = mean over images of 1/K * (sum of the K highest losses)
    /// ```
    ///
    /// The sum is divided by `K` where fewer pixels are left, too. Equal losses at the end of the list share the
    /// places that are left, which gives the same sum as any choice among them.
    ///
    /// Source: eq. 5 of the paper, with 0.1.
    Hardest {
        /// Share of the pixels of an image, in `0..=1`.
        fraction: f64,
    },
}

impl PixelMining {
    /// Threshold 0.7 and at least `min_kept` pixels, the authors' choice; they keep 10 000 of the segmentation and
    /// 5 000 of the edges.
    pub const fn official(min_kept: usize) -> Self {
        Self::Threshold {
            probability: 0.7,
            min_kept: PixelCount::Absolute(min_kept),
            at_limit: AtLimit::Kept,
        }
    }

    pub(crate) fn validate(&self) -> Result<(), LossConfigError> {
        match *self {
            Self::Off => Ok(()),
            Self::Threshold {
                probability,
                min_kept,
                ..
            } => {
                share("the mining probability", probability)?;
                match min_kept {
                    PixelCount::Fraction(fraction) => {
                        share("the fraction of pixels to keep", fraction)
                    }
                    PixelCount::Absolute(_) => Ok(()),
                }
            }
            Self::Hardest { fraction } => share("the fraction of hardest pixels", fraction),
        }
    }

    /// The mean of the losses of the `candidates` that are kept, 0 with a zero gradient if there are none.
    pub(crate) fn mean(&self, nll: &Tensor<3>, candidates: Tensor<3, Bool>) -> Tensor<1> {
        let fused = match *self {
            Self::Off => hard_mean(nll, &candidates, 0, 0.0),
            Self::Threshold {
                probability,
                min_kept,
                at_limit: AtLimit::Kept,
            } => {
                let pixels = nll.dims().iter().product();
                hard_mean(nll, &candidates, min_kept.of(pixels), easiest(probability))
            }
            Self::Threshold { .. } | Self::Hardest { .. } => None,
        };
        fused.unwrap_or_else(|| self.select(nll, candidates).mean(nll.clone(), None))
    }

    /// Decides which of the `candidates` are kept, by their loss.
    ///
    /// A NaN loss is always kept, so that it is seen in the sum.
    pub(crate) fn select(&self, nll: &Tensor<3>, candidates: Tensor<3, Bool>) -> Selection {
        let [batch, height, width] = nll.dims();
        let pixels = height * width;
        let losses = nll.clone().inner();
        let rows = |rows: usize| {
            let ranked = losses
                .clone()
                .mask_fill(candidates.clone().bool_not(), -1.0);
            ranked.reshape([rows, batch * pixels / rows])
        };
        match *self {
            Self::Off => Selection::all(candidates),
            Self::Threshold {
                probability,
                min_kept,
                at_limit,
            } => {
                let min_kept = min_kept.of(batch * pixels);
                if min_kept == 0 {
                    return Selection::all(candidates);
                }
                // -1, below every loss, if there are fewer: then all are kept.
                let kth = kth_largest(rows(1), min_kept, easiest(probability));
                let kth = kth.reshape([1, 1, 1]);
                let dropped = match at_limit {
                    AtLimit::Kept => losses.clone().lower(kth),
                    AtLimit::Dropped => {
                        let enough = candidates.clone().int().sum().greater_elem(min_kept as i64);
                        let enough = enough.reshape([1, 1, 1]).expand(losses.dims());
                        losses.clone().lower_equal(kth).bool_and(enough)
                    }
                };
                Selection::all(candidates.bool_and(dropped.bool_not()))
            }
            Self::Hardest { fraction } => {
                let hardest = PixelCount::Fraction(fraction).of(pixels).max(1);
                let rows = rows(batch);
                let last = kth_largest(rows.clone(), hardest, f32::MAX);
                let tied = rows
                    .clone()
                    .equal(last.clone())
                    .bool_and(rows.clone().greater_equal_elem(0));
                let above = rows.lower_equal(last).bool_not();
                let left = above.clone().int().sum_dim(1).neg() + hardest as i64;
                let share = left.float() / tied.clone().int().sum_dim(1).clamp_min(1).float();
                let weights = above.float() + tied.float() * share;
                let kept = weights
                    .clone()
                    .greater_elem(0)
                    .reshape([batch, height, width])
                    .bool_and(candidates);
                Selection {
                    kept,
                    weights: Some(weights.reshape([batch, height, width])),
                    divisor: Some((hardest * batch) as f64),
                }
            }
        }
    }
}

/// The loss of a pixel of that probability: `p <= limit` is `-log p >= -log limit`, and a limit of 0 keeps nothing by itself.
fn easiest(probability: f64) -> f32 {
    (-probability.ln()).min(1e30) as f32
}

/// Pixels that are kept, and how they are averaged.
pub(crate) struct Selection {
    kept: Tensor<3, Bool>,
    /// How much each pixel counts, 1 where not given.
    weights: Option<Tensor<3>>,
    /// What the sum is divided by; the weight that is kept where not given.
    divisor: Option<f64>,
}

impl Selection {
    /// Keeps `pixels`, each as much as the other.
    pub(crate) fn all(pixels: Tensor<3, Bool>) -> Self {
        Self {
            kept: pixels,
            weights: None,
            divisor: None,
        }
    }

    /// Leaves out what is not among `pixels` either.
    pub(crate) fn within(mut self, pixels: Tensor<3, Bool>) -> Self {
        self.kept = self.kept.bool_and(pixels);
        self
    }

    /// The mean of `losses` over the pixels kept, 0 with a zero gradient if there are none.
    ///
    /// `class_weights` are already in `losses`; they are summed to divide by.
    pub(crate) fn mean(self, losses: Tensor<3>, class_weights: Option<Tensor<3>>) -> Tensor<1> {
        let dropped = self.kept.clone().bool_not();
        // Filled, not multiplied by 0, so that NaN at a pixel left out stays out.
        let mut losses = losses.mask_fill(dropped.clone(), 0.0);
        if let Some(weights) = self.weights {
            losses = losses * weights;
        }
        let sum = losses.sum();
        match (self.divisor, class_weights) {
            (Some(divisor), _) => sum / divisor,
            (None, None) => sum / self.kept.int().sum().clamp_min(1).float(),
            (None, Some(weights)) => {
                let sum_of_weights = weights.mask_fill(dropped, 0.0).sum();
                // Where all weight is 0 the sum is 0 as well.
                let nothing = sum_of_weights.clone().equal_elem(0.0);
                sum / sum_of_weights.mask_fill(nothing, 1.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use rstest::rstest;

    use super::*;

    /// Which of the losses are kept, all but the last being candidates.
    fn kept(mining: PixelMining, losses: &[f32]) -> Vec<bool> {
        let device = Device::default();
        let shape = [1, 1, losses.len()];
        let candidates = Tensor::<3>::from_data(
            TensorData::new((0..losses.len()).map(|n| n as f32).collect(), shape),
            &device,
        )
        .lower_elem(losses.len() as f32 - 1.5);
        let losses = Tensor::from_data(TensorData::new(losses.to_vec(), shape), &device);
        mining
            .select(&losses, candidates)
            .kept
            .try_into_vec_as()
            .expect("booleans")
    }

    /// Probabilities of about 0.37, 0.61, 0.74 and 0.9; the limit of 0.7 is a loss of 0.357.
    const LOSSES: [f32; 5] = [1.0, 0.5, 0.3, 0.1, 9.0];

    #[rstest]
    #[case(1, AtLimit::Kept, 2)]
    #[case(3, AtLimit::Kept, 3)]
    #[case(4, AtLimit::Kept, 4)]
    #[case(5, AtLimit::Kept, 4)]
    #[case(0, AtLimit::Kept, 4)]
    #[case(1, AtLimit::Dropped, 2)]
    #[case(3, AtLimit::Dropped, 2)]
    #[case(4, AtLimit::Dropped, 4)]
    #[case(5, AtLimit::Dropped, 4)]
    fn keeps_the_hard_ones(
        #[case] min_kept: usize,
        #[case] at_limit: AtLimit,
        #[case] count: usize,
    ) {
        let mining = PixelMining::Threshold {
            probability: 0.7,
            min_kept: PixelCount::Absolute(min_kept),
            at_limit,
        };
        let expected: Vec<_> = (0..5).map(|n| n < count).collect();
        assert_eq!(kept(mining, &LOSSES), expected);
    }

    /// Value and gradient of the mean against those of the pixels selected.
    #[rstest]
    fn the_mean_is_that_of_the_selection(
        #[values(
            PixelMining::Off,
            PixelMining::official(1),
            PixelMining::official(0),
            PixelMining::official(7_000),
            PixelMining::official(100_000),
            PixelMining::Threshold {
                probability: 0.0,
                min_kept: PixelCount::Fraction(0.2),
                at_limit: AtLimit::Kept,
            },
            PixelMining::Threshold {
                probability: 0.7,
                min_kept: PixelCount::Absolute(9_000),
                at_limit: AtLimit::Dropped,
            },
            PixelMining::Hardest { fraction: 0.1 }
        )]
        mining: PixelMining,
        #[values(0, 1, 3)] candidates: usize,
    ) {
        let device = Device::default().autodiff();
        let shape = [2, 67, 97];
        let len = shape.iter().product::<usize>();
        let numbers = |step: usize, of: usize| -> Vec<f32> {
            (0..len).map(|n| (n * step % of) as f32 / 400.0).collect()
        };
        let data = |values| TensorData::new(values, shape);
        let losses = Tensor::<3>::from_data(data(numbers(7919, 2003)), &device);
        let candidates = Tensor::<3>::from_data(data(numbers(1, 3)), &Device::default())
            .lower_elem(candidates as f32 / 400.0);
        let run = |mean: &dyn Fn(&Tensor<3>) -> Tensor<1>| {
            let leaf = losses.clone().require_grad();
            let mean = mean(&leaf);
            let gradients = (mean.clone() * 3.0).backward();
            let gradient = leaf.grad(&gradients).expect("a gradient");
            let gradient: Vec<f32> = gradient.try_into_vec_as().expect("floats");
            (mean.into_scalar::<f32>(), gradient)
        };
        let (mean, gradient) = run(&|losses| mining.mean(losses, candidates.clone()));
        let selected = |losses: &Tensor<3>| {
            mining
                .select(losses, candidates.clone())
                .mean(losses.clone(), None)
        };
        let (expected, of_selected) = run(&selected);
        // Sums of 13 000 f32 in another order.
        assert!(
            (mean - expected).abs() <= 1e-5 * expected,
            "{mean}, {expected}"
        );
        for (found, expected) in gradient.into_iter().zip(of_selected) {
            assert!(
                (found - expected).abs() <= 1e-6 * expected,
                "{found}, {expected}"
            );
        }
    }

    #[test]
    fn nan_is_kept() {
        for mining in [
            PixelMining::official(1),
            PixelMining::official(3),
            PixelMining::Hardest { fraction: 0.2 },
        ] {
            assert!(
                kept(mining, &[1.0, f32::NAN, 0.3, 0.1, 9.0])[1],
                "{mining:?}"
            );
            let losses = Tensor::<3>::from_data([[[1.0, f32::NAN, 0.3]]], &Device::default());
            let all = losses.clone().lower_elem(-1.0).bool_not();
            let mean = mining.mean(&losses, all).into_scalar::<f32>();
            assert!(mean.is_nan(), "{mining:?}: {mean}");
        }
    }

    #[test]
    fn equal_losses_share_the_places() {
        let losses = Tensor::<3>::from_data([[[2.0, 1.0, 1.0, 1.0, 0.5]]], &Device::default());
        let all = losses.clone().greater_elem(0.0);
        let selection = PixelMining::Hardest { fraction: 0.6 }.select(&losses, all);
        let weights: Vec<f32> = selection
            .weights
            .clone()
            .expect("weights")
            .try_into_vec_as()
            .expect("floats");
        assert_eq!(weights, [1.0, 2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 0.0]);
        let mean = selection.mean(losses, None).into_scalar::<f32>();
        assert!((mean - 4.0 / 3.0).abs() < 1e-6, "{mean}");
    }

    #[test]
    fn counts_are_whole() {
        assert_eq!(PixelCount::Fraction(0.1).of(30), 3);
        assert_eq!(PixelCount::Fraction(0.1).of(39), 3);
        assert_eq!(PixelCount::Absolute(7).of(3), 7);
    }

    #[test]
    fn probabilities_are_no_percentages() {
        let mining = PixelMining::Threshold {
            probability: 70.0,
            min_kept: PixelCount::Absolute(1),
            at_limit: AtLimit::Kept,
        };
        let wrong = mining.validate().expect_err("70 is no probability");
        assert_eq!(
            wrong.to_string(),
            "the mining probability must be in 0..=1, got 70"
        );
    }
}
