//! Boundary F-score: how well predicted class boundaries follow the labelled ones.

use decoupled_seg_types::Size;
use serde::{Deserialize, Serialize};

use crate::{
    AbsentClass, Aggregation, BoundaryCounts, BoundaryScore, BoundaryThreshold, ClassBoundaries,
    LabelSpace, MetricsError, proximity::count_matches,
};

/// Boundary F-score per class at one or more distances.
///
/// For each class the maps are masks, and both masks are empty where the label is ignored. [`ClassBoundaries`] defines
/// which pixels of a mask are its boundary. With the predicted boundary `P`, the labelled boundary `G` and the radius
/// `r` in pixels:
///
/// ```text
/// precision = |{p in P : some g in G with |p - g| <= r}| / |P|
/// recall    = |{g in G : some p in P with |p - g| <= r}| / |G|
/// F         = 2 * precision * recall / (precision + recall)
/// ```
///
/// Distances are Euclidean between pixel centres, compared as integers. [`BoundaryCounts::score`] defines the scores of
/// empty boundaries. The score of a class is the mean over the images that show it (see [`AbsentClass`]) or, pooled,
/// the score of the counts of all images together. The score of a data set is the mean over classes.
///
/// Source: Perazzi et al., CVPR 2016 (DAVIS), contour accuracy, after Martin, Fowlkes, Malik, PAMI 2004,
/// applied to each class of a label map as in Li et al., ECCV 2020, Fig. 3. The authors' numbers are
/// [`BoundaryThreshold::PAPER`] with [`AbsentClass::Perfect`] and [`Aggregation::PerImage`].
///
/// # Example
///
/// ```
/// use decoupled_seg_metrics::{Aggregation, BoundaryFScore, BoundaryThreshold};
/// use decoupled_seg_types::Size;
///
/// // A vertical border, predicted two columns too far to the right.
/// let labels = [0, 0, 1, 1, 1, 1].repeat(4);
/// let predictions = [0, 0, 0, 0, 1, 1].repeat(4);
/// let mut metric = BoundaryFScore::new(2, [1, 2].map(BoundaryThreshold::Pixels));
/// metric.update(&labels, &predictions, Size::new(4, 6))?;
/// let mean = metric.mean_scores(Aggregation::PerImage);
/// let f: Vec<_> = mean.iter().flatten().map(|score| score.f).collect();
/// assert_eq!(f, [0.0, 1.0]);
/// # Ok::<(), decoupled_seg_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoundaryFScore {
    space: LabelSpace,
    absent: AbsentClass,
    thresholds: Vec<BoundaryThreshold>,
    images: u64,
    /// `[threshold][class]`.
    totals: Vec<Vec<ClassTotal>>,
}

/// Sums over all images so far, for one class at one threshold.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct ClassTotal {
    /// Images in which the class has a boundary.
    images: u64,
    /// Sum of their scores.
    scores: BoundaryScore,
    /// Sum of their pixels.
    counts: BoundaryCounts,
}

impl BoundaryFScore {
    /// Makes a metric at the given thresholds that skips absent classes. `space` may be a number of classes; label 255
    /// is then left out. See [`LabelSpace`].
    ///
    /// # Panics
    ///
    /// Panics unless there are 1 to 254 classes.
    pub fn new(
        space: impl Into<LabelSpace>,
        thresholds: impl Into<Vec<BoundaryThreshold>>,
    ) -> Self {
        let space = space.into();
        let thresholds = thresholds.into();
        Self {
            space,
            absent: AbsentClass::default(),
            images: 0,
            totals: vec![vec![ClassTotal::default(); space.num_classes]; thresholds.len()],
            thresholds,
        }
    }

    /// Sets what a class scores in images where it has no boundary in either map.
    pub fn with_absent_class(mut self, absent: AbsentClass) -> Self {
        self.absent = absent;
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
        let radii: Vec<u32> = self.thresholds.iter().map(|t| t.pixels(size)).collect();
        let image = boundary_counts(self.space, labels, predictions, size, &radii)?;
        for (totals, counts) in self.totals.iter_mut().zip(&image) {
            for (total, counts) in totals.iter_mut().zip(counts) {
                total.counts.add(counts);
                if let Some(score) = counts.score(AbsentClass::Skip) {
                    total.images += 1;
                    total.scores = sum(total.scores, score);
                }
            }
        }
        self.images += 1;
        Ok(())
    }

