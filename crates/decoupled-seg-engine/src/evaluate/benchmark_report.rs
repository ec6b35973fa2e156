use std::fmt;

use decoupled_seg_metrics::InstanceIou;
use decoupled_seg_types::TextTable;
use serde::Serialize;

/// The table of the Cityscapes benchmark: IoU and iIoU of classes and categories. Shown in per cent
/// ([`Display`](fmt::Display)), serialised as fractions.
///
/// ```
/// use decoupled_seg_engine::BenchmarkReport;
/// use decoupled_seg_metrics::{EvaluationLabel, InstanceIou, LabelTable};
///
/// let label = |name: &str, average_instance_size| EvaluationLabel {
///     name: name.to_string(),
///     category: 0,
///     evaluated: true,
///     average_instance_size,
/// };
/// let mut metric = InstanceIou::new(LabelTable {
///     labels: vec![label("road", None), label("car", Some(2.0))],
///     categories: vec!["things".to_string()],
/// });
/// metric.update(&[1, 1, 1, 1, 0, 1], &[1, 1, 1, 1, 0, 0], &[1001u16, 1001, 1001, 1001, 0, 1002])?;
/// let table = "\
/// class        IoU    iIoU
/// road       50.00       -
/// car        80.00   50.00
/// mean       65.00   50.00
///
/// category     IoU    iIoU
/// things    100.00       -
/// mean      100.00       -
/// ";
/// assert_eq!(BenchmarkReport::new(&metric, 1).to_string(), table);
/// # Ok::<(), decoupled_seg_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchmarkReport {
    /// Images that were scored.
    pub images: usize,
    /// One row for each evaluated class.
    pub classes: Vec<BenchmarkRow>,
    /// Means over the classes that have a score; its name is `mean`.
    pub class_mean: BenchmarkRow,
    /// One row for each category with an evaluated class.
    pub categories: Vec<BenchmarkRow>,
    /// Means over the categories that have a score; its name is `mean`.
    pub category_mean: BenchmarkRow,
}

/// A row of a [`BenchmarkReport`]: fractions in `0..=1`, `None` where there is no score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchmarkRow {
    /// Name of the class or category.
    pub name: String,
    /// Intersection over union of all pixels.
    pub iou: Option<f64>,
    /// Intersection over union in which every instance weighs the same; of what has instances only.
    pub iiou: Option<f64>,
}

impl BenchmarkReport {
    /// The scores of `images` images.
    pub fn new(metric: &InstanceIou, images: usize) -> Self {
        let row = |name: &str, iou, iiou| BenchmarkRow {
            name: name.to_string(),
            iou,
            iiou,
        };
        let rows = |names: &mut dyn Iterator<Item = (&String, bool)>, iou: Vec<_>, iiou: Vec<_>| {
            let scores = iou.into_iter().zip(iiou);
            names
                .zip(scores)
                .filter(|((_, evaluated), _)| *evaluated)
                .map(|((name, _), (iou, iiou))| row(name, iou, iiou))
                .collect()
        };
        let table = metric.table();
        let mut classes = table
            .labels
            .iter()
            .map(|label| (&label.name, label.evaluated));
        let evaluated = table.evaluated_categories();
        let mut categories = table
            .categories
            .iter()
            .enumerate()
            .map(|(index, name)| (name, evaluated.contains(&Some(index))));
        Self {
            images,
            classes: rows(&mut classes, metric.class_iou(), metric.class_iiou()),
            class_mean: row("mean", metric.mean_class_iou(), metric.mean_class_iiou()),
            categories: rows(
                &mut categories,
                metric.category_iou(),
                metric.category_iiou(),
            ),
            category_mean: row(
                "mean",
                metric.mean_category_iou(),
                metric.mean_category_iiou(),
            ),
        }
    }
}

impl fmt::Display for BenchmarkReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |score: Option<f64>| {
            score.map_or("-".to_string(), |score| format!("{:.2}", 100.0 * score))
        };
        let cells = |row: &BenchmarkRow| [row.name.clone(), percent(row.iou), percent(row.iiou)];
        let add = |table: TextTable, row| table.with_row(cells(row));

        let table = TextTable::new(["class", "IoU", "iIoU"]);
        let classes = self.classes.iter().chain([&self.class_mean]);
        let table = classes.fold(table, add).with_gap();
        let categories = self.categories.iter().chain([&self.category_mean]);
        let table = categories.fold(table.with_row(["category", "IoU", "iIoU"]), add);
        write!(f, "{table}")
    }
}
