use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Device;
use decoupled_seg::DecoupledSegNet;
use decoupled_seg::datasets::{Dataset, SegmentationDataset, Split, Subset};
use decoupled_seg::engine::{Evaluator, Interrupt, Progress, Resume, Stop, Trainer};
use decoupled_seg_study::{Fold, PlannedRun, RunResult};

use super::pictures::Pictures;
use super::results::{self, Objects};
use super::settings::Settings;
use crate::args::DataArgs;
use crate::start::Start;
use crate::{CliError, Project, checkpoint, remembered};

/// Trains and judges the runs of a study.
pub(super) struct Training<'a> {
    /// That of the program, for studies that name no data.
    project: &'a Project,
    /// Folder of the study.
    out: PathBuf,
    interrupt: Interrupt,
    tensorboard: bool,
    device: Device,
}

/// What a run learns from and is judged by.
type Data = [Arc<dyn SegmentationDataset>; 2];

impl<'a> Training<'a> {
    pub fn new(
        project: &'a Project,
        out: &Path,
        tensorboard: bool,
        device: Device,
    ) -> Result<Self, CliError> {
        Ok(Self {
            project,
            out: out.to_path_buf(),
            interrupt: Interrupt::on_signals()?,
            tensorboard,
            device,
        })
    }

    /// The status by which a process says that a signal ended it, if one did.
    pub fn status(&self) -> Option<u8> {
        self.interrupt.status()
    }

    /// Trains a run from where it is and judges its best checkpoint, as `eval` does. `None` if it was asked to stop.
    pub fn run(&self, run: &PlannedRun) -> Result<Option<RunResult>, CliError> {
        let settings = Settings::of(run)?;
        let named = settings.project()?;
        let project = match &named {
            Some(project) => project,
            None => self.project,
        };
        let recipe = settings.recipe(project, run.seed)?;
        let [train, val] = self.data(project, &settings, run.fold.as_ref())?;
        let network = settings.network(train.classes().num_classes())?;
        let mut network = network.with_in_channels(train.bands().unwrap_or(3));
        let start = settings.start.as_deref().map(Start::open).transpose()?;
        if let Some(start) = &start {
            network = start.fit(network);
        }
        let device = self.device.clone();
        device.seed(recipe.seed);
        let mut model = network.init(&device);
        if let Some(start) = &start {
            start.load(&mut model, false)?;
            start.warn_of_differences(&network, &recipe.normalization, train.classes())?;
        }
        // `eval` on the run's folder judges by the same pictures.
        remembered::write(settings.variant.clone(), settings.scale(), &run.folder)?;
        let parameters = model.num_params();
        let description = serde_json::to_value(&network).expect("a network's config is plain data");
        let trained = Trainer::new(recipe, model, &device)
            .with_network(description)
            .with_run_folder(&run.folder)
            .with_cache_folder(self.out.join("cache"))
            .with_tensorboard(self.tensorboard)
            .with_resume(Resume::IfPresent)
            .with_progress(Progress::Auto)
            .with_interrupt(self.interrupt.clone())
            .fit(train, Some(&val))?;
        match trained.stop {
            Stop::Interrupted => return Ok(None),
            Stop::Finished | Stop::NoImprovement => {}
        }

        let best = checkpoint::best(&run.folder)?;
        let model: DecoupledSegNet = best.load(network.init(&device))?;
        let recipe = &best.state().recipe;
        let mut evaluation = recipe.validation.clone();
        evaluation.max_images = None;
        let protocol = evaluation.protocol.clone();
        let mut pictures = Pictures::new(&run.folder, settings.pictures, val.classes())?;
        let mut objects = Objects::new(val.classes().num_classes());
        let mut size = None;
        let report = Evaluator::new(evaluation, recipe.normalization.clone(), &device)
            .evaluate_with(&model, &val, |sample, prediction| {
                size.get_or_insert(sample.size());
                pictures.add(sample, prediction);
                objects.add(sample, prediction);
            })?;
        pictures.finish()?;
        report.write(run.folder.join("evaluation"))?;
        let macs = size.map(|size| results::macs(&network, size, &protocol));
        let mut result = results::of_evaluation(&report, &trained.history);
        result.parts.extend(objects.finish()?);
        (result.parameters, result.macs) = (Some(parameters as u64), macs);
        Ok(Some(result))
    }

    fn data(
        &self,
        project: &Project,
        settings: &Settings,
        fold: Option<&Fold>,
    ) -> Result<Data, CliError> {
        let args = DataArgs {
            root: settings.root.clone(),
            variant: settings.variant.clone(),
            synthetic: settings.synthetic,
            // Where made-up data lie: those of another project are others.
            out: Some(self.out.join(&project.name)),
        };
        let train = project.split(&args, Split::Train)?;
        let [train, val] = match fold {
            None => [train, project.split(&args, Split::Val)?],
            Some(fold) => parts(train, fold)?,
        };
        let own = self.out.join("resized");
        let folder = train.cache_folder().map(|folder| folder.join("resized"));
        let train = match settings.resized(folder.as_deref().unwrap_or(&own)) {
            None => train,
            Some(config) => Arc::new(config.with_fallback(own).init(train)),
        };
        Ok([train, val])
    }
}

/// The training pictures that are not left out, and those that are.
fn parts(train: Arc<dyn SegmentationDataset>, fold: &Fold) -> Result<Data, CliError> {
    let left_out = |name: &str| {
        let file = name.rsplit('/').next().unwrap_or(name);
        fold.leaves_out(file)
    };
    let rest = Subset::by_name(Arc::clone(&train), |name| !left_out(name));
    let judge = Subset::by_name(Arc::clone(&train), left_out);
    if rest.is_empty() || judge.is_empty() {
        return Err(CliError::EmptyFold {
            pattern: fold.validate.clone(),
            left_out: judge.len(),
            images: train.len(),
            example: train.name(0),
        });
    }
    Ok([Arc::new(rest), Arc::new(judge)])
}
