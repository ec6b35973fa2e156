//! IoU of the parts of masks near their contours.

use decoupled_seg_types::Size;
use serde::{Deserialize, Serialize};

use crate::{
    Aggregation, BoundaryThreshold, ImageFrame, LabelSpace, MetricsError,
    bands::Bands,
    confusion_matrix::{mean, ratio},
    label_space::VOID,
};

/// Boundary IoU per class at one or more band widths.
///
/// For each class the maps are masks `G` (labels) and `P` (predictions), and both masks are empty where the label is
/// ignored. The inner band of width `d` holds the pixels of a mask that have a pixel outside the mask within `d`
/// pixels:
///
/// ```text
/// G_d = {p in G : some q not in G with |p - q| <= d}
/// boundary_iou = |G_d and P_d| / |G_d or P_d|
/// ```
///
/// Distances are Euclidean between pixel centres, compared as integers. At width 1 a band holds the pixels right beside
/// the contour. By default the frame of the picture does not bound a mask; [`with_frame`](Self::with_frame) changes
/// that. A class without a band in either map has no score (`None`) and is left out of means.
///
/// Source: Cheng, Girshick, Dollár, Berg, Kirillov, CVPR 2021, section 4, which scores single instances. This is
/// the semantic version, one mask per class. The paper's width is 2 % of the image diagonal, for Cityscapes 0.5 %.
///
/// # Example
///
/// ```
/// use decoupled_seg_metrics::{Aggregation, BoundaryIou, BoundaryThreshold};
/// use decoupled_seg_types::Size;
///
/// // The border of class 1 is one column too far to the right: in its band of two columns, one of three agrees.
/// let labels = [0, 0, 0, 0, 1, 1, 1, 1].repeat(4);
/// let predictions = [0, 0, 0, 0, 0, 1, 1, 1].repeat(4);
/// let mut metric = BoundaryIou::new(2, [BoundaryThreshold::Pixels(2)]);
/// metric.update(&labels, &predictions, Size::new(4, 8))?;
/// assert_eq!(metric.iou(Aggregation::Pooled), [[Some(1.0 / 3.0), Some(1.0 / 3.0)]]);
/// # Ok::<(), decoupled_seg_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoundaryIou {
    bands: Bands,
    /// `[width][class]`.
    totals: Vec<Vec<ClassTotal>>,
}

/// Sums over all images so far, for one class at one width.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct ClassTotal {
    /// Images in which the class has a band.
    images: u64,
    /// Sum of their scores.
    iou: f64,
    /// Sum of their pixels.
    bands: BandCounts,
}

/// Pixels of the bands of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct BandCounts {
    labelled: u64,
    predicted: u64,
    both: u64,
}

impl BandCounts {
    fn add(&mut self, other: &Self) {
        self.labelled += other.labelled;
        self.predicted += other.predicted;
        self.both += other.both;
    }

    fn iou(&self) -> Option<f64> {
        ratio(self.both, self.labelled + self.predicted - self.both)
    }
}

impl BoundaryIou {
    /// Makes a metric at the given widths that does not count the frame as a contour. `space` may be a number of
    /// classes; label 255 is then left out. See [`LabelSpace`].
    ///
    /// # Panics
    ///
    /// Panics unless there are 1 to 254 classes, or if there are more than 255 widths.
    pub fn new(space: impl Into<LabelSpace>, widths: impl Into<Vec<BoundaryThreshold>>) -> Self {
        let bands = Bands::new(space.into(), widths.into());
        Self {
            totals: vec![vec![ClassTotal::default(); bands.space.num_classes]; bands.widths.len()],
            bands,
        }
    }

    /// Sets whether the frame of the picture bounds the masks that touch it.
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
        let (label_levels, prediction_levels) = rayon::join(
            || bands.levels(&masked.labels),
            || bands.levels(&masked.predictions),
        );

        let none = bands.len() as u8;
        let mut image = vec![vec![BandCounts::default(); self.num_classes()]; bands.len()];
        for (((&label, &prediction), &label_level), &prediction_level) in masked
            .labels
            .iter()
            .zip(&masked.predictions)
            .zip(&label_levels)
            .zip(&prediction_levels)
        {
            // Most pixels are far from every contour.
            if label_level.min(prediction_level) == none || label == VOID {
                continue;
            }
            if label_level < none {
                image[usize::from(label_level)][usize::from(label)].labelled += 1;
            }
            if prediction_level < none {
                image[usize::from(prediction_level)][usize::from(prediction)].predicted += 1;
            }
            let both = label_level.max(prediction_level);
            if label == prediction && both < none {
                image[usize::from(both)][usize::from(label)].both += 1;
            }
        }

