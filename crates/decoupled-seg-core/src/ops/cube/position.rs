//! Sampling positions inside a kernel; the same rules as on the CPU.

use cubecl::prelude::*;

use super::super::options::{WarpOptions, WarpPadding};
use super::super::position::{FARTHEST, FlowAxis};

/// [`FlowAxis`] as an argument of a kernel.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Axis {
    stretch: f32,
    shift: f32,
    pub(super) scale: f32,
}

/// The argument for the axis of that many pixels.
pub(super) fn axis(length: usize, options: WarpOptions) -> AxisLaunch {
    let axis = FlowAxis::new(length, options);
    AxisLaunch::new(axis.stretch as f32, axis.shift as f32, axis.scale as f32)
}

/// Whether positions are stopped at the border.
pub(super) fn stops(options: WarpOptions) -> bool {
    options.padding == WarpPadding::Border
}

/// A position along one axis: the pixel at or before it, -1 to the last, and how far behind that pixel it is.
#[derive(CubeType, Clone, Copy)]
pub(super) struct Cell {
    pub(super) index: i32,
    pub(super) fraction: f32,
    /// Whether any of the two pixels can be inside.
    pub(super) inside: bool,
    /// Whether the position moves with the flow: not where the border stops it.
    pub(super) follows: bool,
}

/// Where pixel `x` of an axis samples.
#[cube]
pub(super) fn locate(x: i32, last: i32, flow: f32, axis: &Axis, #[comptime] border: bool) -> Cell {
    let x_f32 = f32::cast_from(x);
    let offset = axis.stretch * x_f32 + axis.shift + axis.scale * flow;
    // False for NaN, and bounded before it becomes an integer.
    let near = offset.abs() <= comptime!(FARTHEST as f32);
    let bounded = select(near, offset, 0.0f32);
    let floor = bounded.floor();
    let index = x + i32::cast_from(floor);
    let fraction = bounded - floor;
    if comptime!(border) {
        let before_end = offset < f32::cast_from(last - x);
        let after_start = offset > f32::cast_from(-x);
        let follows = before_end && after_start;
        // NaN is neither and goes to the start.
        let beyond = offset >= f32::cast_from(last - x) && after_start;
        let stopped = select(beyond, last, 0i32);
        // The clamp holds whatever a driver makes of comparisons with NaN.
        let index = clamp(select(follows, index, stopped), 0i32, last);
        Cell {
            index,
            fraction: select(follows, fraction, 0.0f32),
            inside: true,
            follows,
        }
    } else {
        let inside = near && index >= -1i32 && index <= last;
        Cell {
            index: select(inside, index, -1i32),
            fraction,
            inside,
            follows: true,
        }
    }
}

/// The four pixels of a cell: where they are in a plane, which are inside, and how far in the cell the position is.
#[derive(CubeType, Clone, Copy)]
pub(super) struct Taps {
    pub(super) upper_left: usize,
    pub(super) upper_right: usize,
    pub(super) lower_left: usize,
    pub(super) lower_right: usize,
    pub(super) has_upper_left: bool,
    pub(super) has_upper_right: bool,
    pub(super) has_lower_left: bool,
    pub(super) has_lower_right: bool,
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) follows_x: bool,
    pub(super) follows_y: bool,
}

/// The taps of a sampling position in planes of these sides and strides.
#[cube]
pub(super) fn taps(
    cell_x: &Cell,
    cell_y: &Cell,
    last_x: i32,
    last_y: i32,
    stride_x: usize,
    stride_y: usize,
) -> Taps {
    let inside = cell_x.inside && cell_y.inside;
    let left = inside && cell_x.index >= 0i32;
    let right = inside && cell_x.index < last_x;
    let upper = inside && cell_y.index >= 0i32;
    let lower = inside && cell_y.index < last_y;
    let at_left = clamp(cell_x.index, 0i32, last_x) as usize * stride_x;
    let at_right = clamp(cell_x.index + 1i32, 0i32, last_x) as usize * stride_x;
    let at_upper = clamp(cell_y.index, 0i32, last_y) as usize * stride_y;
    let at_lower = clamp(cell_y.index + 1i32, 0i32, last_y) as usize * stride_y;
    Taps {
        upper_left: at_upper + at_left,
        upper_right: at_upper + at_right,
        lower_left: at_lower + at_left,
        lower_right: at_lower + at_right,
        has_upper_left: upper && left,
        has_upper_right: upper && right,
        has_lower_left: lower && left,
        has_lower_right: lower && right,
        x: cell_x.fraction,
        y: cell_y.fraction,
        follows_x: cell_x.follows,
        follows_y: cell_y.follows,
    }
}

/// The values of the four pixels, 0 for those outside.
#[derive(CubeType, Clone, Copy)]
pub(super) struct Corners {
    upper_left: f32,
    upper_right: f32,
    lower_left: f32,
    lower_right: f32,
}

/// Reads the four pixels from the plane that starts at `plane`.
#[cube]
pub(super) fn read<F: Float>(tensor: &Tensor<F>, plane: usize, taps: &Taps) -> Corners {
    let upper_left = f32::cast_from(tensor[plane + taps.upper_left]);
    let upper_right = f32::cast_from(tensor[plane + taps.upper_right]);
    let lower_left = f32::cast_from(tensor[plane + taps.lower_left]);
    let lower_right = f32::cast_from(tensor[plane + taps.lower_right]);
    Corners {
        upper_left: select(taps.has_upper_left, upper_left, 0.0f32),
        upper_right: select(taps.has_upper_right, upper_right, 0.0f32),
        lower_left: select(taps.has_lower_left, lower_left, 0.0f32),
        lower_right: select(taps.has_lower_right, lower_right, 0.0f32),
    }
}

/// The value at the position.
#[cube]
pub(super) fn blend(corners: &Corners, taps: &Taps) -> f32 {
    let left = 1.0f32 - taps.x;
    let upper = 1.0f32 - taps.y;
    corners.upper_left * (left * upper)
        + corners.upper_right * (taps.x * upper)
        + (corners.lower_left * (left * taps.y) + corners.lower_right * (taps.x * taps.y))
}

/// The slope of the values along x at the position.
#[cube]
pub(super) fn slope_x(corners: &Corners, taps: &Taps) -> f32 {
    let slope = (corners.upper_right - corners.upper_left) * (1.0f32 - taps.y)
        + (corners.lower_right - corners.lower_left) * taps.y;
    select(taps.follows_x, slope, 0.0f32)
}

/// The slope of the values along y at the position.
#[cube]
pub(super) fn slope_y(corners: &Corners, taps: &Taps) -> f32 {
    let slope = (corners.lower_left - corners.upper_left) * (1.0f32 - taps.x)
        + (corners.lower_right - corners.upper_right) * taps.x;
    select(taps.follows_y, slope, 0.0f32)
}
