//! The ops on GPUs, as CubeCL kernels.

mod collect;
mod position;
mod resize;
mod slopes;
mod warp;

use burn::backend::cubecl::dtype_to_elem_type;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::DType;
use burn_cubecl::CubeBackend;
use burn_cubecl::ops::numeric::empty_device_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::features::AtomicUsage;
use cubecl::ir::Type;

use self::resize::Direction;
use super::backend::{SamplingBackend, SamplingGradients};
use super::options::{WarpGradient, WarpOptions};

/// Channels that one unit handles: positions and weights are found once for all of them.
const CHANNELS: usize = 8;

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
    fn bilinear(x: CubeTensor, size: [usize; 2], align_corners: bool) -> CubeTensor {
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

impl SamplingGradients for CubeBackend {
    fn bilinear_backward(
        grad: CubeTensor,
        input_size: [usize; 2],
        align_corners: bool,
    ) -> CubeTensor {
        resize::bilinear(grad, input_size, align_corners, Direction::Backward)
    }

    fn warp_backward(
        features: CubeTensor,
        flow: CubeTensor,
        grad: CubeTensor,
        options: WarpOptions,
    ) -> (CubeTensor, CubeTensor) {
        // Half-precision sums would lose too much, whether a device adds them atomically or not.
        let atomics = options.gradient == WarpGradient::Fast
            && features.dtype == DType::F32
            && adds_atomically(&features);
        let (flow_grad, features_grad) =
            slopes::slopes(features, flow.clone(), grad.clone(), options, atomics);
        let features_grad = features_grad.unwrap_or_else(|| collect::collect(flow, grad, options));
        (features_grad, flow_grad)
    }

    fn warp_split_backward(
        features: CubeTensor,
        flow: CubeTensor,
        body: CubeTensor,
        edge: CubeTensor,
        options: WarpOptions,
    ) -> (CubeTensor, CubeTensor) {
        let grad = Self::float_sub(body, edge.clone());
        let (features_grad, flow_grad) = Self::warp_backward(features, flow, grad, options);
        (Self::float_add(features_grad, edge), flow_grad)
    }
}