    /// Adds the images of `other`, for example of another thread or another part of the data set.
    ///
    /// # Panics
    ///
    /// Panics if `other` has other classes or thresholds.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(
            (self.num_classes(), &self.thresholds),
            (other.num_classes(), &other.thresholds),
            "merged boundary F-scores must have the same classes and thresholds"
        );
        for (totals, more) in self.totals.iter_mut().zip(&other.totals) {
            for (total, more) in totals.iter_mut().zip(more) {
                total.images += more.images;
                total.scores = sum(total.scores, more.scores);
                total.counts.add(&more.counts);
            }
        }
        self.images += other.images;
    }

    /// Classes of the metric.
    pub fn num_classes(&self) -> usize {
        self.space.num_classes
    }

    /// The distances, in the order in which scores are returned.
    pub fn thresholds(&self) -> &[BoundaryThreshold] {
        &self.thresholds
    }

    /// Images added so far.
    pub fn images(&self) -> u64 {
        self.images
    }

    /// Boundary pixels of all images together: `[threshold][class]`.
    pub fn pooled_counts(&self) -> Vec<Vec<BoundaryCounts>> {
        let counts = |totals: &Vec<ClassTotal>| totals.iter().map(|total| total.counts).collect();
        self.totals.iter().map(counts).collect()
    }

    /// Score of each class: `[threshold][class]`.
    ///
    /// `None` before the first image, and with [`AbsentClass::Skip`] for a class that has no boundary in any image.
    pub fn class_scores(&self, aggregation: Aggregation) -> Vec<Vec<Option<BoundaryScore>>> {
        let score = |total: &ClassTotal| match aggregation {
            _ if self.images == 0 => None,
            Aggregation::Pooled => total.counts.score(self.absent),
            Aggregation::PerImage => {
                let absent = match self.absent {
                    AbsentClass::Skip => 0,
                    AbsentClass::Perfect => self.images - total.images,
                };
                // An absent class adds 1 to all three sums.
                let add = |sum: f64| (sum + absent as f64) / (total.images + absent) as f64;
                (total.images + absent > 0).then(|| BoundaryScore {
                    precision: add(total.scores.precision),
                    recall: add(total.scores.recall),
                    f: add(total.scores.f),
                })
            }
        };
        let scores = |totals: &Vec<ClassTotal>| totals.iter().map(score).collect();
        self.totals.iter().map(scores).collect()
    }

    /// Mean over the classes that have a score, one per threshold.
    pub fn mean_scores(&self, aggregation: Aggregation) -> Vec<Option<BoundaryScore>> {
        let scores = self.class_scores(aggregation);
        scores.iter().map(|classes| mean_score(classes)).collect()
    }
}

/// Counts the boundary pixels of one image, matched at each of `radii` pixels: `[radius][class]`.
///
/// [`BoundaryFScore`] adds up such counts over images. Use this function for the scores of a single image.
///
/// # Errors
///
/// As for [`BoundaryFScore::update`].
///
/// # Panics
///
/// Panics unless there are 1 to 254 classes.
pub fn boundary_counts(
    space: impl Into<LabelSpace>,
    labels: &[u8],
    predictions: &[u8],
    size: Size,
    radii: &[u32],
) -> Result<Vec<Vec<BoundaryCounts>>, MetricsError> {
    let space = space.into();
    let masked = space.mask(labels, predictions, size)?;
    let boundaries = |map: &[u8]| ClassBoundaries::new(map, size, space.num_classes);
    let (labels, predictions) = rayon::join(
        || boundaries(&masked.labels),
        || boundaries(&masked.predictions),
    );
    // Thresholds may come in any order, and several may become the same radius on a small image.
    let mut distinct = radii.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let counts = count_matches(&labels, &predictions, &distinct);
    let place = |radius| distinct.partition_point(|other| other < radius);
    Ok(radii
        .iter()
        .map(|radius| counts[place(radius)].clone())
        .collect())
}

fn sum(a: BoundaryScore, b: BoundaryScore) -> BoundaryScore {
    BoundaryScore {
        precision: a.precision + b.precision,
        recall: a.recall + b.recall,
        f: a.f + b.f,
    }
}

