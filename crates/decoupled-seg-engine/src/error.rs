use std::io;
use std::path::PathBuf;

use burn::store::RecordError;
use burn::tensor::TensorReadError;
use decoupled_seg_datasets::DatasetError;
use decoupled_seg_datasets::files::IMAGE_SUFFIXES;
use decoupled_seg_metrics::MetricsError;
use decoupled_seg_types::Size;
use decoupled_seg_weights::WeightsError;

use crate::files::FileError;
use crate::recipe::RecipeError;
use crate::record::{LossTerm, Position};

/// Why training, evaluation or prediction stopped.
///
/// Lists are complete where the message shows only the first few entries.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The recipe cannot be read or used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A file or folder cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// An image or its labels cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A file of weights cannot be read, or holds those of another network.
    #[error(transparent)]
    Weights(#[from] WeightsError),

    // Training.
    /// The network predicts other classes than the data set has.
    #[error("the network predicts {model} classes, the data set has {dataset}")]
    Classes {
        /// Classes of the network.
        model: usize,
        /// Classes of the data set.
        dataset: usize,
    },
    /// The network reads images of other channels than the data set has.
    #[error(
        "the network reads images of {model} channels, the data set has {dataset}; make the network with --channels-in {dataset}"
    )]
    Channels {
        /// Channels that the network reads.
        model: usize,
        /// Channels of the images.
        dataset: usize,
    },
    /// Weights were trained on classes of other names than the data have.
    #[error(
        "`{path}`: class {index} is {} in the training, {} in the data; list the classes of the training, in their order",
        quoted(.trained), quoted(.data)
    )]
    OtherClasses {
        /// The checkpoint, or the file of weights.
        path: PathBuf,
        /// Index of the first class that differs.
        index: usize,
        /// Its name in the training; `None` if it had fewer classes.
        trained: Option<String>,
        /// Its name in the data; `None` if they have fewer classes.
        data: Option<String>,
    },
    /// A data set of one class.
    #[error(
        "there is one class only, `{class}`, and nothing to tell it from; list the background as a class"
    )]
    OneClass {
        /// Its name.
        class: String,
    },
    /// A batch norm would see a single value a channel: it has no spread, and its running variance would fall to 0.
    #[error(
        "batches of {batch} with images of {size} (height x width): a batch norm of the network would see a single \
         value, from which it learns nothing; use a batch of at least {least} (--batch) or \
         `batch_norm = \"frozen_statistics\"`; larger crops (--crop) help unless the network pools to one pixel"
    )]
    SmallBatch {
        /// Images of a batch.
        batch: usize,
        /// Their size.
        size: Size,
        /// Images that the network needs.
        least: usize,
    },
    /// Images are smaller than the network can take.
    #[error(
        "images of {size} (height x width): the network needs {least} pixels a side; take larger crops \
         (`augmentation.crop`, --crop) or a network without the body/edge module (--plain)"
    )]
    SmallImages {
        /// Their size.
        size: Size,
        /// Pixels that the network needs.
        least: usize,
    },
    /// There are fewer images than fill one batch, and a partial one is not trained on.
    #[error("{images} images do not fill a batch of {batch}; make `batch` or `accumulate` smaller")]
    TooFewImages {
        /// Images of the data set.
        images: usize,
        /// Images of an optimizer step.
        batch: usize,
    },
    /// The device does not calculate in the float type that the recipe asks for.
    #[error("{device} does not calculate in {dtype}; set `precision = \"full\"`")]
    Precision {
        /// The device.
        device: String,
        /// The float type.
        dtype: String,
    },
    /// All terms of the loss that the network gives rise to weigh nothing.
    #[error(
        "every term of the loss that this network has weighs 0, so that it learns nothing; set \
         `loss.segmentation_weight` or another weight above 0"
    )]
    NothingToLearn,
    /// A loss is not finite. What the run had reached is in the last checkpoint.
    #[error("step {step}: the {term} loss is {value}; {}", after_divergence(.last_checkpoint))]
    NotFinite {
        /// The optimizer step, from 1.
        step: usize,
        /// The first such term.
        term: LossTerm,
        /// Its value.
        value: f32,
        /// The newest checkpoint before it.
        last_checkpoint: Option<PathBuf>,
    },
    /// Training cannot read from the device: the connection to one of another machine broke, or a card failed.
    #[error("step {step}: the device does not answer: {source}; {}", after_loss_of_device(.last_checkpoint))]
    DeviceLost {
        /// The optimizer step, from 1, that was asked about.
        step: usize,
        /// What came in place of an answer.
        source: Box<TensorReadError>,
        /// The newest checkpoint before it.
        last_checkpoint: Option<PathBuf>,
    },
    /// The training diverged: no loss has shown it yet, but the weights or running statistics are not finite.
    #[error(
        "step {step}: the training has diverged, `{parameter}` holds a value that is not finite; {}",
        after_divergence(.last_checkpoint)
    )]
    Diverged {
        /// The optimizer step, from 1.
        step: usize,
        /// Path of the first such parameter.
        parameter: String,
        /// The newest checkpoint before it.
        last_checkpoint: Option<PathBuf>,
    },
    /// The weights hold a value that is not finite; such a network is neither trained nor written.
    #[error("parameter `{parameter}` holds a value that is not finite")]
    NotFiniteWeights {
        /// Path of the first such parameter.
        parameter: String,
    },
    /// Signals that ask to stop cannot be listened to.
    #[error("cannot listen for Ctrl-C and SIGTERM: {source}")]
    Interrupt {
        /// What the operating system said.
        source: io::Error,
    },
    /// The folder of a new run holds another run's checkpoints.
    #[error("`{folder}`: there are checkpoints of another run; resume it or choose another folder")]
    RunExists {
        /// The run's folder.
        folder: PathBuf,
    },
    /// Another process trains into the folder of the run.
    #[error(
        "`{folder}`: another process is training this run; wait for its end or choose another folder"
    )]
    RunInUse {
        /// The run's folder.
        folder: PathBuf,
    },
    /// The run to resume was made with another recipe.
    #[error("`{path}`: the recipe of the run to resume differs in {}; use its own or choose another folder", .fields.join(", "))]
    OtherRecipe {
        /// The checkpoint.
        path: PathBuf,
        /// The fields that differ.
        fields: Vec<String>,
    },
    /// The run to resume has another network. Its weights may fit all the same, but mean something else.
    #[error(
        "`{path}`: {key} is {run} in the run to resume, {new} in this network; make the network of the run, or choose \
         another folder"
    )]
    OtherNetwork {
        /// The checkpoint.
        path: PathBuf,
        /// The first key of the description that differs, with those above it.
        key: String,
        /// What the run says there.
        run: String,
        /// What the network says there.
        new: String,
    },
    /// The run to resume is trained on other images: its epochs would be others, and its schedule.
    #[error(
        "`{path}`: the run to resume is trained on {}; give it the same images in the same order, or begin another \
         run with its weights (--start)",
        other_images(*.run, *.data)
    )]
    OtherImages {
        /// The checkpoint.
        path: PathBuf,
        /// Images of the run.
        run: usize,
        /// Images of the data set.
        data: usize,
    },
    /// The run to resume has epochs of another length.
    #[error(
        "`{path}`: the run to resume is at step {step} in epoch {epoch}, where epochs of {steps_per_epoch} steps, as of \
         these images, are not; give it the same images, or begin another run with its weights (--start)"
    )]
    OtherSteps {
        /// The checkpoint.
        path: PathBuf,
        /// Optimizer steps that are done.
        step: usize,
        /// The epoch, from 1.
        epoch: usize,
        /// Optimizer steps in an epoch of the images to go on with.
        steps_per_epoch: usize,
    },

    // Checkpoints.
    /// There is no whole checkpoint in the folder.
    #[error("`{folder}`: no whole checkpoint{}", skipped_note(.skipped))]
    NoCheckpoint {
        /// The folder that was searched.
        folder: PathBuf,
        /// What is wrong with checkpoints that are there but damaged.
        skipped: Vec<EngineError>,
    },
    /// A file or folder that is no checkpoint.
    #[error("`{path}` is no checkpoint of decoupled-seg: {found}")]
    NotACheckpoint {
        /// The file or folder.
        path: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// Written by a version of this crate whose format this one does not know.
    #[error(
        "`{path}`: checkpoint format {found}, expected {expected}; use the version that wrote it"
    )]
    Format {
        /// The state file.
        path: PathBuf,
        /// Its format number.
        found: u64,
        /// The one that this version reads.
        expected: u32,
    },
    /// The state of a checkpoint is not what this crate writes.
    #[error("`{path}` is not the state of a checkpoint: {source}")]
    State {
        /// The state file.
        path: PathBuf,
        /// Where it differs.
        source: serde_json::Error,
    },
    /// A file of a checkpoint has another size than was written: cut short, or empty.
    #[error(
        "`{path}`: {found} bytes, expected {expected}: truncated or written over; take another checkpoint"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that should be there.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// A file of a checkpoint has another content than was written.
    #[error(
        "`{path}`: damaged: checksum {found:08x}, expected {expected:08x}; take another checkpoint"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// CRC-32 when it was written.
        expected: u32,
        /// CRC-32 now.
        found: u32,
    },
    /// A checkpoint has its weights, but not the state of the optimizer.
    #[error(
        "`{path}`: no such file, which a run needs to go on; copy it from where the run was trained, or begin another run \
         with the weights (--start)"
    )]
    NoOptimizer {
        /// The file.
        path: PathBuf,
    },
    /// The state of the optimizer cannot be written or read.
    #[error("`{path}`: state of the optimizer: {source}")]
    OptimizerState {
        /// The file.
        path: PathBuf,
        /// Why.
        source: RecordError,
    },
    /// The state of the optimizer does not belong to the weights beside it.
    #[error("`{path}`: optimizer state of {found} tensors, of which the network takes {taken}")]
    OtherOptimizer {
        /// The file.
        path: PathBuf,
        /// Tensors in the file.
        found: usize,
        /// Tensors that found their parameter.
        taken: usize,
    },

    // Evaluation and prediction.
    /// Nothing can be read from the device: the connection to one of another machine broke, or a card failed.
    #[error("the device does not answer: {source}; start again once it does")]
    Device {
        /// What came in place of an answer.
        source: Box<TensorReadError>,
    },
    /// A data set without images.
    #[error("there are no images to evaluate")]
    NoImages,
    /// A label map cannot be scored.
    #[error("`{name}`: {source}")]
    Metrics {
        /// The image.
        name: String,
        /// What is wrong.
        source: MetricsError,
    },
    /// There are images without a picture of predictions.
    #[error("`{}`: no prediction, expected `{}`{}", .labels[0].display(), .looked_for.display(), and_more(.labels.len()))]
    MissingPredictions {
        /// The label files of all such images.
        labels: Vec<PathBuf>,
        /// Where the prediction of the first was looked for, in all sub-folders too.
        looked_for: PathBuf,
    },
    /// Pictures of class indices were given for label ids.
    #[error(
        "`{folder}`: values below 19 alone, and among them 1 to 6, which are no objects to predict: class indices, expected label ids; predict with `--kinds label_id`"
    )]
    ScoredIndices {
        /// The folder of the predictions.
        folder: PathBuf,
    },
    /// An image has more than one picture of predictions.
    #[error("`{first}` and `{second}` are both predictions for `{labels}`, expected one")]
    SeveralPredictions {
        /// One prediction.
        first: PathBuf,
        /// Another.
        second: PathBuf,
        /// The label file.
        labels: PathBuf,
    },
    /// A prediction or an instance file has another size than the labels.
    #[error("`{path}`: {size}, expected the {expected} of `{labels}` (height x width)")]
    Size {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: Size,
        /// The label file.
        labels: PathBuf,
        /// The size of the labels.
        expected: Size,
    },

    // Prediction.
    /// A folder or pattern without images to predict.
    #[error("`{path}`: no images; looked for files that end in {}", IMAGE_SUFFIXES.join(", "))]
    NothingToPredict {
        /// The folder.
        path: PathBuf,
    },
    /// A picture would be written over an input. Nothing was written.
    #[error("`{output}` would be written over the input `{input}`; choose another folder")]
    OverInput {
        /// The file to write.
        output: PathBuf,
        /// The input.
        input: PathBuf,
    },
    /// A run was to keep its log in a file that is none.
    #[error("`{path}` is no log of a training: choose another folder for the run")]
    OtherLog {
        /// The file.
        path: PathBuf,
    },
    /// A file would be written over one that another program wrote or changed. Nothing was written.
    #[error(
        "`{path}` is there, and was written or changed by another program, perhaps by hand; move it, or choose another folder"
    )]
    NotOurs {
        /// The file to write.
        path: PathBuf,
    },
    /// Two images of a data set have one name. Nothing was written.
    #[error("two images are called `{name}`: both would be written to `{output}`")]
    SameName {
        /// The name.
        name: String,
        /// The file.
        output: PathBuf,
    },
    /// Two inputs would be written to the same file.
    #[error(
        "`{first}` and `{second}` would both be written to `{output}`; rename one, or predict them one by one, each into a folder of its own"
    )]
    SameOutput {
        /// One input.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// The file.
        output: PathBuf,
    },
}

