//! A run's folder remembers which variant it was trained on: judged on another fold, a network would be judged on what it
//! was trained on.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use decoupled_seg_types::write_atomic;

use crate::CliError;
use crate::args::DataArgs;
use crate::say::say;

const NAME: &str = "variant.txt";

/// Writes the variant into the folder of the run that begins.
pub(crate) fn write(args: &DataArgs, out: &Path) -> Result<(), CliError> {
    let path = out.join(NAME);
    if let Some(name) = &args.variant {
        fs::create_dir_all(out).map_err(|source| CliError::Io {
            path: out.to_path_buf(),
            source,
        })?;
        return write_atomic(&path, |file| file.write_all(name.as_bytes()))
            .map_err(|source| CliError::Io { path, source });
    }
    match fs::remove_file(&path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(CliError::Io { path, source }),
        _ => Ok(()),
    }
}

/// Takes the variant from the folder of a run where the arguments name none, and says so.
pub(crate) fn read(args: &mut DataArgs, out: &Path) -> Result<(), CliError> {
    if args.variant.is_some() {
        return Ok(());
    }
    let path = out.join(NAME);
    match fs::read_to_string(&path) {
        Ok(name) => {
            say!("--variant {name}, as the run was trained");
            args.variant = Some(name);
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(CliError::Io { path, source }),
    }
}
