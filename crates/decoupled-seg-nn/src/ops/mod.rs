//! Sampling operations: [`resize`], [`flow_warp`] and [`flow_warp_split`].
//!
//! They are the one home of bilinear sampling: everything in the other crates that moves or scales a feature map goes
//! through here, with the corner convention written out. All are differentiable on every backend.
//!
//! Beside them is what a CPU does faster in kernels of its own: [`conv2d`], [`max_pool2d`], [`momentum_step`].

mod autodiff;
mod backend;
#[cfg(feature = "capture")]
mod capture;
mod conv2d;
#[cfg(feature = "cube")]
mod cube;
#[cfg(feature = "flex")]
mod flex;
mod flow_warp;
mod momentum;
mod norm;
mod options;
mod pool;
mod position;
#[cfg(feature = "remote")]
pub mod remote;
mod resize;

use burn::tensor::Device;

pub use conv2d::{conv2d, conv2d_sum};
pub(crate) use conv2d::{conv2d_fast, conv2d_norm, folded};
pub use flow_warp::{BodyEdge, flow_warp, flow_warp_split};
pub use momentum::{MomentumStep, momentum_step};
pub(crate) use norm::normalize;
pub use options::{FlowUnit, WarpGradient, WarpOptions, WarpPadding};
pub use pool::max_pool2d;
pub use resize::{map_size, resize};

/// Whether tensors of the device are the CPU's, which has kernels of its own for what is Burn's elsewhere.
fn is_flex(device: &Device) -> bool {
    #[cfg(feature = "flex")]
    return matches!(
        device.clone().inner().as_dispatch(),
        burn::backend::DispatchDevice::Flex(_)
    );
    #[cfg(not(feature = "flex"))]
    {
        let _ = device;
        false
    }
}
