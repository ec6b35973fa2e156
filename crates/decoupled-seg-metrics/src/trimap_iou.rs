//! IoU of the pixels near labelled contours.

use serde::{Deserialize, Serialize};

use crate::{
    BoundaryThreshold, ConfusionMatrix, ImageFrame, MetricsError,
    boundary_iou::ascending,
    contour_levels::contour_levels,
    label_space::{LabelSpace, VOID},
};

/// Confusion matrices of the pixels in a band along the labelled contours, one per band width.
///
/// The band of width `d` are the pixels within `d` pixels (Euclidean, between pixel centres, compared as integers) of one
/// that is labelled otherwise, so it lies on both sides of a contour. Ignored pixels are never in it, but the border
/// towards them is a contour: data sets that draw a line of ignored pixels around objects are measured beside that line.
///
/// ```text
/// trimap_d = {p : some q with label(q) != label(p) and |p - q| <= d}
/// ```
///
/// How IoU and accuracy rise with `d` shows whether a network loses on contours or inside objects.
///
/// Source: Kohli, Ladický, Torr, IJCV 2009, for the accuracy in such a band; Chen et al., PAMI 2018
/// (DeepLab) for its mean IoU.
///
/// # Example
///
/// ```
/// use decoupled_seg_metrics::{BoundaryThreshold, TrimapIou};
///
/// let labels = [0, 0, 0, 0, 1, 1, 1, 1].repeat(4);
/// let predictions = [0, 0, 0, 0, 0, 1, 1, 1].repeat(4);
/// let mut metric = TrimapIou::new(2, [1, 2].map(BoundaryThreshold::Pixels));
/// metric.update(&labels, &predictions, [4, 8])?;
/// let accuracies: Vec<_> = metric.matrices().iter().map(|m| m.pixel_accuracy()).collect();
/// assert_eq!(accuracies, [Some(0.5), Some(0.75)]);
/// # Ok::<(), decoupled_seg_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrimapIou {
    space: LabelSpace,
    frame: ImageFrame,
    widths: Vec<BoundaryThreshold>,
    matrices: Vec<ConfusionMatrix>,
}

impl TrimapIou {
    /// A metric for the classes `0..num_classes` that ignores label 255 and does not take the frame for a contour.
    ///
    /// # Panics
    ///
    /// Panics unless `num_classes` is in `1..=254`, and with more than 255 widths.
    pub fn new(num_classes: usize, widths: impl Into<Vec<BoundaryThreshold>>) -> Self {
        let widths = widths.into();
        assert!(
            widths.len() < 256,
            "at most 255 widths at a time, got {}",
            widths.len()
        );
        Self {
            space: LabelSpace::new(num_classes),
            frame: ImageFrame::default(),
            matrices: vec![ConfusionMatrix::new(num_classes); widths.len()],
            widths,
        }
    }

    /// Sets the label that marks pixels to leave out; `None`: every label must be a class.
    pub fn with_ignore_index(mut self, ignore_index: Option<u8>) -> Self {
        self.space.ignore_index = ignore_index;
        self
    }

    /// Sets whether the frame of the picture is a contour.
    pub fn with_frame(mut self, frame: ImageFrame) -> Self {
        self.frame = frame;
        self
    }

    /// Adds one image of `size` = `[height, width]`, on all cores of the current rayon pool.
    ///
    /// # Errors
    ///
    /// [`MetricsError::LengthMismatch`] when a slice has not `height * width` pixels, [`MetricsError::UnknownLabel`] and
    /// [`MetricsError::UnknownPrediction`] when a value is no class. The metric is then as before.
    pub fn update(
        &mut self,
        labels: &[u8],
        predictions: &[u8],
        size: [usize; 2],
    ) -> Result<(), MetricsError> {
        let masked = self.space.mask(size, labels, predictions)?;
        let (order, widths) = ascending(&self.widths, size);
        let levels = contour_levels(&masked.labels, size, &widths, self.frame);

        let none = widths.len() as u8;
        let mut image = vec![ConfusionMatrix::new(self.num_classes()); widths.len()];
        for ((&label, &prediction), &level) in
            masked.labels.iter().zip(&masked.predictions).zip(&levels)
        {
            // Most pixels are far from every contour.
            if level < none && label != VOID {
                image[usize::from(level)].count(label, prediction);
            }
        }

        // A pixel in a band is in every wider one.
        let mut within = ConfusionMatrix::new(self.num_classes());
        for (&width, matrix) in order.iter().zip(&image) {
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
        assert_eq!(
            (self.num_classes(), &self.widths),
            (other.num_classes(), &other.widths),
            "merged trimap IoUs must have the same classes and widths"
        );
        for (matrix, more) in self.matrices.iter_mut().zip(&other.matrices) {
            matrix.merge(more);
        }
    }

    /// Classes of the metric.
    pub fn num_classes(&self) -> usize {
        self.space.num_classes
    }

    /// The band widths, in the order of [`matrices`](Self::matrices).
    pub fn widths(&self) -> &[BoundaryThreshold] {
        &self.widths
    }

    /// The counts of each band, with every score that follows from them.
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
            .update(&[0, 0, 0, 255, 1, 1], &[1, 0, 1, 1, 1, 0], [1, 6])
            .unwrap();
        // Only the pixels beside the ignored one: a 0 predicted as 1, and a 1 predicted as 1.
        assert_eq!(metric.matrices()[0].counts(), [0, 1, 0, 1]);
    }

    #[test]
    fn the_frame_as_contour() {
        let mut metric = TrimapIou::new(2, WIDTH_1).with_frame(ImageFrame::Contour);
        metric.update(&[0; 9], &[0; 9], [3, 3]).unwrap();
        // All but the pixel in the middle.
        assert_eq!(metric.matrices()[0].total(), 8);
    }

    #[test]
    fn bad_input_changes_nothing() {
        let mut metric = TrimapIou::new(2, WIDTH_1);
        let before = metric.clone();
        assert!(metric.update(&[0], &[0, 1], [1, 2]).is_err());
        assert!(metric.update(&[0, 2], &[0, 0], [1, 2]).is_err());
        assert!(metric.update(&[0, 1], &[0, 2], [1, 2]).is_err());
        assert_eq!(metric, before);
    }

    #[test]
    #[should_panic(expected = "must have the same classes and widths")]
    fn merging_other_widths() {
        TrimapIou::new(2, WIDTH_1).merge(&TrimapIou::new(2, [BoundaryThreshold::Pixels(2)]));
    }
}