        // Wider bands hold every pixel of a narrower band.
        let mut within = vec![BandCounts::default(); self.num_classes()];
        for (&width, counts) in bands.places.iter().zip(&image) {
            for ((within, counts), total) in
                within.iter_mut().zip(counts).zip(&mut self.totals[width])
            {
                within.add(counts);
                total.bands.add(within);
                if let Some(iou) = within.iou() {
                    total.images += 1;
                    total.iou += iou;
                }
            }
        }
        Ok(())
    }

    /// Adds the images of `other`, for example of another thread or another part of the data set.
    ///
    /// # Panics
    ///
    /// Panics if `other` has other classes or widths.
    pub fn merge(&mut self, other: &Self) {
        self.bands.assert_like(&other.bands, "boundary IoUs");
        for (totals, more) in self.totals.iter_mut().zip(&other.totals) {
            for (total, more) in totals.iter_mut().zip(more) {
                total.images += more.images;
                total.iou += more.iou;
                total.bands.add(&more.bands);
            }
        }
    }

    /// Classes of the metric.
    pub fn num_classes(&self) -> usize {
        self.bands.space.num_classes
    }

    /// The band widths, in the order in which scores are returned.
    pub fn widths(&self) -> &[BoundaryThreshold] {
        &self.bands.widths
    }

    /// Boundary IoU of each class, `0..=1`: `[width][class]`; `None` for a class that had no band in any image.
    pub fn iou(&self, aggregation: Aggregation) -> Vec<Vec<Option<f64>>> {
        let score = |total: &ClassTotal| match aggregation {
            Aggregation::Pooled => total.bands.iou(),
            Aggregation::PerImage => (total.images > 0).then(|| total.iou / total.images as f64),
        };
        let scores = |totals: &Vec<ClassTotal>| totals.iter().map(score).collect();
        self.totals.iter().map(scores).collect()
    }

    /// Mean over the classes that have a score, one per width.
    pub fn mean_iou(&self, aggregation: Aggregation) -> Vec<Option<f64>> {
        self.iou(aggregation)
            .iter()
            .map(|classes| mean(classes))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const WIDTH_1: [BoundaryThreshold; 1] = [BoundaryThreshold::Pixels(1)];

    /// Class 1 fills the right half of 2x4 pixels; the prediction has it one column too wide.
    #[rstest]
    // Bands of one column each, side by side.
    #[case(ImageFrame::Open, Some(0.0))]
    // With two rows, the whole mask is its band: 4 of 6 pixels agree.
    #[case(ImageFrame::Contour, Some(4.0 / 6.0))]
    fn the_frame_as_contour(#[case] frame: ImageFrame, #[case] iou: Option<f64>) {
        let mut metric = BoundaryIou::new(2, WIDTH_1).with_frame(frame);
        let (labels, predictions) = ([0, 0, 1, 1].repeat(2), [0, 1, 1, 1].repeat(2));
        metric
            .update(&labels, &predictions, Size::new(2, 4))
            .unwrap();
        assert_eq!(metric.iou(Aggregation::Pooled)[0][1], iou);
    }

    #[test]
    fn images_or_pixels_weigh_the_same() {
        let mut metric = BoundaryIou::new(2, WIDTH_1);
        let [edge, moved] = [[0, 1, 1, 1], [0, 0, 0, 1]];
        metric
            .update(&edge.repeat(3), &edge.repeat(3), Size::new(3, 4))
            .unwrap();
        metric.update(&edge, &moved, Size::new(1, 4)).unwrap();
        // Class 1: all 3 pixels agree in the first image; in the second neither of 2 does.
        assert_eq!(metric.iou(Aggregation::PerImage)[0][1], Some(0.5));
        assert_eq!(metric.iou(Aggregation::Pooled)[0][1], Some(3.0 / 5.0));
    }

    #[test]
    fn widths_keep_their_order() {
        let widths = [3, 1, 2].map(BoundaryThreshold::Pixels);
        let (labels, predictions) = ([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]);
        let mut all = BoundaryIou::new(2, widths);
        all.update(&labels, &predictions, Size::new(1, 6)).unwrap();
        for (width, scores) in widths.into_iter().zip(all.iou(Aggregation::Pooled)) {
            let mut one = BoundaryIou::new(2, [width]);
            one.update(&labels, &predictions, Size::new(1, 6)).unwrap();
            assert_eq!(one.iou(Aggregation::Pooled)[0], scores);
        }
    }

    #[test]
    fn bad_input_changes_nothing() {
        let mut metric = BoundaryIou::new(2, WIDTH_1);
        let before = metric.clone();
        assert!(metric.update(&[0, 1], &[0], Size::new(1, 2)).is_err());
        assert!(metric.update(&[0, 2], &[0, 0], Size::new(1, 2)).is_err());
        assert!(metric.update(&[0, 1], &[0, 2], Size::new(1, 2)).is_err());
        assert_eq!(metric, before);
    }

    #[test]
    #[should_panic(expected = "must have the same classes and widths")]
    fn merging_other_classes() {
        BoundaryIou::new(2, WIDTH_1).merge(&BoundaryIou::new(3, WIDTH_1));
    }
}
