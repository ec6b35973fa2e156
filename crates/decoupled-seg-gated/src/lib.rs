#![doc = include_str!("../README.md")]

mod canny;
mod gated_conv;
mod gated_decoder;
mod shape_stream;

pub use canny::CannyConfig;
pub use gated_conv::{Gated, GatedConv, GatedConvConfig};
pub use gated_decoder::{GatedDecoder, GatedDecoderConfig, GatedInput};
pub use shape_stream::{ShapeLevel, ShapeStream, ShapeStreamConfig};
