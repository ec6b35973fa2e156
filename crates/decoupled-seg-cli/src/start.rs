//! What a training starts from: a run, or a file of weights of any kind.

use std::path::Path;

use decoupled_seg::engine::Checkpoint;
use decoupled_seg::network::DecoderConfig;
use decoupled_seg::weights::{LoadPolicy, NetworkDescription, WeightsFile, load};
use decoupled_seg::{DecoupledSegNet, DecoupledSegNetConfig};

use crate::say::{say, tell};
use crate::{CliError, checkpoint};

/// A file of weights to start from, opened.
pub(crate) struct Start {
    file: WeightsFile,
    /// Whether it is of a run, which knows its network.
    of_run: bool,
}

impl Start {
    /// Opens the best weights of a run, those of a checkpoint, or a file.
    pub fn open(path: &Path) -> Result<Self, CliError> {
        let of_run = path.is_dir();
        let file = match of_run {
            true => checkpoint_of(path)?.weights_path(),
            false => path.to_path_buf(),
        };
        Ok(Self {
            file: WeightsFile::open(file)?,
            of_run,
        })
    }

    /// What a file of `export` tells of its network.
    pub fn description(&self) -> Result<Option<NetworkDescription>, CliError> {
        NetworkDescription::of(&self.file).map_err(|source| CliError::Description {
            path: self.file.path().to_path_buf(),
            source,
        })
    }

    /// The network with the stem that the file has.
    pub fn fit(&self, network: DecoupledSegNetConfig) -> DecoupledSegNetConfig {
        network.with_stem_of(&self.file)
    }

    /// Loads the whole network; tensors of other parts in the file, such as an auxiliary head, are passed over.
    pub fn load_whole(&self, model: &mut DecoupledSegNet) -> Result<(), CliError> {
        let keys = model.config().official_keys();
        let report = load(model, &keys, &self.file, LoadPolicy::Complete)?;
        if let Some(fitted) = report.fitted {
            say!("{}: {fitted}", self.file.path().display());
        }
        if !report.prefix.is_empty() {
            tell!(
                "note: the weights taken are those behind `{}`",
                report.prefix
            );
        }
        tell_others(&report.other_prefixes);
        Ok(())
    }

    /// Says which corners the warp is taken to have, where the file has a decoder with body and edge.
    pub fn warn_of_corners(&self, network: &DecoupledSegNetConfig) {
        if let DecoderConfig::Decoupled(head) = &network.decoder
            && !self.of_run
        {
            tell!(
                "note: no file says which corners its warp was trained with; `align_corners` is {} here. Weights that the \
                 authors' code trained on PyTorch 1.3 or later need --align-corners false: the wrong one moves the body by up \
                 to half a pixel of the feature map",
                head.body_edge.warp.align_corners
            );
        }
    }

    /// Puts into the network what fits, and says what was found. `corners` tells whether those of the warp are given.
    pub fn load(&self, model: &mut DecoupledSegNet, corners: bool) -> Result<(), CliError> {
        let report = model.load_pretrained(&self.file)?;
        let warps = |name: &String| name.contains("body_edge");
        if !corners && report.loaded.iter().any(warps) && self.description()?.is_none() {
            self.warn_of_corners(model.config());
        }
        let behind = match report.prefix.as_str() {
            "" => String::new(),
            prefix => format!(", names behind `{prefix}`"),
        };
        say!(
            "{}: a {}{behind}; {} tensors loaded",
            self.file.path().display(),
            self.file.format(),
            report.loaded.len()
        );
        tell_others(&report.other_prefixes);
        for part in &report.parts {
            say!("  {}: {} of {}", part.name, part.loaded, part.tensors);
        }
        if let Some(fitted) = &report.fitted {
            say!("  {fitted}");
        }
        if !report.left_out.is_empty() {
            say!("  {}", report.left_out);
        }
        for part in report.parts.iter().filter(|part| part.is_patchy()) {
            tell!(
                "warning: the file has only {} of the {} tensors of `{}`: is it of another network?",
                part.loaded,
                part.tensors,
                part.name
            );
        }
        Ok(())
    }
}

/// Names weights of the file that would have done as well.
fn tell_others(prefixes: &[String]) {
    for prefix in prefixes {
        tell!(
            "warning: the file has as many weights behind `{prefix}`, which are not taken; `weights inspect` lists them"
        );
    }
}

/// The checkpoint in a folder, or the best one of the run in it.
fn checkpoint_of(folder: &Path) -> Result<Checkpoint, CliError> {
    if folder.join("state.json").exists() {
        return Ok(Checkpoint::open(folder)?);
    }
    checkpoint::best(folder)
}
