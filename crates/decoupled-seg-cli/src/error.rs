use std::error::Error;
use std::path::PathBuf;

use decoupled_seg::datasets::DatasetError;
use decoupled_seg::engine::{EngineError, FileError, RecipeError};
use decoupled_seg::metrics::MetricsError;
use decoupled_seg::network::UnknownNetwork;
use decoupled_seg::nn::ConfigError;
use decoupled_seg::onnx::OnnxError;
use decoupled_seg::viz::VizError;
use decoupled_seg::weights::{DescriptionError, WeightsError};
use decoupled_seg_pretrained::PretrainedError;
use decoupled_seg_study::StudyError;
use decoupled_seg_types::{ParseSizeError, plain_words};
use decoupled_seg_video::VideoError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The arguments are wrong, or ask for help.
    #[error(transparent)]
    Arguments(#[from] clap::Error),
    /// `--variant` names none of the project's.
    #[error("no variant `{found}` of {project}, expected {}", one_of(.expected))]
    UnknownVariant {
        /// The project.
        project: String,
        /// What was asked for.
        found: String,
        /// What there is.
        expected: Vec<&'static str>,
    },
    /// The command works on data, and `--data` names none.
    #[error("which data set? --data {expected}")]
    NoData {
        /// What there is, in words.
        expected: String,
    },
    /// `--data` is neither a name nor a file.
    #[error("`--data {found}`: no such data set or file, expected {expected}")]
    UnknownData {
        /// The value.
        found: String,
        /// What there is, in words.
        expected: String,
    },
    /// `--data` is a folder without a description.
    #[error(
        "`--data {folder}`: the folder has no `dataset.toml`, expected {expected}; folders in the layout of a benchmark are `--root`"
    )]
    NoDescription {
        /// The folder.
        folder: String,
        /// What there is, in words.
        expected: String,
    },
    /// The data are those of another variant.
    #[error("{source}; `--variant {variant}` reads these data")]
    OtherVariant {
        /// The variant.
        variant: &'static str,
        /// Why they are not read without.
        source: DatasetError,
    },
    /// A signal ended the command, which said so and kept what it had.
    #[error("stopped by a signal")]
    Stopped {
        /// The status by which a process says so.
        status: u8,
    },
    /// A folder stands where a file of weights is expected.
    #[error(
        "`--weights {path}` is a folder: `--out` names a run, `--checkpoint` one of its checkpoints"
    )]
    WeightsFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A file that is no report of `score` was to be written over.
    #[error("`{path}` is there already and holds no scores: name another file")]
    OverNoScores {
        /// The file.
        path: PathBuf,
    },
    /// A report was to be written over another text.
    #[error(
        "`{path}` is there already and is no report of a study: name another folder with `--to`"
    )]
    OverNoReport {
        /// The file.
        path: PathBuf,
    },
    /// A study of which nothing was trained, or not in this folder.
    #[error(
        "`{path}` holds no result of the study's runs: `study run` trains them, `--out` names another folder"
    )]
    NoResults {
        /// The folder of the study.
        path: PathBuf,
    },
    /// Weights of a network with more blocks than the one that is to be judged.
    #[error(
        "`{path}`: {count} tensors of further blocks, such as `{first}`: it is of a deeper network, which `--network` or `--backbone` \
         has to name"
    )]
    DeeperNetwork {
        /// The file.
        path: PathBuf,
        /// How many there are.
        count: usize,
        /// One of them.
        first: String,
    },
    /// What `--crop` names is no size.
    #[error("--crop: {0}")]
    Crop(#[source] ParseSizeError),
    /// A value of `--set` without `=`.
    #[error("`--set {found}`: expected KEY=VALUE")]
    NotAPair {
        /// The value.
        found: String,
    },
    /// `check` found what would spoil a training.
    #[error("the data has problems, see the list above")]
    Problems,
    /// Some images could not be read; the others were predicted.
    #[error("{failed} of {images} images could not be predicted, see the list above")]
    NotPredicted {
        /// How many could not.
        failed: usize,
        /// How many there are.
        images: usize,
    },
    /// The project cannot make data up.
    #[error("{project} has no `--synthetic`")]
    NoSynthetic {
        /// The project.
        project: String,
    },
    /// The data set has no benchmark server.
    #[error("{project} has no benchmark server to submit to")]
    NoBenchmark {
        /// The project.
        project: String,
    },
    /// Files of another data set than Cityscapes cannot be scored.
    #[error("only the files of Cityscapes can be scored")]
    NotCityscapes,
    /// The name of the file to export says no format.
    #[error("cannot write `{path}`: expected a name that ends in .onnx or .safetensors")]
    Ending {
        /// The file.
        path: PathBuf,
    },
    /// A flag of ONNX files on another.
    #[error("`{flag}` is for .onnx files: leave it out, or export to a name that ends in .onnx")]
    OnnxOnly {
        /// The flag.
        flag: &'static str,
    },
    /// A flag of safetensors files on another.
    #[error(
        "`{flag}` is for .safetensors files: leave it out, or export to a name that ends in .safetensors"
    )]
    SafetensorsOnly {
        /// The flag.
        flag: &'static str,
    },
    /// Nothing says how large the pictures are.
    #[error(
        "an .onnx file is for pictures of one size: name it, as in `--size 360x480` (height x width)"
    )]
    NoSize,
    /// The program cannot run ONNX files.
    #[error(
        "the file is written, but this program was built without a runtime for ONNX to check it: build it with \
         `--features rten`"
    )]
    NoRuntime,
    /// The exported file says something else than the network.
    #[error(
        "the file does not say what the network says, see the lines above: do not use it, and report it"
    )]
    NotTheSame,
    /// The data cannot be opened or read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Training, evaluation or prediction failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A checkpoint does not say of which network it is.
    #[error("`{folder}`: the checkpoint describes no network of this program: {}", plain_words(.source))]
    Network {
        /// The checkpoint.
        folder: PathBuf,
        /// What is wrong with the description.
        source: serde_json::Error,
    },
    /// The network of a run was to be another one.
    #[error("a run knows its network: --network and its like go with --weights FILE")]
    NetworkOfRun,
    /// What a run's folder remembers of its data cannot be read.
    #[error("`{path}`: {reason}; delete it, and give --variant and --resized as for the training")]
    TrainedOn {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A run was to be gone on with on other images.
    #[error(
        "the run was trained on {run}: to go on, leave out {flag}; to train on others, name another folder (--out)"
    )]
    TrainedOtherwise {
        /// The argument.
        flag: &'static str,
        /// On what it was trained.
        run: String,
    },
    /// Corners of a warp that the network does not have.
    #[error("only networks with the body/edge module have a warp: leave out --align-corners")]
    NoWarp,
    /// An argument for studies beside plain runs.
    #[error("`{flag}` is for a study file (.toml): leave it out")]
    StudyOnly {
        /// The argument.
        flag: &'static str,
    },
    /// Other data beside a study that names its own.
    #[error("the study names its data: leave out `--data {found}`")]
    DataOfStudy {
        /// What was named.
        found: String,
    },
    /// A data set for a command that reads none.
    #[error("`{command}` reads no data set: leave out `--data`")]
    ReadsNoData {
        /// The command.
        command: &'static str,
    },
    /// The weights of a file are numbers, and what the network computes with them is none.
    #[error(
        "`{path}`: with these weights the network computes no numbers, since values are far too large: the file is damaged, take another one"
    )]
    NotFiniteOutput {
        /// The file.
        path: PathBuf,
    },
    /// A file of weights does not say of which network it is.
    #[error("`{path}`: of which network? --network NAME, or --backbone and --head")]
    NoNetwork {
        /// The file.
        path: PathBuf,
    },
    /// No network has this name.
    #[error(transparent)]
    UnknownNetwork(#[from] UnknownNetwork),
    /// A file that was to describe a network does not.
    #[error("`{path}` describes no network (`summary --write` writes one to change): {}", plain_words(.source))]
    NetworkFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
    /// A network that is described by arguments or settings cannot be built.
    #[error("the network cannot be built: {0}")]
    NetworkConfig(#[from] ConfigError),
    /// A network that a file or a checkpoint describes cannot be built.
    #[error("`{path}` describes a network that cannot be built: {source}; change it there")]
    NetworkOfFile {
        /// The file, or the folder of the checkpoint.
        path: PathBuf,
        /// The number that is wrong.
        source: ConfigError,
    },
    /// Two variants of a study are the same.
    #[error(
        "the variants `{first}` and `{second}` have the same settings: one of them lacks its `changes`"
    )]
    TwinVariants {
        /// The variant that stands first.
        first: String,
        /// The other one.
        second: String,
    },
    /// A report was to count a run twice.
    #[error("`{second}` is the run of `{first}`, or a copy of it: name each run once")]
    SameRun {
        /// The run that was read.
        first: PathBuf,
        /// The one that is the same.
        second: PathBuf,
    },
    /// Predictions would lie among the data.
    #[error("`{to}` is the folder of the data: name another one for the pictures (--to)")]
    AmongData {
        /// Where the pictures were to go.
        to: PathBuf,
    },
    /// A file was to be written into a checkpoint, which knows its files by their checksums.
    #[error("`{path}` lies in a checkpoint, which it would damage: write it elsewhere")]
    IntoCheckpoint {
        /// The file.
        path: PathBuf,
    },
    /// A description of a network was to be written over something else.
    #[error("`{path}` is there already and describes no network: name another file")]
    OtherFile {
        /// The file.
        path: PathBuf,
    },
    /// `BURN_DEVICE` names no device.
    #[error("the variable BURN_DEVICE is `{value}`: {reason}")]
    BurnDevice {
        /// What the variable holds.
        value: String,
        /// What it may hold.
        reason: String,
    },
    /// What a file of weights tells of its network cannot be read.
    #[error(
        "`{path}`: what the file tells of its network cannot be read: {source}; export it again"
    )]
    Description {
        /// The file of weights.
        path: PathBuf,
        /// What is wrong with it.
        source: DescriptionError,
    },
    /// A file of weights for images of other channels does not tell how these were normalised.
    #[error(
        "`{path}`: the network reads {channels} channels, and mean and deviation are known of {known}; `export` its run anew, such a file tells them"
    )]
    NormalizationOfFile {
        /// The file of weights.
        path: PathBuf,
        /// Channels that the network reads.
        channels: usize,
        /// Channels whose mean and deviation are known.
        known: usize,
    },
    /// The network that a file describes predicts other classes than the data has.
    #[error(
        "`{path}`: a network for {found} classes, the data has {expected}; change `num_classes`"
    )]
    NetworkClasses {
        /// The file.
        path: PathBuf,
        /// Its classes.
        found: usize,
        /// The data's.
        expected: usize,
    },
    /// Descriptions of networks have one ending.
    #[error("`{path}`: descriptions of networks end in .toml")]
    NetworkEnding {
        /// The file.
        path: PathBuf,
    },
    /// A file of weights does not say which classes it predicts.
    #[error("which classes does the network predict? --data NAME, or the path of a dataset.toml")]
    NoClasses,
    /// Videos are made of one picture a frame.
    #[error(
        "a video has pictures of one kind: --kinds overlay, color, edge, body, flow or confidence"
    )]
    VideoKind,
    /// A network for other images than a video's.
    #[error(
        "the network reads images of {channels} channels, a video has 3; predict pictures with it"
    )]
    VideoChannels {
        /// Channels that the network reads.
        channels: usize,
    },
    /// A video would be written over something else.
    #[error(
        "`{path}` is there already and is no video of this kind (YUV4MPEG2): name another file"
    )]
    OverNoVideo {
        /// The file.
        path: PathBuf,
    },
    /// The network has no such prediction.
    #[error("the network predicts no `{kind}`")]
    NotOfNetwork {
        /// What was to be written.
        kind: &'static str,
    },
    /// Published weights are not known, or cannot be had.
    #[error(transparent)]
    Pretrained(#[from] PretrainedError),
    /// A video cannot be read or written. Whole frames before were written.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// A study cannot be read, run or reported.
    #[error("{}", with_causes(.0))]
    Study(#[from] StudyError),
    /// A run of a study panicked.
    #[error(
        "the training broke off: {message}; if it is not for lack of memory, it is a fault of the program, please report it"
    )]
    BrokeOff {
        /// What the panic said.
        message: String,
    },
    /// The settings of a study's variant are not those of a training.
    #[error("variant `{variant}`: {}", plain_words(.source))]
    Settings {
        /// The variant.
        variant: String,
        /// What is wrong with them.
        source: Box<toml::de::Error>,
    },
    /// `scenes` beside other data.
    #[error("`scenes` is for `data = \"street_scenes\"` only: remove it or change the data")]
    NoScenes,
    /// A fold leaves out nothing, or all.
    #[error(
        "the fold `{pattern}` leaves out {left_out} of {images} training images, expected a part of them; their names are like `{example}`"
    )]
    EmptyFold {
        /// Its pattern.
        pattern: String,
        /// Images that it leaves out.
        left_out: usize,
        /// Images that there are.
        images: usize,
        /// Name of one of them.
        example: String,
    },
    /// Predictions cannot be scored.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A picture cannot be written.
    #[error(transparent)]
    Picture(#[from] VizError),
    /// The network cannot be written as ONNX.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The device is of a kind that the program was built without.
    #[error("this program was built without {kind} devices: build it with `--features {kind}`")]
    DeviceNotBuilt {
        /// Name of the kind, which is that of the feature.
        kind: &'static str,
    },
    /// A device of another machine cannot be used.
    #[cfg(feature = "remote")]
    #[error(transparent)]
    Remote(#[from] decoupled_seg::nn::remote::RemoteError),
    /// A server needs its address for itself.
    #[error("cannot listen on `{address}`: {source}; name another address with --listen")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// Devices of other machines were to be lent.
    #[error("only devices of this machine can be lent: leave out `--device {device}`")]
    LentDevice {
        /// What was to be lent.
        device: String,
    },
    /// Devices cannot be lent.
    #[cfg(feature = "remote")]
    #[error(transparent)]
    Serve(#[from] burn::server::ServeError),
    /// The recipe cannot be read or used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// Weights cannot be read or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A report cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file of this program's own cannot be read or written.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// What a study says of a failed run is nothing without what the run said.
fn with_causes(error: &StudyError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {}", plain_words(error)));
        cause = error.source();
    }
    text
}

fn one_of(names: &[&str]) -> String {
    if names.is_empty() {
        "none: there is one form only".to_string()
    } else {
        format!("one of {}", names.join(", "))
    }
}
