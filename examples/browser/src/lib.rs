//! A network in a browser's tab: a picture in, and body, edge, flow and segmentation out, as pictures.
//!
//! [`Network`] reads a `.safetensors` file from memory, [`Network::segment`] runs it on the CPU or through WebGPU and waits
//! for the device as a page has to, and [`View`] draws. None of it is bound to a browser; `page` puts it on one.

mod error;
mod network;
#[cfg(target_family = "wasm")]
mod page;
mod segmentation;
mod view;

pub use error::BrowserError;
pub use network::{Network, Source};
pub use segmentation::{Segmentation, share_of_classes};
pub use view::View;
