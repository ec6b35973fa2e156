//! A run's folder remembers what it was trained on. Judged on another fold, a network would be judged on what it was trained
//! on; gone on with at another scale, it would be trained on other images.

use std::fmt::Display;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use decoupled_seg_types::write_atomic;

use crate::CliError;
use crate::args::DataArgs;
use crate::say::say;

/// A value that is kept in a file of the run's folder.
struct Kept {
    file: &'static str,
    flag: &'static str,
}

const VARIANT: Kept = Kept {
    file: "variant.txt",
    flag: "--variant",
};

const RESIZED: Kept = Kept {
    file: "resized.txt",
    flag: "--resized",
};

/// Writes into the folder of the run that begins what it is trained on.
pub(crate) fn write(args: &DataArgs, resized: Option<f64>, out: &Path) -> Result<(), CliError> {
    VARIANT.write(args.variant.as_ref(), out)?;
    RESIZED.write(resized, out)
}

/// Takes the variant from the folder of a run where the arguments name none, and says so.
pub(crate) fn variant(args: &mut DataArgs, out: &Path) -> Result<(), CliError> {
    if args.variant.is_none() {
        args.variant = VARIANT.read(out)?;
        VARIANT.tell(args.variant.as_ref());
    }
    Ok(())
}

/// Takes the scale of the training images from the folder of a run that has a checkpoint where the arguments name none, and
/// says so.
pub(crate) fn resized(given: Option<f64>, out: &Path) -> Result<Option<f64>, CliError> {
    let run = RESIZED.read(out)?;
    let run = run.map(|text| {
        text.trim().parse().map_err(|error| CliError::Io {
            path: out.join(RESIZED.file),
            source: io::Error::new(ErrorKind::InvalidData, format!("`{text}`: {error}")),
        })
    });
    let run: Option<f64> = run.transpose()?;
    match given {
        Some(given) if run != Some(given) => Err(CliError::ResizedOfRun {
            run: run.map_or("the images as they are".to_string(), |run| {
                format!("images at scale {run}")
            }),
        }),
        Some(_) => Ok(given),
        None => {
            RESIZED.tell(run);
            Ok(run)
        }
    }
}

impl Kept {
    fn write(&self, value: Option<impl Display>, out: &Path) -> Result<(), CliError> {
        let path = out.join(self.file);
        let Some(value) = value else {
            return match fs::remove_file(&path) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    Err(CliError::Io { path, source })
                }
                _ => Ok(()),
            };
        };
        fs::create_dir_all(out).map_err(|source| CliError::Io {
            path: out.to_path_buf(),
            source,
        })?;
        write_atomic(&path, |file| write!(file, "{value}"))
            .map_err(|source| CliError::Io { path, source })
    }

    fn read(&self, out: &Path) -> Result<Option<String>, CliError> {
        let path = out.join(self.file);
        match fs::read_to_string(&path) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CliError::Io { path, source }),
        }
    }

    fn tell(&self, value: Option<impl Display>) {
        if let Some(value) = value {
            say!("{} {value}, as the run was trained", self.flag);
        }
    }
}
