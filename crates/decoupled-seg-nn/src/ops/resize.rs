use burn::backend::Dispatch;
use burn::tensor::Tensor;
use decoupled_seg_types::Size;

use super::backend::SamplingBackend;

/// Resizes a feature map bilinearly to `size`, without antialiasing: PyTorch's `interpolate`.
///
/// ```text
/// align_corners        position = x * (in - 1) / (out - 1)
/// not align_corners    position = max((x + 1/2) * in / out - 1/2, 0)
/// ```
///
/// Corner pixels are centred on each other with `align_corners`, whole maps are laid over each other without. Burn's
/// own `interpolate` has no bilinear gradient on GPUs; this one is differentiable on every backend, and its gradient
/// is bit-identical from run to run.
///
/// # Shapes
///
/// - `x`: `[batch, channels, in_height, in_width]`
/// - result: `[batch, channels, height, width]`
///
/// # Panics
///
/// Panics if a side of the input or of `size` is 0.
pub fn resize(x: Tensor<4>, size: Size, align_corners: bool) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    assert!(
        height > 0 && width > 0 && size.pixels() > 0,
        "cannot resize {height}x{width} to {size}: every side must be at least 1"
    );
    if Size::new(height, width) == size {
        return x;
    }
    // One pixel, as behind a global pooling: a broadcast, whose gradient is a reduction instead of one long sum a unit.
    if [height, width] == [1, 1] {
        return x.expand([batch, channels, size.height, size.width]);
    }
    Tensor::from_dispatch(Dispatch::bilinear(x.into_dispatch(), size, align_corners))
}

/// Height and width of a feature map `[batch, channels, height, width]`.
pub fn map_size(map: &Tensor<4>) -> Size {
    let [_, _, height, width] = map.dims();
    Size::new(height, width)
}
