use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use decoupled_seg_datasets::augment::Normalization;
use decoupled_seg_datasets::{
    ClassTable, DatasetError, InstanceMap, LabelMap, Sample, SegmentationDataset,
};
use decoupled_seg_metrics::{BoundaryFScore, ConfusionMatrix, InstanceIou, LabelTable};
use decoupled_seg_nn::SegmentationModel;
use decoupled_seg_types::Size;

use super::{EvaluationReport, Inference};
use crate::EngineError;
use crate::recipe::EvaluationRecipe;

/// Judges networks on labelled images.
///
/// ```
/// # use burn::tensor::Device;
/// # use decoupled_seg_nn::SegmentationModel;
/// # use decoupled_seg_datasets::{SegmentationDataset, augment::Normalization};
/// # use decoupled_seg_engine::{EngineError, EvaluationRecipe, Evaluator};
/// # fn judge<M: SegmentationModel>(
/// #     model: M,
/// #     dataset: impl SegmentationDataset,
/// #     device: Device,
/// # ) -> Result<(), EngineError> {
/// let mut evaluator =
///     Evaluator::new(EvaluationRecipe::default(), Normalization::default(), &device);
/// println!("{}", evaluator.evaluate(&model, &dataset)?);
/// # Ok(())
/// # }
/// ```
///
/// Images are read on one thread, predicted on the caller's and scored on another, a few at a time, so that memory
/// does not grow with the data set.
#[derive(Debug, Clone)]
pub struct Evaluator {
    recipe: EvaluationRecipe,
    inference: Inference,
}

/// Images that wait between two threads.
const WAITING: usize = 2;

impl Evaluator {
    /// Prepares an evaluation on `device`, for networks that were trained with `normalization`.
    ///
    /// # Panics
    ///
    /// Panics if the protocol is not [valid](crate::Protocol::validate).
    pub fn new(recipe: EvaluationRecipe, normalization: Normalization, device: &Device) -> Self {
        let inference = Inference::new(recipe.protocol.clone(), normalization, device);
        Self { recipe, inference }
    }

    /// Also measures where the time goes.
    pub fn timed(mut self) -> Self {
        self.inference = self.inference.timed();
        self
    }

    /// Judges `model` on all images of `dataset`, or the first [`max_images`](EvaluationRecipe::max_images).
    ///
    /// # Errors
    ///
    /// Returns an error if there is no image, an image or its labels cannot be read or scored, the network predicts other
    /// classes than the data set has, or the device does not answer.
    pub fn evaluate<M: SegmentationModel, D: SegmentationDataset + ?Sized>(
        &mut self,
        model: &M,
        dataset: &D,
    ) -> Result<EvaluationReport, EngineError> {
        self.evaluate_with(model, dataset, |_, _| ())
    }

    /// As [`evaluate`](Self::evaluate), with a look at every sample and its prediction, on the caller's thread.
    ///
    /// # Errors
    ///
    /// As [`evaluate`](Self::evaluate).
    pub fn evaluate_with<M: SegmentationModel, D: SegmentationDataset + ?Sized>(
        &mut self,
        model: &M,
        dataset: &D,
        mut look: impl FnMut(&Sample, &LabelMap),
    ) -> Result<EvaluationReport, EngineError> {
        let report = self.evaluate_while(model, dataset, |sample, labels| {
            look(sample, labels);
            true
        })?;
        Ok(report.expect("nobody ended it"))
    }

