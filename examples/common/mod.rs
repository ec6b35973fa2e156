//! What the data set examples share: one command line over a [`Project`].

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Device;
use clap::{Args, Parser, Subcommand, ValueEnum};
use decoupled_seg::datasets::augment::{CropSize, RandomScale};
use decoupled_seg::datasets::{self, DatasetError, SegmentationDataset, Split};
use decoupled_seg::engine::{
    Checkpoint, CheckpointRecipe, CheckpointStore, Evaluator, Interrupt, PredictionKind, Predictor,
    Progress, Recipe, Resume, Stop, Submission, Trainer, Window, load_weights_partially,
    score_cityscapes,
};
use decoupled_seg::metrics::BoundaryThreshold;
use decoupled_seg::network::{DecoderConfig, DecoupledSegNet, DecoupledSegNetConfig};
use decoupled_seg::weights::{LoadPolicy, WeightsError};

/// Opens a split of a data set in a folder.
pub type Open = fn(&Path, Split) -> Result<Arc<dyn SegmentationDataset>, DatasetError>;

/// A data set and how to train on it.
pub struct Project {
    /// Its name; runs go to `runs/<name>` unless told otherwise.
    pub name: &'static str,
    /// Where its data lie unless told otherwise.
    pub root: &'static str,
    /// How to train on it, from the paper or the authors' scripts.
    pub recipe: Recipe,
    /// Opens a split.
    pub open: Open,
    /// Writes a tiny data set of the same layout, for `--synthetic`.
    pub synthesize: fn(&Path) -> Result<(), Box<dyn Error>>,
    /// What its benchmark wants, if there is one.
    pub submission: Option<Submission>,
}

#[derive(Parser)]
#[command(about = "Trains, judges and uses a segmentation network with decoupled body and edge")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a network.
    Train(TrainArgs),
    /// Judge the best checkpoint of a run on the validation images.
    Eval(EvalArgs),
    /// Predict a file or a folder with the best checkpoint of a run.
    Predict(PredictArgs),
    /// Look for label mistakes before training; fails if there are any.
    Check(CheckArgs),
    /// Write the folder that the benchmark's server takes.
    Submit(SubmitArgs),
    /// Write the best checkpoint as `.safetensors` with the authors' names, for PyTorch.
    Export(ExportArgs),
    /// Score pictures of label ids against the ground truth, as the benchmark does (Cityscapes only).
    Score(ScoreArgs),
}

#[derive(Args)]
struct DataArgs {
    /// Folder of the data set.
    #[arg(long)]
    root: Option<PathBuf>,
    /// Work on a tiny made-up data set of the same layout instead, written into the run's folder.
    #[arg(long)]
    synthetic: bool,
    /// Folder of the run.
    #[arg(long)]
    out: Option<PathBuf>,
    /// A few small steps only, to see that everything works.
    #[arg(long)]
    short: bool,
}

#[derive(Args)]
struct TrainArgs {
    #[command(flatten)]
    data: DataArgs,
    /// The network.
    #[arg(long, value_enum, default_value = "tiny")]
    network: NetworkName,
    /// Without the body/edge module: the twin to compare with.
    #[arg(long)]
    plain: bool,
    /// Start from what fits of a `.pth` or `.safetensors` file with the authors' names, or of a torchvision ResNet.
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Start from what fits of the best weights of another run, or of a `.safetensors` file.
    #[arg(long)]
    from: Option<PathBuf>,
    /// Go on from the newest checkpoint of the run.
    #[arg(long)]
    resume: bool,
    /// A file with what differs from the recipe of the data set (TOML or JSON).
    #[arg(long)]
    recipe: Option<PathBuf>,
    /// Passes over the training images.
    #[arg(long)]
    epochs: Option<usize>,
    /// Images a batch.
    #[arg(long)]
    batch: Option<usize>,
    /// Learning rate at the start.
    #[arg(long)]
    lr: Option<f64>,
    /// Random seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Size of the random crops, in pixels.
    #[arg(long, num_args = 2, value_names = ["WIDTH", "HEIGHT"])]
    crop: Option<Vec<usize>>,
    /// Range of the random scale.
    #[arg(long, num_args = 2, value_names = ["MIN", "MAX"])]
    scale: Option<Vec<f64>>,
    /// Scale at which images are validated.
    #[arg(long)]
    validation_scale: Option<f64>,
    /// Steps between two checkpoints inside an epoch.
    #[arg(long)]
    checkpoint_every: Option<usize>,
    /// Validate every so many epochs.
    #[arg(long)]
    validate_every: Option<usize>,
}

