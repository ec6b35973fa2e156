//! IoU of the pixels near labelled contours.

use decoupled_seg_types::Size;
use serde::{Deserialize, Serialize};

use crate::{
    BoundaryThreshold, ConfusionMatrix, ImageFrame, LabelSpace, MetricsError, bands::Bands,
    label_space::VOID,
};

/// Confusion matrices of the pixels in bands along the labelled contours, one for each band width.
///
/// The band of width `d` holds the pixels within `d` pixels (Euclidean, between pixel centres, compared as integers) of
/// a pixel with another label, so it lies on both sides of a contour. A band never holds ignored pixels, but the border
/// towards them is a contour. In data sets that draw a line of ignored pixels around objects, the band lies beside that
/// line.
///
/// ```text
/// trimap_d = {p : some q with label(q) != label(p) and |p - q| <= d}
/// ```
///
/// The rise of IoU and accuracy with `d` shows whether a network errs on contours or inside objects.
///
/// Source: Kohli, Ladický, Torr, IJCV 2009, for the accuracy in such a band; Chen et al., PAMI 2018
/// (DeepLab) for its mean IoU.
///
/// # Example
///
/// ```
/// use decoupled_seg_metrics::{BoundaryThreshold, TrimapIou};
/// use decoupled_seg_types::Size;
///
/// let labels = [0, 0, 0, 0, 1, 1, 1, 1].repeat(4);
/// let predictions = [0, 0, 0, 0, 0, 1, 1, 1].repeat(4);
/// let mut metric = TrimapIou::new(2, [1, 2].map(BoundaryThreshold::Pixels));
/// metric.update(&labels, &predictions, Size::new(4, 8))?;
/// let accuracies: Vec<_> = metric.matrices().iter().map(|m| m.pixel_accuracy()).collect();
/// assert_eq!(accuracies, [Some(0.5), Some(0.75)]);
/// # Ok::<(), decoupled_seg_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrimapIou {
    bands: Bands,
    matrices: Vec<ConfusionMatrix>,
}

impl TrimapIou {
    /// Makes a metric at the given widths that does not count the frame as a contour. `space` may be a number of
    /// classes; label 255 is then left out. See [`LabelSpace`].
    ///
    /// # Panics
    ///
    /// Panics unless there are 1 to 254 classes, or if there are more than 255 widths.
    pub fn new(space: impl Into<LabelSpace>, widths: impl Into<Vec<BoundaryThreshold>>) -> Self {
        let bands = Bands::new(space.into(), widths.into());
        Self {
            matrices: vec![ConfusionMatrix::new(bands.space); bands.widths.len()],
            bands,
        }
    }

    /// Sets whether the frame of the picture is a contour.
    pub fn with_frame(mut self, frame: ImageFrame) -> Self {
        self.bands.frame = frame;
        self
    }

    /// Adds one image, on all cores of the current rayon pool.
    ///
    /// # Errors
    ///
    /// [`MetricsError::LengthMismatch`] if a slice does not have `size.pixels()` pixels, [`MetricsError::UnknownLabel`]
    /// or [`MetricsError::UnknownPrediction`] if a value is not a class. The metric is then as before.
    pub fn update(
        &mut self,
        labels: &[u8],
        predictions: &[u8],
        size: Size,
    ) -> Result<(), MetricsError> {
        let masked = self.bands.space.mask(labels, predictions, size)?;
        let bands = self.bands.sorted(size);
        let levels = bands.levels(&masked.labels);

        let none = bands.len() as u8;
        let mut image = vec![ConfusionMatrix::new(self.bands.space); bands.len()];
        for ((&label, &prediction), &level) in
            masked.labels.iter().zip(&masked.predictions).zip(&levels)
        {
            // Most pixels are far from every contour.
            if level < none && label != VOID {
                image[usize::from(level)].count(label, prediction);
            }
        }

        // Wider bands hold every pixel of a narrower band.
        let mut within = ConfusionMatrix::new(self.bands.space);
        for (&width, matrix) in bands.places.iter().zip(&image) {
            within.merge(matrix);
            self.matrices[width].merge(&within);
        }
        Ok(())
    }

    /// Adds the images of `other`, for example of another thread or another part of the data set.
    ///
    /// # Panics
    ///
    /// Panics if `other` has other classes or widths.
    pub fn merge(&mut self, other: &Self) {
        self.bands.assert_like(&other.bands, "trimap IoUs");
        for (matrix, more) in self.matrices.iter_mut().zip(&other.matrices) {
            matrix.merge(more);
        }
    }

    /// Classes of the metric.
    pub fn num_classes(&self) -> usize {
        self.bands.space.num_classes
    }

    /// The band widths, in the order of [`matrices`](Self::matrices).
    pub fn widths(&self) -> &[BoundaryThreshold] {
        &self.bands.widths
    }

    /// The confusion matrix of each band.
    pub fn matrices(&self) -> &[ConfusionMatrix] {
        &self.matrices
    }

    /// Mean IoU of each band, `0..=1`; `None` for a band without pixels.
    pub fn mean_iou(&self) -> Vec<Option<f64>> {
        self.matrices
            .iter()
            .map(ConfusionMatrix::mean_iou)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH_1: [BoundaryThreshold; 1] = [BoundaryThreshold::Pixels(1)];

    #[test]
    fn the_border_towards_ignored_pixels_is_a_contour() {
        let mut metric = TrimapIou::new(2, WIDTH_1);
        metric
            .update(&[0, 0, 0, 255, 1, 1], &[1, 0, 1, 1, 1, 0], Size::new(1, 6))
            .unwrap();
        // Only the pixels beside the ignored one: a 0 predicted as 1, and a 1 predicted as 1.
        assert_eq!(metric.matrices()[0].counts(), [0, 1, 0, 1]);
    }

    #[test]
    fn the_frame_as_contour() {
        let mut metric = TrimapIou::new(2, WIDTH_1).with_frame(ImageFrame::Contour);
        metric.update(&[0; 9], &[0; 9], Size::square(3)).unwrap();
        // All but the pixel in the middle.
        assert_eq!(metric.matrices()[0].total(), 8);
    }

    #[test]
    fn bad_input_changes_nothing() {
        let mut metric = TrimapIou::new(2, WIDTH_1);
        let before = metric.clone();
        assert!(metric.update(&[0], &[0, 1], Size::new(1, 2)).is_err());
        assert!(metric.update(&[0, 2], &[0, 0], Size::new(1, 2)).is_err());
        assert!(metric.update(&[0, 1], &[0, 2], Size::new(1, 2)).is_err());
        assert_eq!(metric, before);
    }

    #[test]
    #[should_panic(expected = "must have the same classes and widths")]
    fn merging_other_widths() {
        TrimapIou::new(2, WIDTH_1).merge(&TrimapIou::new(2, [BoundaryThreshold::Pixels(2)]));
    }
}
