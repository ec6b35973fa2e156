//! Counts of (label, prediction) pairs and the scores that follow from them.

use serde::{Deserialize, Serialize};

use crate::{LabelSpace, MetricsError, pair_histogram::count_pairs};

/// How often each class was predicted for each class: `counts[label][prediction]`, in pixels.
///
/// With `n(g, p)` the count, `tp(c) = n(c, c)`, `row(c) = sum_p n(c, p)` (pixels labelled `c`) and
/// `col(c) = sum_g n(g, c)` (pixels predicted as `c`):
///
/// ```text
/// iou(c)                 = tp(c) / (row(c) + col(c) - tp(c))
/// precision(c)           = tp(c) / col(c)
/// recall(c)              = tp(c) / row(c)
/// pixel_accuracy         = sum_c tp(c) / sum_c row(c)
/// mean_iou               = mean of iou(c) over the classes that have one
/// class_accuracy         = mean of recall(c) over the classes that have one
/// frequency_weighted_iou = sum_c row(c) / sum row * iou(c)
/// ```
///
/// A quotient `0 / 0` is `None` and left out of means. Pixels with an ignored label are not counted, whatever the
/// prediction.
///
/// Source: Long, Shelhamer, Darrell, CVPR 2015, section 5 (accuracies and IoU); Everingham et al., IJCV 2010, for the
/// IoU of a class summed over the whole data set. Other tools count a class absent from both maps as IoU 1 (PaddleSeg).
///
/// # Example
///
/// ```
/// use decoupled_seg_metrics::ConfusionMatrix;
///
/// let mut matrix = ConfusionMatrix::new(3);
/// matrix.update(&[0, 0, 1, 1, 255], &[0, 1, 1, 1, 0])?;
/// assert_eq!(matrix.iou(), [Some(0.5), Some(2.0 / 3.0), None]);
/// # Ok::<(), decoupled_seg_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    pub(crate) space: LabelSpace,
    counts: Vec<u64>,
    ignored: u64,
}

impl ConfusionMatrix {
    /// Makes an empty matrix. `space` may be a number of classes; label 255 is then left out. See [`LabelSpace`].
    ///
    /// # Panics
    ///
    /// Panics unless there are 1 to 254 classes.
    pub fn new(space: impl Into<LabelSpace>) -> Self {
        let space = space.into();
        Self {
            space,
            counts: vec![0; space.num_classes * space.num_classes],
            ignored: 0,
        }
    }

    /// Counts one image, or any number of pixels in any order, on all cores of the current rayon pool.
    ///
    /// # Errors
    ///
    /// [`MetricsError::LengthMismatch`] if the slices differ in length, [`MetricsError::UnknownLabel`] or
    /// [`MetricsError::UnknownPrediction`] if a value is not a class. The matrix is then as before.
    pub fn update(&mut self, labels: &[u8], predictions: &[u8]) -> Result<(), MetricsError> {
        LabelSpace::check_length(labels.len(), labels, predictions)?;
        let classes = self.space.num_classes;
        let stride = classes + 1;
        let table = count_pairs(self.space, labels, predictions);
        // In the table of `count_pairs`, the rows and the column after the last class collect the illegal values.
        let unknown = table[(classes + 1) * stride..].iter().any(|&n| n > 0)
            || (0..classes).any(|label| table[label * stride + classes] > 0);
        if unknown {
            return Err(self.space.first_error(labels, predictions));
        }
        for label in 0..classes {
            for prediction in 0..classes {
                self.counts[label * classes + prediction] += table[label * stride + prediction];
            }
        }
        self.ignored += table[classes * stride..(classes + 1) * stride]
            .iter()
            .sum::<u64>();
        Ok(())
    }

    /// Counts one pixel. Both values must be classes.
    pub(crate) fn count(&mut self, label: u8, prediction: u8) {
        let classes = self.space.num_classes;
        self.counts[usize::from(label) * classes + usize::from(prediction)] += 1;
    }

