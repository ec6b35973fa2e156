use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, TensorReadError};
use decoupled_seg_datasets::augment::Normalization;
use decoupled_seg_datasets::check::DARK;
use decoupled_seg_datasets::files::{read_bands, read_image};
use decoupled_seg_datasets::{BandImage, ClassTable, DatasetError, LabelMap};
use decoupled_seg_nn::SegmentationModel;
use decoupled_seg_types::Size;
use decoupled_seg_viz::FlowField;
use image::{DynamicImage, RgbImage};

use super::output::Output;
use super::protected::check_own;
use super::{PredictionKind, Protected, find_images};
use crate::EngineError;
use crate::checkpoint::Checkpoint;
use crate::evaluate::{Inference, InputImage, answered};
use crate::files::{self, write_atomic, write_png};
use crate::own_files::mark_json;
use crate::recipe::Protocol;

/// What a network says about one image.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// The class of each pixel.
    pub labels: LabelMap,
    /// The class of each pixel as the body alone sees it.
    pub body: Option<LabelMap>,
    /// Probability of the class of each pixel, `[height, width]`, if [`PredictionKind::Confidence`] is to be written.
    pub confidence: Option<Vec<f32>>,
    /// Probability of an edge at each pixel, `[height, width]`.
    pub edge_probs: Option<Vec<f32>>,
    /// The flow, at the size of the features and in the unit of the network's warp.
    pub flow: Option<FlowField>,
}

/// Which files were predicted.
#[derive(Debug, Default)]
pub struct Predicted {
    /// Those whose pictures were written.
    pub images: Vec<PathBuf>,
    /// Those of them that are nearly black ([`DARK`]), as pictures of 12 bits are in files of 16: a network that was trained
    /// on others takes them for night.
    pub dark: Vec<PathBuf>,
    /// Those that could not be read, or for whose pictures the system takes no names.
    pub failed: Vec<FailedPrediction>,
}

/// A file that could not be predicted.
#[derive(Debug)]
pub struct FailedPrediction {
    /// The file.
    pub path: PathBuf,
    /// Why; the message names the file.
    pub source: DatasetError,
}

/// Predicts images, files and folders.
///
/// ```
/// # use burn::tensor::Device;
/// # use decoupled_seg_nn::SegmentationModel;
/// # use decoupled_seg_engine::{CheckpointRecipe, CheckpointStore, EngineError, Predictor};
/// # fn use_it<M: SegmentationModel>(model: M, device: Device) -> Result<(), EngineError> {
/// let best = CheckpointStore::open("runs/camvid/checkpoints", CheckpointRecipe::default()).best()?;
/// let mut predictor = Predictor::from_checkpoint(&best, model, &device)?;
/// predictor.predict_path("street.jpg", "predictions")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Predictor<M> {
    model: M,
    classes: ClassTable,
    inference: Inference,
    kinds: Vec<PredictionKind>,
    batch: usize,
}

impl<M: SegmentationModel> Predictor<M> {
    /// Predicts `classes` with a network that was trained with `normalization`; whole images at one scale, written as
    /// class indices, colours and overlays.
    ///
    /// # Panics
    ///
    /// Panics if the network predicts another number of classes.
    pub fn new(
        model: M,
        classes: ClassTable,
        normalization: Normalization,
        device: &Device,
    ) -> Self {
        assert_eq!(
            model.num_classes(),
            classes.num_classes(),
            "the network and the class table must have the same number of classes"
        );
        Self {
            model: model.valid(),
            classes,
            inference: Inference::new(Protocol::default(), normalization, device),
            kinds: vec![
                PredictionKind::ClassIndex,
                PredictionKind::Color,
                PredictionKind::Overlay,
            ],
            batch: 1,
        }
    }

    /// Predicts with the weights, classes and normalisation of a checkpoint; `model` is a network of its architecture.
    ///
    /// # Errors
    ///
    /// Returns an error if the checkpoint is of another architecture.
    pub fn from_checkpoint(
        checkpoint: &Checkpoint,
        model: M,
        device: &Device,
    ) -> Result<Self, EngineError> {
        let state = checkpoint.state();
        Ok(Self::new(
            checkpoint.load(model)?,
            state.classes.clone(),
            state.recipe.normalization.clone(),
            device,
        ))
    }

