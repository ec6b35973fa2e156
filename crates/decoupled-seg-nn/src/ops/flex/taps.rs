//! Where each pixel samples.

use num_traits::AsPrimitive;
use rayon::prelude::*;

use super::super::options::{WarpOptions, WarpPadding};
use super::super::position::{FARTHEST, FlowAxis};
use super::lanes::Frame;
use super::number::{Real, Storage};
use super::simd::{Kernel, dispatch};

/// The cell of four pixels that an output pixel reads, shared by all channels.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tap<R> {
    /// Index of the upper left pixel in the framed block.
    pub(super) at: u32,
    /// Position in the cell, 0 to 1.
    pub(super) x: R,
    pub(super) y: R,
    /// Whether the position moves with the flow: not where the border stops it.
    pub(super) follows_x: bool,
    pub(super) follows_y: bool,
}

impl<R: Real> Tap<R> {
    /// Shares of upper left, upper right, lower left and lower right.
    #[inline(always)]
    pub(super) fn weights(&self) -> [R; 4] {
        let (left, top) = (R::one() - self.x, R::one() - self.y);
        [left * top, self.x * top, left * self.y, self.x * self.y]
    }
}

/// Position along one axis.
struct Cell<R> {
    index: i32,
    fraction: R,
    follows: bool,
}

/// The constants of one axis in the type of the calculation.
struct Axis<R> {
    stretch: R,
    shift: R,
    scale: R,
    last: i32,
    border: bool,
}

impl<R: Real> Axis<R> {
    fn new(length: usize, options: WarpOptions) -> Self {
        let axis = FlowAxis::new(length, options);
        Self {
            stretch: R::from_f64(axis.stretch),
            shift: R::from_f64(axis.shift),
            scale: R::from_f64(axis.scale),
            last: length as i32 - 1,
            border: options.padding == WarpPadding::Border,
        }
    }

    /// Where pixel `x` samples; `None` where that is padding only.
    #[inline(always)]
    fn locate(&self, x: usize, flow: R) -> Option<Cell<R>> {
        let x_real = R::from_f64(x as f64);
        let offset = self.stretch * x_real + self.shift + self.scale * flow;
        if self.border {
            let stopped = |index| {
                Some(Cell {
                    index,
                    fraction: R::default(),
                    follows: false,
                })
            };
            // The comparisons are made so that NaN takes the first.
            let follows = offset > R::default() - x_real;
            if !follows {
                return stopped(0);
            }
            if offset >= R::from_f64(f64::from(self.last)) - x_real {
                return stopped(self.last);
            }
        }
        let near = offset.abs() <= R::from_f64(FARTHEST);
        if !near {
            return None;
        }
        let floor = offset.floor();
        let index = x as i32 + AsPrimitive::<i32>::as_(floor);
        (-1..=self.last).contains(&index).then_some(Cell {
            index,
            fraction: offset - floor,
            follows: true,
        })
    }
}

/// The taps of all images, `[batch, height * width]`.
pub(super) fn taps<S: Storage>(
    flow: &[S],
    frame: Frame,
    options: WarpOptions,
) -> Vec<Tap<S::Real>> {
    let mut taps = vec![Tap::default(); flow.len() / 2];
    let images = taps.chunks_exact_mut(frame.plane());
    let flows = flow.chunks_exact(2 * frame.plane());
    for (taps, flow) in images.zip(flows) {
        let (flow_x, flow_y) = flow.split_at(frame.plane());
        taps.par_chunks_exact_mut(frame.width)
            .zip(flow_x.par_chunks_exact(frame.width))
            .zip(flow_y.par_chunks_exact(frame.width))
            .enumerate()
            .for_each(|(y, ((taps, flow_x), flow_y))| {
                dispatch(Row {
                    y,
                    flow_x,
                    flow_y,
                    axes: [
                        Axis::new(frame.width, options),
                        Axis::new(frame.height, options),
                    ],
                    frame,
                    taps,
                })
            });
    }
    taps
}

struct Row<'a, S: Storage> {
    y: usize,
    flow_x: &'a [S],
    flow_y: &'a [S],
    axes: [Axis<S::Real>; 2],
    frame: Frame,
    taps: &'a mut [Tap<S::Real>],
}

impl<S: Storage> Kernel for Row<'_, S> {
    #[inline(always)]
    fn run(self) {
        let flows = self.flow_x.iter().zip(self.flow_y);
        for (x, (tap, (flow_x, flow_y))) in self.taps.iter_mut().zip(flows).enumerate() {
            let x = self.axes[0].locate(x, flow_x.load());
            let y = self.axes[1].locate(self.y, flow_y.load());
            *tap = match (x, y) {
                (Some(x), Some(y)) => Tap {
                    at: self.frame.at(y.index, x.index),
                    x: x.fraction,
                    y: y.fraction,
                    follows_x: x.follows,
                    follows_y: y.follows,
                },
                _ => Tap {
                    at: self.frame.nowhere(),
                    ..Tap::default()
                },
            };
        }
    }
}
