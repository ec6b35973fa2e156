//! IoU in which every instance weighs the same, whatever its size.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ConfusionMatrix, EvaluationLabel, LabelTable, MetricsError, confusion_matrix::mean};

/// Class and category IoU of a benchmark, and their instance-level versions iIoU.
///
/// Large instances dominate plain IoU. iIoU weighs the pixels of each labelled instance with `average size of its class
/// / size of the instance`, so every instance counts as much as an average one:
///
/// ```text
/// iiou(c) = iTP / (iTP + FP + iFN)
/// iTP = sum over instances of c: weight * pixels of it predicted as c
/// iFN = sum over instances of c: weight * pixels of it predicted otherwise
/// FP  = pixels predicted as c whose label is another evaluated class     (not weighted: they have no instance)
/// ```
///
/// For a category the sums go over the instances of all its labels, and a pixel predicted as any label of the category
/// is a hit. A class has an iIoU if it has an average size; a category has one if all its labels have an average size.
/// Pixels that belong to no instance although their label has instances (groups) count in neither sum.
///
/// The maps hold values of the [`LabelTable`]. Label 255 is ignored; [`with_ignore_index`](Self::with_ignore_index)
/// sets another value. A number for each pixel tells instances apart, as in the benchmark's `*_instanceIds.png`: `1000
/// * label + k` for instance `k`, and a number below 1000 for a pixel of no instance (see
/// [`with_first_instance`](Self::with_first_instance)).
///
/// Source: Cordts et al., CVPR 2016 (Cityscapes), section 4.1.
///
/// # Example
///
/// ```
/// use decoupled_seg_metrics::{EvaluationLabel, InstanceIou, LabelTable};
///
/// let label = |name: &str, average_instance_size| EvaluationLabel {
///     name: name.to_string(),
///     category: 0,
///     evaluated: true,
///     average_instance_size,
/// };
/// let table = LabelTable {
///     labels: vec![label("road", None), label("car", Some(2.0))],
///     categories: vec!["things".to_string()],
/// };
/// // A car of four pixels is found, one of a single pixel is missed: both weigh as much.
/// let mut metric = InstanceIou::new(table);
/// metric.update(&[1, 1, 1, 1, 0, 1], &[1, 1, 1, 1, 0, 0], &[1001u16, 1001, 1001, 1001, 0, 1002])?;
/// assert_eq!(metric.class_iou()[1], Some(0.8));
/// assert_eq!(metric.class_iiou()[1], Some(0.5));
/// # Ok::<(), decoupled_seg_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceIou {
    table: LabelTable,
    first_instance: u32,
    confusion: ConfusionMatrix,
    /// The sums of each label.
    classes: Vec<Weighted>,
    /// The sums of each category.
    categories: Vec<Weighted>,
}

/// Weighted pixels of instances.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Weighted {
    hits: f64,
    misses: f64,
}

/// Pixels of one instance.
#[derive(Debug, Clone, Copy, Default)]
struct Instance {
    size: u64,
    predicted: u64,
    predicted_as_category: u64,
}

impl Weighted {
    fn add(&mut self, weight: f64, size: u64, hits: u64) {
        self.hits += weight * hits as f64;
        self.misses += weight * (size - hits) as f64;
    }

    fn iou(&self, false_positives: u64) -> Option<f64> {
        let union = self.hits + false_positives as f64 + self.misses;
        (union > 0.0).then(|| self.hits / union)
    }
}

impl InstanceIou {
    /// A metric for the labels of `table`.
    ///
    /// # Panics
    ///
    /// Panics unless the table has 1 to 254 labels, each with a category of the table and an average size above 0, if
    /// it has one.
    pub fn new(table: LabelTable) -> Self {
        for EvaluationLabel {
            name,
            category,
            average_instance_size,
            ..
        } in &table.labels
        {
            assert!(
                *category < table.categories.len(),
                "label {name} has category {category}, expected one below {}",
                table.categories.len()
            );
            assert!(
                average_instance_size.is_none_or(|size| size > 0.0),
                "label {name} must have an average instance size above 0, got {average_instance_size:?}"
            );
        }
        Self {
            first_instance: 1000,
            confusion: ConfusionMatrix::new(table.labels.len()),
            classes: vec![Weighted::default(); table.labels.len()],
            categories: vec![Weighted::default(); table.categories.len()],
            table,
        }
    }