    /// As [`evaluate_with`](Self::evaluate_with), for as long as `look` says to go on. `None` if it did not to the end.
    pub(crate) fn evaluate_while<M: SegmentationModel, D: SegmentationDataset + ?Sized>(
        &mut self,
        model: &M,
        dataset: &D,
        mut look: impl FnMut(&Sample, &LabelMap) -> bool,
    ) -> Result<Option<EvaluationReport>, EngineError> {
        let classes = dataset.classes().clone();
        if model.num_classes() != classes.num_classes() {
            return Err(EngineError::Classes {
                model: model.num_classes(),
                dataset: classes.num_classes(),
            });
        }
        same_channels(model.in_channels(), dataset.bands().unwrap_or(3))?;
        let images = dataset
            .len()
            .min(self.recipe.max_images.unwrap_or(usize::MAX));
        if images == 0 {
            return Err(EngineError::NoImages);
        }
        let model = model.valid();
        let mut scorer = Scorer::new(&self.recipe, &classes);
        let start = Instant::now();
        let before = self.inference.timings();
        let inference = &mut self.inference;
        let (scorer, ended) = thread::scope(|scope| {
            let (send_read, read) = mpsc::sync_channel(WAITING);
            let (send_scene, scenes) = mpsc::sync_channel::<(Scene, LabelMap)>(WAITING);
            let with_instances = scorer.instances.is_some();
            scope.spawn(move || {
                for index in 0..images {
                    // Nobody listens any more once an error ended the evaluation.
                    if send_read
                        .send(Scene::read(dataset, index, with_instances))
                        .is_err()
                    {
                        break;
                    }
                }
            });
            let scoring = scope.spawn(move || {
                for (scene, prediction) in scenes {
                    scorer.add(&scene, &prediction)?;
                }
                Ok::<_, EngineError>(scorer)
            });
            let mut outcome = Ok(());
            let mut ended = false;
            for scene in read {
                let scene = match scene {
                    Ok(scene) => scene,
                    Err(error) => {
                        outcome = Err(error.into());
                        break;
                    }
                };
                let prediction = match inference.try_labels(&model, (&scene.sample).into()) {
                    Ok(prediction) => prediction,
                    Err(error) => {
                        outcome = Err(error.into());
                        break;
                    }
                };
                if !look(&scene.sample, &prediction) {
                    ended = true;
                    break;
                }
                if send_scene.send((scene, prediction)).is_err() {
                    // The scorer stopped; its error is below.
                    break;
                }
            }
            drop(send_scene);
            let scorer = scoring.join().expect("scoring does not panic");
            outcome.and(scorer).map(|scorer| (scorer, ended))
        })?;
        if ended {
            return Ok(None);
        }
        let mut timings = self.inference.timings();
        timings.network -= before.network;
        timings.resizing -= before.resizing;
        timings.metrics = scorer.time;
        timings.total = start.elapsed();
        Ok(Some(EvaluationReport {
            classes,
            protocol: self.recipe.protocol.clone(),
            images,
            confusion: scorer.confusion,
            boundary: scorer.boundary,
            without_instances: scorer.without.filter(|_| scorer.has_instances),
            instances: scorer.instances,
            timings,
        }))
    }
}

/// An image with everything it is scored against.
struct Scene {
    sample: Sample,
    instances: Option<InstanceMap>,
}

impl Scene {
    fn read<D: SegmentationDataset + ?Sized>(
        dataset: &D,
        index: usize,
        with_instances: bool,
    ) -> Result<Self, DatasetError> {
        let sample = dataset.get(index)?;
        let instances = if with_instances {
            dataset.instances(index)?
        } else {
            None
        };
        Ok(Self { sample, instances })
    }
}

/// The table of the benchmark whose classes these are. Cityscapes alone publishes the sizes that iIoU needs.
fn benchmark(classes: &ClassTable) -> Option<LabelTable> {
    let table = LabelTable::cityscapes_train_ids();
    let names = table.labels.iter().map(|label| label.name.as_str());
    names.eq(classes.names()).then_some(table)
}

struct Scorer {
    confusion: ConfusionMatrix,
    boundary: Option<BoundaryFScore>,
    /// Nothing once an image had no instances: a score of a part would look like one of all.
    instances: Option<InstanceIou>,
    /// Whether an image had instances.
    has_instances: bool,
    /// The first image that had none.
    without: Option<String>,
    time: Duration,
}

impl Scorer {
    fn new(recipe: &EvaluationRecipe, table: &ClassTable) -> Self {
        let classes = table.num_classes();
        let boundary = (!recipe.boundary.is_empty()).then(|| {
            BoundaryFScore::new(classes, recipe.boundary.clone())
                .with_absent_class(recipe.absent_class)
        });
        Self {
            confusion: ConfusionMatrix::new(classes),
            boundary,
            instances: benchmark(table).map(InstanceIou::new),
            has_instances: false,
            without: None,
            time: Duration::ZERO,
        }
    }

    fn add(&mut self, scene: &Scene, prediction: &LabelMap) -> Result<(), EngineError> {
        let start = Instant::now();
        let Scene { sample, instances } = scene;
        let failed = |source| EngineError::Metrics {
            name: sample.name.clone(),
            source,
        };
        let labels = &sample.labels;
        self.confusion
            .update(&labels.data, &prediction.data)
            .map_err(failed)?;
        if let Some(boundary) = &mut self.boundary {
            let size = Size::new(labels.height, labels.width);
            boundary
                .update(&labels.data, &prediction.data, size)
                .map_err(failed)?;
        }
        match instances {
            Some(_) => self.has_instances = true,
            None if self.without.is_none() => self.without = Some(sample.name.clone()),
            None => {}
        }
        self.instances = match (self.instances.take(), instances) {
            (Some(mut metric), Some(instances)) => {
                metric
                    .update(&labels.data, &prediction.data, &instances.data)
                    .map_err(failed)?;
                Some(metric)
            }
            _ => None,
        };
        self.time += start.elapsed();
        Ok(())
    }
}

/// Refuses images of other channels than the network reads.
pub(crate) fn same_channels(model: usize, dataset: usize) -> Result<(), EngineError> {
    match model == dataset {
        true => Ok(()),
        false => Err(EngineError::Channels { model, dataset }),
    }
}
