//! Video through pipes: YUV4MPEG2 in and out, and its colours. No codec: `ffmpeg` stands at both ends.
//!
//! ```text
//! ffmpeg -i in.mp4 -f yuv4mpegpipe - | program | ffmpeg -i - out.mp4
//! ```
//!
//! - [`VideoReader`], [`VideoWriter`]: one frame in memory at a time.
//! - [`VideoHeader`], [`Chroma`], [`Range`]: what stands at the head of a stream.
//! - [`Frame`]: the planes of a picture, with [`Frame::to_rgb`] and [`Frame::fill_from_rgb`].
//!
//! The crate `y4m` 0.8 reads the same format, but says "end of file" of a stream that breaks off inside a frame, and
//! multiplies the sizes of a hostile header without a check.

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