#[derive(Args)]
struct EvalArgs {
    #[command(flatten)]
    data: DataArgs,
    /// A checkpoint folder; the best of the run unless given.
    #[arg(long)]
    checkpoint: Option<PathBuf>,
    /// Scales to merge; the one of the run's validation unless given.
    #[arg(long, num_args = 1..)]
    scales: Vec<f64>,
    /// Merge with the mirrored image.
    #[arg(long)]
    flip: bool,
    /// Slide a window of so many pixels a side over the image, instead of taking it whole.
    #[arg(long)]
    tile: Option<usize>,
    /// Images to judge at most.
    #[arg(long)]
    max_images: Option<usize>,
    /// Also say where the time goes.
    #[arg(long)]
    time: bool,
}

#[derive(Args)]
struct ExportArgs {
    /// The file to write.
    to: PathBuf,
    /// Folder of the run.
    #[arg(long)]
    out: Option<PathBuf>,
    /// A checkpoint folder; the best of the run unless given.
    #[arg(long)]
    checkpoint: Option<PathBuf>,
}

#[derive(Args)]
struct PredictArgs {
    /// An image or a folder of images.
    input: PathBuf,
    /// Folder of the run.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Where the pictures go; `predictions` in the run's folder unless given.
    #[arg(long)]
    to: Option<PathBuf>,
    /// A checkpoint folder; the best of the run unless given.
    #[arg(long)]
    checkpoint: Option<PathBuf>,
}

#[derive(Args)]
struct CheckArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Pictures of each split to write with their labels on top.
    #[arg(long, default_value_t = 4)]
    overlays: usize,
}

#[derive(Args)]
struct SubmitArgs {
    #[command(flatten)]
    data: DataArgs,
    /// The images to predict.
    #[arg(long, value_enum, default_value = "test")]
    split: SplitName,
    /// Where the files go; `submission` in the run's folder unless given.
    #[arg(long)]
    to: Option<PathBuf>,
    /// A checkpoint folder; the best of the run unless given.
    #[arg(long)]
    checkpoint: Option<PathBuf>,
}

#[derive(Args)]
struct ScoreArgs {
    /// Folder of the data set.
    #[arg(long)]
    root: Option<PathBuf>,
    /// The images that were predicted.
    #[arg(long, value_enum, default_value = "val")]
    split: SplitName,
    /// Folder of the predictions: one `{city}_{sequence}_{frame}*.png` with label ids an image, in sub-folders or not.
    #[arg(long)]
    predictions: PathBuf,
    /// Also write the scores to this file, as fractions.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum SplitName {
    /// The training images.
    Train,
    /// The validation images.
    Val,
    /// The test images.
    Test,
}

