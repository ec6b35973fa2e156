//! What a run hands to the report.

use decoupled_seg::DecoupledSegNetConfig;
use decoupled_seg::cost::Outputs;
use decoupled_seg::datasets::{LabelMap, Sample};
use decoupled_seg::engine::{EpochRecord, EvaluationReport, Protocol, Scores};
use decoupled_seg::metrics::{Aggregation, MetricsError, ObjectRecall};
use decoupled_seg::types::Size;
use decoupled_seg_study::{BoundaryResult, History, PartScore, RunResult, Score};

/// All that an evaluation measured, in percent, and the curves of the training.
pub(super) fn of_evaluation(report: &EvaluationReport, history: &[EpochRecord]) -> RunResult {
    let mut result = RunResult {
        scores: scores(
            report.confusion.mean_iou(),
            report.confusion.pixel_accuracy(),
        ),
        parts: class_iou(&report.classes.names(), &report.confusion.iou()),
        ..of_history(history)
    };
    let Some(boundary) = &report.boundary else {
        return result;
    };
    let means = boundary.mean_scores(Aggregation::PerImage);
    let of_classes = boundary.class_scores(Aggregation::PerImage);
    for ((threshold, mean), of_classes) in boundary.thresholds().iter().zip(means).zip(of_classes) {
        result.boundary.push(BoundaryResult {
            distance: threshold.to_string(),
            precision: mean.map(|score| 100.0 * score.precision),
            recall: mean.map(|score| 100.0 * score.recall),
            f: mean.map(|score| 100.0 * score.f),
        });
        for (class, score) in report.classes.names().into_iter().zip(of_classes) {
            result.parts.push(PartScore {
                score: format!("F {threshold} by class"),
                part: class.to_string(),
                value: score.map(|score| 100.0 * score.f),
            });
        }
    }
    result
}

/// Areas of objects at which a range ends, in pixels.
const AREAS: [usize; 3] = [100, 1_000, 10_000];

/// Looks at the objects of a validation.
pub(super) struct Objects {
    recall: ObjectRecall,
    failed: Option<MetricsError>,
}

impl Objects {
    pub fn new(num_classes: usize) -> Self {
        Self {
            recall: ObjectRecall::new(num_classes, AREAS),
            failed: None,
        }
    }

    pub fn add(&mut self, sample: &Sample, prediction: &LabelMap) {
        let (labels, size) = (&sample.labels.data, sample.size());
        let updated = self.recall.update(labels, &prediction.data, size);
        self.failed = self.failed.take().or(updated.err());
    }

    /// The scores, in percent.
    pub fn finish(self) -> Result<Vec<PartScore>, MetricsError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let scores = self.recall.names().into_iter().zip(self.recall.recall());
        let scores = scores.map(|(part, recall)| PartScore {
            score: "recall by area of object".to_string(),
            part,
            value: recall.map(|recall| 100.0 * recall),
        });
        Ok(scores.collect())
    }
}

/// What a checkpoint knows of its validation.
pub(super) fn of_scores(scores: &Scores, classes: &[&str], history: &[EpochRecord]) -> RunResult {
    let boundary = scores.boundary_f.iter().map(|boundary| BoundaryResult {
        distance: boundary.threshold.to_string(),
        precision: None,
        recall: None,
        f: Some(100.0 * boundary.f_score),
    });
    RunResult {
        scores: self::scores(Some(scores.mean_iou), Some(scores.pixel_accuracy)),
        boundary: boundary.collect(),
        parts: class_iou(classes, &scores.class_iou),
        ..of_history(history)
    }
}

/// Multiply-accumulate operations for one picture at the first scale of its protocol, without what serves training only. Small
/// pictures count as what they are padded to.
pub(super) fn macs(network: &DecoupledSegNetConfig, size: Size, protocol: &Protocol) -> u64 {
    let scale = protocol.scales.first().copied().unwrap_or(1.0);
    let least = protocol.min_size.max(network.min_image_side());
    let side = |side: usize| ((side as f64 * scale).round() as usize).max(least);
    let size = Size::new(side(size.height), side(size.width));
    network.cost(size, Outputs::Segmentation).total().conv_macs
}

fn scores(mean_iou: Option<f64>, pixel_accuracy: Option<f64>) -> Vec<Score> {
    let score = |name: &str, value: Option<f64>| Score {
        name: name.to_string(),
        value: value.map(|value| 100.0 * value),
    };
    vec![
        score("mean IoU", mean_iou),
        score("pixel accuracy", pixel_accuracy),
    ]
}

fn class_iou(classes: &[&str], iou: &[Option<f64>]) -> Vec<PartScore> {
    let parts = classes.iter().zip(iou).map(|(class, iou)| PartScore {
        score: "IoU by class".to_string(),
        part: class.to_string(),
        value: iou.map(|iou| 100.0 * iou),
    });
    parts.collect()
}

/// Time and curves.
pub(super) fn of_history(history: &[EpochRecord]) -> RunResult {
    let curve = |name: &str, value: &dyn Fn(&EpochRecord) -> Option<f64>| History {
        name: name.to_string(),
        points: history
            .iter()
            .filter_map(|record| Some([record.epoch as f64 + 1.0, value(record)?]))
            .collect(),
    };
    let score = |value: &dyn Fn(&Scores) -> Option<f64>, record: &EpochRecord| {
        record.scores.as_ref().and_then(value)
    };
    let mut histories = vec![
        curve("training loss", &|record| {
            Some(f64::from(record.loss.total))
        }),
        curve("segmentation loss", &|record| {
            Some(f64::from(record.loss.segmentation))
        }),
        curve("validation mean IoU (%)", &|record| {
            score(&|scores| Some(100.0 * scores.mean_iou), record)
        }),
        curve(
            "validation boundary F at the first distance (%)",
            &|record| {
                let first = |scores: &Scores| Some(100.0 * scores.boundary_f.first()?.f_score);
                score(&first, record)
            },
        ),
    ];
    histories.retain(|history| !history.points.is_empty());
    RunResult {
        histories,
        seconds: history.last().map(|record| record.seconds),
        ..RunResult::default()
    }
}
