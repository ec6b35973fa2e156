//! Resizing on GPUs: one unit a pixel and group of channels, forward of the output and backward of the input.

use burn::backend::cubecl::dtype_to_storage_type;
use burn::tensor::Shape;
use burn_cubecl::ops::numeric::empty_device_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use decoupled_seg_types::Size;

use super::super::position::ResizeAxis;
use super::place::{CHANNELS, at, cubes, groups, image_at, no_sums, place, store_sums};

/// [`ResizeAxis`] as an argument of a kernel.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
struct Axis {
    scale: f32,
    shift: f32,
}

fn axis(input: usize, output: usize, align_corners: bool) -> AxisLaunch {
    let axis = ResizeAxis::new(input, output, align_corners);
    AxisLaunch::new(axis.scale as f32, axis.shift as f32)
}

/// The two input pixels of an output pixel, and the share of the second.
#[derive(CubeType, Clone, Copy)]
struct Reads {
    first: usize,
    second: usize,
    share: f32,
}

#[cube]
fn reads(to: usize, last: usize, axis: &Axis) -> Reads {
    let position = max(f32::cast_from(to) * axis.scale + axis.shift, 0.0f32);
    let first = min(usize::cast_from(position.floor()), last);
    Reads {
        first,
        second: min(first + 1, last),
        share: position - f32::cast_from(first),
    }
}

/// The share of input pixel `from` in output pixel `to`.
#[cube]
fn share(to: usize, from: usize, last: usize, axis: &Axis) -> f32 {
    let reads = reads(to, last, axis);
    select(reads.first == from, 1.0f32 - reads.share, 0.0f32)
        + select(reads.second == from, reads.share, 0.0f32)
}

#[cube(launch_unchecked)]
fn bilinear_kernel<F: Float>(
    x: &Tensor<F>,
    output: &mut Tensor<F>,
    rows: &Axis,
    columns: &Axis,
    groups: usize,
    #[define(F)] _dtype: ElemType,
) {
    let channels = output.shape(1);
    let (height, width) = (output.shape(2), output.shape(3));
    if ABSOLUTE_POS >= output.shape(0) * groups * height * width {
        terminate!();
    }
    let place = place(ABSOLUTE_POS, groups, height, width);
    let row = reads(place.y, x.shape(2) - 1, rows);
    let column = reads(place.x, x.shape(3) - 1, columns);
    let (upper, lower) = (row.first * x.stride(2), row.second * x.stride(2));
    let (left, right) = (column.first * x.stride(3), column.second * x.stride(3));
    #[unroll]
    for step in 0..CHANNELS {
        let channel = place.channel + step;
        if channel < channels {
            let from = image_at(x, &place, channel);
            let upper_left = f32::cast_from(x[from + upper + left]);
            let upper_right = f32::cast_from(x[from + upper + right]);
            let lower_left = f32::cast_from(x[from + lower + left]);
            let lower_right = f32::cast_from(x[from + lower + right]);
            let above = upper_left * (1.0f32 - column.share) + upper_right * column.share;
            let below = lower_left * (1.0f32 - column.share) + lower_right * column.share;
            let value = above * (1.0f32 - row.share) + below * row.share;
            let to = at(&*output, &place, channel);
            output[to] = F::cast_from(value);
        }
    }
}

/// The first and the last output pixel that can read input pixel `from`, a pixel more at each side against rounding.
#[derive(CubeType, Clone, Copy)]
struct Window {
    first: usize,
    end: usize,
}

#[cube]
fn window(from: usize, length: usize, axis: &Axis) -> Window {
    let from = f32::cast_from(from);
    // A scale of 0 sends every output pixel to the same place.
    let scale = select(axis.scale > 0.0f32, axis.scale, 1.0f32);
    let low = (from - 1.0f32 - axis.shift) / scale - 1.0f32;
    let high = (from + 1.0f32 - axis.shift) / scale + 2.0f32;
    let end = f32::cast_from(length);
    let first = usize::cast_from(clamp(low, 0.0f32, end).floor());
    let last = usize::cast_from(clamp(high, 0.0f32, end).ceil());
    Window {
        first: select(axis.scale > 0.0f32, first, 0),
        end: select(axis.scale > 0.0f32, last, length),
    }
}

#[cube(launch_unchecked)]
fn bilinear_backward_kernel<F: Float>(
    grad: &Tensor<F>,
    output: &mut Tensor<F>,
    rows: &Axis,
    columns: &Axis,
    groups: usize,
    #[define(F)] _dtype: ElemType,
) {
    let channels = output.shape(1);
    let (height, width) = (output.shape(2), output.shape(3));
    if ABSOLUTE_POS >= output.shape(0) * groups * height * width {
        terminate!();
    }
    let place = place(ABSOLUTE_POS, groups, height, width);
    let mut sums = no_sums();
    let window_y = window(place.y, grad.shape(2), rows);
    let window_x = window(place.x, grad.shape(3), columns);
    for to_y in window_y.first..window_y.end {
        let share_y = share(to_y, place.y, height - 1, rows);
        if share_y > 0.0f32 {
            for to_x in window_x.first..window_x.end {
                let weight = share_y * share(to_x, place.x, width - 1, columns);
                if weight > 0.0f32 {
                    let in_plane = to_y * grad.stride(2) + to_x * grad.stride(3);
                    #[unroll]
                    for step in 0..CHANNELS {
                        let channel = place.channel + step;
                        if channel < channels {
                            let from = image_at(grad, &place, channel) + in_plane;
                            sums[step] += f32::cast_from(grad[from]) * weight;
                        }
                    }
                }
            }
        }
    }
    store_sums::<F>(&sums, output, &place);
}

/// Where the values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Backward,
}

/// Resizes the last two axes of `x` to `size`; backward, `x` is the gradient and `size` that of the input.
pub(super) fn bilinear(
    x: CubeTensor,
    size: Size,
    align_corners: bool,
    direction: Direction,
) -> CubeTensor {
    let [batch, channels, height, width] = x.meta.shape().dims();
    let client = x.client.clone();
    let shape = Shape::new([batch, channels, size.height, size.width]);
    let output = empty_device_dtype(client.clone(), x.device.clone(), shape, x.dtype);
    let groups = groups(channels);
    let units = batch * groups * size.pixels();
    if units == 0 {
        return output;
    }
    let dtype = dtype_to_storage_type(x.dtype);
    let (cube_count, cube_dim) = cubes(&client, units);
    let (arg, output_arg) = (x.into_tensor_arg(), output.clone().into_tensor_arg());
    // SAFETY: units past the last one stop at once, and positions are clamped to the tensors.
    unsafe {
        match direction {
            Direction::Forward => bilinear_kernel::launch_unchecked(
                &client,
                cube_count,
                cube_dim,
                arg,
                output_arg,
                axis(height, size.height, align_corners),
                axis(width, size.width, align_corners),
                groups,
                dtype,
            ),
            Direction::Backward => bilinear_backward_kernel::launch_unchecked(
                &client,
                cube_count,
                cube_dim,
                arg,
                output_arg,
                axis(size.height, height, align_corners),
                axis(size.width, width, align_corners),
                groups,
                dtype,
            ),
        }
    }
    output
}
