//! The labels of a benchmark and how it scores them.

use decoupled_seg_types::{CITYSCAPES_CATEGORIES, CITYSCAPES_LABELS, CityscapesLabel};
use serde::{Deserialize, Serialize};

/// The labels of a benchmark, by value, and their categories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelTable {
    /// Entry `i` is the label of value `i`.
    pub labels: Vec<EvaluationLabel>,
    /// Names of the categories.
    pub categories: Vec<String>,
}

/// One label of a [`LabelTable`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationLabel {
    /// Name of the label.
    pub name: String,
    /// Index into [`LabelTable::categories`].
    pub category: usize,
    /// Whether the label is scored. If not, pixels with this label are left out, and predicting the label is a miss.
    pub evaluated: bool,
    /// Mean size of its instances in the training set, in pixels; `None` for a label without instances.
    pub average_instance_size: Option<f64>,
}

impl From<&CityscapesLabel> for EvaluationLabel {
    fn from(label: &CityscapesLabel) -> Self {
        Self {
            name: label.name.to_string(),
            category: label.category,
            evaluated: label.is_evaluated(),
            average_instance_size: label.average_instance_size,
        }
    }
}

impl LabelTable {
    /// The 34 label ids of Cityscapes (`*_labelIds.png`), of which 19 are evaluated. KITTI uses the same.
    ///
    /// Source: [`CITYSCAPES_LABELS`].
    pub fn cityscapes() -> Self {
        // The license plate (-1) does not occur in label files.
        let labels = CITYSCAPES_LABELS.iter().filter(|label| label.id >= 0);
        Self {
            labels: labels.map(EvaluationLabel::from).collect(),
            categories: CITYSCAPES_CATEGORIES.map(String::from).to_vec(),
        }
    }

    /// The 19 evaluated labels of Cityscapes in the order of their train ids. The category `void` is left out, so there
    /// are seven categories, as in the benchmark's tables.
    pub fn cityscapes_train_ids() -> Self {
        let mut table = Self::cityscapes();
        table.labels.retain(|label| label.evaluated);
        table.categories.remove(0);
        for label in &mut table.labels {
            label.category -= 1;
        }
        table
    }

    /// The category of each label, `None` for a label that is not evaluated; the argument of
    /// [`ConfusionMatrix::category_iou`](crate::ConfusionMatrix::category_iou).
    pub fn evaluated_categories(&self) -> Vec<Option<usize>> {
        let category = |label: &EvaluationLabel| label.evaluated.then_some(label.category);
        self.labels.iter().map(category).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn train_ids_are_the_evaluated_labels_in_order() {
        let table = LabelTable::cityscapes_train_ids();
        assert_eq!(table.labels.len(), 19);
        let [road, bicycle] = [&table.labels[0], &table.labels[18]];
        assert_eq!((road.name.as_str(), road.category), ("road", 0));
        assert_eq!((bicycle.name.as_str(), bicycle.category), ("bicycle", 6));
        assert_eq!(table.categories.len(), 7);
        assert_eq!(table.categories[6], "vehicle");
    }
}
