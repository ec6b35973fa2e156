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
use crate::project::DEFAULT;
use crate::say::say;

/// What the arguments of the training said, and no other file does.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct TrainedOn {
    variant: Option<String>,
    resized: Option<f64>,
}

fn path(out: &Path) -> PathBuf {
    out.join("trained-on.json")
}

/// `None` of a run that did not note it.
fn read(out: &Path) -> Result<Option<TrainedOn>, CliError> {
    let path = path(out);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
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
    Ok(Some(found))
}

/// Writes into the folder of the run that begins what it is trained on.
pub(crate) fn write(
    variant: Option<String>,
    resized: Option<f64>,
    out: &Path,
) -> Result<(), CliError> {
    let trained_on = TrainedOn { variant, resized };
    let path = path(out);
    fs::create_dir_all(out).map_err(|source| FileError::new(out, "creating the folder", source))?;
    let text = serde_json::to_vec(&trained_on).expect("plain data");
    write_atomic(&path, |file| file.write_all(&text))
        .map_err(|source| FileError::new(&path, "writing", source).into())
}

/// Takes the variant from the folder of a run where the arguments name none, and says so.
pub(crate) fn variant(args: &mut DataArgs, out: &Path) -> Result<(), CliError> {
    if args.variant.is_none() {
        args.variant = read(out)?.and_then(|run| run.variant);
        if let Some(variant) = &args.variant {
            say!("--variant {variant}, as the run was trained");
        }
    }
    Ok(())
}

/// Takes what the arguments leave open from the folder of a run that is to go on, and says so. A run that has a checkpoint
/// stays with what it was trained on.
pub(crate) fn resume(
    args: &mut DataArgs,
    resized: &mut Option<f64>,
    out: &Path,
    has_checkpoint: bool,
) -> Result<(), CliError> {
    let Some(run) = read(out)? else {
        return Ok(());
    };
    let refused = |flag: &'static str, run: String| Err(CliError::TrainedOtherwise { flag, run });
    let name = |variant: &Option<String>| variant.clone().unwrap_or(DEFAULT.to_string());
    if has_checkpoint && args.variant.is_some() && name(&args.variant) != name(&run.variant) {
        return refused("--variant", format!("the variant {}", name(&run.variant)));
    }
    if has_checkpoint && resized.is_some() && *resized != run.resized {
        let images = match run.resized {
            Some(scale) => format!("images at scale {scale}"),
            None => "the images as they are".to_string(),
        };
        return refused("--resized", images);
    }
    variant(args, out)?;
    if let (None, Some(scale)) = (*resized, run.resized) {
        say!("--resized {scale}, as the run was trained");
        *resized = Some(scale);
    }
    Ok(())
}

/// The scale of the images that a run was trained on, if it was not theirs.
pub(crate) fn scale_of(out: &Path) -> Result<Option<f64>, CliError> {
    Ok(read(out)?.and_then(|run| run.resized))
}