fn mean_score(scores: &[Option<BoundaryScore>]) -> Option<BoundaryScore> {
    let present = scores.iter().flatten().count() as f64;
    let total = scores.iter().flatten().copied().reduce(sum)?;
    Some(BoundaryScore {
        precision: total.precision / present,
        recall: total.recall / present,
        f: total.f / present,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use decoupled_seg_fixtures::label_maps;

    const RADII: [u32; 3] = [1, 2, 3];

    fn golden_metric() -> BoundaryFScore {
        let mut metric = BoundaryFScore::new(4, RADII.map(BoundaryThreshold::Pixels));
        metric
            .update(
                &label_maps::labels(),
                &label_maps::predictions(),
                label_maps::SIZE,
            )
            .unwrap();
        metric
    }

    #[test]
    fn golden_scores() {
        let scores = golden_metric()
            .with_absent_class(AbsentClass::Perfect)
            .class_scores(Aggregation::PerImage);
        // The sheet gives six decimals.
        let close = |actual: f64, golden: f64| (actual - golden).abs() < 6e-7;
        for (radius, [f0, f1], [p0, p1]) in [
            (0, [0.510_328, 0.206_897], [0.617_647, 0.1875]),
            (1, [0.804_279, 0.547_325], [0.852_941, 0.4375]),
            (2, [0.926_897, 0.792_453], [0.941_176, 0.656_25]),
        ] {
            let scores: Vec<_> = scores[radius].iter().flatten().collect();
            assert!(
                close(scores[0].f, f0) && close(scores[0].precision, p0),
                "{scores:?}"
            );
            assert!(
                close(scores[1].f, f1) && close(scores[1].precision, p1),
                "{scores:?}"
            );
            assert_eq!((scores[2].f, scores[3].f), (1.0, 1.0));
        }
    }

    #[test]
    fn golden_boundary_sizes() {
        let counts = golden_metric().pooled_counts();
        assert_eq!((counts[0][1].labelled, counts[0][1].predicted), (26, 32));
    }

    /// One image with class 1 found exactly, one without it, one with it missed.
    fn three_images(absent: AbsentClass) -> BoundaryFScore {
        let with = [0, 0, 1, 1].repeat(2);
        let without = [0; 8].to_vec();
        let mut metric =
            BoundaryFScore::new(3, [BoundaryThreshold::Pixels(0)]).with_absent_class(absent);
        for (labels, predictions) in [(&with, &with), (&without, &without), (&with, &without)] {
            metric.update(labels, predictions, Size::new(2, 4)).unwrap();
        }
        metric
    }

    #[rstest]
    #[case(AbsentClass::Skip, Some(1.0 / 2.0), None)]
    #[case(AbsentClass::Perfect, Some(2.0 / 3.0), Some(1.0))]
    fn absent_classes(
        #[case] absent: AbsentClass,
        #[case] sometimes: Option<f64>,
        #[case] never: Option<f64>,
    ) {
        let scores = &three_images(absent).class_scores(Aggregation::PerImage)[0];
        assert_eq!(scores[1].map(|score| score.f), sometimes);
        assert_eq!(scores[2].map(|score| score.f), never);
    }

    #[test]
    fn pooled_scores_weigh_pixels() {
        let metric = three_images(AbsentClass::Skip);
        let score = metric.class_scores(Aggregation::Pooled)[0][1].unwrap();
        // Two predicted pixels, both right; four labelled ones, two of them found.
        let expected = BoundaryScore {
            precision: 1.0,
            recall: 0.5,
            f: 2.0 / 3.0,
        };
        assert_eq!(score, expected);
    }

    #[test]
    fn thresholds_keep_their_order() {
        let thresholds = [3, 1, 3, 2].map(BoundaryThreshold::Pixels);
        let mut metric = BoundaryFScore::new(4, thresholds);
        let (labels, predictions) = (label_maps::labels(), label_maps::predictions());
        metric
            .update(&labels, &predictions, label_maps::SIZE)
            .unwrap();
        let ascending = golden_metric().pooled_counts();
        let expected = [2, 0, 2, 1].map(|radius| ascending[radius].clone());
        assert_eq!(metric.pooled_counts(), expected);
    }

    #[test]
    fn no_image_is_no_score() {
        let metric = BoundaryFScore::new(2, BoundaryThreshold::PAPER)
            .with_absent_class(AbsentClass::Perfect);
        assert_eq!(metric.mean_scores(Aggregation::PerImage), [None; 4]);
        assert_eq!(metric.mean_scores(Aggregation::Pooled), [None; 4]);
    }

    #[rstest]
    #[case(
        Size::new(2, 2),
        "`labels` holds 3 pixels, expected 4: give maps of one size"
    )]
    #[case(
        Size::new(1, 3),
        "label 9 at pixel 1, expected a class below 2 or 255 (ignored): map the values of the data set to classes first"
    )]
    fn bad_input_changes_nothing(#[case] size: Size, #[case] message: &str) {
        let mut metric = BoundaryFScore::new(2, BoundaryThreshold::PAPER);
        let before = metric.clone();
        let error = metric.update(&[0, 9, 0], &[0, 0, 0], size).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(metric, before);
    }

    #[test]
    #[should_panic(expected = "must have the same classes and thresholds")]
    fn merging_other_thresholds() {
        let one = |pixels| BoundaryFScore::new(2, [BoundaryThreshold::Pixels(pixels)]);
        one(1).merge(&one(2));
    }
}
