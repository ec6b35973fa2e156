//! `predict --video`: a YUV4MPEG2 stream in, one out.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use decoupled_seg::DecoupledSegNet;
use decoupled_seg::engine::{FileError, PredictionKind, Predictor, Protected};
use decoupled_seg_video::{Frame, VideoError, VideoHeader, VideoReader, VideoWriter};
use image::imageops::FilterType;
use image::{DynamicImage, RgbImage};

use crate::CliError;
use crate::say::tell;

/// Frames that wait for the network, and as many that wait to be written.
const IN_FLIGHT: usize = 2;
/// Frames between two lines of progress.
const TOLD_EVERY: u64 = 25;

/// Predicts each frame of `from` (`-` is the standard input) and writes the pictures of `kind` to `to`, or to the standard
/// output.
pub(crate) fn run(
    predictor: &mut Predictor<DecoupledSegNet>,
    kind: PredictionKind,
    from: &Path,
    to: Option<&Path>,
) -> Result<(), CliError> {
    let input: Box<dyn Read + Send> = match from == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(BufReader::new(open(from)?)),
    };
    let reader = VideoReader::new(input)?;
    let output: Box<dyn Write + Send> = match to {
        Some(to) if to != Path::new("-") => {
            Protected::new([from]).check(to)?;
            Box::new(File::create(to).map_err(failed(to))?)
        }
        _ => Box::new(io::stdout()),
    };
    if predictor.channels() != 3 {
        return Err(CliError::VideoChannels {
            channels: predictor.channels(),
        });
    }
    let frames = stream(predictor, kind, reader, output).map_err(|error| match (error, to) {
        // A pipe has no name, a file has.
        (
            CliError::Video(VideoError::Io {
                doing: "writing",
                source,
                ..
            }),
            Some(to),
        ) if to != Path::new("-") => FileError::new(to, "writing the video", source).into(),
        (error, _) => error,
    })?;
    tell!("{frames} frames predicted");
    Ok(())
}

fn open(path: &Path) -> Result<File, CliError> {
    File::open(path).map_err(failed(path))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> CliError {
    let path: PathBuf = path.to_path_buf();
    move |source| CliError::Io {
        path: path.clone(),
        source,
    }
}

/// Reads and writes on threads of their own, with a few frames in between. Returns how many frames were written: of a
/// stream that breaks off, all whole ones, before its error is returned.
fn stream(
    predictor: &mut Predictor<DecoupledSegNet>,
    kind: PredictionKind,
    reader: VideoReader<Box<dyn Read + Send>>,
    output: Box<dyn Write + Send>,
) -> Result<u64, CliError> {
    let header = reader.header().clone();
    let (to_network, frames) = sync_channel::<RgbImage>(IN_FLIGHT);
    let (to_writer, pictures) = sync_channel::<RgbImage>(IN_FLIGHT);
    let begin = Instant::now();
    let mut done = 0;
    thread::scope(|scope| {
        let reading = scope.spawn(move || read(reader, &to_network));
        let writer_header = header.clone();
        let writing = scope.spawn(move || write(output, writer_header, &pictures));
        for image in frames {
            let prediction = predictor.predict(&image);
            let Some(picture) = predictor.picture(kind, &image, &prediction) else {
                drop(to_writer);
                return Err(CliError::NotOfNetwork {
                    kind: kind.folder(),
                });
            };
            if to_writer.send(at_size_of(&image, picture)).is_err() {
                // The writer has ended with an error, which is told below.
                break;
            }
            done += 1;
            if done % TOLD_EVERY == 0 {
                let seconds = begin.elapsed().as_secs_f64();
                tell!("{done} frames, {:.1} a second", done as f64 / seconds);
            }
        }
        drop(to_writer);
        let written = writing.join().expect("the writer does not panic")?;
        reading.join().expect("the reader does not panic")?;
        Ok(written)
    })
}

fn read(
    mut reader: VideoReader<Box<dyn Read + Send>>,
    frames: &SyncSender<RgbImage>,
) -> Result<(), VideoError> {
    let header = reader.header().clone();
    let (width, height) = (header.size.width as u32, header.size.height as u32);
    let mut frame = Frame::new(&header);
    while reader.read(&mut frame)? {
        let mut rgb = Vec::new();
        frame.to_rgb(&header, &mut rgb);
        let image = RgbImage::from_raw(width, height, rgb).expect("three bytes a pixel");
        if frames.send(image).is_err() {
            // Nobody asks for more.
            break;
        }
    }
    Ok(())
}

fn write(
    output: Box<dyn Write + Send>,
    header: VideoHeader,
    pictures: &Receiver<RgbImage>,
) -> Result<u64, VideoError> {
    let mut writer = VideoWriter::new(output, header.clone())?;
    let mut frame = Frame::new(&header);
    for picture in pictures {
        frame.fill_from_rgb(&header, picture.as_raw());
        writer.write(&frame)?;
    }
    Ok(writer.frames())
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
