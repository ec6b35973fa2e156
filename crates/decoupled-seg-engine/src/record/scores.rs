use decoupled_seg_metrics::BoundaryThreshold;
use serde::{Deserialize, Serialize};

use crate::recipe::BestMetric;

/// What validation measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// Mean intersection over union, a fraction.
    pub mean_iou: f64,
    /// Share of labelled pixels that are right.
    pub pixel_accuracy: f64,
    /// Mean boundary F-score at each distance that was asked for, fractions.
    #[serde(default)]
    pub boundary_f: Vec<BoundaryScore>,
    /// Intersection over union of each class; `None` where neither labels nor predictions have it.
    #[serde(default)]
    pub class_iou: Vec<Option<f64>>,
}

/// A boundary F-score and its distance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundaryScore {
    /// How far apart two boundaries may be to count as one.
    pub threshold: BoundaryThreshold,
    /// The score, a fraction.
    pub f_score: f64,
}

impl Scores {
    /// The number that is large where a network is good by this metric; `None` if it was not measured.
    pub fn by(&self, metric: BestMetric) -> Option<f64> {
        let value = match metric {
            BestMetric::MeanIou => self.mean_iou,
            BestMetric::PixelAccuracy => self.pixel_accuracy,
            BestMetric::BoundaryF => self.boundary_f.first()?.f_score,
        };
        value.is_finite().then_some(value)
    }
}
