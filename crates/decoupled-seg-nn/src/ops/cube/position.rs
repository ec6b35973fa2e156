//! Sampling positions inside a kernel; the same rules as on the CPU.

use cubecl::prelude::*;

use super::super::options::{WarpOptions, WarpPadding};
use super::super::position::{FARTHEST, FlowAxis};
use super::place::{Place, at};

/// [`FlowAxis`] as an argument of a kernel.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Axis {
    stretch: f32,
    shift: f32,
    pub(super) scale: f32,
}

/// Those of a map.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(super) struct Axes {
    pub(super) y: Axis,
    pub(super) x: Axis,
}

/// The argument for maps of that size.
pub(super) fn axes(height: usize, width: usize, options: WarpOptions) -> AxesLaunch {
    let axis = |length| {
        let axis = FlowAxis::new(length, options);
        AxisLaunch::new(axis.stretch as f32, axis.shift as f32, axis.scale as f32)
    };
    AxesLaunch::new(axis(height), axis(width))
}

/// Whether positions are stopped at the border.
pub(super) fn stops(options: WarpOptions) -> bool {
    options.padding == WarpPadding::Border
}

/// A position along one axis: the pixel at or before it, -1 to the last, and how far behind that pixel it is.
#[derive(CubeType, Clone, Copy)]
pub(super) struct Span {
    pub(super) index: i32,
    pub(super) fraction: f32,
    /// The last pixel of the axis.
    last: i32,
    /// Whether any of the two pixels can be inside.
    inside: bool,
    /// Whether the position moves with the flow: not where the border stops it.
    follows: bool,
}

/// Where pixel `x` of an axis samples.
#[cube]
fn locate(x: i32, last: i32, flow: f32, axis: &Axis, #[comptime] border: bool) -> Span {
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
        Span {
            index,
            fraction: select(follows, fraction, 0.0f32),
            last,
            inside: true,
            follows,
        }
    } else {
        let inside = near && index >= -1i32 && index <= last;
        Span {
            index: select(inside, index, -1i32),
            fraction,
            last,
            inside,
            follows: true,
        }
    }
}

/// The cell of four pixels in which a position lies.
#[derive(CubeType, Clone, Copy)]
pub(super) struct Cell {
    pub(super) y: Span,
    pub(super) x: Span,
    pub(super) inside: bool,
}

/// Where the pixel of `place` samples.
#[cube]
pub(super) fn cell<F: Float>(
    flow: &Tensor<F>,
    place: &Place,
    axes: &Axes,
    #[comptime] border: bool,
) -> Cell {
    let flow_x = f32::cast_from(flow[at(flow, place, 0)]);
    let flow_y = f32::cast_from(flow[at(flow, place, 1)]);
    let (last_y, last_x) = (flow.shape(2) as i32 - 1, flow.shape(3) as i32 - 1);
    let y = locate(place.y as i32, last_y, flow_y, &axes.y, border);
    let x = locate(place.x as i32, last_x, flow_x, &axes.x, border);
    let inside = y.inside && x.inside;
    Cell { y, x, inside }
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

/// The taps of a cell in planes of these strides.
#[cube]
pub(super) fn taps(cell: &Cell, stride_y: usize, stride_x: usize) -> Taps {
    let (last_y, last_x) = (cell.y.last, cell.x.last);
    let left = cell.inside && cell.x.index >= 0i32;
    let right = cell.inside && cell.x.index < last_x;
    let upper = cell.inside && cell.y.index >= 0i32;
    let lower = cell.inside && cell.y.index < last_y;
    let at_left = clamp(cell.x.index, 0i32, last_x) as usize * stride_x;
    let at_right = clamp(cell.x.index + 1i32, 0i32, last_x) as usize * stride_x;
    let at_upper = clamp(cell.y.index, 0i32, last_y) as usize * stride_y;
    let at_lower = clamp(cell.y.index + 1i32, 0i32, last_y) as usize * stride_y;
    Taps {
        upper_left: at_upper + at_left,
        upper_right: at_upper + at_right,
        lower_left: at_lower + at_left,
        lower_right: at_lower + at_right,
        has_upper_left: upper && left,
        has_upper_right: upper && right,
        has_lower_left: lower && left,
        has_lower_right: lower && right,
        x: cell.x.fraction,
        y: cell.y.fraction,
        follows_x: cell.x.follows,
        follows_y: cell.y.follows,
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
