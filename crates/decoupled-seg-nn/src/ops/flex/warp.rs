//! The warp on the CPU: images and blocks of channels in parallel, each block by one thread, so that every sum has one
//! order.

use std::mem::MaybeUninit;
use std::ops::Range;

use decoupled_seg_types::written;
use rayon::prelude::*;

use super::super::options::WarpOptions;
use super::super::position::FlowAxis;
use super::lanes::{
    Frame, LANES, Lanes, load_pixel, load_tile, pack, store_pixel, store_tile, unpack,
};
use super::number::{Real, Storage};
use super::simd::{Kernel, dispatch};
use super::taps::{Tap, taps};

/// Extents of a feature map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extents {
    pub(super) channels: usize,
    pub(super) frame: Frame,
}

impl Extents {
    /// Elements of one image.
    fn image(self) -> usize {
        self.channels * self.frame.plane()
    }

    /// Elements of one block of channels; the last one of an image may be smaller.
    fn block(self) -> usize {
        LANES * self.frame.plane()
    }
}

/// The features where the flow points.
pub(super) fn warp<S: Storage>(
    features: &[S],
    flow: &[S],
    extents: Extents,
    options: WarpOptions,
) -> Vec<S> {
    let taps = taps(flow, extents.frame, options);
    let write = |body: &mut [MaybeUninit<S>]| {
        let images = body.par_chunks_exact_mut(extents.image());
        let images = images.zip(features.par_chunks_exact(extents.image()));
        let images = images.zip(taps.par_chunks_exact(extents.frame.plane()));
        images.for_each(|((body, features), taps)| {
            body.par_chunks_mut(extents.block())
                .zip(features.par_chunks(extents.block()))
                .for_each_init(
                    || zeros(extents.frame),
                    |block, (body, features)| {
                        dispatch(Forward {
                            features,
                            taps,
                            frame: extents.frame,
                            block,
                            body,
                            edge: None,
                        })
                    },
                );
        });
    };
    // SAFETY: the blocks cover all images, and `Forward` writes every pixel of its planes.
    unsafe { written(features.len(), write) }
}

/// The same, and the features less it.
pub(super) fn warp_split<S: Storage>(
    features: &[S],
    flow: &[S],
    extents: Extents,
    options: WarpOptions,
) -> (Vec<S>, Vec<S>) {
    let taps = taps(flow, extents.frame, options);
    let mut edge = Vec::new();
    let write_both = |body: &mut [MaybeUninit<S>], edge: &mut [MaybeUninit<S>]| {
        let images = body.par_chunks_exact_mut(extents.image());
        let images = images.zip(edge.par_chunks_exact_mut(extents.image()));
        let images = images.zip(features.par_chunks_exact(extents.image()));
        let images = images.zip(taps.par_chunks_exact(extents.frame.plane()));
        images.for_each(|(((body, edge), features), taps)| {
            body.par_chunks_mut(extents.block())
                .zip(edge.par_chunks_mut(extents.block()))
                .zip(features.par_chunks(extents.block()))
                .for_each_init(
                    || zeros(extents.frame),
                    |block, ((body, edge), features)| {
                        dispatch(Forward {
                            features,
                            taps,
                            frame: extents.frame,
                            block,
                            body,
                            edge: Some(edge),
                        })
                    },
                );
        });
    };
    let write = |body: &mut [MaybeUninit<S>]| {
        // SAFETY: as for the body.
        edge = unsafe { written(features.len(), |edge| write_both(body, edge)) };
    };
    // SAFETY: the blocks cover all images, and `Forward` writes every pixel of body and edge.
    let body = unsafe { written(features.len(), write) };
    (body, edge)
}

fn zeros<R: Real>(frame: Frame) -> Vec<Lanes<R>> {
    vec![Lanes::default(); frame.len()]
}

struct Forward<'a, S: Storage> {
    features: &'a [S],
    taps: &'a [Tap<S::Real>],
    frame: Frame,
    block: &'a mut [Lanes<S::Real>],
    body: &'a mut [MaybeUninit<S>],
    edge: Option<&'a mut [MaybeUninit<S>]>,
}

impl<S: Storage> Kernel for Forward<'_, S> {
    #[inline(always)]
    fn run(mut self) {
        let (plane, pitch) = (self.frame.plane(), self.frame.pitch());
        pack(self.features, self.frame, self.block);
        let full = self.features.len() == LANES * plane;
        let tiles = if full { plane / LANES * LANES } else { 0 };
        for index in (0..tiles).step_by(LANES) {
            let taps = &self.taps[index..index + LANES];
            let mut body = [Lanes::<S::Real>::default(); LANES];
            for (pixel, tap) in body.iter_mut().zip(taps) {
                *pixel = read(self.block, pitch, tap);
            }
            store_tile(body, self.body, plane, index);
            if let Some(edge) = &mut self.edge {
                let mut rest = load_tile(self.features, plane, index);
                for (rest, body) in rest.iter_mut().zip(&body) {
                    subtract::<S>(rest, body);
                }
                store_tile(rest, edge, plane, index);
            }
        }
        for index in tiles..plane {
            let body = read(self.block, pitch, &self.taps[index]);
            store_pixel(body, self.body, plane, index);
            if let Some(edge) = &mut self.edge {
                let mut rest = load_pixel(self.features, plane, index);
                subtract::<S>(&mut rest, &body);
                store_pixel(rest, edge, plane, index);
            }
        }
    }
}

