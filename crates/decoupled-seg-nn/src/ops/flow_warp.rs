use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::backend::SamplingBackend;
use super::options::WarpOptions;

/// A feature map split in two: `body + edge` is the map.
#[derive(Debug, Clone)]
pub struct BodyEdge {
    /// The smooth inner part of the objects, `[batch, channels, height, width]`.
    pub body: Tensor<4>,
    /// What is left, `[batch, channels, height, width]`.
    pub edge: Tensor<4>,
}

/// Moves `features` along `flow`: every pixel of the result is read, bilinearly, where its flow vector points.
///
/// ```text
/// warped(p) = sum_q bilinear(q; p + flow(p)) features(q)
/// ```
///
/// Positions and units are those of [`WarpOptions`]. A flow vector with a part that is NaN or infinite reads the
/// padding: zero, or a pixel of the border. Differentiable with respect to both inputs; at a whole-pixel position the
/// derivative is that of the cell right and below of it.
///
/// Source: Li et al., ECCV 2020, [arXiv:2007.10035](https://arxiv.org/abs/2007.10035), section 3.2 (eq. 1); `flow_warp`
/// in the authors' code.
///
/// # Shapes
///
/// - `features`: `[batch, channels, height, width]`
/// - `flow`: `[batch, 2, height, width]`, channel 0 along the width, channel 1 along the height
/// - result: as `features`
///
/// # Panics
///
/// Panics if the shapes are not those, or if the two tensors differ in their float type.
pub fn flow_warp(features: Tensor<4>, flow: Tensor<4>, options: WarpOptions) -> Tensor<4> {
    check(&features, &flow);
    let warped = Dispatch::warp(features.into_dispatch(), flow.into_dispatch(), options);
    Tensor::from_dispatch(warped)
}

/// Splits `features` into a body, [`flow_warp`]ed along `flow`, and an edge, `features - body`, in one pass.
///
/// # Shapes
///
/// - `features`: `[batch, channels, height, width]`
/// - `flow`: `[batch, 2, height, width]`
/// - `body`, `edge`: as `features`
///
/// # Panics
///
/// Panics if the shapes are not those, or if the two tensors differ in their float type.
pub fn flow_warp_split(features: Tensor<4>, flow: Tensor<4>, options: WarpOptions) -> BodyEdge {
    check(&features, &flow);
    let (body, edge) =
        Dispatch::warp_split(features.into_dispatch(), flow.into_dispatch(), options);
    BodyEdge {
        body: Tensor::from_dispatch(body),
        edge: Tensor::from_dispatch(edge),
    }
}

fn check(features: &Tensor<4>, flow: &Tensor<4>) {
    let [batch, _, height, width] = features.dims();
    assert_eq!(
        flow.dims(),
        [batch, 2, height, width],
        "flow must be [batch, 2, height, width] of the features {:?}",
        features.dims()
    );
    assert_eq!(
        features.dtype(),
        flow.dtype(),
        "features and flow must have the same float type"
    );
}