    /// Sets the value outside the table that marks pixels to leave out; `None`: every label must be in the table.
    pub fn with_ignore_index(mut self, ignore_index: Option<u8>) -> Self {
        self.confusion.space.ignore_index = ignore_index;
        self
    }

    /// Sets the smallest number that stands for an instance, 1000 by default. Numbers need to be distinct only among
    /// the pixels of one label in one image. So with `first_instance` 1, any numbering in which 0 means "no instance"
    /// will do.
    pub fn with_first_instance(mut self, first_instance: u32) -> Self {
        self.first_instance = first_instance;
        self
    }

    /// Adds one image: labels, predictions and instance numbers of the same pixels.
    ///
    /// # Errors
    ///
    /// [`MetricsError::LengthMismatch`] when the slices differ in length, [`MetricsError::UnknownLabel`] and
    /// [`MetricsError::UnknownPrediction`] when a value is not in the table. The metric is then as before.
    pub fn update<I: Copy + Into<u32>>(
        &mut self,
        labels: &[u8],
        predictions: &[u8],
        instances: &[I],
    ) -> Result<(), MetricsError> {
        if instances.len() != labels.len() {
            return Err(MetricsError::LengthMismatch {
                name: "instances",
                expected: labels.len(),
                found: instances.len(),
            });
        }
        self.confusion.update(labels, predictions)?;

        // The map is sorted by number, so the sums do not depend on the places of instances.
        for ((label, _), instance) in self.instances(labels, predictions, instances) {
            let EvaluationLabel {
                category,
                average_instance_size,
                ..
            } = self.table.labels[usize::from(label)];
            let average = average_instance_size.expect("`instances` keeps only labels with a size");
            let weight = average / instance.size as f64;
            self.classes[usize::from(label)].add(weight, instance.size, instance.predicted);
            self.categories[category].add(weight, instance.size, instance.predicted_as_category);
        }
        Ok(())
    }

    /// The instances of evaluated labels, by label and number.
    fn instances<I: Copy + Into<u32>>(
        &self,
        labels: &[u8],
        predictions: &[u8],
        instances: &[I],
    ) -> BTreeMap<(u8, u32), Instance> {
        let counts = |label: u8| {
            Some(label) != self.confusion.space.ignore_index && {
                let label = &self.table.labels[usize::from(label)];
                label.evaluated && label.average_instance_size.is_some()
            }
        };
        let category = |label: u8| self.table.labels[usize::from(label)].category;

        let mut found = BTreeMap::<(u8, u32), Instance>::new();
        let mut start = 0;
        // Pixels of an instance come in runs. One look-up serves a whole run.
        while start < labels.len() {
            let key @ (label, number) = (labels[start], instances[start].into());
            let rest = labels[start..].iter().zip(&instances[start..]);
            let length = rest
                .take_while(|&(&label, &number)| (label, number.into()) == key)
                .count();
            if number >= self.first_instance && counts(label) {
                let instance = found.entry(key).or_default();
                instance.size += length as u64;
                for &prediction in &predictions[start..start + length] {
                    instance.predicted += u64::from(prediction == label);
                    instance.predicted_as_category +=
                        u64::from(category(prediction) == category(label));
                }
            }
            start += length;
        }
        found
    }