/// Subtracts the body as it is stored, so that it and the edge add up to the features in half precision too.
#[inline(always)]
fn subtract<S: Storage>(features: &mut Lanes<S::Real>, body: &Lanes<S::Real>) {
    for (feature, body) in features.iter_mut().zip(body) {
        *feature = *feature - S::store(*body).load();
    }
}

/// The four pixels of a cell.
#[inline(always)]
fn corners<R: Real>(block: &[Lanes<R>], pitch: usize, tap: &Tap<R>) -> [Lanes<R>; 4] {
    let at = tap.at as usize;
    [
        block[at],
        block[at + 1],
        block[at + pitch],
        block[at + pitch + 1],
    ]
}

/// The value at a sampling position.
#[inline(always)]
fn read<R: Real>(block: &[Lanes<R>], pitch: usize, tap: &Tap<R>) -> Lanes<R> {
    let [a, b, c, d] = corners(block, pitch, tap);
    let w = tap.weights();
    let mut value = Lanes::<R>::default();
    for lane in 0..LANES {
        value[lane] = a[lane] * w[0] + b[lane] * w[1] + (c[lane] * w[2] + d[lane] * w[3]);
    }
    value
}

/// Into how many tasks the channels of an image are split in the backward pass. It decides the order in which the
/// gradient of the flow is summed, so it does not depend on the number of threads.
const TASKS: usize = 16;

/// The gradients of what [`warp`] or [`warp_split`] returned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grads<'a, S> {
    pub(super) body: &'a [S],
    /// Of the features less the body: it counts for the features as it is, and for the body negated.
    pub(super) edge: Option<&'a [S]>,
}

impl<'a, S> Grads<'a, S> {
    /// That part of both.
    fn part(self, range: Range<usize>) -> Self {
        Self {
            body: &self.body[range.clone()],
            edge: self.edge.map(|edge| &edge[range]),
        }
    }
}

/// The gradients with respect to features and flow.
pub(super) fn warp_backward<S: Storage>(
    features: &[S],
    flow: &[S],
    grads: Grads<'_, S>,
    extents: Extents,
    options: WarpOptions,
) -> (Vec<S>, Vec<S>) {
    let plane = extents.frame.plane();
    let taps = taps(flow, extents.frame, options);
    let blocks = extents.channels.div_ceil(LANES);
    let task = blocks.div_ceil(TASKS) * extents.block();
    let tasks = extents.image().div_ceil(task);
    // Every task sums the gradient of the flow over its channels; the sums of the tasks are added below.
    let mut sums = vec![S::Real::default(); flow.len() * tasks];

    let write = |features_grad: &mut [MaybeUninit<S>]| {
        let images = features_grad.par_chunks_exact_mut(extents.image());
        let images = images.zip(features.par_chunks_exact(extents.image()));
        let images = images.zip(sums.par_chunks_exact_mut(2 * plane * tasks));
        let images = images.zip(taps.par_chunks_exact(plane)).enumerate();
        images.for_each(|(image, (((features_grad, features), sums), taps))| {
            features_grad
                .par_chunks_mut(task)
                .zip(features.par_chunks(task))
                .zip(sums.par_chunks_exact_mut(2 * plane))
                .enumerate()
                .for_each_init(
                    || (zeros(extents.frame), zeros(extents.frame)),
                    |(block, block_grad), (number, ((features_grad, features), sums))| {
                        let mut start = image * extents.image() + number * task;
                        let blocks = features_grad.chunks_mut(extents.block());
                        let blocks = blocks.zip(features.chunks(extents.block()));
                        for (features_grad, features) in blocks {
                            let grads = grads.part(start..start + features.len());
                            start += features.len();
                            dispatch(BackwardBlock {
                                features,
                                grads,
                                taps,
                                frame: extents.frame,
                                block,
                                block_grad,
                                features_grad,
                                sums,
                            });
                        }
                    },
                );
        });
    };
    // SAFETY: the blocks cover all images, and `BackwardBlock` writes every pixel of its planes.
    let features_grad = unsafe { written(features.len(), write) };

    let scales = [extents.frame.width, extents.frame.height]
        .map(|length| S::Real::from_f64(FlowAxis::new(length, options).scale));
    let write = |flow_grad: &mut [MaybeUninit<S>]| {
        let axes = flow_grad.par_chunks_exact_mut(plane).enumerate();
        axes.for_each(|(index, flow_grad)| {
            let (image, axis) = (index / 2, index % 2);
            let mut total = vec![S::Real::default(); plane];
            for task in 0..tasks {
                let sums = &sums[((image * tasks + task) * 2 + axis) * plane..];
                for (total, sum) in total.iter_mut().zip(sums) {
                    *total += *sum;
                }
            }
            for (grad, total) in flow_grad.iter_mut().zip(total) {
                grad.write(S::store(total * scales[axis]));
            }
        });
    };
    // SAFETY: the chunks cover both axes of all images, and the loop writes every pixel.
    let flow_grad = unsafe { written(flow.len(), write) };
    (features_grad, flow_grad)
}

