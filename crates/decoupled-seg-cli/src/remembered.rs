//! A run's folder remembers what it was trained on. Judged on another fold, a network would be judged on what it was trained
//! on; gone on with at another scale, it would be trained on other images.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use decoupled_seg::engine::FileError;
use decoupled_seg_types::write_atomic;
use serde::{Deserialize, Serialize};

use crate::CliError;
use crate::args::{DataArgs, scale};
use crate::say::say;

/// What the arguments of the training said, and no other file does.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct TrainedOn {
    variant: Option<String>,
    resized: Option<f64>,
}

fn path(out: &Path) -> PathBuf {
    out.join("trained-on.json")
}

fn read(out: &Path) -> Result<TrainedOn, CliError> {
    let path = path(out);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(TrainedOn::default()),
        Err(source) => return Err(FileError::new(&path, "reading", source).into()),
    };
    let wrong = |reason: String| CliError::TrainedOn {
        path: path.clone(),
        reason,
    };
    let found: TrainedOn =
        serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    if let Some(resized) = found.resized {
        scale(&resized.to_string()).map_err(wrong)?;
    }
    Ok(found)
}

/// Writes into the folder of the run that begins what it is trained on.
pub(crate) fn write(args: &DataArgs, resized: Option<f64>, out: &Path) -> Result<(), CliError> {
    let trained_on = TrainedOn {
        variant: args.variant.clone(),
        resized,
    };
    let path = path(out);
    if trained_on == TrainedOn::default() && !path.exists() {
        return Ok(());
    }
    fs::create_dir_all(out).map_err(|source| FileError::new(out, "creating the folder", source))?;
    let text = serde_json::to_vec(&trained_on).expect("plain data");
    write_atomic(&path, |file| file.write_all(&text))
        .map_err(|source| FileError::new(&path, "writing", source).into())
}

/// Takes the variant from the folder of a run where the arguments name none, and says so.
pub(crate) fn variant(args: &mut DataArgs, out: &Path) -> Result<(), CliError> {
    if args.variant.is_none() {
        args.variant = read(out)?.variant;
        if let Some(variant) = &args.variant {
            say!("--variant {variant}, as the run was trained");
        }
    }
    Ok(())
}

/// Takes the scale of the training images from the folder of a run that has a checkpoint where the arguments name none, and
/// says so.
pub(crate) fn resized(given: Option<f64>, out: &Path) -> Result<Option<f64>, CliError> {
    let run = read(out)?.resized;
    match (given, run) {
        (None, Some(run)) => say!("--resized {run}, as the run was trained"),
        (Some(_), run) if given != run => {
            return Err(CliError::ResizedOfRun {
                run: run.map_or("the images as they are".to_string(), |run| {
                    format!("images at scale {run}")
                }),
            });
        }
        _ => {}
    }
    Ok(run)
}