    /// Predicts by another protocol.
    ///
    /// # Panics
    ///
    /// Panics if the protocol is not [valid](Protocol::validate).
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.inference = self.inference.with_protocol(protocol);
        self
    }

    /// Writes other things.
    pub fn with_kinds(mut self, kinds: impl Into<Vec<PredictionKind>>) -> Self {
        self.kinds = kinds.into();
        self
    }

    /// Predicts up to so many files at once, where those that follow each other are of one size. The memory grows with the
    /// batch. The pictures are the same on a CPU; to rounding on a GPU, and from a network that was folded with fast
    /// arithmetic, which chooses it by the size of a layer and the batch.
    ///
    /// # Panics
    ///
    /// Panics if `batch` is 0.
    pub fn with_batch(mut self, batch: usize) -> Self {
        assert!(batch > 0, "a batch has an image");
        self.batch = batch;
        self
    }

    /// Channels of the images that it reads.
    pub fn channels(&self) -> usize {
        self.model.in_channels()
    }

    /// The classes it predicts.
    pub fn classes(&self) -> &ClassTable {
        &self.classes
    }

    /// Predicts one image. Body, edge and flow are looked at if one of them is to be written, and come from the whole
    /// image at scale 1, whatever the protocol says.
    ///
    /// # Panics
    ///
    /// Panics if the image has other channels than the network reads, or the device does not answer.
    pub fn predict<'a>(&mut self, image: impl Into<InputImage<'a>>) -> Prediction {
        let mut predictions = self.predict_batch(&[image.into()]);
        predictions.pop().expect("a prediction for an image")
    }

    /// Predicts several images in one batch, as [`predict`](Self::predict) one by one: [`with_batch`](Self::with_batch) says
    /// how exactly.
    ///
    /// # Panics
    ///
    /// Panics without an image, if they are not of one size, if they have other channels than the network reads, or if the
    /// device does not answer.
    pub fn predict_batch(&mut self, images: &[InputImage<'_>]) -> Vec<Prediction> {
        answered(self.try_predict_batch(images))
    }

    pub(super) fn try_predict_batch(
        &mut self,
        images: &[InputImage<'_>],
    ) -> Result<Vec<Prediction>, TensorReadError> {
        let (inference, model) = (&mut self.inference, &self.model);
        let labels: Vec<(LabelMap, Option<Vec<f32>>)> =
            match self.kinds.contains(&PredictionKind::Confidence) {
                false => {
                    let labels = inference.try_labels_of_batch(model, images)?.into_iter();
                    labels.map(|labels| (labels, None)).collect()
                }
                true => {
                    let found = inference.try_labels_with_confidence_of_batch(model, images)?;
                    let found = found.into_iter();
                    found.map(|(labels, it)| (labels, Some(it))).collect()
                }
            };
        let mut predictions: Vec<_> = labels
            .into_iter()
            .map(|(labels, confidence)| Prediction {
                labels,
                confidence,
                body: None,
                edge_probs: None,
                flow: None,
            })
            .collect();
        let inspection = self
            .kinds
            .iter()
            .any(|kind| kind.inspects())
            .then(|| self.inference.inspect_batch(&self.model, images))
            .flatten();
        if let Some(inspection) = inspection {
            let size = images[0].size();
            let body = inspection.body_logits.argmax(1);
            let body = body.try_into_vec_as::<u8>()?;
            let edge_probs = sigmoid(inspection.edge_logits).try_into_vec_as::<f32>()?;
            let parts = body
                .chunks_exact(size.pixels())
                .zip(edge_probs.chunks_exact(size.pixels()));
            for (prediction, (body, edge_probs)) in predictions.iter_mut().zip(parts) {
                prediction.body = Some(LabelMap::new(size, body.to_vec()));
                prediction.edge_probs = Some(edge_probs.to_vec());
            }
            if let Some(flow) = inspection.flow {
                let [_, _, height, width] = flow.dims();
                let size = Size::new(height, width);
                let flows = flow.try_into_vec_as::<f32>()?;
                let flows = flows.chunks_exact(2 * size.pixels());
                for (prediction, flow) in predictions.iter_mut().zip(flows) {
                    prediction.flow = Some(FlowField::new(flow.to_vec(), size));
                }
            }
        }
        Ok(predictions)
    }

    /// The picture of a kind, of what was predicted for `image`; `None` if the network does not predict this, or the kind
    /// is none of [`with_kinds`](Self::with_kinds) or no picture.
    pub fn picture(
        &self,
        kind: PredictionKind,
        image: &RgbImage,
        prediction: &Prediction,
    ) -> Option<DynamicImage> {
        kind.render(image, prediction, &self.classes)
    }

    /// Predicts a file, a folder or a pattern ([`find_images`]) and writes into folders below `output`, one a kind:
    /// `output/color/name.png`.
    ///
    /// # Errors
    ///
    /// As [`find_images`] and [`predict_files`](Self::predict_files).
    pub fn predict_path(
        &mut self,
        input: impl AsRef<Path>,
        output: impl AsRef<Path>,
    ) -> Result<Predicted, EngineError> {
        let inputs = find_images(input)?;
        self.predict_files(&inputs, output)
    }

    /// Predicts files, as [`predict_path`](Self::predict_path). One that cannot be read, or whose name is too long for what
    /// is written, does not keep the others from being predicted.
    ///
    /// # Errors
    ///
    /// Returns an error before anything is written if two inputs have the same name, or a file would be written over an
    /// input or over a file that another program wrote or changed; and if a picture cannot be written or the device does not
    /// answer. What was written before stays; no picture is ever half-written.
    pub fn predict_files<P: AsRef<Path>>(
        &mut self,
        inputs: &[P],
        output: impl AsRef<Path>,
    ) -> Result<Predicted, EngineError> {
        let output = output.as_ref();
        self.check_outputs(inputs, output)?;
        for kind in self.kinds.iter().filter(|kind| !kind.inspects()) {
            files::create_dir(&output.join(kind.folder()))?;
        }
        let mut predicted = Predicted::default();
        // Images that wait for others of their size.
        let mut batch: Vec<ReadImage> = Vec::with_capacity(self.batch.min(inputs.len()));
        for input in inputs {
            let input = input.as_ref();
            let read = self
                .check_names(input, output)
                .and_then(|()| ReadImage::open(input, self.model.in_channels()));
            let image = match read {
                Ok(image) => image,
                Err(source) => {
                    let path = input.to_path_buf();
                    predicted.failed.push(FailedPrediction { path, source });
                    continue;
                }
            };
            if image.bands.is_none() && image.picture.iter().all(|&value| value <= DARK) {
                predicted.dark.push(input.to_path_buf());
            }
            let fits = |first: &ReadImage| first.input().size() == image.input().size();
            if !batch.first().is_none_or(fits) {
                self.predict_and_write(&mut batch, output, &mut predicted)?;
            }
            batch.push(image);
            if batch.len() == self.batch {
                self.predict_and_write(&mut batch, output, &mut predicted)?;
            }
        }
        self.predict_and_write(&mut batch, output, &mut predicted)?;
        Ok(predicted)
    }

    /// Predicts what waits, and writes it.
    fn predict_and_write(
        &mut self,
        batch: &mut Vec<ReadImage>,
        output: &Path,
        predicted: &mut Predicted,
    ) -> Result<(), EngineError> {
        if batch.is_empty() {
            return Ok(());
        }
        let images: Vec<_> = batch.iter().map(ReadImage::input).collect();
        let predictions = self.try_predict_batch(&images)?;
        for (image, prediction) in batch.drain(..).zip(predictions) {
            self.write(&image.picture, &prediction, &image.path, output)?;
            predicted.images.push(image.path);
        }
        Ok(())
    }

    /// Checks that every input has files of its own, and that none of them is an input.
    fn check_outputs<P: AsRef<Path>>(
        &self,
        inputs: &[P],
        output: &Path,
    ) -> Result<(), EngineError> {
        let protected = Protected::new(inputs);
        let mut names: HashMap<String, &Path> = HashMap::new();
        for input in inputs {
            let input = input.as_ref();
            if let Some(first) = names.insert(stem(input), input) {
                return Err(EngineError::SameOutput {
                    first: first.to_path_buf(),
                    second: input.to_path_buf(),
                    output: output.join(stem(input)).with_extension("png"),
                });
            }
            for kind in &self.kinds {
                let path = output_file(output, *kind, input);
                protected.check(&path)?;
                check_own(&path)?;
            }
        }
        Ok(())
    }

    /// Whether the system takes the names of what is written for `input`: they may be longer than that of the image.
    fn check_names(&self, input: &Path, output: &Path) -> Result<(), DatasetError> {
        for kind in &self.kinds {
            let path = output_file(output, *kind, input);
            match fs::symlink_metadata(&path) {
                Err(source) if source.kind() == ErrorKind::InvalidFilename => {
                    return Err(DatasetError::Io { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn write(
        &self,
        image: &RgbImage,
        prediction: &Prediction,
        input: &Path,
        output: &Path,
    ) -> Result<(), EngineError> {
        for kind in &self.kinds {
            let path = output_file(output, *kind, input);
            let Some(made) = kind.output(image, input, prediction, &self.classes) else {
                continue;
            };
            if kind.inspects() {
                // Only now it is known that the network has it.
                files::create_dir(&output.join(kind.folder()))?;
            }
            match made {
                Output::Picture(picture) => write_png(&path, &picture)?,
                Output::Json(value) => {
                    write_atomic(&path, mark_json(value).to_string().as_bytes())?;
                }
            }
        }
        Ok(())
    }
}

/// An image of a file.
struct ReadImage {
    path: PathBuf,
    /// To look at.
    picture: RgbImage,
    /// Where the network reads others than red, green and blue.
    bands: Option<BandImage>,
}

impl ReadImage {
    fn open(path: &Path, channels: usize) -> Result<Self, DatasetError> {
        let (picture, bands) = match channels {
            3 => (read_image(path)?, None),
            channels => {
                let bands = read_bands(path, channels)?;
                (bands.preview(), Some(bands))
            }
        };
        Ok(Self {
            path: path.to_path_buf(),
            picture,
            bands,
        })
    }

    /// What the network reads.
    fn input(&self) -> InputImage<'_> {
        match &self.bands {
            Some(bands) => bands.into(),
            None => (&self.picture).into(),
        }
    }
}

/// Where the file of a kind goes.
fn output_file(output: &Path, kind: PredictionKind, input: &Path) -> PathBuf {
    let name = format!("{}.{}", stem(input), kind.extension());
    output.join(kind.folder()).join(name)
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
