use std::path::{Path, PathBuf};

use decoupled_seg_tensorboard::EventWriter;

use super::LogEntry;
use crate::files::{FileError, at};
use crate::record::Scores;

/// Writes a run's log as curves for TensorBoard, by optimizer step.
pub(super) struct Events {
    folder: PathBuf,
    writer: EventWriter,
}

impl Events {
    /// A session that goes on after `step` has a file of its own; TensorBoard forgets what earlier ones say of later steps.
    pub fn open(folder: &Path, step: usize) -> Result<Self, FileError> {
        let writer =
            EventWriter::create(folder, step as u64).map_err(at(folder, "writing events"))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            writer,
        })
    }

    pub fn log(&mut self, entry: &LogEntry) -> Result<(), FileError> {
        let mut values: Vec<(String, f64)> = Vec::new();
        match entry {
            LogEntry::Step {
                learning_rate,
                loss,
                images_per_second,
                ..
            } => {
                let terms = loss.iter();
                values
                    .extend(terms.map(|(term, &value)| (format!("loss/{term}"), f64::from(value))));
                values.push(("train/learning_rate".to_string(), *learning_rate));
                values.push(("train/images_per_second".to_string(), *images_per_second));
            }
            LogEntry::Epoch(record) => {
                values.extend(record.scores.iter().flat_map(of_validation));
            }
            LogEntry::Start { .. } | LogEntry::Checkpoint { .. } | LogEntry::End { .. } => {}
        }
        for (tag, value) in values {
            self.writer
                .scalar(&tag, entry.step() as u64, value as f32)
                .map_err(at(&self.folder, "writing events"))?;
        }
        Ok(())
    }

    pub fn flush(&mut self) -> Result<(), FileError> {
        self.writer
            .flush()
            .map_err(at(&self.folder, "writing events"))
    }
}

fn of_validation(scores: &Scores) -> Vec<(String, f64)> {
    let mut values = vec![
        ("validation/mean_iou".to_string(), scores.mean_iou),
        (
            "validation/pixel_accuracy".to_string(),
            scores.pixel_accuracy,
        ),
    ];
    for boundary in &scores.boundary_f {
        let tag = format!("validation/F {}", boundary.threshold);
        values.push((tag, boundary.f_score));
    }
    values
}
