//! The ops written with plain tensor operations: slow, differentiated by Burn, and easy to compare with their formulas.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use decoupled_seg_nn::{FlowUnit, Size, WarpOptions, WarpPadding};

/// Two products with constant matrices of two non-zeros a row, `A_h X A_w^T`.
pub fn resize(x: Tensor<4>, size: Size, align_corners: bool) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let device = x.device();
    let dtype = x.dtype();
    let rows = matrix(height, size.height, align_corners, &device, dtype);
    let columns = matrix(width, size.width, align_corners, &device, dtype).transpose();
    rows.unsqueeze::<4>()
        .matmul(x.matmul(columns.unsqueeze::<4>()))
}

/// The interpolation along one axis as a matrix `[output, input]`.
fn matrix(
    input: usize,
    output: usize,
    align_corners: bool,
    device: &Device,
    dtype: DType,
) -> Tensor<2> {
    let mut values = vec![0.0_f32; input * output];
    for (to, row) in values.chunks_exact_mut(input).enumerate() {
        let position = if align_corners {
            to as f64 * (input - 1) as f64 / (output.max(2) - 1) as f64
        } else {
            ((to as f64 + 0.5) * input as f64 / output as f64 - 0.5).max(0.0)
        };
        let first = (position as usize).min(input - 1);
        let second = (first + 1).min(input - 1);
        let weight = (position - first as f64) as f32;
        row[first] += 1.0 - weight;
        row[second] += weight;
    }
    Tensor::<2>::from_data(TensorData::new(values, [output, input]), device).cast(dtype)
}

/// Four gathers with their weights.
pub fn flow_warp(features: Tensor<4>, flow: Tensor<4>, options: WarpOptions) -> Tensor<4> {
    let [batch, channels, height, width] = features.dims();
    let zeros = options.padding == WarpPadding::Zeros;
    let px = position(flow.clone().narrow(1, 0, 1), width, 3, options);
    let py = position(flow.narrow(1, 1, 1), height, 2, options);
    let (left, fraction_x) = cell(px);
    let (top, fraction_y) = cell(py);

    let flat = features.reshape([batch, channels, height * width]);
    let mut sum: Option<Tensor<4>> = None;
    for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let (x, y) = (left.clone().add_scalar(dx), top.clone().add_scalar(dy));
        let weight = share(fraction_x.clone(), dx) * share(fraction_y.clone(), dy);
        let weight = if zeros {
            let outside = outside(&x, width).bool_or(outside(&y, height));
            weight.mask_fill(outside, 0.0)
        } else {
            weight
        };
        let index = y.clamp(0, height as i64 - 1) * width as i64 + x.clamp(0, width as i64 - 1);
        let index =
            index
                .reshape([batch, 1, height * width])
                .expand([batch, channels, height * width]);
        let tap = flat
            .clone()
            .gather(2, index)
            .reshape([batch, channels, height, width]);
        let term = tap * weight;
        sum = Some(match sum {
            Some(sum) => sum + term,
            None => term,
        });
    }
    sum.expect("there are four taps")
}

/// Sampling position `[batch, 1, height, width]` in pixels along the axis `dim` of that length.
fn position(flow: Tensor<4>, length: usize, dim: usize, options: WarpOptions) -> Tensor<4> {
    let size = length as f64;
    let (stretch, shift, scale) = match (options.flow_unit, options.align_corners) {
        (FlowUnit::Pixels, _) => (0.0, 0.0, 1.0),
        (FlowUnit::HalfGrid, true) => (0.0, 0.0, (size - 1.0) / (2.0 * size)),
        // `linspace(-1, 1, 1)` is -1, which the formula gives with any finite stretch.
        (FlowUnit::HalfGrid, false) => (1.0 / (size - 1.0).max(1.0), -0.5, 0.5),
    };
    let mut shape = [1; 4];
    shape[dim] = length;
    let base = Tensor::<1, Int>::arange(0..length as i64, &flow.device())
        .float()
        .cast(flow.dtype())
        .reshape(shape);
    let position = base.clone() + (base * stretch + (flow * scale + shift));
    // Far enough outside to be padding, near enough for an integer.
    let lost = position.clone().is_finite().bool_not();
    match options.padding {
        WarpPadding::Zeros => position.mask_fill(lost, -2.0).clamp(-2.0, size + 1.0),
        WarpPadding::Border => {
            // Not `clamp`: at the border itself the derivative is 0 too.
            let last = size - 1.0;
            let low = position.clone().greater_elem(0.0).bool_not();
            let high = position.clone().greater_equal_elem(last);
            position.mask_fill(low, 0.0).mask_fill(high, last)
        }
    }
}

/// The whole-pixel cell of a position, and where in it the position lies. The cell carries no gradient.
fn cell(position: Tensor<4>) -> (Tensor<4, Int>, Tensor<4>) {
    let floor = position.clone().detach().floor();
    (floor.clone().int(), position - floor)
}

/// Weight of tap 0 or 1 of a cell.
fn share(fraction: Tensor<4>, tap: i64) -> Tensor<4> {
    if tap == 0 { 1.0 - fraction } else { fraction }
}

fn outside(index: &Tensor<4, Int>, length: usize) -> Tensor<4, burn::tensor::Bool> {
    index
        .clone()
        .lower_elem(0)
        .bool_or(index.clone().greater_elem(length as i64 - 1))
}
