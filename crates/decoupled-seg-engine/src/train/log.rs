use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

use super::Stop;
use crate::files::{self, FileError, at};
use crate::record::{EpochRecord, LossValues, Position};

/// One line of a run's `log.jsonl`.
///
/// Times are seconds of training since the run began, over all its sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum LogEntry {
    /// A session begins: the run's first, or one that resumes.
    Start {
        /// Where it goes on.
        #[serde(flatten)]
        position: Position,
        /// Version of this crate.
        version: String,
        /// Trainable and other parameters of the network.
        parameters: usize,
        /// Images for training.
        images: usize,
        /// Optimizer steps of the whole run.
        total_steps: usize,
    },
    /// An optimizer step.
    Step {
        /// Steps done, this one included.
        step: usize,
        /// The epoch, from 0.
        epoch: usize,
        /// Learning rate of the step.
        learning_rate: f64,
        /// Every loss term, each weighted as it enters the total.
        loss: LossValues,
        /// When it was read back.
        seconds: f64,
        /// Images a second since the last reading.
        images_per_second: f64,
    },
    /// The end of an epoch.
    Epoch(EpochRecord),
    /// A checkpoint was written.
    Checkpoint {
        /// Where.
        #[serde(flatten)]
        position: Position,
        /// Its folder. A name that is no Unicode is written as far as it is.
        #[serde(serialize_with = "lossy")]
        folder: PathBuf,
        /// When.
        seconds: f64,
    },
    /// The session ends.
    End {
        /// Where.
        #[serde(flatten)]
        position: Position,
        /// Why; `None` if it failed.
        stop: Option<Stop>,
        /// When.
        seconds: f64,
    },
}

fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

impl LogEntry {
    /// The optimizer steps that were done when it was written.
    pub fn step(&self) -> usize {
        match self {
            Self::Start { position, .. }
            | Self::Checkpoint { position, .. }
            | Self::End { position, .. } => position.step,
            Self::Step { step, .. } => *step,
            Self::Epoch(record) => record.step,
        }
    }

    /// Whether a run that goes on at `position` does not do it again. The step of an epoch's end may be done and saved, and its
    /// validation not.
    fn is_done_at(&self, position: Position) -> bool {
        let is_validated_again =
            matches!(self, Self::Epoch(record) if record.epoch >= position.epoch);
        self.step() <= position.step && !is_validated_again
    }
}

/// Appends to a run's log; a line is written whole or, if the process dies, found cut off and dropped at the next
/// start.
pub(crate) struct Log {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Log {
    /// Whether no file is there, or one of which a line is one of a log, or would be if it were not cut off.
    pub fn is_free_or_log(path: &Path) -> Result<bool, FileError> {
        if !path.exists() {
            return Ok(true);
        }
        let text = files::read(path)?;
        Ok(text.is_empty() || text.starts_with(b"{\"event\":"))
    }

