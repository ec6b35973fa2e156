//! The scores of a model as a table.

use std::fmt;

use decoupled_seg_types::TextTable;
use serde::Serialize;

use crate::{Aggregation, BoundaryFScore, BoundaryThreshold, ConfusionMatrix};

/// Scores per class and their means. The printed table shows per cent; the serialised form holds fractions.
///
/// # Example
///
/// ```
/// use decoupled_seg_metrics::{Aggregation, BoundaryFScore, BoundaryThreshold};
/// use decoupled_seg_metrics::{ConfusionMatrix, SegmentationReport};
/// use decoupled_seg_types::Size;
///
/// let labels = [0, 0, 0, 1, 1, 1].repeat(4);
/// let predictions = [0, 0, 1, 1, 1, 1].repeat(4);
/// let mut matrix = ConfusionMatrix::new(3);
/// let mut boundary = BoundaryFScore::new(3, [0, 1].map(BoundaryThreshold::Pixels));
/// matrix.update(&labels, &predictions)?;
/// boundary.update(&labels, &predictions, Size::new(4, 6))?;
///
/// let report = SegmentationReport::new(&["road", "car", "pole"], &matrix)
///     .with_boundary(&boundary, Aggregation::PerImage);
/// let table = "\
/// class     IoU  F 0 px  F 1 px
/// road    66.67    0.00  100.00
/// car     75.00    0.00  100.00
/// pole        -       -       -
/// mean    70.83    0.00  100.00
/// ";
/// assert_eq!(report.to_string(), table);
/// # Ok::<(), decoupled_seg_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SegmentationReport {
    /// One row per class.
    pub classes: Vec<ReportRow>,
    /// Means over the classes that have a score; its name is `mean`.
    pub mean: ReportRow,
    /// Share of the pixels predicted right, `0..=1`.
    pub pixel_accuracy: Option<f64>,
    /// Distances of the boundary F-scores.
    pub thresholds: Vec<BoundaryThreshold>,
}

/// A row of a [`SegmentationReport`]. Scores are in `0..=1`; `None` if there was nothing to score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportRow {
    /// Name of the class.
    pub name: String,
    /// Intersection over union.
    pub iou: Option<f64>,
    /// Boundary F-score at each of [`SegmentationReport::thresholds`].
    pub boundary_f: Vec<Option<f64>>,
}

impl SegmentationReport {
    /// Makes a report of the IoU of each class.
    ///
    /// # Panics
    ///
    /// Panics if the number of names is not the number of classes of the matrix.
    pub fn new(names: &[impl AsRef<str>], matrix: &ConfusionMatrix) -> Self {
        assert_eq!(
            names.len(),
            matrix.num_classes(),
            "a report needs one name per class"
        );
        let row = |name: &str, iou| ReportRow {
            name: name.to_string(),
            iou,
            boundary_f: Vec::new(),
        };
        let classes = names.iter().zip(matrix.iou());
        Self {
            classes: classes.map(|(name, iou)| row(name.as_ref(), iou)).collect(),
            mean: row("mean", matrix.mean_iou()),
            pixel_accuracy: matrix.pixel_accuracy(),
            thresholds: Vec::new(),
        }
    }

    /// Adds a column for each threshold of `boundary`.
    ///
    /// # Panics
    ///
    /// Panics if `boundary` has other classes.
    pub fn with_boundary(mut self, boundary: &BoundaryFScore, aggregation: Aggregation) -> Self {
        assert_eq!(
            self.classes.len(),
            boundary.num_classes(),
            "the boundary F-score must have the classes of the report"
        );
        self.thresholds.extend(boundary.thresholds());
        for scores in boundary.class_scores(aggregation) {
            for (row, score) in self.classes.iter_mut().zip(scores) {
                row.boundary_f.push(score.map(|score| score.f));
            }
        }
        let means = boundary.mean_scores(aggregation);
        self.mean
            .boundary_f
            .extend(means.iter().map(|score| score.map(|score| score.f)));
        self
    }
}

impl fmt::Display for SegmentationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thresholds = self.thresholds.iter();
        let columns = thresholds.map(|threshold| format!("F {threshold}"));
        let names = ["class", "IoU"].map(String::from);
        let mut table = TextTable::new(names.into_iter().chain(columns));
        for row in self.classes.iter().chain([&self.mean]) {
            let percent = |score: Option<f64>| {
                score.map_or("-".to_string(), |score| format!("{:.2}", 100.0 * score))
            };
            let scores = [row.iou].into_iter().chain(row.boundary_f.iter().copied());
            let cells = scores.map(percent);
            table = table.with_row([row.name.clone()].into_iter().chain(cells));
        }
        write!(f, "{table}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_boundaries_and_with_long_names() {
        let mut matrix = ConfusionMatrix::new(2);
        matrix.update(&[0, 0, 1, 1], &[0, 0, 1, 1]).unwrap();
        let report = SegmentationReport::new(&["road", "pole"], &matrix);
        let table = "\
class     IoU
road   100.00
pole   100.00
mean   100.00
";
        assert_eq!(report.to_string(), table);
        let report =
            SegmentationReport::new(&["traffic light", "traffic sign"], &ConfusionMatrix::new(2));
        let table = "\
class             IoU
traffic light       -
traffic sign        -
mean                -
";
        assert_eq!(report.to_string(), table);
    }

    #[test]
    fn serialises_with_names_and_units() {
        let mut matrix = ConfusionMatrix::new(2);
        matrix.update(&[0, 0], &[0, 0]).unwrap();
        let boundary = BoundaryFScore::new(2, [BoundaryThreshold::DiagonalFraction(0.005)]);
        let report = SegmentationReport::new(&["road", "pole"], &matrix)
            .with_boundary(&boundary, Aggregation::Pooled);
        let row = |name: &str, iou: Option<f64>| serde_json::json!({ "name": name, "iou": iou, "boundary_f": [null] });
        let expected = serde_json::json!({
            "classes": [row("road", Some(1.0)), row("pole", None)],
            "mean": row("mean", Some(1.0)),
            "pixel_accuracy": 1.0,
            "thresholds": [{ "diagonal_fraction": 0.005 }],
        });
        assert_eq!(serde_json::to_value(&report).unwrap(), expected);
    }

    #[test]
    #[should_panic(expected = "one name per class")]
    fn too_few_names() {
        SegmentationReport::new(&["road"], &ConfusionMatrix::new(2));
    }
}