    /// Adds the images of `other`, for example of another thread or another part of the data set.
    ///
    /// # Panics
    ///
    /// Panics if `other` has another table.
    pub fn merge(&mut self, other: &Self) {
        assert!(
            self.table == other.table,
            "merged instance IoUs must have the same label table"
        );
        self.confusion.merge(&other.confusion);
        let own = self.classes.iter_mut().chain(&mut self.categories);
        let others = other.classes.iter().chain(&other.categories);
        for (sum, more) in own.zip(others) {
            sum.hits += more.hits;
            sum.misses += more.misses;
        }
    }

    /// The table of the labels.
    pub fn table(&self) -> &LabelTable {
        &self.table
    }

    /// Pixels by label and prediction, including labels that are not evaluated.
    pub fn confusion(&self) -> &ConfusionMatrix {
        &self.confusion
    }

    /// IoU of each label, `0..=1`; `None` if the label is not evaluated or is in neither map.
    pub fn class_iou(&self) -> Vec<Option<f64>> {
        // Each label is its own category here, so labels that are not evaluated follow the rule of `category_iou`.
        let labels = self.table.labels.iter().enumerate();
        let own: Vec<_> = labels
            .map(|(value, label)| label.evaluated.then_some(value))
            .collect();
        let mut iou = self.confusion.category_iou(&own);
        iou.resize(own.len(), None);
        iou
    }

    /// IoU of each category, `0..=1`; `None` if none of its evaluated labels is in either map.
    pub fn category_iou(&self) -> Vec<Option<f64>> {
        let mut iou = self
            .confusion
            .category_iou(&self.table.evaluated_categories());
        iou.resize(self.table.categories.len(), None);
        iou
    }

    /// iIoU of each label, `0..=1`; `None` if the label is not evaluated, has no average size, or is in neither map.
    pub fn class_iiou(&self) -> Vec<Option<f64>> {
        let labels = self.table.labels.iter().enumerate();
        labels
            .map(|(value, label)| {
                let has_iiou = label.evaluated && label.average_instance_size.is_some();
                let is_this = |other: usize| other == value;
                has_iiou
                    .then(|| self.classes[value].iou(self.false_positives(is_this)))
                    .flatten()
            })
            .collect()
    }

    /// iIoU of each category, `0..=1`; `None` if one of its labels has no average size, or if it is in neither map.
    pub fn category_iiou(&self) -> Vec<Option<f64>> {
        (0..self.table.categories.len())
            .map(|category| {
                let is_member = |label: usize| self.table.labels[label].category == category;
                let mut members = self.table.labels.iter().filter(|l| l.category == category);
                let has_iiou = members.clone().any(|label| label.evaluated)
                    && members.all(|label| label.average_instance_size.is_some());
                has_iiou
                    .then(|| self.categories[category].iou(self.false_positives(is_member)))
                    .flatten()
            })
            .collect()
    }

    /// Mean of [`class_iou`](Self::class_iou) over the labels that have one.
    pub fn mean_class_iou(&self) -> Option<f64> {
        mean(&self.class_iou())
    }

    /// Mean of [`category_iou`](Self::category_iou) over the categories that have one.
    pub fn mean_category_iou(&self) -> Option<f64> {
        mean(&self.category_iou())
    }

    /// Mean of [`class_iiou`](Self::class_iiou) over the labels that have one.
    pub fn mean_class_iiou(&self) -> Option<f64> {
        mean(&self.class_iiou())
    }

    /// Mean of [`category_iiou`](Self::category_iiou) over the categories that have one.
    pub fn mean_category_iiou(&self) -> Option<f64> {
        mean(&self.category_iiou())
    }

