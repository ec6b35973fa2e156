//! The network that a command works with: that of a run, or a file of weights.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use clap::Args;
use decoupled_seg::DecoupledSegNet;
use decoupled_seg::datasets::ClassTable;
use decoupled_seg::engine::{Checkpoint, Predictor, Recipe, check_class_names};
use decoupled_seg::network::DecoderConfig;
use decoupled_seg::nn::SegmentationModel;

use crate::checkpoint::CheckpointArgs;
use crate::device::DeviceArgs;
use crate::network_args::NetworkArgs;
use crate::start::{Start, name_of};
use crate::{CliError, Project, checkpoint};

#[derive(Args)]
pub(crate) struct SourceArgs {
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    /// Weights of a file in place of a run's: `.pth` or `.safetensors`, of this program or of the authors. `--data` tells the
    /// classes. The network is to be named, but for a file of `export` or of a checkpoint, which knows it.
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
    /// Normalisation and validation are those of the training; of a file, the data set's recipe, with what the file tells of
    /// both.
    pub recipe: Recipe,
    /// The checkpoint, unless the weights are of a file.
    pub checkpoint: Option<Checkpoint>,
    /// Name of the file or checkpoint that was named in place of the best of the run.
    named: Option<String>,
}

impl SourceArgs {
    /// The folder of the run: `given`, that of a named checkpoint or of a file in one, or the project's.
    pub fn out(&self, project: &Project, given: Option<&Path>) -> PathBuf {
        let run = self.weights.as_deref().and_then(run_of_file);
        self.checkpoint.out(project, given.or(run.as_deref()))
    }

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
            let named = self.checkpoint.named();
            return Ok(Source {
                path: checkpoint.folder().to_path_buf(),
                named: named.map(|_| name_of(checkpoint.folder())),
                model: checkpoint.load(network.init(&device))?,
                device,
                classes: state.classes.clone(),
                recipe: state.recipe.clone(),
                checkpoint: Some(checkpoint),
            });
        };
        if file.is_dir() {
            return Err(CliError::WeightsFolder { path: file.clone() });
        }
        let classes = classes()?;
        let start = Start::open(file)?;
        let trained = start.trained()?;
        let mut recipe = project.recipe.clone();
        let tells_corners = trained.is_some();
        let network = match trained {
            Some(trained) => {
                let names: Vec<&str> = trained.classes.iter().map(String::as_str).collect();
                check_class_names(file, &names, &classes)?;
                recipe.normalization = trained.normalization;
                if let Some(validation) = trained.validation {
                    recipe.validation = validation;
                }
                match self.network.is_given() {
                    true => self.network.config(classes.num_classes())?,
                    false => self.network.changed(trained.network)?,
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
        probe(&model, &device, file)?;
        if !tells_corners && !self.network.says_corners() {
            start.warn_of_corners(&network);
        }
        Ok(Source {
            path: file.clone(),
            model,
            device,
            classes,
            recipe,
            checkpoint: None,
            named: Some(start.name()),
        })
    }
}

/// The folder of the run whose checkpoint a file lies in.
fn run_of_file(file: &Path) -> Option<PathBuf> {
    // It may be named by a link, or from within.
    checkpoint::run_of(file.canonicalize().ok()?.parent()?)
}

/// Shows the network an even picture. Weights may be numbers, and what they compute too large to be any: each
/// pixel would get the first class, without a word.
fn probe(model: &DecoupledSegNet, device: &Device, path: &Path) -> Result<(), CliError> {
    let side = model.min_image_side().max(64);
    let channels = model.in_channels();
    let picture = Tensor::<4>::ones([1, channels, side, side], device);
    let logits = model.predict(picture).into_data();
    match logits.iter::<f32>().all(f32::is_finite) {
        true => Ok(()),
        false => Err(CliError::NotFiniteOutput {
            path: path.to_path_buf(),
        }),
    }
}

impl Source {
    /// The folder `name` of `out` for what is found with the network. That of a file of weights or of a checkpoint that was
    /// named does not replace what the run's own gave: it goes to a folder with their name.
    pub fn folder(&self, out: &Path, name: &str) -> PathBuf {
        let Some(of) = self.named.as_ref().filter(|_| !checkpoint::is_new(out)) else {
            return out.join(name);
        };
        let run = match &self.checkpoint {
            Some(checkpoint) => checkpoint::run_of(checkpoint.folder()),
            None => run_of_file(&self.path),
        };
        let real = |path: PathBuf| path.canonicalize().ok();
        // Another run has checkpoints of the same names.
        let other = run
            .and_then(real)
            .filter(|run| Some(run) != real(out.to_path_buf()).as_ref());
        let of_run = other.map(|run| format!("-{}", name_of(&run)));
        out.join(format!("{name}-of{}-{of}", of_run.unwrap_or_default()))
    }

    /// Checks that the images of a data set have classes of the same names.
    pub fn check_classes(&self, data: &ClassTable) -> Result<(), CliError> {
        if let Some(checkpoint) = &self.checkpoint {
            checkpoint.check_classes(data)?;
        }
        Ok(())
    }

    /// Whether the network has a body, an edge and a flow to show.
    pub fn shows_inside(&self) -> bool {
        matches!(self.model.config().decoder, DecoderConfig::Decoupled(_))
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
