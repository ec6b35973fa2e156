use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use decoupled_seg::datasets::DatasetError;
use decoupled_seg::datasets::check::DARK;
use decoupled_seg::engine::{EngineError, Inputs, PredictionKind};

use crate::args::ProtocolArgs;
use crate::left_out::LeftOut;
use crate::predict_video::{self, VideoArgs};
use crate::say::{say, tell};
use crate::source::SourceArgs;
use crate::{CliError, Project};

/// Label ids are for benchmarks; where a data set has none of its own they are the class indices again.
const DEFAULT: [PredictionKind; 6] = [
    PredictionKind::ClassIndex,
    PredictionKind::Color,
    PredictionKind::Overlay,
    PredictionKind::Edge,
    PredictionKind::Body,
    PredictionKind::Flow,
];

#[derive(Args)]
pub(crate) struct PredictArgs {
    /// Images, folders of images, or patterns: `street.jpg`, `photos`, `'leftImg8bit/val/*/*.png'`.
    #[arg(required_unless_present = "video")]
    inputs: Vec<PathBuf>,
    /// Predict a video in place of images: a YUV4MPEG2 stream, `-` for the standard input. The pictures of one kind
    /// (`overlay` unless given) go to --to or the standard output: `ffmpeg -i in.mp4 -f yuv4mpegpipe - | decoupled-seg
    /// predict --video - | ffmpeg -i - out.mp4`.
    #[arg(long, value_name = "FILE|-", conflicts_with = "inputs")]
    video: Option<PathBuf>,
    #[command(flatten)]
    of_video: VideoArgs,
    /// Folder of the run.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Where the pictures go; `predictions` in the run's folder unless given.
    #[arg(long)]
    to: Option<PathBuf>,
    /// What to write, each kind into a folder of its name; all pictures but label ids and confidence unless given.
    #[arg(long, num_args = 1.., value_delimiter = ',', value_parser = kinds(), value_name = "KIND")]
    kinds: Vec<PredictionKind>,
    /// Images to predict at once, where those that follow each other are of one size. The pictures are the same; it takes
    /// more memory.
    #[arg(long, value_name = "IMAGES", default_value_t = 1, conflicts_with = "video",
        value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    protocol: ProtocolArgs,
}

fn kinds() -> impl TypedValueParser<Value = PredictionKind> {
    PossibleValuesParser::new(PredictionKind::ALL.map(PredictionKind::folder))
        .map(|name| PredictionKind::from_folder(&name).expect("one of the possible values"))
}

pub(crate) fn run(project: &Project, args: &PredictArgs) -> Result<(), CliError> {
    match &args.video {
        Some(video) => run_video(project, args, video),
        None => run_images(project, args),
    }
}

fn run_video(project: &Project, args: &PredictArgs, video: &Path) -> Result<(), CliError> {
    let kind = match &args.kinds[..] {
        [] => PredictionKind::Overlay,
        [kind] if kind.is_for_viewing() => *kind,
        _ => return Err(CliError::VideoKind),
    };
    let out = args.source.out(project, args.out.as_deref());
    let source = args.source.open(project, &out, || project.class_table())?;
    let protocol = args
        .protocol
        .apply(source.recipe.validation.protocol.clone())?;
    let predictor = source.predictor().with_protocol(protocol);
    let mut predictor = predictor.with_kinds([kind]);
    predict_video::run(
        &mut predictor,
        kind,
        video,
        &args.of_video,
        args.to.as_deref(),
    )
}

fn run_images(project: &Project, args: &PredictArgs) -> Result<(), CliError> {
    let mut images = Vec::new();
    let mut left_out = LeftOut::default();
    let mut empty = None;
    for input in &args.inputs {
        let inputs = Inputs::find(input)?;
        left_out.add(&inputs);
        if inputs.images.is_empty() {
            empty = empty.or_else(|| Some(input.clone()));
        }
        images.extend(inputs.images);
    }
    // A file may be named by itself and by a pattern.
    images.sort();
    images.dedup();
    if !left_out.is_empty() {
        say!("{left_out}");
    }
    if let Some(path) = empty {
        return Err(EngineError::NothingToPredict { path }.into());
    }
    let out = args.source.out(project, args.out.as_deref());
    let source = args.source.open(project, &out, || project.class_table())?;
    let protocol = source.recipe.validation.protocol.clone();
    let to = args
        .to
        .clone()
        .unwrap_or_else(|| source.folder(&out, "predictions"));
    if !source.shows_inside()
        && let Some(kind) = args.kinds.iter().find(|kind| kind.inspects())
    {
        let kind = kind.folder();
        return Err(CliError::NotOfNetwork { kind });
    }
    let predictor = source.predictor();
    let kinds = if args.kinds.is_empty() {
        DEFAULT.to_vec()
    } else {
        args.kinds.clone()
    };
    let real = |path: &Path| path.canonicalize().ok();
    if real(&to).is_some_and(|to| Some(to) == real(&project.root)) {
        return Err(CliError::AmongData { to });
    }
    let predicted = predictor
        .with_protocol(args.protocol.apply(protocol)?)
        .with_kinds(kinds)
        .with_batch(args.batch as usize)
        .predict_files(&images, &to)?;
    say!(
        "{} images predicted into {}",
        predicted.images.len(),
        to.display()
    );
    if let Some(first) = predicted.dark.first() {
        tell!(
            "warning: {} of them are nearly black, such as `{}`: at night, or of 12 bits in a file of 16? No value is above \
             {DARK} of 255",
            predicted.dark.len(),
            first.display()
        );
    }
    not_predicted(
        predicted.failed.iter().map(|failed| &failed.source),
        images.len(),
    )
}

/// Names the images that could not be read, and fails if there are any.
pub(crate) fn not_predicted<'a>(
    failed: impl IntoIterator<Item = &'a DatasetError>,
    images: usize,
) -> Result<(), CliError> {
    let mut count = 0;
    for error in failed {
        tell!("error: {error}");
        count += 1;
    }
    match count {
        0 => Ok(()),
        failed => Err(CliError::NotPredicted { failed, images }),
    }
}
