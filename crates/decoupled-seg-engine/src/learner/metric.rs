use std::sync::Arc;

use burn::tensor::{Int, Tensor, TensorReadError};
use burn_train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use decoupled_seg_metrics::{
    Aggregation, BoundaryFScore, BoundaryIou, BoundaryThreshold, ConfusionMatrix, TrimapIou,
};
use decoupled_seg_types::Size;

/// A score over the pixels or images of a whole epoch, in percent; burn-train's own metrics average over batches.
#[derive(Clone)]
pub struct SegmentationMetric {
    name: MetricName,
    /// With nothing counted.
    empty: Tally,
    epoch: Tally,
    batch: Option<f64>,
}

/// What a [`SegmentationMetric`] counts: class indices of labels and predictions, `[batch, height, width]`.
pub struct SegmentationMetricInput {
    /// Class indices, or 255 for ignored pixels.
    pub labels: Tensor<3, Int>,
    /// Class indices.
    pub predictions: Tensor<3, Int>,
}

/// What is counted, and what is made of it.
#[derive(Clone)]
enum Tally {
    Pixels(ConfusionMatrix, fn(&ConfusionMatrix) -> Option<f64>),
    BoundaryF(BoundaryFScore),
    BoundaryIou(BoundaryIou),
    TrimapIou(TrimapIou),
}

impl SegmentationMetric {
    /// [`ConfusionMatrix::mean_iou`].
    ///
    /// # Panics
    ///
    /// As all of these: panics unless `num_classes` is in `1..=254`.
    pub fn mean_iou(num_classes: usize) -> Self {
        Self::pixels("Mean IoU", num_classes, ConfusionMatrix::mean_iou)
    }

    /// [`ConfusionMatrix::frequency_weighted_iou`].
    pub fn frequency_weighted_iou(num_classes: usize) -> Self {
        let score = ConfusionMatrix::frequency_weighted_iou;
        Self::pixels("Frequency-weighted IoU", num_classes, score)
    }

    /// [`ConfusionMatrix::pixel_accuracy`].
    pub fn pixel_accuracy(num_classes: usize) -> Self {
        Self::pixels(
            "Pixel accuracy",
            num_classes,
            ConfusionMatrix::pixel_accuracy,
        )
    }

    /// [`ConfusionMatrix::class_accuracy`].
    pub fn class_accuracy(num_classes: usize) -> Self {
        Self::pixels(
            "Class accuracy",
            num_classes,
            ConfusionMatrix::class_accuracy,
        )
    }

    /// Mean over classes and images of the boundary F-score, see [`BoundaryFScore`].
    pub fn boundary_f(num_classes: usize, threshold: BoundaryThreshold) -> Self {
        let tally = Tally::BoundaryF(BoundaryFScore::new(num_classes, [threshold]));
        Self::new(named("Boundary F", threshold), tally)
    }

    /// Mean over classes and images of the boundary IoU, see [`BoundaryIou`].
    pub fn boundary_iou(num_classes: usize, width: BoundaryThreshold) -> Self {
        let tally = Tally::BoundaryIou(BoundaryIou::new(num_classes, [width]));
        Self::new(named("Boundary IoU", width), tally)
    }

    /// Mean IoU of the pixels within `width` of a border, see [`TrimapIou`].
    pub fn trimap_iou(num_classes: usize, width: BoundaryThreshold) -> Self {
        let tally = Tally::TrimapIou(TrimapIou::new(num_classes, [width]));
        Self::new(named("Trimap IoU", width), tally)
    }

    fn pixels(name: &str, num_classes: usize, score: fn(&ConfusionMatrix) -> Option<f64>) -> Self {
        let tally = Tally::Pixels(ConfusionMatrix::new(num_classes), score);
        Self::new(name.to_string(), tally)
    }

    fn new(name: String, tally: Tally) -> Self {
        Self {
            name: Arc::new(name),
            empty: tally.clone(),
            epoch: tally,
            batch: None,
        }
    }

