use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::LossConfigError;
use crate::error::factor;

/// How much each class counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// All the same.
    #[default]
    Uniform,
    /// One weight for each class, in their order; none below 0.
    Fixed(Vec<f32>),
    /// From what is seen in each image, rare classes up to `1 + upper_bound`:
    ///
    /// ```text
    /// w_c = 1 + upper_bound * (1 - share_c)   for classes that occur, 1 for the others
    /// ```
    ///
    /// `calculate_weights` of the authors' code. The shares are counted on the device.
    ImageHistogram {
        /// How much a class with no share to speak of gains.
        upper_bound: f64,
    },
    /// As [`ImageHistogram`](Self::ImageHistogram), with one count over the batch (`batch_weighting` in the authors'
    /// code).
    BatchHistogram {
        /// How much a class with no share to speak of gains.
        upper_bound: f64,
    },
}

impl ClassWeights {
    pub(crate) fn validate(&self) -> Result<(), LossConfigError> {
        match self {
            Self::Uniform => Ok(()),
            Self::Fixed(weights) => {
                let fine = |weight: &f32| *weight >= 0.0 && weight.is_finite();
                if weights.is_empty() || !weights.iter().all(fine) {
                    let weights = weights.clone();
                    return Err(LossConfigError::ClassWeights { weights });
                }
                if weights.iter().all(|&weight| weight == 0.0) {
                    return Err(LossConfigError::NoClassWeight);
                }
                Ok(())
            }
            Self::ImageHistogram { upper_bound } | Self::BatchHistogram { upper_bound } => {
                factor("upper_bound", *upper_bound)
            }
        }
    }

    /// Whether there is one for each of `num_classes`, as far as they are fixed.
    pub(crate) fn validate_for(&self, num_classes: usize) -> Result<(), LossConfigError> {
        match self {
            Self::Fixed(weights) if weights.len() != num_classes => {
                Err(LossConfigError::NumClassWeights {
                    weights: weights.len(),
                    num_classes,
                })
            }
            _ => Ok(()),
        }
    }

    /// The weights of a batch on `device`, `[batch, num_classes]`, or `None` if all are 1. `count` gives the pixels of
    /// every class, `[batch, num_classes]`, and of everything, `[batch, 1]`; it is only called where the weights need it.
    ///
    /// # Panics
    ///
    /// Panics if there is not one fixed weight for each class.
    pub(crate) fn of_batch(
        &self,
        [batch, num_classes]: [usize; 2],
        device: &Device,
        count: impl FnOnce() -> ClassCounts,
    ) -> Option<Tensor<2>> {
        match self {
            Self::Uniform => None,
            Self::Fixed(weights) => {
                assert_eq!(
                    weights.len(),
                    num_classes,
                    "number of class weights, and of classes"
                );
                let weights = Tensor::<1>::from_floats(weights.as_slice(), device);
                Some(weights.unsqueeze_dim::<2>(0).expand([batch, num_classes]))
            }
            Self::ImageHistogram { upper_bound } => Some(count().weights(*upper_bound)),
            Self::BatchHistogram { upper_bound } => {
                let ClassCounts { by_class, all } = count();
                let together = ClassCounts {
                    by_class: by_class.sum_dim(0),
                    all: all.sum_dim(0),
                };
                Some(together.weights(*upper_bound).expand([batch, num_classes]))
            }
        }
    }
}

/// Pixels of every class and of everything.
pub(crate) struct ClassCounts {
    /// `[batch, num_classes]`.
    pub by_class: Tensor<2, Int>,
    /// `[batch, 1]`.
    pub all: Tensor<2, Int>,
}

impl ClassCounts {
    fn weights(self, upper_bound: f64) -> Tensor<2> {
        let share = self.by_class.float() / self.all.clamp_min(1).float();
        let present = share.clone().greater_elem(0).float();
        present * (share.neg() + 1.0) * upper_bound + 1.0
    }
}
