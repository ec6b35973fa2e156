//! The ops on GPUs, as CubeCL kernels.

mod collect;
mod place;
mod position;
mod resize;
mod slopes;
mod warp;

use burn::backend::cubecl::dtype_to_elem_type;
use burn::tensor::DType;
use burn_cubecl::CubeBackend;
use burn_cubecl::ops::numeric::empty_device_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::features::AtomicUsage;
use cubecl::ir::Type;
use decoupled_seg_types::Size;

use self::resize::Direction;
use super::backend::{SamplingBackend, SamplingGradients};
use super::options::{WarpGradient, WarpOptions};

/// The gradients of what a warp gave.
#[derive(Debug, Clone)]
struct Grads {
    body: CubeTensor,
    /// Of a split.
    edge: Option<CubeTensor>,
}

/// An uninitialised tensor of that shape and type.
fn empty_like(tensor: &CubeTensor) -> CubeTensor {
    empty_device_dtype(
        tensor.client.clone(),
        tensor.device.clone(),
        tensor.meta.shape().clone(),
        tensor.dtype,
    )
}

/// Whether the device adds to this type atomically.
fn adds_atomically(tensor: &CubeTensor) -> bool {
    tensor
        .client
        .properties()
        .atomic_type_usage(Type::atomic(dtype_to_elem_type(tensor.dtype)))
        .contains(AtomicUsage::Add)
}

impl SamplingBackend for CubeBackend {
    fn bilinear(x: CubeTensor, size: Size, align_corners: bool) -> CubeTensor {
        resize::bilinear(x, size, align_corners, Direction::Forward)
    }

    fn warp(features: CubeTensor, flow: CubeTensor, options: WarpOptions) -> CubeTensor {
        warp::warp(features, flow, options, false).0
    }

    fn warp_split(
        features: CubeTensor,
        flow: CubeTensor,
        options: WarpOptions,
    ) -> (CubeTensor, CubeTensor) {
        let (body, edge) = warp::warp(features, flow, options, true);
        (body, edge.expect("a split was asked for"))
    }
}

/// The gradients of features and flow.
fn warp_backward(
    features: CubeTensor,
    flow: CubeTensor,
    grads: Grads,
    options: WarpOptions,
) -> (CubeTensor, CubeTensor) {
    // Half-precision sums would lose too much, whether a device adds them atomically or not.
    let atomics = options.gradient == WarpGradient::Fast
        && features.dtype == DType::F32
        && adds_atomically(&features);
    let (flow_grad, features_grad) =
        slopes::slopes(features, flow.clone(), grads.clone(), options, atomics);
    let features_grad = features_grad.unwrap_or_else(|| collect::collect(flow, grads, options));
    (features_grad, flow_grad)
}

impl SamplingGradients for CubeBackend {
    fn bilinear_backward(grad: CubeTensor, input_size: Size, align_corners: bool) -> CubeTensor {
        resize::bilinear(grad, input_size, align_corners, Direction::Backward)
    }

    fn warp_backward(
        features: CubeTensor,
        flow: CubeTensor,
        body: CubeTensor,
        options: WarpOptions,
    ) -> (CubeTensor, CubeTensor) {
        warp_backward(features, flow, Grads { body, edge: None }, options)
    }

    fn warp_split_backward(
        features: CubeTensor,
        flow: CubeTensor,
        body: CubeTensor,
        edge: CubeTensor,
        options: WarpOptions,
    ) -> (CubeTensor, CubeTensor) {
        let edge = Some(edge);
        warp_backward(features, flow, Grads { body, edge }, options)
    }
}