impl From<TensorReadError> for EngineError {
    /// The tensors that are read here have the shape and the type that is read, so that only the device can fail.
    fn from(source: TensorReadError) -> Self {
        Self::Device {
            source: Box::new(source),
        }
    }
}

impl EngineError {
    /// The error as a run tells it: where it was, and what to go on from.
    pub(crate) fn in_run(self, position: Position, last_checkpoint: Option<PathBuf>) -> Self {
        match self {
            Self::Device { source } => Self::DeviceLost {
                step: position.step,
                source,
                last_checkpoint,
            },
            other => other,
        }
    }

    /// An error of writing weights. A full disk or a folder that cannot be written is told as for every other file.
    pub(crate) fn writing_weights(error: WeightsError) -> Self {
        match error {
            WeightsError::Write { path, source } => {
                FileError::new(&path, "writing weights", source).into()
            }
            other => other.into(),
        }
    }
}

fn after_divergence(last_checkpoint: &Option<PathBuf>) -> String {
    let checkpoint = match last_checkpoint {
        Some(path) => format!("the last good checkpoint is `{}`", path.display()),
        None => "no checkpoint was written yet".to_string(),
    };
    format!(
        "{checkpoint}; a run begun anew with a lower learning rate (`optimizer.learning_rate`, --lr) or `clip_norm` helps"
    )
}

