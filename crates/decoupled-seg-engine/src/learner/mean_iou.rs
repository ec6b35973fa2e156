use std::sync::Arc;

use burn::tensor::{Int, Tensor, TensorReadError};
use burn_train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use decoupled_seg_metrics::ConfusionMatrix;

/// Mean IoU over the pixels of a whole epoch, in percent; burn-train's own metrics average over batches.
#[derive(Clone)]
pub struct MeanIouMetric {
    name: MetricName,
    total: ConfusionMatrix,
    batch: Option<f64>,
}

/// What [`MeanIouMetric`] counts: class indices of labels and predictions, `[batch, height, width]`.
pub struct MeanIouInput {
    /// Class indices, or 255 for ignored pixels.
    pub labels: Tensor<3, Int>,
    /// Class indices.
    pub predictions: Tensor<3, Int>,
}

impl MeanIouMetric {
    /// The metric for `num_classes` classes.
    ///
    /// # Panics
    ///
    /// Panics unless `num_classes` is in `1..=254`.
    pub fn new(num_classes: usize) -> Self {
        Self {
            name: Arc::new("Mean IoU".to_string()),
            total: ConfusionMatrix::new(num_classes),
            batch: None,
        }
    }

    fn percent(matrix: &ConfusionMatrix) -> Option<f64> {
        Some(100.0 * matrix.mean_iou()?)
    }

    fn entry(&self, final_entry: bool) -> SerializedEntry {
        let Some(epoch) = Self::percent(&self.total) else {
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

impl Metric for MeanIouMetric {
    type Input = MeanIouInput;

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
        item: &MeanIouInput,
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let labels: Vec<u8> = item.labels.clone().try_into_vec_as()?;
        let predictions: Vec<u8> = item.predictions.clone().try_into_vec_as()?;
        let mut batch = ConfusionMatrix::new(self.total.num_classes());
        batch
            .update(&labels, &predictions)
            .expect("data sets hand out known labels, networks predict known classes");
        self.batch = Self::percent(&batch);
        self.total.merge(&batch);
        Ok(self.entry(false))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.entry(true))
    }

    fn clear(&mut self) {
        self.total = ConfusionMatrix::new(self.total.num_classes());
        self.batch = None;
    }
}

impl Numeric for MeanIouMetric {
    fn value(&self) -> Option<NumericEntry> {
        self.batch.map(NumericEntry::Value)
    }

    fn running_value(&self) -> Option<NumericEntry> {
        Self::percent(&self.total).map(NumericEntry::Value)
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(Self::percent(&self.total).unwrap_or(f64::NAN))
    }
}
