use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use decoupled_seg::engine::{FileError, Protected};
use decoupled_seg_types::write_atomic;
use decoupled_seg_video::{Frame, VideoError, VideoHeader, VideoWriter};
use image::RgbImage;

use crate::CliError;

/// Where the frames go.
pub(super) enum Output {
    /// The standard output.
    Standard,
    /// A device or a pipe with a name: nothing can be moved there.
    Device(PathBuf),
    /// Written beside its place and moved there at the end, so that an earlier video stays until there is a new one.
    File(PathBuf),
}

/// What the writer is told.
pub(super) enum Order {
    /// The next frame.
    Picture(RgbImage),
    /// That was the last one, and what was written is to be kept. Without it nothing is.
    Keep,
}

impl Output {
    /// The output that `--to` names.
    pub fn new(to: Option<&Path>, protected: &Protected) -> Result<Self, CliError> {
        let Some(to) = to.filter(|to| *to != Path::new("-")) else {
            protected.check_standard_output()?;
            return Ok(Self::Standard);
        };
        protected.check(to)?;
        let path = to.to_path_buf();
        match fs::metadata(to) {
            Ok(is) if !is.is_file() && !is.is_dir() => Ok(Self::Device(path)),
            Ok(is) if is.permissions().readonly() => {
                Err(at(to)(io::ErrorKind::PermissionDenied.into()))
            }
            Ok(is) if is.is_file() && is.len() > 0 && !is_video(to) => {
                Err(CliError::OverNoVideo { path })
            }
            _ => Ok(Self::File(path)),
        }
    }

    /// Writes the pictures until they end. Returns how many were written and kept.
    pub fn write(self, header: &VideoHeader, orders: &Receiver<Order>) -> Result<u64, CliError> {
        match self {
            Self::Standard => Ok(write(io::stdout(), header, orders)?.unwrap_or(0)),
            Self::Device(path) => {
                let device = File::create(&path).map_err(at(&path))?;
                let frames = write(device, header, orders).map_err(|error| named(error, &path))?;
                Ok(frames.unwrap_or(0))
            }
            Self::File(path) => replace(&path, header, orders),
        }
    }
}

fn is_video(path: &Path) -> bool {
    const MAGIC: &[u8] = b"YUV4MPEG2";
    let mut head = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == MAGIC
}

fn replace(path: &Path, header: &VideoHeader, orders: &Receiver<Order>) -> Result<u64, CliError> {
    let mut frames = None;
    let moved = write_atomic(path, |file| {
        let written = frames.insert(write(file, header, orders));
        match written {
            Ok(Some(_)) => Ok(()),
            // Takes the file back; what is said of it is below.
            Ok(None) | Err(_) => Err(io::ErrorKind::Interrupted.into()),
        }
    });
    match frames.transpose().map_err(|error| named(error, path))? {
        Some(None) => Ok(0),
        Some(Some(frames)) => moved.map(|()| frames).map_err(at(path)),
        None => moved.map(|()| 0).map_err(at(path)),
    }
}

/// How many frames were written, if they are to be kept.
fn write(
    output: impl Write,
    header: &VideoHeader,
    orders: &Receiver<Order>,
) -> Result<Option<u64>, VideoError> {
    let mut writer = VideoWriter::new(output, header.clone())?;
    let mut frame = Frame::new(header);
    for order in orders {
        let picture = match order {
            Order::Picture(picture) => picture,
            Order::Keep => return Ok(Some(writer.frames())),
        };
        frame.fill_from_rgb(header, picture.as_raw());
        writer.write(&frame)?;
    }
    Ok(None)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> CliError + '_ {
    |source| FileError::new(path, "writing the video", source).into()
}

/// A pipe has no name, a file has.
fn named(error: VideoError, path: &Path) -> CliError {
    match error {
        VideoError::Io { source, .. } => at(path)(source),
        error => error.into(),
    }
}
