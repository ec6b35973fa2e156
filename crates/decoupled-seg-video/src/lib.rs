//! Video through pipes: reads and writes YUV4MPEG2 and converts its colours. There is no codec: `ffmpeg` stands at both
//! ends.
//!
//! ```text
//! ffmpeg -i in.mp4 -f yuv4mpegpipe - | program | ffmpeg -i - out.mp4
//! ```
//!
//! - [`VideoReader`], [`VideoWriter`]: one frame in memory at a time.
//! - [`VideoHeader`], [`Chroma`], [`Range`]: the first line of a stream.
//! - [`Frame`]: the planes of a picture, with [`Frame::to_rgb`] and [`Frame::fill_from_rgb`].
//!
//! The crate `y4m` 0.8 reads the same format. But it reports a stream that breaks off inside a frame as a plain end of
//! file, and it multiplies the sizes of a hostile header without a check.

mod chroma;
mod error;
mod frame;
mod header;
mod reader;
mod writer;

pub use chroma::Chroma;
pub use error::VideoError;
pub use frame::Frame;
pub use header::{Range, Ratio, VideoHeader};
pub use reader::VideoReader;
pub use writer::VideoWriter;
