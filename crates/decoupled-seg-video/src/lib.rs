#![doc = include_str!("../README.md")]

mod chroma;
mod error;
mod frame;
mod header;
mod matrix;
mod reader;
mod writer;

pub use chroma::Chroma;
pub use error::VideoError;
pub use frame::Frame;
pub use header::{Range, Ratio, VideoHeader};
pub use matrix::Matrix;
pub use reader::VideoReader;
pub use writer::VideoWriter;
