//! The sampling positions, defined once for every backend.

use super::options::{FlowUnit, WarpOptions};

/// How a flow becomes a sampling position along one axis.
///
/// Pixel `x` is read at `x + stretch * x + shift + scale * flow`. Backends floor the offset and not the position:
/// a small offset keeps its full precision at every `x`, and a zero one is exactly the identity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FlowAxis {
    pub(super) stretch: f64,
    pub(super) shift: f64,
    /// Also the derivative of the position with respect to the flow.
    pub(super) scale: f64,
}

impl FlowAxis {
    /// The axis of that many pixels.
    pub(super) fn new(length: usize, options: WarpOptions) -> Self {
        let size = length as f64;
        let (stretch, shift, scale) = match (options.flow_unit, options.align_corners) {
            (FlowUnit::Pixels, _) => (0.0, 0.0, 1.0),
            (FlowUnit::HalfGrid, true) => (0.0, 0.0, (size - 1.0) / (2.0 * size)),
            // On one pixel `linspace(-1, 1, 1)` is -1: position -1/2, whatever the stretch.
            (FlowUnit::HalfGrid, false) => (1.0 / (size - 1.0).max(1.0), -0.5, 0.5),
        };
        Self {
            stretch,
            shift,
            scale,
        }
    }
}

/// Offsets beyond this many pixels count as outside: far more than any map, and still an integer in `f32`.
pub(super) const FARTHEST: f64 = 16_777_216.0;

/// How an output pixel of a resize becomes a position along one axis: `max(x * scale + shift, 0)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ResizeAxis {
    pub(super) scale: f64,
    pub(super) shift: f64,
}

impl ResizeAxis {
    /// From `input` to `output` pixels.
    pub(super) fn new(input: usize, output: usize, align_corners: bool) -> Self {
        if align_corners {
            let steps = output.max(2) - 1;
            let scale = (input - 1) as f64 / steps as f64;
            return Self { scale, shift: 0.0 };
        }
        let scale = input as f64 / output as f64;
        Self {
            scale,
            shift: 0.5 * scale - 0.5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PyTorch's chain: the `[-1, 1]` grid plus the flow by the size, then `grid_sample`'s unnormalisation.
    fn official(x: usize, length: usize, flow: f64, align_corners: bool) -> f64 {
        let size = length as f64;
        let base = if length == 1 {
            -1.0
        } else {
            -1.0 + 2.0 * x as f64 / (size - 1.0)
        };
        let grid = base + flow / size;
        if align_corners {
            (grid + 1.0) / 2.0 * (size - 1.0)
        } else {
            ((grid + 1.0) * size - 1.0) / 2.0
        }
    }

    #[test]
    fn half_grid_is_the_official_chain() {
        for align_corners in [false, true] {
            let options = WarpOptions::official().with_align_corners(align_corners);
            for length in [1, 2, 3, 17, 120] {
                let axis = FlowAxis::new(length, options);
                for x in 0..length {
                    for flow in [-40.0, -1.0, 0.0, 0.3, 7.5] {
                        let x_f64 = x as f64;
                        let ours = x_f64 + axis.stretch * x_f64 + axis.shift + axis.scale * flow;
                        let theirs = official(x, length, flow, align_corners);
                        assert!(
                            (ours - theirs).abs() < 1e-12,
                            "{ours} {theirs} at {x} of {length}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn resize_positions_by_hand() {
        let corners = ResizeAxis::new(3, 5, true);
        assert_eq!((corners.scale, corners.shift), (0.5, 0.0));
        let centres = ResizeAxis::new(4, 2, false);
        assert_eq!((centres.scale, centres.shift), (2.0, 0.5));
        // One output pixel sits on the first input pixel with aligned corners.
        assert_eq!(ResizeAxis::new(7, 1, true).shift, 0.0);
    }
}
