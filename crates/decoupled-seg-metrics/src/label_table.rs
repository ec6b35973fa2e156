//! What a benchmark says of its labels.

use serde::{Deserialize, Serialize};

/// The labels of a benchmark, by value, and the categories they fall into.
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
    /// `false`: pixels labelled so are left out, and predicting it is a miss.
    pub evaluated: bool,
    /// Mean size of its instances in the training set, in pixels; `None` for a label without instances.
    pub average_instance_size: Option<f64>,
}

const CITYSCAPES_CATEGORIES: [&str; 8] = [
    "void",
    "flat",
    "construction",
    "object",
    "nature",
    "sky",
    "human",
    "vehicle",
];

/// Name, category, evaluated, average instance size.
type Row = (&'static str, usize, bool, Option<f64>);

/// By label id.
const CITYSCAPES_LABELS: [Row; 34] = [
    ("unlabeled", 0, false, None),
    ("ego vehicle", 0, false, None),
    ("rectification border", 0, false, None),
    ("out of roi", 0, false, None),
    ("static", 0, false, None),
    ("dynamic", 0, false, None),
    ("ground", 0, false, None),
    ("road", 1, true, None),
    ("sidewalk", 1, true, None),
    ("parking", 1, false, None),
    ("rail track", 1, false, None),
    ("building", 2, true, None),
    ("wall", 2, true, None),
    ("fence", 2, true, None),
    ("guard rail", 2, false, None),
    ("bridge", 2, false, None),
    ("tunnel", 2, false, None),
    ("pole", 3, true, None),
    ("polegroup", 3, false, None),
    ("traffic light", 3, true, None),
    ("traffic sign", 3, true, None),
    ("vegetation", 4, true, None),
    ("terrain", 4, true, None),
    ("sky", 5, true, None),
    ("person", 6, true, Some(3462.4756337644)),
    ("rider", 6, true, Some(3930.4788056518)),
    ("car", 7, true, Some(12794.0202738185)),
    ("truck", 7, true, Some(27855.1264367816)),
    ("bus", 7, true, Some(35732.1511111111)),
    ("caravan", 7, false, Some(36771.8241758242)),
    ("trailer", 7, false, Some(16926.9763133609)),
    ("train", 7, true, Some(67583.7075812274)),
    ("motorcycle", 7, true, Some(6298.7200839748)),
    ("bicycle", 7, true, Some(4672.3249222261)),
];

impl LabelTable {
    /// The 34 label ids of Cityscapes (`*_labelIds.png`), of which 19 are evaluated. KITTI uses the same.
    ///
    /// Source: Cordts et al., CVPR 2016, section 2 and the benchmark's published label definition.
    pub fn cityscapes() -> Self {
        Self::from_rows(CITYSCAPES_LABELS.iter())
    }

    /// The 19 evaluated labels of Cityscapes in the order of their train ids. Without `void` as a category, so that the
    /// seven categories are those of the benchmark's tables.
    pub fn cityscapes_train_ids() -> Self {
        let mut table = Self::from_rows(CITYSCAPES_LABELS.iter().filter(|row| row.2));
        table.categories.remove(0);
        for label in &mut table.labels {
            label.category -= 1;
        }
        table
    }

    fn from_rows<'a>(rows: impl Iterator<Item = &'a Row>) -> Self {
        let label = |&(name, category, evaluated, average_instance_size): &Row| EvaluationLabel {
            name: name.to_string(),
            category,
            evaluated,
            average_instance_size,
        };
        Self {
            labels: rows.map(label).collect(),
            categories: CITYSCAPES_CATEGORIES.map(String::from).to_vec(),
        }
    }

    /// The category of each label, `None` where it is not evaluated: what
    /// [`ConfusionMatrix::category_iou`](crate::ConfusionMatrix::category_iou) takes.
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
