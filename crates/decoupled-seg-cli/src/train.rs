use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::module::Module;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use decoupled_seg::datasets::augment::RandomScale;
use decoupled_seg::datasets::{
    DatasetError, ResizedCache, ResizedCacheConfig, ResizedTo, SegmentationDataset, Split,
};
use decoupled_seg::engine::{Interrupt, Progress, Recipe, RecipePreset, Resume, Stop, Trainer};
use decoupled_seg_pretrained::PretrainedWeights;
use decoupled_seg_types::Size;

use crate::args::{DataArgs, scale};
use crate::device::DeviceArgs;
use crate::network_args::NetworkArgs;
use crate::say::{say, tell};
use crate::start::Start;
use crate::{CliError, Project, checkpoint, pretrained, remembered};

#[derive(Args)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    device: DeviceArgs,
    /// Start from what fits of another run, or of a `.pth` or `.safetensors` file: of this program, of the authors, or a
    /// whole ImageNet classifier (the network then takes its stem).
    #[arg(long, value_name = "RUN|FILE", aliases = ["weights", "from"])]
    start: Option<PathBuf>,
    /// Start from published ImageNet weights, see `weights list`; the backbone is theirs unless a network is named.
    #[arg(long, value_name = "NAME", conflicts_with = "start")]
    encoder: Option<String>,
    /// Go on from the newest checkpoint of the run.
    #[arg(long)]
    resume: bool,
    /// A recipe of the paper, the authors' scripts or PaddleSeg, or ours for small networks, in place of that of the data set.
    #[arg(long, value_parser = presets(), value_name = "NAME")]
    preset: Option<RecipePreset>,
    /// A file with a preset and what differs from it, in place of the recipe of the data set (TOML or JSON).
    #[arg(long, conflicts_with = "preset")]
    recipe: Option<PathBuf>,
    /// Write event files for TensorBoard into `tensorboard/` of the run.
    #[arg(long)]
    tensorboard: bool,
    /// One epoch of small steps, to see that everything works.
    #[arg(long)]
    short: bool,
    /// Changes one value of the recipe: `clip_norm=2.5`, `class_uniform=null`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
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
    /// Size of the random crops, in pixels; two numbers will do.
    #[arg(long, num_args = 1..=2, value_name = "HEIGHTxWIDTH")]
    crop: Vec<String>,
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
    /// Train on the images at this scale, made once and kept on disk. Pixels in the recipe are then those.
    #[arg(long, value_name = "SCALE", value_parser = scale)]
    resized: Option<f64>,
    /// Where resized images and the index of class-uniform sampling are kept; beside the data, or in the run's folder,
    /// unless given.
    #[arg(long, value_name = "FOLDER")]
    cache: Option<PathBuf>,
}

fn presets() -> impl TypedValueParser<Value = RecipePreset> {
    PossibleValuesParser::new(RecipePreset::ALL.map(RecipePreset::name))
        .map(|name| RecipePreset::from_name(&name).expect("one of the possible values"))
}

pub(crate) fn run(project: &Project, mut args: TrainArgs) -> Result<(), CliError> {
    let mut recipe = args.recipe_of(project)?;
    let out = project.out(args.data.out.as_deref());
    let is_new = checkpoint::is_new(&out);
    if args.resume {
        remembered::resume(&mut args.data, &mut args.resized, &out, !is_new)?;
    }
    let train = project.split(&args.data, Split::Train)?;
    let resized = args.resized(&train, &out).map(Arc::new);
    let train = match &resized {
        Some(resized) => Arc::clone(resized) as Arc<dyn SegmentationDataset>,
        None => train,
    };
    if train.len() == 1 {
        args.allow_one_image(&mut recipe);
    }
    let validation = match project.split(&args.data, Split::Val) {
        Err(CliError::Dataset(error @ DatasetError::UnknownSplit { .. })) => {
            say!("no validation, the last weights are the best: {error}");
            None
        }
        validation => Some(validation?),
    };
    if let (Some(scale), Some(_)) = (args.resized, &validation) {
        tell_of_scales(scale, &recipe);
    }
    if let Some(name) = &args.encoder
        && !args.network.is_given()
    {
        let backbone = PretrainedWeights::find(name)?.network;
        args.network = args.network.with_backbone(backbone);
    }
    let mut network = args.network.config(train.classes().num_classes())?;
    if !args.network.says_channels() {
        network = network.with_in_channels(train.bands().unwrap_or(3));
    }
    let start = match &args.encoder {
        Some(name) => Some(pretrained::get(name, None)?),
        None => args.start.clone(),
    };
    let start = start.as_deref().map(Start::open).transpose()?;
    if let Some(start) = &start {
        network = start.fit(network);
    }
    let device = args.device.open()?;
    device.seed(recipe.seed);
    let mut model = network.init(&device);
    match &start {
        Some(_) if args.resume && !is_new => {
            tell!("note: the run goes on from its checkpoint, not from what it started from");
        }
        Some(start) => {
            start.load(&mut model, args.network.says_corners())?;
            start.warn_of_differences(&network, &recipe.normalization, train.classes())?;
        }
        None => {}
    }
    if args.resume && is_new {
        tell!(
            "note: there is no checkpoint in `{}` yet: starting from the beginning",
            out.display()
        );
    }
    let images = match train.extra_from() {
        Some(first) => format!("{first} and {} extra images", train.len() - first),
        None => format!("{} images", train.len()),
    };
    say!(
        "{}: {images} to train on, {} to validate; {} parameters on {device:?}",
        project.name,
        validation.as_ref().map_or(0, |it| it.len()),
        model.num_params()
    );
    // A run that is there stays what it is, whether or not it is refused below.
    if is_new {
        remembered::write(args.data.variant.clone(), args.resized, &out)?;
    }
    let description = serde_json::to_value(&network).expect("a network's config is plain data");
    let interrupt = Interrupt::on_signals()?;
    let mut trainer = Trainer::new(recipe, model, &device)
        .with_network(description)
        .with_run_folder(&out)
        .with_tensorboard(args.tensorboard)
        .with_resume(if args.resume {
            Resume::IfPresent
        } else {
            Resume::Never
        })
        .with_progress(Progress::Auto)
        .with_interrupt(interrupt.clone());
    if let Some(cache) = &args.cache {
        trainer = trainer.with_cache_folder(cache);
    }
    let trained = trainer.fit(train, validation.as_deref())?;
    if let Some(resized) = resized {
        say!("{}", resized.state());
    }
    match trained.stop {
        Stop::Interrupted => {
            say!(
                "stopped at step {}; go on with --resume",
                trained.position.step
            );
            if let Some(status) = interrupt.status() {
                return Err(CliError::Stopped { status });
            }
        }
        Stop::Finished => say!(
            "finished; `eval` judges the best checkpoint of {}",
            out.display()
        ),
        Stop::NoImprovement => say!(
            "stopped in epoch {}, since no validation was better for so long; `eval` judges the best checkpoint of {}",
            trained.position.epoch,
            out.display()
        ),
    }
    Ok(())
}

