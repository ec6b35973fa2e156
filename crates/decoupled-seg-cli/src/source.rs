//! The network that a command works with: that of a run, or a file of weights.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::Args;
use decoupled_seg::DecoupledSegNet;
use decoupled_seg::datasets::ClassTable;
use decoupled_seg::datasets::augment::Normalization;
use decoupled_seg::engine::{Checkpoint, Predictor, Recipe, check_class_names};

use crate::checkpoint::CheckpointArgs;
use crate::device::DeviceArgs;
use crate::network_args::NetworkArgs;
use crate::start::Start;
use crate::{CliError, Project, checkpoint};

#[derive(Args)]
pub(crate) struct SourceArgs {
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    /// Weights of a file in place of a run's: `.pth` or `.safetensors`, of this program or of the authors. `--data` tells the
    /// classes. The network is to be named, but for a file of `export`, which knows it.
    #[arg(long, value_name = "FILE", conflicts_with = "checkpoint")]
    weights: Option<PathBuf>,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    device: DeviceArgs,
}

/// A network with its weights, and what belongs to them.
pub(crate) struct Source {
    /// The checkpoint's folder, or the file.
    pub path: PathBuf,
    pub model: DecoupledSegNet,
    /// Where the network is.
    pub device: Device,
    pub classes: ClassTable,
    /// Normalisation and validation are those of the training; of a file, the data set's recipe, with the normalisation that the
    /// file tells.
    pub recipe: Recipe,
    /// The checkpoint, unless the weights are of a file.
    pub checkpoint: Option<Checkpoint>,
}

impl SourceArgs {
    /// Opens the run in `out`, or the file. `classes` are the data set's; a run knows its own.
    pub fn open(
        &self,
        project: &Project,
        out: &Path,
        classes: impl FnOnce() -> Result<ClassTable, CliError>,
    ) -> Result<Source, CliError> {
        let device = self.device.open()?;
        let Some(file) = &self.weights else {
            if self.network.says_anything() {
                return Err(CliError::NetworkOfRun);
            }
            let (checkpoint, network) = self.checkpoint.open(out)?;
            let state = checkpoint.state();
            return Ok(Source {
                path: checkpoint.folder().to_path_buf(),
                model: checkpoint.load(network.init(&device))?,
                device,
                classes: state.classes.clone(),
                recipe: state.recipe.clone(),
                checkpoint: Some(checkpoint),
            });
        };
        let classes = classes()?;
        let start = Start::open(file)?;
        let described = start.description()?;
        let mut recipe = project.recipe.clone();
        let network = match &described {
            Some(described) => {
                check_class_names(file, &described.class_names(), &classes)?;
                recipe.normalization = Normalization {
                    mean: described.mean.clone(),
                    std: described.std.clone(),
                };
                match self.network.is_given() {
                    true => self.network.config(classes.num_classes())?,
                    false => self.network.changed(described.network.clone())?,
                }
            }
            None if self.network.is_given() => self.network.config(classes.num_classes())?,
            None => return Err(CliError::NoNetwork { path: file.clone() }),
        };
        let network = start.fit(network);
        let (channels, known) = (
            network.backbone.image_channels(),
            recipe.normalization.mean.len(),
        );
        if channels != known {
            return Err(CliError::NormalizationOfFile {
                path: file.clone(),
                channels,
                known,
            });
        }
        let mut model = network.init(&device);
        start.load_whole(&mut model)?;
        if described.is_none() && !self.network.says_corners() {
            start.warn_of_corners(&network);
        }
        Ok(Source {
            path: file.clone(),
            model,
            device,
            classes,
            recipe,
            checkpoint: None,
        })
    }
}

impl Source {
    /// The folder `name` of `out` for what is found with the network. What a file of weights gives does not replace what a run
    /// gave: beside a run it goes to a folder with the file's name.
    pub fn folder(&self, out: &Path, name: &str) -> PathBuf {
        match (&self.checkpoint, self.path.file_stem()) {
            (None, Some(stem)) if !checkpoint::is_new(out) => {
                out.join(format!("{name}-of-{}", stem.to_string_lossy()))
            }
            _ => out.join(name),
        }
    }

    /// Checks that the images of a data set have classes of the same names.
    pub fn check_classes(&self, data: &ClassTable) -> Result<(), CliError> {
        if let Some(checkpoint) = &self.checkpoint {
            checkpoint.check_classes(data)?;
        }
        Ok(())
    }

    pub fn predictor(self) -> Predictor<DecoupledSegNet> {
        let Self {
            model,
            device,
            classes,
            recipe,
            ..
        } = self;
        Predictor::new(model, classes, recipe.normalization, &device)
    }
}