    /// Adds the counts of `other`, for example of another thread or another part of the data set.
    ///
    /// # Panics
    ///
    /// Panics if `other` has another number of classes.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(
            self.num_classes(),
            other.num_classes(),
            "merged confusion matrices must have the same classes"
        );
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.ignored += other.ignored;
    }

    /// Classes of the matrix.
    pub fn num_classes(&self) -> usize {
        self.space.num_classes
    }

    /// Pixels labelled `label` and predicted as `prediction`.
    ///
    /// # Panics
    ///
    /// Panics if one of them is not below [`num_classes`](Self::num_classes).
    pub fn get(&self, label: usize, prediction: usize) -> u64 {
        let classes = self.num_classes();
        assert!(
            label < classes && prediction < classes,
            "classes must be below {classes}, got ({label}, {prediction})"
        );
        self.counts[label * classes + prediction]
    }

    /// All counts, row-major: `num_classes` rows (labels) of `num_classes` columns (predictions).
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Pixels counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Pixels left out because of their label.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Intersection over union of each class, `0..=1`; `None` for a class that is neither labelled nor predicted.
    pub fn iou(&self) -> Vec<Option<f64>> {
        self.per_class(|tp, row, col| ratio(tp, row + col - tp))
    }

    /// For each class, the share of its predicted pixels that have its label, `0..=1`; `None` for a class that is never
    /// predicted.
    pub fn precision(&self) -> Vec<Option<f64>> {
        self.per_class(|tp, _, col| ratio(tp, col))
    }

    /// For each class, the share of its labelled pixels that are predicted as the class, `0..=1`; `None` for a class
    /// that is never labelled. Also called the accuracy of the class.
    pub fn recall(&self) -> Vec<Option<f64>> {
        self.per_class(|tp, row, _| ratio(tp, row))
    }

    /// Mean of [`iou`](Self::iou) over the classes that have one; `None` when nothing was counted.
    pub fn mean_iou(&self) -> Option<f64> {
        mean(&self.iou())
    }

    /// Mean of [`recall`](Self::recall) over the classes that have one; `None` when nothing was counted.
    pub fn class_accuracy(&self) -> Option<f64> {
        mean(&self.recall())
    }

    /// Share of the counted pixels that are predicted right; `None` when nothing was counted.
    pub fn pixel_accuracy(&self) -> Option<f64> {
        let right = (0..self.num_classes()).map(|c| self.get(c, c)).sum();
        ratio(right, self.total())
    }

    /// Mean of the classes' IoU, each weighted with the class's share of the labels; `None` when nothing was counted.
    pub fn frequency_weighted_iou(&self) -> Option<f64> {
        let total = self.total();
        let weighted = self.per_class(|tp, row, col| {
            ratio(row, total)
                .zip(ratio(tp, row + col - tp))
                .map(|(frequency, iou)| frequency * iou)
        });
        (total > 0).then(|| weighted.into_iter().flatten().sum())
    }

    /// IoU of each category, a set of classes within which confusions do not count as errors.
    ///
    /// `categories[class]` is the category of a class, or `None` for a class that is not evaluated: pixels with its
    /// label are left out, and predicting it is a miss. The result has one entry for each category from 0 to the
    /// highest in `categories`.
    ///
    /// ```text
    /// tp(k) = sum of n(g, p) over g in k, p in k
    /// iou(k) = tp(k) / (row(k) + col(k) - tp(k)),  rows only of classes in a category
    /// ```
    ///
    /// Source: Cordts et al., CVPR 2016 (Cityscapes), section 4.1, "IoU category".
    ///
    /// # Panics
    ///
    /// Panics if the length of `categories` is not the number of classes.
    pub fn category_iou(&self, categories: &[Option<usize>]) -> Vec<Option<f64>> {
        assert_eq!(
            categories.len(),
            self.num_classes(),
            "categories must name one entry per class"
        );
        let count = categories
            .iter()
            .flatten()
            .max()
            .map_or(0, |&last| last + 1);
        let [mut hits, mut rows, mut cols] = [vec![0; count], vec![0; count], vec![0; count]];
        for (label, &row) in categories.iter().enumerate() {
            let Some(row) = row else { continue };
            for (prediction, &col) in categories.iter().enumerate() {
                let pixels = self.get(label, prediction);
                rows[row] += pixels;
                if let Some(col) = col {
                    cols[col] += pixels;
                    hits[row] += if row == col { pixels } else { 0 };
                }
            }
        }
        (0..count)
            .map(|k| ratio(hits[k], rows[k] + cols[k] - hits[k]))
            .collect()
    }

    /// Applies `score(tp, row, col)` to every class.
    fn per_class(&self, score: impl Fn(u64, u64, u64) -> Option<f64>) -> Vec<Option<f64>> {
        let classes = self.num_classes();
        (0..classes)
            .map(|class| {
                let row = self.counts[class * classes..(class + 1) * classes].iter();
                let col = self.counts.iter().skip(class).step_by(classes);
                score(self.get(class, class), row.sum(), col.sum())
            })
            .collect()
    }
}

