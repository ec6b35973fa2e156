//! What a training starts from: a run, or a file of weights of any kind.

use std::path::Path;

use decoupled_seg::engine::Checkpoint;
use decoupled_seg::weights::WeightsFile;
use decoupled_seg::{DecoupledSegNet, DecoupledSegNetConfig};

use crate::{CliError, checkpoint};

/// A file of weights to start from, opened.
pub(crate) struct Start {
    file: WeightsFile,
}

impl Start {
    /// Opens the best weights of a run, those of a checkpoint, or a file.
    pub fn open(path: &Path) -> Result<Self, CliError> {
        let file = match path.is_dir() {
            true => checkpoint_of(path)?.weights_path(),
            false => path.to_path_buf(),
        };
        Ok(Self {
            file: WeightsFile::open(file)?,
        })
    }

    /// The network with the stem that the file has.
    pub fn fit(&self, network: DecoupledSegNetConfig) -> DecoupledSegNetConfig {
        network.with_stem_of(&self.file)
    }

    /// Puts into the network what fits, and says what was found.
    pub fn load(&self, model: &mut DecoupledSegNet) -> Result<(), CliError> {
        let report = model.load_pretrained(&self.file)?;
        let behind = match report.prefix.as_str() {
            "" => String::new(),
            prefix => format!(", names behind `{prefix}`"),
        };
        println!(
            "{}: a {}{behind}; {} tensors loaded",
            self.file.path().display(),
            self.file.format(),
            report.loaded.len()
        );
        for part in &report.parts {
            println!("  {}: {} of {}", part.name, part.loaded, part.tensors);
        }
        if !report.left_out.is_empty() {
            println!("  {}", report.left_out);
        }
        for part in report.parts.iter().filter(|part| part.is_patchy()) {
            eprintln!(
                "warning: the file has only {} of the {} tensors of `{}`: is it of another network?",
                part.loaded, part.tensors, part.name
            );
        }
        Ok(())
    }
}

/// The checkpoint in a folder, or the best one of the run in it.
fn checkpoint_of(folder: &Path) -> Result<Checkpoint, CliError> {
    if folder.join("state.json").exists() {
        return Ok(Checkpoint::open(folder)?);
    }
    checkpoint::best(folder)
}