    /// Opens the log to go on at `position`: what a killed session logged beyond it is dropped, since it is done again.
    pub fn open(path: &Path, position: Position) -> Result<Self, FileError> {
        if path.exists() {
            let text = files::read(path)?;
            let mut kept = Vec::with_capacity(text.len());
            for line in text.split_inclusive(|&byte| byte == b'\n') {
                // A line without its end, or of another version: neither is worth failing a run for.
                let entry = line
                    .ends_with(b"\n")
                    .then(|| serde_json::from_slice::<LogEntry>(line).ok())
                    .flatten();
                if entry.is_some_and(|entry| entry.is_done_at(position)) {
                    kept.extend_from_slice(line);
                }
            }
            if kept.len() != text.len() {
                files::write_atomic(path, &kept)?;
            }
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(at(path, "opening the log"))?;
        Ok(Self {
            path: path.to_path_buf(),
            file: BufWriter::new(file),
        })
    }

    pub fn write(&mut self, entry: &LogEntry) -> Result<(), FileError> {
        let mut line = serde_json::to_vec(entry).expect("a log entry is plain data");
        line.push(b'\n');
        self.file
            .write_all(&line)
            .map_err(at(&self.path, "writing the log"))
    }

    /// Hands what was written to the operating system.
    pub fn flush(&mut self) -> Result<(), FileError> {
        self.file.flush().map_err(at(&self.path, "writing the log"))
    }
}

/// Reads a run's log; lines that are cut off or unknown are left out.
///
/// # Errors
///
/// Returns an error if the file cannot be read.
pub fn read_log(path: impl AsRef<Path>) -> Result<Vec<LogEntry>, FileError> {
    // As bytes: a line may be cut off in the middle of a character.
    let text = files::read(path.as_ref())?;
    Ok(text
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: usize) -> LogEntry {
        LogEntry::Step {
            step,
            epoch: 0,
            learning_rate: 0.01,
            loss: LossValues {
                total: 1.5,
                edge: Some(0.5),
                ..LossValues::default()
            },
            seconds: 0.25,
            images_per_second: 8.0,
        }
    }

    fn at(epoch: usize, step: usize) -> Position {
        Position {
            epoch,
            batch: 0,
            step,
        }
    }

    #[test]
    fn notes_of_somebody_are_no_log() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log.jsonl");
        let is_log = |text: &[u8]| {
            std::fs::write(&path, text).expect("writable");
            Log::is_free_or_log(&path).expect("readable")
        };
        assert!(!is_log(b"my notes\n"));
        assert!(!is_log(b"{\"step\": 1}\n"));
        assert!(is_log(b"") && is_log(b"{\"event\":\"sta"));
        let mut log = Log::open(&path, Position::default()).expect("a log");
        log.write(&step(1)).expect("writable");
        log.flush().expect("writable");
        assert!(Log::is_free_or_log(&path).expect("readable"));
    }

    fn steps(path: &Path) -> Vec<usize> {
        let entries = read_log(path).expect("readable");
        entries.iter().map(LogEntry::step).collect()
    }

    #[test]
    fn a_resumed_log_forgets_what_is_done_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log.jsonl");
        let mut log = Log::open(&path, Position::default()).expect("a new log");
        for i in 1..=5 {
            log.write(&step(i)).expect("writable");
        }
        log.flush().expect("writable");
        drop(log);
        // As if the process had died in the middle of a line.
        let mut file = OpenOptions::new()
            .append(true)
            .open(&path)
            .expect("just written");
        file.write_all(b"{\"event\":\"st").expect("writable");
        assert_eq!(steps(&path), [1, 2, 3, 4, 5]);
        // Or in the middle of a character, here an `ä`.
        let cut = b"\n{\"event\":\"checkpoint\",\"folder\":\"l\xc3";
        file.write_all(cut).expect("writable");
        assert_eq!(steps(&path), [1, 2, 3, 4, 5]);

        let mut log = Log::open(&path, at(0, 3)).expect("an old log");
        log.write(&step(4)).expect("writable");
        log.flush().expect("writable");
        assert_eq!(steps(&path), [1, 2, 3, 4]);
    }

    /// An epoch's last step is saved before its validation, which a run that goes on from there does again.
    #[test]
    fn an_epoch_that_is_validated_again_is_logged_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log.jsonl");
        let end = |epoch: usize, step: usize| {
            LogEntry::Epoch(EpochRecord {
                epoch,
                step,
                loss: LossValues::default(),
                learning_rate: 0.01,
                scores: None,
                seconds: 1.0,
            })
        };
        let mut log = Log::open(&path, Position::default()).expect("a new log");
        for entry in [step(1), end(0, 1), step(2), end(1, 2)] {
            log.write(&entry).expect("writable");
        }
        log.flush().expect("writable");
        for (position, left) in [(at(2, 2), 4), (at(1, 2), 3), (at(1, 1), 2), (at(0, 1), 1)] {
            Log::open(&path, position).expect("an old log");
            let entries = read_log(&path).expect("readable");
            assert_eq!(entries.len(), left, "{position:?}: {entries:?}");
        }
    }

    #[test]
    fn lines_are_flat_json() {
        let line = serde_json::to_string(&LogEntry::Checkpoint {
            position: Position {
                epoch: 1,
                batch: 0,
                step: 40,
            },
            folder: "checkpoints/step-000000040".into(),
            seconds: 2.0,
        })
        .expect("plain data");
        assert_eq!(
            line,
            r#"{"event":"checkpoint","epoch":1,"batch":0,"step":40,"folder":"checkpoints/step-000000040","seconds":2.0}"#
        );
    }
}