    fn entry(&self, final_entry: bool) -> SerializedEntry {
        let Some(epoch) = self.epoch.percent() else {
            return SerializedEntry::not_available(Some("%"));
        };
        let batch = self.batch.unwrap_or(epoch);
        let value = if final_entry {
            NumericEntry::Final(epoch)
        } else {
            NumericEntry::Value(batch)
        };
        let formatted = format!("epoch {epoch:.2} % - batch {batch:.2} %");
        SerializedEntry::new(formatted, value.serialize())
    }
}

/// Distinct for each threshold: burn-train keeps a file for each name.
fn named(metric: &str, threshold: BoundaryThreshold) -> String {
    match threshold {
        BoundaryThreshold::Pixels(pixels) => format!("{metric} {pixels} px"),
        BoundaryThreshold::DiagonalFraction(share) => format!("{metric} {share} of diagonal"),
    }
}

impl Tally {
    fn add(&mut self, labels: &[u8], predictions: &[u8], [height, width]: [usize; 2]) {
        if let Self::Pixels(matrix, _) = self {
            return known(matrix.update(labels, predictions));
        }
        let images = labels.chunks_exact((height * width).max(1));
        let images = images.zip(predictions.chunks_exact((height * width).max(1)));
        for (labels, predictions) in images {
            let size = Size::new(height, width);
            known(match self {
                Self::Pixels(matrix, _) => matrix.update(labels, predictions),
                Self::BoundaryF(metric) => metric.update(labels, predictions, size),
                Self::BoundaryIou(metric) => metric.update(labels, predictions, size),
                Self::TrimapIou(metric) => metric.update(labels, predictions, size),
            });
        }
    }

    fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Pixels(own, _), Self::Pixels(other, _)) => own.merge(other),
            (Self::BoundaryF(own), Self::BoundaryF(other)) => own.merge(other),
            (Self::BoundaryIou(own), Self::BoundaryIou(other)) => own.merge(other),
            (Self::TrimapIou(own), Self::TrimapIou(other)) => own.merge(other),
            _ => unreachable!("a metric merges counts of its own kind"),
        }
    }

    fn percent(&self) -> Option<f64> {
        let share = match self {
            Self::Pixels(matrix, score) => score(matrix),
            Self::BoundaryF(metric) => {
                let scores = metric.mean_scores(Aggregation::PerImage);
                scores[0].map(|score| score.f)
            }
            Self::BoundaryIou(metric) => metric.mean_iou(Aggregation::PerImage)[0],
            Self::TrimapIou(metric) => metric.mean_iou()[0],
        };
        share.map(|share| 100.0 * share)
    }
}

fn known<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    result.expect("data sets hand out known labels, networks predict known classes")
}

impl Metric for SegmentationMetric {
    type Input = SegmentationMetricInput;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes {
            unit: Some("%".to_string()),
            higher_is_better: true,
        }
        .into()
    }

    fn update(
        &mut self,
        item: &SegmentationMetricInput,
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let [_, height, width] = item.labels.dims();
        let labels: Vec<u8> = item.labels.clone().try_into_vec_as()?;
        let predictions: Vec<u8> = item.predictions.clone().try_into_vec_as()?;
        let mut batch = self.empty.clone();
        batch.add(&labels, &predictions, [height, width]);
        self.batch = batch.percent();
        self.epoch.merge(&batch);
        Ok(self.entry(false))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.entry(true))
    }

    fn clear(&mut self) {
        self.epoch = self.empty.clone();
        self.batch = None;
    }
}

impl Numeric for SegmentationMetric {
    fn value(&self) -> Option<NumericEntry> {
        self.batch.map(NumericEntry::Value)
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.epoch.percent().map(NumericEntry::Value)
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.epoch.percent().unwrap_or(f64::NAN))
    }
}