/// Tells of validation at another scale than the training's: a network knows things in the sizes that it saw.
pub(crate) fn tell_of_scales(resized: f64, recipe: &Recipe) {
    if let Some(warning) = other_scales(resized, &recipe.validation.protocol.scales) {
        tell!("{warning}");
    }
}

fn other_scales(resized: f64, scales: &[f64]) -> Option<String> {
    (!scales.contains(&resized)).then(|| {
        format!(
            "warning: trained on images at scale {resized}, validated at {scales:?}, where everything has another size; \
             `validation.protocol.scales` = [{resized:?}] is the training's"
        )
    })
}

impl TrainArgs {
    /// The images at another scale, if they are asked for.
    fn resized(
        &self,
        images: &Arc<dyn SegmentationDataset>,
        out: &Path,
    ) -> Option<ResizedCache<Arc<dyn SegmentationDataset>>> {
        let scale = self.resized?;
        let folder = self.cache.clone().or_else(|| images.cache_folder());
        let folder = folder.unwrap_or_else(|| out.to_path_buf()).join("resized");
        let config = ResizedCacheConfig::new(folder, ResizedTo::Scale(scale))
            .with_fallback(out.join("resized"));
        Some(config.init(Arc::clone(images)))
    }

    /// Lets a trial (`--short`) run on a data set of one image: its norms need the pixels that a second one would bring.
    fn allow_one_image(&self, recipe: &mut Recipe) {
        if self.short && self.batch.is_none() {
            recipe.batch = 1;
            if self.crop.is_empty() {
                recipe.augmentation.crop = Some(Size::square(96));
            }
        }
    }

    fn recipe_of(&self, project: &Project) -> Result<Recipe, CliError> {
        let mut recipe = match (&self.recipe, self.preset) {
            (Some(path), _) => Recipe::read(path)?,
            (None, Some(preset)) => preset.recipe(),
            (None, None) => project.recipe.clone(),
        };
        if self.short {
            recipe.epochs = 1;
            recipe.batch = 2;
            recipe.augmentation.crop = Some(Size::square(64));
        }
        recipe.epochs = self.epochs.unwrap_or(recipe.epochs);
        recipe.batch = self.batch.unwrap_or(recipe.batch);
        recipe.seed = self.seed.unwrap_or(recipe.seed);
        if let Some(rate) = self.lr {
            recipe.optimizer = recipe.optimizer.with_learning_rate(rate);
        }
        recipe.validate_every = self.validate_every.unwrap_or(recipe.validate_every);
        if !self.crop.is_empty() {
            let crop = self.crop.join("x").parse();
            recipe.augmentation.crop = Some(crop.map_err(CliError::Crop)?);
        }
        if let Some([min, max]) = self.scale.as_deref() {
            recipe.augmentation.scale = Some(RandomScale::new(*min, *max));
        }
        if let Some(scale) = self.validation_scale {
            recipe.validation.protocol.scales = vec![scale];
        }
        if self.checkpoint_every.is_some() {
            recipe.checkpoints.every_steps = self.checkpoint_every;
        }
        if recipe.validation.boundary.is_empty() {
            recipe.validation.boundary = project.boundary.clone();
        }
        for pair in &self.set {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(CliError::NotAPair {
                    found: pair.clone(),
                });
            };
            recipe = recipe.with(key, value)?;
        }
        recipe.validate()?;
        Ok(recipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validation_at_another_scale_is_told() {
        let told = other_scales(0.5, &[1.0]).expect("another scale");
        assert!(told.contains("at scale 0.5, validated at [1.0]"), "{told}");
        assert_eq!(other_scales(0.5, &[0.5]), None);
        assert_eq!(other_scales(0.5, &[0.25, 0.5, 1.0]), None, "one of them");
    }
}