    /// Pixels that are predicted as one of `members` but have another evaluated label.
    fn false_positives(&self, members: impl Fn(usize) -> bool) -> u64 {
        let labels = self.table.labels.iter().enumerate();
        labels
            .filter(|&(value, label)| label.evaluated && !members(value))
            .flat_map(|(label, _)| {
                let predictions = (0..self.table.labels.len()).filter(|&p| members(p));
                predictions.map(move |prediction| self.confusion.get(label, prediction))
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(category: usize, evaluated: bool, size: Option<f64>) -> EvaluationLabel {
        EvaluationLabel {
            name: String::new(),
            category,
            evaluated,
            average_instance_size: size,
        }
    }

    /// Ground (no instances), car, and caravan (not evaluated).
    fn table() -> LabelTable {
        LabelTable {
            labels: vec![
                label(0, true, None),
                label(1, true, Some(4.0)),
                label(1, false, Some(8.0)),
            ],
            categories: vec!["flat".to_string(), "vehicle".to_string()],
        }
    }

    #[test]
    fn by_hand() {
        let mut metric = InstanceIou::new(table()).with_first_instance(1);
        let labels = [1, 1, 1, 1, 1, 0, 0, 2, 255];
        let instances = [1u8, 1, 2, 2, 0, 0, 0, 3, 0];
        let predictions = [1, 2, 0, 1, 0, 1, 2, 1, 200];
        metric.update(&labels, &predictions, &instances).unwrap();
        // Instances of 2 pixels weigh 4 / 2 = 2; each has one hit. The pixel of no instance and the caravan do not
        // count.
        assert_eq!(
            metric.class_iiou(),
            [None, Some(4.0 / (4.0 + 1.0 + 4.0)), None]
        );
        // A caravan predicted on a car is a hit, on the ground a false positive.
        assert_eq!(
            metric.category_iiou(),
            [None, Some(6.0 / (6.0 + 2.0 + 2.0))]
        );
        // Car: 2 hits, 3 misses, 1 false positive on evaluated labels. Ground: 2 missed, 2 false.
        assert_eq!(metric.class_iou(), [Some(0.0), Some(2.0 / 6.0), None]);
        // As a category, a pixel predicted as a label that is not evaluated stays a miss.
        assert_eq!(metric.category_iou(), [Some(0.0), Some(2.0 / 6.0)]);
    }

    #[test]
    fn merging_equals_one_pass() {
        let images: [(&[u8], &[u8], &[u8]); 2] = [
            (&[1, 1, 0], &[1, 0, 1], &[1, 1, 0]),
            (&[1, 1, 1], &[1, 1, 0], &[1, 1, 2]),
        ];
        let mut both = InstanceIou::new(table()).with_first_instance(1);
        let mut merged = both.clone();
        for (labels, predictions, instances) in images {
            both.update(labels, predictions, instances).unwrap();
            let mut one = InstanceIou::new(table()).with_first_instance(1);
            one.update(labels, predictions, instances).unwrap();
            merged.merge(&one);
        }
        assert_eq!(both, merged);
        assert_eq!(both.mean_class_iiou(), merged.class_iiou()[1]);
    }

    #[test]
    fn bad_input_changes_nothing() {
        let mut metric = InstanceIou::new(table());
        let before = metric.clone();
        let error = metric.update(&[0, 1], &[0, 1], &[0u32]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`instances` holds 1 pixels, expected 2: give maps of one size"
        );
        assert!(metric.update(&[3, 1], &[0, 1], &[0u32, 0]).is_err());
        assert!(metric.update(&[0, 1], &[0, 3], &[0u32, 0]).is_err());
        assert_eq!(metric, before);
    }

    #[test]
    fn without_instances_there_is_no_score() {
        let mut metric = InstanceIou::new(table());
        metric.update(&[0, 255], &[0, 0], &[0u32, 0]).unwrap();
        assert_eq!(metric.mean_class_iiou(), None);
        assert_eq!(metric.mean_category_iiou(), None);
        assert_eq!(metric.mean_class_iou(), Some(1.0));
        assert_eq!(metric.mean_category_iou(), Some(1.0));
    }

    #[test]
    #[should_panic(expected = "has category 7, expected one below 1")]
    fn unknown_category() {
        InstanceIou::new(LabelTable {
            labels: vec![label(7, true, None)],
            categories: vec!["flat".to_string()],
        });
    }
}
