use std::path::Path;

use decoupled_seg_viz::{Chart, Curve};

use crate::files::{self, FileError};
use crate::record::{EpochRecord, LossTerm, Scores};

/// Draws losses and scores by epoch into `losses.svg` and `scores.svg`.
pub(super) fn write_curves(folder: &Path, history: &[EpochRecord]) -> Result<(), FileError> {
    let mut losses = Chart::new("Losses").with_axes("epoch", "mean over the epoch");
    for term in LossTerm::ALL {
        let points: Vec<[f64; 2]> = history
            .iter()
            .filter_map(|record| {
                Some([
                    record.epoch as f64 + 1.0,
                    f64::from(*record.loss.get(term)?),
                ])
            })
            .collect();
        if !points.is_empty() {
            losses = losses.with_curve(Curve::new(term.as_str(), points));
        }
    }
    files::write_atomic(&folder.join("losses.svg"), losses.svg().as_bytes())?;

    let scores: Vec<(f64, _)> = history
        .iter()
        .filter_map(|record| Some((record.epoch as f64 + 1.0, record.scores.as_ref()?)))
        .collect();
    let Some((_, first)) = scores.first() else {
        return Ok(());
    };
    let mut chart = Chart::new("Validation")
        .with_axes("epoch", "%")
        .with_y_bounds(0.0, 100.0);
    let curve = |value: &dyn Fn(&Scores) -> f64| -> Vec<[f64; 2]> {
        scores
            .iter()
            .map(|(epoch, scores)| [*epoch, 100.0 * value(scores)])
            .collect()
    };
    chart = chart
        .with_curve(Curve::new("mean IoU", curve(&|scores| scores.mean_iou)))
        .with_curve(Curve::new(
            "pixel accuracy",
            curve(&|scores| scores.pixel_accuracy),
        ));
    for (i, boundary) in first.boundary_f.iter().enumerate() {
        let of = |scores: &Scores| scores.boundary_f.get(i).map_or(0.0, |score| score.f_score);
        chart = chart.with_curve(Curve::new(
            format!("F at {}", boundary.threshold),
            curve(&of),
        ));
    }
    files::write_atomic(&folder.join("scores.svg"), chart.svg().as_bytes())
}
