//! `predict --video`: a YUV4MPEG2 stream in, one out.

mod output;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use decoupled_seg::DecoupledSegNet;
use decoupled_seg::engine::{FileError, Interrupt, PredictionKind, Predictor, Protected};
use decoupled_seg_video::{Chroma, Frame, Matrix, VideoError, VideoHeader, VideoReader};
use image::imageops::FilterType;
use image::{DynamicImage, RgbImage};

use crate::CliError;
use crate::say::tell;
use output::{Order, Output};

/// Frames that wait for the network, and as many that wait to be written.
const IN_FLIGHT: usize = 2;
/// Frames between two lines of progress.
const TOLD_EVERY: u64 = 25;
/// How long a request to stop may wait for a frame that does not come.
const PATIENCE: Duration = Duration::from_millis(200);

/// What is said of a video beside its name.
#[derive(Args)]
pub(crate) struct VideoArgs {
    /// How the video's colours are made, which YUV4MPEG2 does not tell: bt709 above 576 lines and from 1280 columns on,
    /// else bt601, unless given. The pictures are written likewise.
    #[arg(long, conflicts_with = "inputs", value_parser = matrices(), value_name = "MATRIX")]
    matrix: Option<Matrix>,
}

fn matrices() -> impl TypedValueParser<Value = Matrix> {
    PossibleValuesParser::new(Matrix::ALL.map(Matrix::word)).map(|word| {
        let named = |matrix: &Matrix| matrix.word() == word;
        let known = Matrix::ALL.into_iter().find(named);
        known.expect("one of the possible values")
    })
}

/// Predicts each frame of `from` (`-` is the standard input) and writes the pictures of `kind` to `to`, or to the standard
/// output. A file is there once all is written; what is whole of a stream that breaks off, or of one that is stopped by
/// Ctrl-C, is kept.
pub(crate) fn run(
    predictor: &mut Predictor<DecoupledSegNet>,
    kind: PredictionKind,
    from: &Path,
    args: &VideoArgs,
    to: Option<&Path>,
) -> Result<(), CliError> {
    if predictor.channels() != 3 {
        return Err(CliError::VideoChannels {
            channels: predictor.channels(),
        });
    }
    let is_standard = from == Path::new("-");
    let (input, protected): (Box<dyn Read + Send>, _) = match is_standard {
        true => (
            Box::new(io::stdin()),
            Protected::default().with_standard_input(),
        ),
        false => {
            let file = File::open(from).map_err(reading(from))?;
            (Box::new(BufReader::new(file)), Protected::new([from]))
        }
    };
    let output = Output::new(to, &protected)?;
    let interrupt = Interrupt::on_signals()?;
    let frames = VideoReader::new(input)
        .map_err(CliError::from)
        .and_then(|reader| stream(predictor, kind, reader, args, output, &interrupt))
        .map_err(|error| match error {
            CliError::Video(VideoError::Io {
                doing: "reading",
                source,
                ..
            }) if !is_standard => reading(from)(source),
            error => error,
        })?;
    if interrupt.is_requested() {
        tell!("stopped");
    }
    tell!("{frames} frames predicted");
    Ok(())
}

fn reading(path: &Path) -> impl FnOnce(io::Error) -> CliError + '_ {
    |source| FileError::new(path, "reading the video", source).into()
}

/// Reads and writes on threads of their own, with a few frames in between. Returns how many frames were written: of a
/// stream that breaks off, all whole ones, before its error is returned.
fn stream(
    predictor: &mut Predictor<DecoupledSegNet>,
    kind: PredictionKind,
    reader: VideoReader<Box<dyn Read + Send>>,
    args: &VideoArgs,
    output: Output,
    interrupt: &Interrupt,
) -> Result<u64, CliError> {
    let mut header = reader.header().clone();
    header.matrix = args.matrix.unwrap_or(header.matrix);
    // Pictures have colours where the film has none.
    let mut written = header.clone();
    if written.chroma == Chroma::Mono {
        written.chroma = Chroma::default();
    }
    let written = &written;
    let (to_network, frames) = sync_channel::<RgbImage>(IN_FLIGHT);
    let (to_writer, orders) = sync_channel::<Order>(IN_FLIGHT);
    let begin = Instant::now();
    let mut done = 0;
    // Not waited for but at the end of the stream: it may sit before a pipe through which nothing comes.
    let as_read = header.clone();
    let reading = thread::spawn(move || read(reader, &as_read, &to_network));
    thread::scope(|scope| {
        let writing = scope.spawn(move || output.write(written, &orders));
        let read = loop {
            if interrupt.is_requested() {
                break Ok(());
            }
            let image = match frames.recv_timeout(PATIENCE) {
                Ok(image) => image,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => {
                    break reading.join().expect("the reader does not panic");
                }
            };
            let prediction = predictor.predict(&image);
            let Some(picture) = predictor.picture(kind, &image, &prediction) else {
                return Err(CliError::NotOfNetwork {
                    kind: kind.folder(),
                });
            };
            let picture = Order::Picture(at_size_of(&image, picture));
            if to_writer.send(picture).is_err() {
                // The writer has ended with an error, which is told below.
                break Ok(());
            }
            done += 1;
            if done % TOLD_EVERY == 0 {
                let seconds = begin.elapsed().as_secs_f64();
                tell!("{done} frames, {:.1} a second", done as f64 / seconds);
            }
        };
        // Nothing is to be kept of a stream without a whole frame.
        if done > 0 {
            // A writer that has ended says why.
            let _ = to_writer.send(Order::Keep);
        }
        drop(to_writer);
        let written = writing.join().expect("the writer does not panic")?;
        read?;
        Ok(written)
    })
}

fn read(
    mut reader: VideoReader<Box<dyn Read + Send>>,
    header: &VideoHeader,
    frames: &SyncSender<RgbImage>,
) -> Result<(), VideoError> {
    let (width, height) = (header.size.width as u32, header.size.height as u32);
    let mut frame = Frame::new(header);
    while reader.read(&mut frame)? {
        let mut rgb = Vec::new();
        frame.to_rgb(header, &mut rgb);
        let image = RgbImage::from_raw(width, height, rgb).expect("three bytes a pixel");
        if frames.send(image).is_err() {
            // Nobody asks for more.
            break;
        }
    }
    Ok(())
}

/// The picture at the size of the frames; a flow has that of the features.
fn at_size_of(image: &RgbImage, picture: DynamicImage) -> RgbImage {
    let (width, height) = image.dimensions();
    let picture = picture.into_rgb8();
    if picture.dimensions() == (width, height) {
        return picture;
    }
    image::imageops::resize(&picture, width, height, FilterType::Nearest)
}
