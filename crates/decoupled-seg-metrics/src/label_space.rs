use decoupled_seg_types::{IGNORE_LABEL, Size};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::MetricsError;

/// Marks pixels without a class in the masked maps. It is never a class: a metric has at most 254 classes.
pub(crate) const VOID: u8 = IGNORE_LABEL;

/// Pixels in one task: enough to hide the cost of scheduling, few enough to share an image among cores.
const CHUNK: usize = 1 << 16;

/// The values that label maps may hold: the classes `0..num_classes`, and one value for pixels to leave out.
///
/// Every metric takes a `LabelSpace`, or just the number of classes if [`IGNORE_LABEL`] marks the pixels to leave out.
///
/// # Example
///
/// ```
/// use decoupled_seg_metrics::{ConfusionMatrix, LabelSpace};
///
/// let mut matrix = ConfusionMatrix::new(LabelSpace::new(2).with_ignore_index(Some(9)));
/// matrix.update(&[0, 1, 9], &[0, 1, 1])?;
/// assert_eq!((matrix.total(), matrix.ignored()), (2, 1));
/// # Ok::<(), decoupled_seg_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelSpace {
    pub(crate) num_classes: usize,
    pub(crate) ignore_index: Option<u8>,
}

/// Labels and predictions of one image. Every pixel holds a class; ignored pixels hold [`VOID`] in both maps.
pub(crate) struct MaskedPair {
    pub labels: Vec<u8>,
    pub predictions: Vec<u8>,
}

impl LabelSpace {
    /// The classes `0..num_classes`; pixels labelled [`IGNORE_LABEL`] are left out.
    ///
    /// # Panics
    ///
    /// Panics unless `num_classes` is in `1..=254`.
    pub fn new(num_classes: usize) -> Self {
        assert!(
            (1..=254).contains(&num_classes),
            "num_classes must be in 1..=254, got {num_classes}"
        );
        Self {
            num_classes,
            ignore_index: Some(IGNORE_LABEL),
        }
    }

    /// Sets the label of pixels to leave out. `None`: every label must be a class.
    pub fn with_ignore_index(mut self, ignore_index: Option<u8>) -> Self {
        self.ignore_index = ignore_index;
        self
    }

    /// Checks that both maps have as many pixels as the image.
    pub(crate) fn check_length(
        expected: usize,
        labels: &[u8],
        predictions: &[u8],
    ) -> Result<(), MetricsError> {
        for (name, found) in [("labels", labels.len()), ("predictions", predictions.len())] {
            if found != expected {
                return Err(MetricsError::LengthMismatch {
                    name,
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }

    /// Checks every value and sets ignored pixels to [`VOID`] in both maps.
    pub(crate) fn mask(
        &self,
        labels: &[u8],
        predictions: &[u8],
        size: Size,
    ) -> Result<MaskedPair, MetricsError> {
        Self::check_length(size.pixels(), labels, predictions)?;
        let mut masked = MaskedPair {
            labels: vec![VOID; labels.len()],
            predictions: vec![VOID; labels.len()],
        };
        let valid = masked
            .labels
            .par_chunks_mut(CHUNK)
            .zip(masked.predictions.par_chunks_mut(CHUNK))
            .zip(labels.par_chunks(CHUNK).zip(predictions.par_chunks(CHUNK)))
            .map(|((out_labels, out_predictions), (labels, predictions))| {
                self.mask_chunk(labels, predictions, out_labels, out_predictions)
            })
            .reduce(|| true, |a, b| a && b);
        if valid {
            Ok(masked)
        } else {
            Err(self.first_error(labels, predictions))
        }
    }

    /// Returns whether every value was legal. It has no branches, so that it is vectorised.
    fn mask_chunk(
        &self,
        labels: &[u8],
        predictions: &[u8],
        out_labels: &mut [u8],
        out_predictions: &mut [u8],
    ) -> bool {
        let last_class = (self.num_classes - 1) as u8;
        // Without an ignore index, compare with a value that cannot match a legal label.
        let ignore = self.ignore_index.unwrap_or(VOID);
        let ignores = self.ignore_index.is_some();
        let mut illegal = 0u8;
        for (((&label, &prediction), out_label), out_prediction) in labels
            .iter()
            .zip(predictions)
            .zip(out_labels)
            .zip(out_predictions)
        {
            let skip = ignores & (label == ignore);
            illegal |= u8::from(!skip & ((label > last_class) | (prediction > last_class)));
            *out_label = if skip { VOID } else { label };
            *out_prediction = if skip { VOID } else { prediction };
        }
        illegal == 0
    }

    /// The error for the first illegal pixel. Only called if there is one.
    pub(crate) fn first_error(&self, labels: &[u8], predictions: &[u8]) -> MetricsError {
        let num_classes = self.num_classes;
        for (index, (&label, &prediction)) in labels.iter().zip(predictions).enumerate() {
            if Some(label) == self.ignore_index {
                continue;
            }
            if usize::from(label) >= num_classes {
                return MetricsError::UnknownLabel {
                    index,
                    label,
                    num_classes,
                    ignore_index: self.ignore_index,
                };
            }
            if usize::from(prediction) >= num_classes {
                return MetricsError::UnknownPrediction {
                    index,
                    prediction,
                    num_classes,
                };
            }
        }
        unreachable!("an illegal value was counted, so the maps hold one")
    }
}

impl From<usize> for LabelSpace {
    /// As [`LabelSpace::new`].
    fn from(num_classes: usize) -> Self {
        Self::new(num_classes)
    }
}