impl From<SplitName> for Split {
    fn from(name: SplitName) -> Self {
        match name {
            SplitName::Train => Self::Train,
            SplitName::Val => Self::Val,
            SplitName::Test => Self::Test,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum NetworkName {
    /// A narrow ResNet-18, for CPUs.
    Tiny,
    /// FCN on ResNet-50.
    FcnResnet50,
    /// FCN on ResNet-101.
    FcnResnet101,
    /// PSPNet on ResNet-50.
    PspnetResnet50,
    /// PSPNet on ResNet-101.
    PspnetResnet101,
    /// DeepLabV3+ on ResNet-50.
    Deeplabv3plusResnet50,
    /// DeepLabV3+ on ResNet-101.
    Deeplabv3plusResnet101,
    /// DeepLabV3+ on WideResNet-38.
    Deeplabv3plusWideResnet38,
}

type Anything = Box<dyn Error>;

/// Runs the example.
pub fn main(project: Project) -> ExitCode {
    match run(&project, Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(project: &Project, command: Command) -> Result<ExitCode, Anything> {
    match command {
        Command::Train(args) => train(project, &args),
        Command::Eval(args) => eval(project, &args),
        Command::Predict(args) => predict(project, &args),
        Command::Check(args) => check(project, &args),
        Command::Submit(args) => submit(project, &args),
        Command::Export(args) => export(project, &args),
        Command::Score(args) => score(project, &args),
    }
}

impl Project {
    fn out(&self, out: Option<&PathBuf>) -> PathBuf {
        out.cloned()
            .unwrap_or_else(|| Path::new("runs").join(self.name))
    }

    fn data(&self, args: &DataArgs) -> Result<PathBuf, Anything> {
        if !args.synthetic {
            return Ok(args.root.clone().unwrap_or_else(|| self.root.into()));
        }
        let root = self.out(args.out.as_ref()).join("synthetic");
        if !root.exists() {
            (self.synthesize)(&root)?;
        }
        Ok(root)
    }

    fn split(
        &self,
        args: &DataArgs,
        split: Split,
    ) -> Result<Arc<dyn SegmentationDataset>, Anything> {
        Ok((self.open)(&self.data(args)?, split)?)
    }
}

impl NetworkName {
    fn config(self, num_classes: usize) -> DecoupledSegNetConfig {
        match self {
            Self::Tiny => DecoupledSegNetConfig::tiny(num_classes),
            Self::FcnResnet50 => DecoupledSegNetConfig::fcn_resnet50(num_classes),
            Self::FcnResnet101 => DecoupledSegNetConfig::fcn_resnet101(num_classes),
            Self::PspnetResnet50 => DecoupledSegNetConfig::pspnet_resnet50(num_classes),
            Self::PspnetResnet101 => DecoupledSegNetConfig::pspnet_resnet101(num_classes),
            Self::Deeplabv3plusResnet50 => {
                DecoupledSegNetConfig::deeplabv3plus_resnet50(num_classes)
            }
            Self::Deeplabv3plusResnet101 => {
                DecoupledSegNetConfig::deeplabv3plus_resnet101(num_classes)
            }
            Self::Deeplabv3plusWideResnet38 => {
                DecoupledSegNetConfig::deeplabv3plus_wide_resnet38(num_classes)
            }
        }
    }
}

fn recipe_of(project: &Project, args: &TrainArgs) -> Result<Recipe, Anything> {
    let mut recipe = match &args.recipe {
        Some(path) => Recipe::read(path)?,
        None => project.recipe.clone(),
    };
    if args.data.short {
        recipe.epochs = 1;
        recipe.batch = 2;
        recipe.augmentation.crop = Some(CropSize {
            width: 64,
            height: 64,
        });
    }
    recipe.epochs = args.epochs.unwrap_or(recipe.epochs);
    recipe.batch = args.batch.unwrap_or(recipe.batch);
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.optimizer.learning_rate = args.lr.unwrap_or(recipe.optimizer.learning_rate);
    recipe.validate_every = args.validate_every.unwrap_or(recipe.validate_every);
    if let Some([width, height]) = args.crop.as_deref() {
        recipe.augmentation.crop = Some(CropSize {
            width: *width,
            height: *height,
        });
    }
    if let Some([min, max]) = args.scale.as_deref() {
        recipe.augmentation.scale = Some(RandomScale::new(*min, *max));
    }
    if let Some(scale) = args.validation_scale {
        recipe.validation.protocol.scales = vec![scale];
    }
    if args.checkpoint_every.is_some() {
        recipe.checkpoints.every_steps = args.checkpoint_every;
    }
    if recipe.validation.boundary.is_empty() {
        recipe.validation.boundary = match project.name {
            // The paper's fractions of the diagonal are all one or two pixels on small pictures.
            "camvid" | "custom" => [1, 2, 3].map(BoundaryThreshold::Pixels).into(),
            _ => BoundaryThreshold::PAPER.into(),
        };
    }
    recipe.validate()?;
    Ok(recipe)
}

fn train(project: &Project, args: &TrainArgs) -> Result<ExitCode, Anything> {
    let recipe = recipe_of(project, args)?;
    let train = project.split(&args.data, Split::Train)?;
    let validation = project.split(&args.data, Split::Val)?;
    let mut network = args.network.config(train.classes().num_classes());
    if args.plain {
        network = network.with_decoder(DecoderConfig::Plain);
    }
    let device = Device::default();
    device.seed(recipe.seed);
    let mut model = network.init(&device);
    if let Some(file) = &args.weights {
        official(&network, &mut model, file)?;
    }
    let model = start(model, args.from.as_deref())?;
    println!(
        "{}: {} images to train on, {} to validate; {} parameters on {device:?}",
        project.name,
        train.len(),
        validation.len(),
        model.num_params()
    );
    let out = project.out(args.data.out.as_ref());
    let trained = Trainer::new(recipe, model, &device)
        .with_network(serde_json::to_value(&network)?)
        .with_run_folder(&out)
        .with_resume(if args.resume {
            Resume::IfPresent
        } else {
            Resume::Never
        })
        .with_progress(Progress::Auto)
        .with_interrupt(Interrupt::on_ctrl_c()?)
        .fit(train, Some(&*validation))?;
    match trained.stop {
        Stop::Interrupted => println!(
            "stopped at step {}; go on with --resume",
            trained.position.step
        ),
        Stop::Finished => println!(
            "finished; `eval` judges the best checkpoint of {}",
            out.display()
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// Loads what fits of a file with the authors' names: a whole network, or else an ImageNet classifier.
fn official(
    network: &DecoupledSegNetConfig,
    model: &mut DecoupledSegNet,
    file: &Path,
) -> Result<(), Anything> {
    let report = match network.load_weights(model, file, LoadPolicy::Partial) {
        Err(WeightsError::Mismatch { .. }) => {
            network.load_backbone(model, file, LoadPolicy::Whole)?
        }
        report => report?,
    };
    println!("{}: {} tensors loaded", file.display(), report.loaded.len());
    if !report.left_out.is_empty() {
        println!("{}", report.left_out);
    }
    Ok(())
}

/// The network with what fits of other weights.
fn start(model: DecoupledSegNet, from: Option<&Path>) -> Result<DecoupledSegNet, Anything> {
    let Some(from) = from else {
        return Ok(model);
    };
    let file = if from.is_dir() {
        checkpoint(None, from)?.0.model_path()
    } else {
        from.to_path_buf()
    };
    let (model, report) = load_weights_partially(model, &file)?;
    println!(
        "{}: {} tensors loaded, {} left as they were, {} not used",
        file.display(),
        report.loaded.len(),
        report.missing.len() + report.mismatched.len(),
        report.unexpected.len()
    );
    Ok(model)
}

/// A checkpoint, and a network of its architecture to load it into.
fn checkpoint(
    folder: Option<&PathBuf>,
    out: &Path,
) -> Result<(Checkpoint, DecoupledSegNetConfig), Anything> {
    let checkpoint = match folder {
        Some(folder) => Checkpoint::open(folder)?,
        None => {
            let store = CheckpointStore::open(out.join("checkpoints"), CheckpointRecipe::default());
            store.best().or_else(|_| store.latest())?
        }
    };
    let network = serde_json::from_value(checkpoint.state().network.clone())?;
    Ok((checkpoint, network))
}

fn eval(project: &Project, args: &EvalArgs) -> Result<ExitCode, Anything> {
    let out = project.out(args.data.out.as_ref());
    let (checkpoint, network) = checkpoint(args.checkpoint.as_ref(), &out)?;
    let device = Device::default();
    let model: DecoupledSegNet = checkpoint.load(network.init(&device))?;
    let recipe = &checkpoint.state().recipe;
    let mut evaluation = recipe.validation.clone();
    evaluation.max_images = args.max_images;
    if !args.scales.is_empty() {
        evaluation.protocol.scales = args.scales.clone();
    }
    evaluation.protocol.flip |= args.flip;
    if let Some(tile) = args.tile {
        evaluation.protocol.window = Window::sliding(tile);
    }
    let validation = project.split(&args.data, Split::Val)?;
    let mut evaluator = Evaluator::new(evaluation, recipe.normalization, &device);
    if args.time {
        evaluator = evaluator.timed();
    }
    let report = evaluator.evaluate(&model, &*validation)?;
    println!("{}\n{report}", checkpoint.folder().display());
    report.write(out.join("evaluation"))?;
    Ok(ExitCode::SUCCESS)
}

fn export(project: &Project, args: &ExportArgs) -> Result<ExitCode, Anything> {
    let out = project.out(args.out.as_ref());
    let (checkpoint, network) = checkpoint(args.checkpoint.as_ref(), &out)?;
    let model = checkpoint.load(network.init(&Device::default()))?;
    network.save_weights(&model, &args.to)?;
    println!("{}", args.to.display());
    Ok(ExitCode::SUCCESS)
}

fn predict(project: &Project, args: &PredictArgs) -> Result<ExitCode, Anything> {
    let out = project.out(args.out.as_ref());
    let (checkpoint, network) = checkpoint(args.checkpoint.as_ref(), &out)?;
    let device = Device::default();
    let protocol = checkpoint.state().recipe.validation.protocol.clone();
    let to = args.to.clone().unwrap_or_else(|| out.join("predictions"));
    let mut predictor = Predictor::from_checkpoint(&checkpoint, network.init(&device), &device)?
        .with_protocol(protocol)
        .with_kinds([
            PredictionKind::ClassIndex,
            PredictionKind::Color,
            PredictionKind::Overlay,
            PredictionKind::Edge,
            PredictionKind::Body,
            PredictionKind::Flow,
        ]);
    let written = predictor.predict_path(&args.input, &to)?;
    println!("{} images predicted into {}", written.len(), to.display());
    Ok(ExitCode::SUCCESS)
}

fn check(project: &Project, args: &CheckArgs) -> Result<ExitCode, Anything> {
    let root = project.data(&args.data)?;
    let open = |split| (split, (project.open)(&root, split));
    let splits: Vec<_> = [Split::Train, Split::Val, Split::Test].map(open).into();
    let labelled = splits.iter().filter_map(|(split, opened)| {
        let opened = opened.as_ref().ok().filter(|opened| opened.is_labelled());
        Some((split.as_str(), opened?.clone()))
    });
    let labelled: Vec<_> = labelled.collect();
    let report = datasets::check::check_splits(splits, |done, total| {
        if done % 100 == 0 || done == total {
            eprintln!("{done} of {total} images read");
        }
    });
    println!("{report}");
    let folder = project.out(args.data.out.as_ref()).join("check");
    for (name, split) in labelled {
        for path in datasets::check::write_overlays(&*split, &folder.join(name), args.overlays)? {
            println!("{}", path.display());
        }
    }
    Ok(report.exit_code())
}

fn submit(project: &Project, args: &SubmitArgs) -> Result<ExitCode, Anything> {
    let submission = project
        .submission
        .ok_or("this data set has no benchmark server")?;
    let out = project.out(args.data.out.as_ref());
    let (checkpoint, network) = checkpoint(args.checkpoint.as_ref(), &out)?;
    let device = Device::default();
    let protocol = checkpoint.state().recipe.validation.protocol.clone();
    let mut predictor = Predictor::from_checkpoint(&checkpoint, network.init(&device), &device)?
        .with_protocol(protocol);
    let to = args.to.clone().unwrap_or_else(|| out.join("submission"));
    let images = project.split(&args.data, args.split.into())?;
    let written = submission.write(&mut predictor, &*images, &to)?;
    println!("{} files in {}", written.len(), to.display());
    Ok(ExitCode::SUCCESS)
}

fn score(project: &Project, args: &ScoreArgs) -> Result<ExitCode, Anything> {
    if project.submission != Some(Submission::Cityscapes) {
        return Err("only the files of Cityscapes can be scored".into());
    }
    let root = args.root.clone().unwrap_or_else(|| project.root.into());
    let report = score_cityscapes(root, args.split.into(), &args.predictions)?;
    println!("{report}\n{} images", report.images);
    if let Some(path) = &args.json {
        fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(ExitCode::SUCCESS)
}