struct BackwardBlock<'a, S: Storage> {
    features: &'a [S],
    grads: Grads<'a, S>,
    taps: &'a [Tap<S::Real>],
    frame: Frame,
    block: &'a mut [Lanes<S::Real>],
    block_grad: &'a mut [Lanes<S::Real>],
    features_grad: &'a mut [MaybeUninit<S>],
    /// Gradient of the sampling position, `[2, height * width]`, added to.
    sums: &'a mut [S::Real],
}

impl<S: Storage> Kernel for BackwardBlock<'_, S> {
    #[inline(always)]
    fn run(self) {
        let (plane, pitch) = (self.frame.plane(), self.frame.pitch());
        pack(self.features, self.frame, self.block);
        self.block_grad.fill(Lanes::default());
        if let Some(edge) = self.grads.edge {
            pack(edge, self.frame, self.block_grad);
        }
        let (sums_x, sums_y) = self.sums.split_at_mut(plane);
        let full = self.features.len() == LANES * plane;
        let tiles = if full { plane / LANES * LANES } else { 0 };
        for index in (0..tiles).step_by(LANES) {
            let mut grads = load_tile(self.grads.body, plane, index);
            if let Some(edge) = self.grads.edge {
                let edge = load_tile(edge, plane, index);
                for (grad, edge) in grads.iter_mut().zip(&edge) {
                    less(grad, edge);
                }
            }
            let mut along_x = [Lanes::<S::Real>::default(); LANES];
            let mut along_y = along_x;
            for pixel in 0..LANES {
                let tap = &self.taps[index + pixel];
                let grad = &grads[pixel];
                (along_x[pixel], along_y[pixel]) = slopes(self.block, pitch, tap, grad);
                spread(self.block_grad, pitch, tap, grad);
            }
            add_sums(along_x, &mut sums_x[index..index + LANES]);
            add_sums(along_y, &mut sums_y[index..index + LANES]);
        }
        for index in tiles..plane {
            let tap = &self.taps[index];
            let mut grad = load_pixel(self.grads.body, plane, index);
            if let Some(edge) = self.grads.edge {
                less(&mut grad, &load_pixel(edge, plane, index));
            }
            let (along_x, along_y) = slopes(self.block, pitch, tap, &grad);
            spread(self.block_grad, pitch, tap, &grad);
            for lane in 0..LANES {
                sums_x[index] += along_x[lane];
                sums_y[index] += along_y[lane];
            }
        }
        unpack(self.block_grad, self.frame, self.features_grad);
    }
}

#[inline(always)]
fn less<R: Real>(values: &mut Lanes<R>, others: &Lanes<R>) {
    for (value, other) in values.iter_mut().zip(others) {
        *value = *value - *other;
    }
}

/// The gradient times the slope of the features at a sampling position, along x and y.
#[inline(always)]
fn slopes<R: Real>(
    block: &[Lanes<R>],
    pitch: usize,
    tap: &Tap<R>,
    grad: &Lanes<R>,
) -> (Lanes<R>, Lanes<R>) {
    let [a, b, c, d] = corners(block, pitch, tap);
    let (left, top) = (R::one() - tap.x, R::one() - tap.y);
    let (mut along_x, mut along_y) = (Lanes::<R>::default(), Lanes::<R>::default());
    if tap.follows_x {
        for lane in 0..LANES {
            let slope = (b[lane] - a[lane]) * top + (d[lane] - c[lane]) * tap.y;
            along_x[lane] = grad[lane] * slope;
        }
    }
    if tap.follows_y {
        for lane in 0..LANES {
            let slope = (c[lane] - a[lane]) * left + (d[lane] - b[lane]) * tap.x;
            along_y[lane] = grad[lane] * slope;
        }
    }
    (along_x, along_y)
}

/// Adds a gradient to the four pixels it came from.
#[inline(always)]
fn spread<R: Real>(block: &mut [Lanes<R>], pitch: usize, tap: &Tap<R>, grad: &Lanes<R>) {
    let at = tap.at as usize;
    let indices = [at, at + 1, at + pitch, at + pitch + 1];
    for (index, weight) in indices.into_iter().zip(tap.weights()) {
        let pixel = &mut block[index];
        for lane in 0..LANES {
            pixel[lane] += grad[lane] * weight;
        }
    }
}

/// Adds the sum over the lanes of each of eight pixels.
#[inline(always)]
fn add_sums<R: Real>(tile: [Lanes<R>; LANES], sums: &mut [R]) {
    let lanes = R::transpose(tile);
    for (pixel, sum) in sums.iter_mut().enumerate() {
        let low = (lanes[0][pixel] + lanes[1][pixel]) + (lanes[2][pixel] + lanes[3][pixel]);
        let high = (lanes[4][pixel] + lanes[5][pixel]) + (lanes[6][pixel] + lanes[7][pixel]);
        *sum += low + high;
    }
}