fn after_loss_of_device(last_checkpoint: &Option<PathBuf>) -> String {
    match last_checkpoint {
        Some(path) => format!(
            "once it is there again, go on from `{}` with --resume",
            path.display()
        ),
        None => "no checkpoint was written yet, start anew once it is there again".to_string(),
    }
}

/// How many entries of a list a message shows.
const SHOWN: usize = 4;

fn skipped_note(skipped: &[EngineError]) -> String {
    if skipped.is_empty() {
        return String::new();
    }
    let list: Vec<String> = skipped
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    let more = match skipped.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("; skipped: {}{more}", list.join(", "))
}

fn and_more(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        count => format!(" (and {} more images)", count - 1),
    }
}

fn other_images(run: usize, data: usize) -> String {
    match run == data {
        true => format!("{run} images, and these are {data} others"),
        false => format!("{run} images, and these are {data}"),
    }
}

fn quoted(name: &Option<String>) -> String {
    match name {
        Some(name) => format!("`{name}`"),
        None => "none".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::ExecutionError;

    use super::*;

    #[test]
    fn a_lost_device_is_told_with_what_to_go_on_from() {
        let lost = || {
            let reason = ExecutionError::WithContext {
                reason: "the socket is closed".to_string(),
            };
            EngineError::from(TensorReadError::from(reason))
        };
        let position = Position {
            epoch: 1,
            batch: 2,
            step: 8,
        };
        let alone = lost().to_string();
        assert!(alone.starts_with("the device does not answer: "), "{alone}");
        for part in ["the socket is closed", "start again"] {
            assert!(alone.contains(part), "{alone}");
        }
        let checkpoint = PathBuf::from("run/checkpoints/step-000000006");
        for (last, advice) in [
            (None, "start anew"),
            (Some(checkpoint), "step-000000006` with --resume"),
        ] {
            let told = lost().in_run(position, last).to_string();
            assert!(
                told.starts_with("step 8: the device does not answer"),
                "{told}"
            );
            assert!(told.contains(advice), "{told}");
        }
    }
}