/// `numerator / denominator`, or `None` for an empty denominator.
pub(crate) fn ratio(numerator: u64, denominator: u64) -> Option<f64> {
    (denominator > 0).then(|| numerator as f64 / denominator as f64)
}

/// Mean over the entries that are `Some`; `None` if there are none.
pub(crate) fn mean(values: &[Option<f64>]) -> Option<f64> {
    let present = values.iter().flatten().count();
    (present > 0).then(|| values.iter().flatten().sum::<f64>() / present as f64)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use decoupled_seg_fixtures::label_maps;

    #[track_caller]
    fn assert_scores(actual: &[Option<f64>], expected: &[Option<f64>]) {
        assert_eq!(actual.len(), expected.len());
        for (actual, expected) in actual.iter().zip(expected) {
            match (actual, expected) {
                // The sheet gives six decimals.
                (Some(actual), Some(expected)) => assert!(
                    (actual - expected).abs() < 6e-7,
                    "got {actual}, expected {expected}"
                ),
                (actual, expected) => assert_eq!(actual, expected),
            }
        }
    }

    #[test]
    fn golden_scores() {
        let mut matrix = ConfusionMatrix::new(4);
        matrix
            .update(&label_maps::labels(), &label_maps::predictions())
            .unwrap();
        #[rustfmt::skip]
        assert_eq!(matrix.counts(), [
            80, 34,  0, 0,
            22, 20,  0, 0,
             7,  9, 48, 0,
             0,  0,  0, 0,
        ]);
        assert_eq!((matrix.total(), matrix.ignored()), (220, 4));
        let iou = [Some(0.559_441), Some(0.235_294), Some(0.75), None];
        assert_scores(&matrix.iou(), &iou);
        assert_scores(&[matrix.mean_iou()], &[Some(0.514_912)]);
        assert_scores(&[matrix.pixel_accuracy()], &[Some(0.672_727)]);
        assert_scores(&[matrix.class_accuracy()], &[Some(0.642_648)]);
        assert_scores(&[matrix.frequency_weighted_iou()], &[Some(0.552_994)]);
        // By hand from the counts above.
        let precision = [80.0 / 109.0, 20.0 / 63.0, 1.0].map(Some);
        assert_scores(&matrix.precision()[..3], &precision);
        let recall = [80.0 / 114.0, 20.0 / 42.0, 48.0 / 64.0].map(Some);
        assert_scores(&matrix.recall()[..3], &recall);
        assert_eq!((matrix.precision()[3], matrix.recall()[3]), (None, None));
    }

    #[test]
    fn categories_by_hand() {
        let mut matrix = ConfusionMatrix::new(4);
        matrix
            .update(&label_maps::labels(), &label_maps::predictions())
            .unwrap();
        // Classes 0 and 1 form one category: 156 hits, no misses, and 16 pixels of class 2 taken for it.
        let categories = [Some(0), Some(0), Some(2), None];
        let iou = [Some(156.0 / 172.0), None, Some(0.75)];
        assert_scores(&matrix.category_iou(&categories), &iou);
        // Pixels of a class that is not evaluated are no false positives, and predicting such a class is only a miss.
        assert_scores(
            &matrix.category_iou(&[Some(0), Some(0), None, None]),
            &[Some(1.0)],
        );
        assert_scores(
            &matrix.category_iou(&[None, Some(0), None, None]),
            &[Some(20.0 / 42.0)],
        );
        assert_scores(&matrix.category_iou(&[None; 4]), &[]);
    }

    #[test]
    fn nothing_counted_is_no_score() {
        let mut matrix = ConfusionMatrix::new(2);
        matrix.update(&[255; 9], &[7; 9]).unwrap();
        matrix.update(&[], &[]).unwrap();
        assert_eq!((matrix.total(), matrix.ignored()), (0, 9));
        assert_eq!(matrix.iou(), [None, None]);
        assert_eq!(matrix.mean_iou(), None);
        assert_eq!(matrix.pixel_accuracy(), None);
        assert_eq!(matrix.class_accuracy(), None);
        assert_eq!(matrix.frequency_weighted_iou(), None);
    }

    #[rstest]
    #[case(1, Some(255))]
    #[case(3, None)]
    #[case(19, Some(255))]
    #[case(19, Some(4))]
    #[case(254, Some(254))]
    #[case(254, None)]
    fn counts_every_pair(#[case] num_classes: usize, #[case] ignore_index: Option<u8>) {
        // Enough pixels for several tasks and blocks, and an incomplete block at the end.
        let pixels = 150_001;
        let mut state = 3u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as usize % num_classes) as u8
        };
        let mut labels: Vec<u8> = (0..pixels).map(|_| next()).collect();
        let mut predictions: Vec<u8> = (0..pixels).map(|_| next()).collect();
        if let Some(ignore_index) = ignore_index {
            labels[70_000..70_100].fill(ignore_index);
            predictions[70_000..70_100].fill(255);
        }
        let mut expected = vec![0; num_classes * num_classes];
        for (&label, &prediction) in labels.iter().zip(&predictions) {
            if Some(label) != ignore_index {
                expected[usize::from(label) * num_classes + usize::from(prediction)] += 1;
            }
        }
        let mut matrix = ConfusionMatrix::new(LabelSpace {
            num_classes,
            ignore_index,
        });
        matrix.update(&labels, &predictions).unwrap();
        assert_eq!(matrix.counts(), expected);
        assert_eq!(matrix.total() + matrix.ignored(), pixels as u64);
    }

    #[rstest]
    #[case(&[0, 1], &[0], "`predictions` holds 1 pixels, expected 2: give maps of one size")]
    #[case(&[0, 3, 4], &[0, 0, 0], "label 3 at pixel 1, expected a class below 3 or 255 (ignored): map the values of the data set to classes first")]
    #[case(&[0, 255, 1], &[0, 9, 3], "prediction 3 at pixel 2, expected a class below 3: predict the classes of the labels")]
    fn bad_input_changes_nothing(
        #[case] labels: &[u8],
        #[case] predictions: &[u8],
        #[case] message: &str,
    ) {
        let mut matrix = ConfusionMatrix::new(3);
        matrix.update(&[0, 1], &[0, 2]).unwrap();
        let before = matrix.clone();
        let error = matrix.update(labels, predictions).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(matrix, before);
    }

    #[test]
    fn without_an_ignore_index_255_is_unknown() {
        let mut matrix = ConfusionMatrix::new(LabelSpace::new(2).with_ignore_index(None));
        let error = matrix.update(&[255], &[0]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "label 255 at pixel 0, expected a class below 2: map the values of the data set to classes first"
        );
    }

    #[test]
    #[should_panic(expected = "num_classes must be in 1..=254, got 255")]
    fn too_many_classes() {
        ConfusionMatrix::new(255);
    }

    #[test]
    #[should_panic(expected = "must have the same classes")]
    fn merging_other_classes() {
        ConfusionMatrix::new(2).merge(&ConfusionMatrix::new(3));
    }
}
