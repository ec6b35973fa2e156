//! What a backend must bring for the ops; the implementations are in [`flex`](super::flex) and [`cube`](super::cube), and
//! in [`remote`](super::remote) for a device that has one of those.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use decoupled_seg_types::Size;

use super::options::WarpOptions;

/// The differentiable ops.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
    Capture: cfg(feature = "capture"),
    Remote: cfg(feature = "remote"),
    Fusion: cfg(feature = "fusion"),
)]
pub(crate) trait SamplingBackend: Backend {
    /// Resizes the last two axes of a tensor of rank 4 bilinearly.
    #[fusion(dtype = x, shape = resized(x, size))]
    fn bilinear(x: FloatTensor<Self>, size: Size, align_corners: bool) -> FloatTensor<Self>;

    /// Reads `features` where `flow` points.
    #[fusion(dtype = features, shape = features)]
    fn warp(
        features: FloatTensor<Self>,
        flow: FloatTensor<Self>,
        options: WarpOptions,
    ) -> FloatTensor<Self>;

    /// The warped features, and the features less them.
    #[fusion(meta = |features, _flow, _options| (features.clone(), features.clone()))]
    fn warp_split(
        features: FloatTensor<Self>,
        flow: FloatTensor<Self>,
        options: WarpOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

/// Their gradients.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
    Remote: cfg(feature = "remote"),
    Fusion: cfg(feature = "fusion"),
)]
pub(crate) trait SamplingGradients: Backend {
    /// The gradient of [`SamplingBackend::bilinear`] with respect to its input, whose last two axes are `input_size`.
    #[fusion(dtype = grad, shape = resized(grad, input_size))]
    fn bilinear_backward(
        grad: FloatTensor<Self>,
        input_size: Size,
        align_corners: bool,
    ) -> FloatTensor<Self>;

    /// The gradients of [`SamplingBackend::warp`] with respect to features and flow.
    #[fusion(meta = |features, flow, _grad, _options| (features.clone(), flow.clone()))]
    fn warp_backward(
        features: FloatTensor<Self>,
        flow: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        options: WarpOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// The gradients of [`SamplingBackend::warp_split`] with respect to features and flow, from those of both outputs.
    #[fusion(meta = |features, flow, _body, _edge, _options| (features.clone(), flow.clone()))]
    fn warp_split_backward(
        features: FloatTensor<Self>,
        flow: FloatTensor<Self>,
        body: FloatTensor<Self>,
        edge: FloatTensor<Self>,
        options: WarpOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

/// The shape of a map that was resized.
#[cfg(any(feature = "fusion", feature = "remote"))]
pub(super) fn resized(shape: &burn::tensor::Shape, size: &Size) -> burn::tensor::Shape {
    let [batch, channels, _, _] = shape.dims();
    burn::tensor::Shape::new([batch, channels, size.height, size.width])
}
