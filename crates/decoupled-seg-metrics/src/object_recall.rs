use decoupled_seg_types::Size;
use serde::{Deserialize, Serialize};

use crate::{LabelSpace, MetricsError, label_space::VOID};

/// How much of the labelled objects is found, by their area.
///
/// An object is a connected region of one class in the labels, over edges and corners. Its recall is the share of its pixels
/// that are predicted as its class; the score of a range of areas is the mean over its objects, of all classes, so
/// that ten poles count ten times as much as one road. Ignored pixels belong to no object.
///
/// A mean over classes hides whether a network loses on what is small: this does not. Predictions where nothing is do not
/// lower it; precision is the confusion matrix's affair.
///
/// # Example
///
/// ```
/// use decoupled_seg_metrics::ObjectRecall;
/// use decoupled_seg_types::Size;
///
/// // An object of three pixels on a ground of nine, of which one pixel is missed.
/// let labels = [0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0];
/// let predictions = [0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0];
/// let mut metric = ObjectRecall::new(2, [5]);
/// metric.update(&labels, &predictions, Size::new(3, 4))?;
/// assert_eq!(metric.names(), ["below 5 px", "5 px and more"]);
/// assert_eq!(metric.recall(), [Some(2.0 / 3.0), Some(1.0)]);
/// # Ok::<(), decoupled_seg_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectRecall {
    space: LabelSpace,
    /// Areas at which a new range begins, in pixels.
    bounds: Vec<usize>,
    ranges: Vec<Range>,
}

/// Sums over the objects of a range.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Range {
    objects: u64,
    recall: f64,
}

impl ObjectRecall {
    /// A metric whose ranges are divided at `bounds`, areas in pixels. A number of classes leaves out label 255; see
    /// [`LabelSpace`].
    ///
    /// # Panics
    ///
    /// Panics unless there are 1 to 254 classes and the bounds ascend.
    pub fn new(space: impl Into<LabelSpace>, bounds: impl Into<Vec<usize>>) -> Self {
        let (space, bounds) = (space.into(), bounds.into());
        assert!(
            bounds.is_sorted_by(|a, b| a < b),
            "the bounds of the areas must ascend, got {bounds:?}"
        );
        Self {
            space,
            ranges: vec![Range::default(); bounds.len() + 1],
            bounds,
        }
    }

    /// Adds one image.
    ///
    /// # Errors
    ///
    /// [`MetricsError::LengthMismatch`] if a slice does not have `size.pixels()` pixels, [`MetricsError::UnknownLabel`] or
    /// [`MetricsError::UnknownPrediction`] if a value is not a class. The metric is then as before.
    pub fn update(
        &mut self,
        labels: &[u8],
        predictions: &[u8],
        size: Size,
    ) -> Result<(), MetricsError> {
        let masked = self.space.mask(labels, predictions, size)?;
        let mut seen: Vec<bool> = masked.labels.iter().map(|&label| label == VOID).collect();
        let mut open = Vec::new();
        for start in 0..seen.len() {
            if seen[start] {
                continue;
            }
            let class = masked.labels[start];
            let (mut area, mut hits) = (0, 0);
            seen[start] = true;
            open.push(start);
            while let Some(pixel) = open.pop() {
                area += 1;
                hits += usize::from(masked.predictions[pixel] == class);
                for neighbour in neighbours(pixel, size) {
                    if !seen[neighbour] && masked.labels[neighbour] == class {
                        seen[neighbour] = true;
                        open.push(neighbour);
                    }
                }
            }
            let range = &mut self.ranges[self.bounds.partition_point(|&bound| bound <= area)];
            range.objects += 1;
            range.recall += hits as f64 / area as f64;
        }
        Ok(())
    }

    /// Names of the ranges, such as `100 to 999 px`.
    pub fn names(&self) -> Vec<String> {
        let Some((first, last)) = self.bounds.first().zip(self.bounds.last()) else {
            return vec!["all".to_string()];
        };
        let between = self.bounds.windows(2).map(|pair| {
            let [from, to] = pair else {
                unreachable!("windows of two")
            };
            format!("{from} to {} px", to - 1)
        });
        let ends = [format!("below {first} px"), format!("{last} px and more")];
        let [below, above] = ends;
        [below].into_iter().chain(between).chain([above]).collect()
    }

    /// Mean recall over the objects of each range, a fraction; `None` where there are none.
    pub fn recall(&self) -> Vec<Option<f64>> {
        let mean = |range: &Range| {
            let objects = range.objects as f64;
            (range.objects > 0).then(|| range.recall / objects)
        };
        self.ranges.iter().map(mean).collect()
    }

    /// Objects of each range.
    pub fn objects(&self) -> Vec<u64> {
        self.ranges.iter().map(|range| range.objects).collect()
    }
}

/// The up to eight pixels around one.
fn neighbours(pixel: usize, size: Size) -> impl Iterator<Item = usize> {
    let (x, y) = (pixel % size.width, pixel / size.width);
    let rows = y.saturating_sub(1)..(y + 2).min(size.height);
    rows.flat_map(move |row| {
        let columns = x.saturating_sub(1)..(x + 2).min(size.width);
        columns.map(move |column| row * size.width + column)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_apart_and_ignored_pixels_divide_them() {
        // Two objects of class 1 that touch at no corner, one of two pixels that do; an ignored column.
        #[rustfmt::skip]
        let labels = [
            1, 0, 0, 255, 1,
            0, 1, 0, 255, 1,
            0, 0, 0, 255, 1,
        ];
        #[rustfmt::skip]
        let predictions = [
            1, 0, 0, 0, 0,
            0, 0, 0, 0, 1,
            0, 0, 0, 0, 1,
        ];
        let mut metric = ObjectRecall::new(2, [3, 4]);
        metric
            .update(&labels, &predictions, Size::new(3, 5))
            .expect("classes");
        assert_eq!(metric.names(), ["below 3 px", "3 to 3 px", "4 px and more"]);
        assert_eq!(metric.objects(), [1, 1, 1]);
        // One of two, two of three, and the ground of seven.
        assert_eq!(metric.recall(), [Some(0.5), Some(2.0 / 3.0), Some(1.0)]);
    }

    #[test]
    fn a_right_prediction_finds_all_and_empty_ranges_say_nothing() {
        let labels: Vec<u8> = (0..64).map(|i| u8::from(i % 9 == 0)).collect();
        let mut metric = ObjectRecall::new(2, [1_000]);
        for _ in 0..2 {
            metric
                .update(&labels, &labels, Size::new(8, 8))
                .expect("classes");
        }
        // The diagonal is one object, and so is the ground: across the corners both hang together.
        assert_eq!(metric.objects(), [4, 0]);
        assert_eq!(metric.recall(), [Some(1.0), None]);
        assert_eq!(ObjectRecall::new(2, []).names(), ["all"]);
    }

    #[test]
    fn what_cannot_be_scored_changes_nothing() {
        let mut metric = ObjectRecall::new(2, [2]);
        let before = metric.clone();
        let error = metric.update(&[0, 3], &[0, 0], Size::new(1, 2));
        assert!(matches!(error, Err(MetricsError::UnknownLabel { .. })));
        assert_eq!(metric, before);
    }

    #[test]
    #[should_panic(expected = "must ascend, got [3, 3]")]
    fn bounds_ascend() {
        ObjectRecall::new(2, [3, 3]);
    }
}
