//! Which values a label map may hold, checked in one place for every metric.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::MetricsError;

/// Marks pixels of no class in the masked maps; never a class, since a metric has at most 254 of them.
pub(crate) const VOID: u8 = u8::MAX;

/// Pixels a task takes at a time: large enough to hide the scheduling, small enough to share among cores.
const CHUNK: usize = 1 << 16;

/// The classes `0..num_classes` and the value that marks pixels to leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LabelSpace {
    pub num_classes: usize,
    pub ignore_index: Option<u8>,
}

/// Labels and predictions of one image in which every pixel is a class or, where ignored, [`VOID`] in both.
pub(crate) struct MaskedPair {
    pub labels: Vec<u8>,
    pub predictions: Vec<u8>,
}

impl LabelSpace {
    /// Every metric's default: 255 is ignored.
    pub fn new(num_classes: usize) -> Self {
        assert!(
            (1..=254).contains(&num_classes),
            "num_classes must be in 1..=254, got {num_classes}"
        );
        Self {
            num_classes,
            ignore_index: Some(255),
        }
    }

    /// Checks the lengths against `[height, width]`.
    pub fn check_size(
        size: [usize; 2],
        labels: &[u8],
        predictions: &[u8],
    ) -> Result<(), MetricsError> {
        let expected = size[0] * size[1];
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
    pub fn mask(
        &self,
        size: [usize; 2],
        labels: &[u8],
        predictions: &[u8],
    ) -> Result<MaskedPair, MetricsError> {
        Self::check_size(size, labels, predictions)?;
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

    /// Branch-free, so that it is vectorised; returns whether every value was legal.
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

    /// The error for the first pixel that is not legal. Only called when there is one.
    pub fn first_error(&self, labels: &[u8], predictions: &[u8]) -> MetricsError {
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
