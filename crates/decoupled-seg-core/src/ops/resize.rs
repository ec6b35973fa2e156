use burn::tensor::Tensor;

use super::composed;

/// Resizes a feature map bilinearly to `size = [height, width]`, without antialiasing: PyTorch's `interpolate`.
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
pub fn resize(x: Tensor<4>, size: [usize; 2], align_corners: bool) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    assert!(
        height > 0 && width > 0 && size[0] > 0 && size[1] > 0,
        "cannot resize {height}x{width} to {}x{}: every side must be at least 1",
        size[0],
        size[1]
    );
    if [height, width] == size {
        return x;
    }
    composed::resize(x, size, align_corners)
}
