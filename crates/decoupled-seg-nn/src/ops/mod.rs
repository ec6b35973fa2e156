//! Sampling operations: [`resize`], [`flow_warp`] and [`flow_warp_split`].
//!
//! They are the one home of bilinear sampling: everything in the other crates that moves or scales a feature map goes
//! through here, with the corner convention written out. All are differentiable on every backend.

mod autodiff;
mod backend;
mod conv2d;
#[cfg(feature = "cube")]
mod cube;
#[cfg(feature = "flex")]
mod flex;
mod flow_warp;
mod options;
mod position;
mod resize;

pub use conv2d::{conv2d, conv2d_sum};
pub use flow_warp::{BodyEdge, flow_warp, flow_warp_split};
pub use options::{FlowUnit, WarpGradient, WarpOptions, WarpPadding};
pub use resize::{map_size, resize};
