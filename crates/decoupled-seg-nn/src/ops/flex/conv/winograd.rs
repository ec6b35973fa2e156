//! Winograd's F(4x4, 3x3): a 3x3 convolution of stride 1 with a quarter of the products, for networks that only predict.
//!
//! ```text
//! output = A^T [ sum over channels of (G weight G^T) * (B^T input B) ] A      a tile of 4x4 points from 6x6 pixels
//! ```
//!
//! The points are 0, 1, -1, 1/2, -2, whose rounding is half that of 0, 1, -1, 2, -2: about 2e-6 of the largest output, ten
//! times that of the plain sums. A dilated convolution is an undilated one for each phase of the pixels. Source: Lavin and
//! Gray, [arXiv:1509.09308](https://arxiv.org/abs/1509.09308).

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::super::memory::written;
use super::super::norm::with_wide_vectors;
use super::geometry::Conv;
use super::product::Finish;
use super::scratch::with_scratch;
use super::tile::{Isa, Tile};
use super::weights::share;

/// Points of a tile along an axis, and pixels that they are made from.
const POINTS: usize = 4;
const PIXELS: usize = 6;
/// Numbers of a transformed tile.
const NUMBERS: usize = PIXELS * PIXELS;
/// Tiles that are transformed side by side.
const LANES: usize = 16;
/// Numbers in the transformed tiles of a block, and in the transformed weights of a group: parts of the last cache.
const BLOCK: usize = 4 << 20;
const GROUP: usize = 2 << 20;

type Lanes = [f32; LANES];

/// The tiles of an image, in groups that are transformed side by side.
struct Tiles {
    groups: Vec<Vec<Run>>,
    phases: Vec<Phase>,
    /// Numbers in the padded phases of a channel.
    len: usize,
}

/// The pixels that meet each other in a dilated convolution, padded. The numbers of a row lie in the order
/// `[column % 4][column / 4]`, so that those at the same place of tiles side by side follow each other.
struct Phase {
    start: usize,
    /// Row and column of its first point.
    first: [usize; 2],
    rows: usize,
    /// Numbers in a quarter of a row: one more than tiles.
    quarter: usize,
}

/// Tiles side by side.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// Place of the first in its group.
    lane: usize,
    len: usize,
    /// Where the first number of the first lies in the padded phases of a channel.
    pixel: usize,
    quarter: usize,
    /// Row and column of the first point of the first in the output.
    point: [usize; 2],
}

impl Tiles {
    fn new(conv: &Conv) -> Self {
        let mut tiles = Self {
            groups: vec![Vec::new()],
            phases: Vec::new(),
            len: 0,
        };
        let (mut lane, [down, across]) = (0, conv.dilation);
        for y in 0..down.min(conv.output[0]) {
            for x in 0..across.min(conv.output[1]) {
                let first = [y, x];
                let counts = [0, 1].map(|axis: usize| {
                    let points = (conv.output[axis] - first[axis]).div_ceil(conv.dilation[axis]);
                    points.div_ceil(POINTS)
                });
                let phase = Phase {
                    start: tiles.len,
                    first,
                    rows: counts[0] * POINTS + PIXELS - POINTS,
                    quarter: counts[1] + 1,
                };
                for row in 0..counts[0] {
                    let mut column = 0;
                    while column < counts[1] {
                        if lane == LANES {
                            tiles.groups.push(Vec::new());
                            lane = 0;
                        }
                        let len = (counts[1] - column).min(LANES - lane);
                        let group = tiles
                            .groups
                            .last_mut()
                            .expect("there is one from the start");
                        group.push(Run {
                            lane,
                            len,
                            pixel: phase.start + row * POINTS * 4 * phase.quarter + column,
                            quarter: phase.quarter,
                            point: [y + row * POINTS * down, x + column * POINTS * across],
                        });
                        lane += len;
                        column += len;
                    }
                }
                tiles.len += phase.rows * 4 * phase.quarter;
                tiles.phases.push(phase);
            }
        }
        tiles
    }
}

/// Whether the transforms pay.
pub(super) fn suits(conv: &Conv) -> bool {
    let fits =
        conv.kernel == [3, 3] && conv.stride == [1, 1] && conv.groups == 1 && conv.output_len() > 0;
    if !fits {
        return false;
    }
    let tiles: usize = [0, 1]
        .map(|axis: usize| {
            let phases = conv.dilation[axis].min(conv.output[axis]);
            let points = |first: usize| (conv.output[axis] - first).div_ceil(conv.dilation[axis]);
            (0..phases)
                .map(|first| points(first).div_ceil(POINTS))
                .sum::<usize>()
        })
        .iter()
        .product();
    let products: usize = [0, 1]
        .map(|axis: usize| (0..3).map(|tap| conv.seen(axis, tap).len()).sum::<usize>())
        .iter()
        .product();
    // Measured on single networks: the weights' transform costs about as much as the products of 40 tiles, and the tiles'
    // transforms weigh the more, the fewer channels there are on the other side.
    let transformed = NUMBERS * (conv.batch * tiles + 40);
    let channels = conv.in_channels.min(conv.out_channels);
    10 * channels * conv.batch * products > transformed * (13 * channels + 2000)
}

/// Writes all of `target`.
pub(super) fn calculate(
    isa: Isa,
    conv: &Conv,
    source: &[f32],
    weights: &[f32],
    finish: Finish<'_>,
    target: &mut [MaybeUninit<f32>],
) {
    let tiles = Tiles::new(conv);
    let groups = tiles.groups.len();
    let all = conv.batch * groups;
    let fits = (BLOCK / (NUMBERS * conv.in_channels * LANES)).max(1);
    let blocks = all.div_ceil(fits);
    let panel = isa.panel();
    let panels = conv.out_channels.div_ceil(panel);
    let together = (GROUP / (NUMBERS * conv.in_channels * panel)).max(1);
    let parts = panels.div_ceil(together);
    let job = Job {
        isa,
        conv,
        tiles: &tiles,
        groups,
        panels,
        source,
        weights,
        finish,
        target: Target(target.as_mut_ptr().cast()),
    };
    for block in 0..blocks {
        let block = share(all, blocks, block);
        let pixels = job.pixels(block.clone());
        for part in 0..parts {
            let part = share(panels, parts, part);
            let weights = job.weights(part.clone());
            let sums = job.multiply(&pixels, &weights, part.clone(), block.len() * LANES);
            job.points(&sums, part, block.clone());
        }
    }
}

struct Job<'a> {
    isa: Isa,
    conv: &'a Conv,
    tiles: &'a Tiles,
    /// Groups of tiles of an image.
    groups: usize,
    /// Panels of outputs.
    panels: usize,
    source: &'a [f32],
    weights: &'a [f32],
    finish: Finish<'a>,
    target: Target,
}

/// Numbers that threads write different parts of.
#[derive(Clone, Copy)]
struct Target(*mut f32);

// SAFETY: every task writes places that no other task has, and reads none.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

impl Target {
    fn of(numbers: &mut [MaybeUninit<f32>]) -> Self {
        Self(numbers.as_mut_ptr().cast())
    }

    /// # Safety
    ///
    /// There is a number at `place`.
    unsafe fn at(self, place: usize) -> *mut f32 {
        // SAFETY: as the caller vouches.
        unsafe { self.0.add(place) }
    }
}

impl Job<'_> {
    /// The tiles of the groups `block` of all images, transformed: `[number][channel][tile]`.
    fn pixels(&self, block: Range<usize>) -> Vec<f32> {
        let channels = self.conv.in_channels;
        let row = block.len() * LANES;
        let images = block.start / self.groups..block.end.div_ceil(self.groups);
        let write = |pixels: &mut [MaybeUninit<f32>]| {
            let pixels = Target::of(pixels);
            let tasks = images.len() * channels;
            (0..tasks).into_par_iter().for_each(|task| {
                let (image, channel) = (images.start + task / channels, task % channels);
                let start = (image * self.groups).max(block.start);
                let end = ((image + 1) * self.groups).min(block.end);
                // The last run of a group is read as if it were as long as a group.
                let len = self.tiles.len + LANES;
                with_scratch(len, |padded| {
                    let padded = &mut padded[..len];
                    with_wide_vectors(
                        #[inline(always)]
                        || self.pad(image, channel, padded),
                    );
                    with_wide_vectors(
                        #[inline(always)]
                        || {
                            for group in start..end {
                                let tile = self.gather(padded, group - image * self.groups);
                                let place = channel * row + (group - block.start) * LANES;
                                let numbers = transform_pixels(&tile);
                                for (number, lanes) in numbers.iter().enumerate() {
                                    // SAFETY: these are the tiles of this group, of this task's channel.
                                    unsafe {
                                        let to = pixels.at(number * channels * row + place);
                                        to.cast::<Lanes>().write_unaligned(*lanes);
                                    }
                                }
                            }
                        },
                    );
                });
            });
        };
        // SAFETY: the groups of all images in the block, channels and numbers together are the whole.
        unsafe { written(NUMBERS * channels * row, write) }
    }

    /// Copies a channel, a phase after the other, with zeros where it is padded.
    #[inline(always)]
    fn pad(&self, image: usize, channel: usize, padded: &mut [f32]) {
        let conv = self.conv;
        let [height, width] = conv.input;
        let plane = (image * conv.in_channels + channel) * height * width;
        let plane = &self.source[plane..][..height * width];
        padded.fill(0.0);
        for phase in &self.tiles.phases {
            let row_len = 4 * phase.quarter;
            let lines = padded[phase.start..][..phase.rows * row_len].chunks_exact_mut(row_len);
            for (row, line) in lines.enumerate() {
                let y = phase.first[0] + row * conv.dilation[0];
                let Some(y) = y.checked_sub(conv.padding[0]).filter(|&y| y < height) else {
                    continue;
                };
                let pixels = &plane[y * width..][..width];
                let (first, step) = (phase.first[1], conv.dilation[1]);
                for (index, line) in line.chunks_exact_mut(phase.quarter).enumerate() {
                    let first = first + index * step;
                    // The first number that lies in the row.
                    let before = conv.padding[1].saturating_sub(first).div_ceil(4 * step);
                    let from = first + before * 4 * step - conv.padding[1];
                    let (Some(line), Some(pixels)) = (line.get_mut(before..), pixels.get(from..))
                    else {
                        continue;
                    };
                    if step == 1 {
                        // The compiler makes shuffles of a stride that it knows.
                        let (fours, rest) = pixels.as_chunks::<4>();
                        for (number, four) in line.iter_mut().zip(fours) {
                            *number = four[0];
                        }
                        if let (Some(number), Some(&last)) =
                            (line.get_mut(fours.len()), rest.first())
                        {
                            *number = last;
                        }
                    } else {
                        for (number, &pixel) in line.iter_mut().zip(pixels.iter().step_by(4 * step))
                        {
                            *number = pixel;
                        }
                    }
                }
            }
        }
    }

    /// The pixels of the tiles of a group; behind the last tile whatever lies there.
    #[inline(always)]
    fn gather(&self, padded: &[f32], group: usize) -> [Lanes; NUMBERS] {
        // A run is copied as if it were as long as a group: what is too much the next one overwrites.
        let mut tile = [0.0; (NUMBERS + 1) * LANES];
        for row in 0..PIXELS {
            for column in 0..PIXELS {
                for run in &self.tiles.groups[group] {
                    let from = run.pixel + (4 * row + column % 4) * run.quarter + column / 4;
                    let to = (row * PIXELS + column) * LANES + run.lane;
                    let from: &Lanes = padded[from..].first_chunk().expect("there is slack");
                    let to: &mut Lanes = tile[to..].first_chunk_mut().expect("there is slack");
                    *to = *from;
                }
            }
        }
        let (lanes, _) = tile.as_chunks::<LANES>();
        *lanes.first_chunk().expect("there is one lane more")
    }

    fn outputs(&self, panel: usize) -> Range<usize> {
        share(self.conv.out_channels, self.panels, panel)
    }

    /// Transformed weights: `[number][panel][channel][output]`.
    fn weights(&self, part: Range<usize>) -> Vec<f32> {
        let channels = self.conv.in_channels;
        let first = self.outputs(part.start).start;
        let outputs = self.outputs(part.end - 1).end - first;
        let write = |numbers: &mut [MaybeUninit<f32>]| {
            let numbers = Target::of(numbers);
            part.clone().into_par_iter().for_each(|panel| {
                with_wide_vectors(
                    #[inline(always)]
                    || {
                        let rows = self.outputs(panel);
                        // The outputs of a few channels lie side by side.
                        let together = LANES / rows.len();
                        for first_channel in (0..channels).step_by(together) {
                            let few = first_channel..(first_channel + together).min(channels);
                            let used = few.len() * rows.len();
                            let mut kernel = [[0.0; LANES]; 9];
                            for lane in 0..used {
                                let channel = few.start + lane / rows.len();
                                let output = rows.start + lane % rows.len();
                                let from = (output * channels + channel) * 9;
                                let from = &self.weights[from..][..9];
                                let scale = self.finish.scale.map_or(1.0, |scale| scale[output]);
                                for (lanes, &weight) in kernel.iter_mut().zip(from) {
                                    lanes[lane] = weight * scale;
                                }
                            }
                            let place = (rows.start - first) * channels + few.start * rows.len();
                            let transformed = transform_weights(&kernel);
                            for (number, lanes) in transformed.iter().enumerate() {
                                // SAFETY: these are the places of weights of this panel.
                                unsafe {
                                    let to = numbers.at(number * outputs * channels + place);
                                    match used {
                                        LANES => to.cast::<Lanes>().write_unaligned(*lanes),
                                        _ => to.copy_from_nonoverlapping(lanes.as_ptr(), used),
                                    }
                                }
                            }
                        }
                    },
                );
            });
        };
        // SAFETY: numbers, panels, channels and rows together name every number once.
        unsafe { written(NUMBERS * outputs * channels, write) }
    }

    /// Sums over the channels: `[number][output][tile]`.
    fn multiply(
        &self,
        pixels: &[f32],
        weights: &[f32],
        part: Range<usize>,
        tiles: usize,
    ) -> Vec<f32> {
        /// Panels of a task.
        const PANELS: usize = 4;
        let channels = self.conv.in_channels;
        let first = self.outputs(part.start).start;
        let outputs = self.outputs(part.end - 1).end - first;
        let lanes = self.isa.lanes;
        let write = |sums: &mut [MaybeUninit<f32>]| {
            let sums = Target::of(sums);
            let pieces = part.len().div_ceil(PANELS);
            (0..NUMBERS * pieces).into_par_iter().for_each(|task| {
                let (number, piece) = (task / pieces, task % pieces);
                let piece = share(part.len(), pieces, piece);
                let largest = self.conv.out_channels.div_ceil(self.panels);
                let columns = (tiles / lanes).div_ceil(self.isa.widest(largest));
                for column in 0..columns {
                    let vectors = share(tiles / lanes, columns, column);
                    for panel in piece.clone() {
                        let rows = self.outputs(part.start + panel);
                        let row = rows.start - first;
                        let tile = Tile {
                            weights: weights[(number * outputs + row) * channels..].as_ptr(),
                            source: pixels[number * channels * tiles + vectors.start * lanes..]
                                .as_ptr(),
                            taps: &[(0, 0)],
                            channels,
                            plane: tiles,
                            partial: std::ptr::null(),
                            bias: std::ptr::null(),
                            // SAFETY: it is the place of a sum of this panel.
                            out: unsafe {
                                sums.at((number * outputs + row) * tiles + vectors.start * lanes)
                            },
                            out_row: tiles,
                            addend: std::ptr::null(),
                            relu: false,
                        };
                        // SAFETY: there are weights and pixels of all channels, and sums of all rows; the tiles are whole
                        // vectors.
                        unsafe { self.isa.product(rows.len(), vectors.len(), &tile) };
                    }
                }
            });
        };
        // SAFETY: numbers, panels and columns together are the whole.
        unsafe { written(NUMBERS * outputs * tiles, write) }
    }

    /// Writes the outputs of a part of the panels for the tiles of a block.
    fn points(&self, sums: &[f32], part: Range<usize>, block: Range<usize>) {
        let conv = self.conv;
        let first = self.outputs(part.start).start;
        let outputs = self.outputs(part.end - 1).end - first;
        let row = block.len() * LANES;
        (0..outputs).into_par_iter().for_each(|output| {
            with_wide_vectors(
                #[inline(always)]
                || {
                    for (place, group) in block.clone().enumerate() {
                        let mut tile = [[0.0; LANES]; NUMBERS];
                        for (number, lanes) in tile.iter_mut().enumerate() {
                            let from = (number * outputs + output) * row + place * LANES;
                            lanes.copy_from_slice(&sums[from..][..LANES]);
                        }
                        let mut points = transform_sums(&tile);
                        if let Some(bias) = self.finish.bias {
                            let bias = bias[first + output];
                            points.iter_mut().flatten().for_each(|point| *point += bias);
                        }
                        let (image, group) = (group / self.groups, group % self.groups);
                        let plane = image * conv.out_channels + first + output;
                        self.scatter(&points, plane, group);
                    }
                },
            );
        });
    }

    /// Writes the points of the tiles of a group that lie in the output.
    #[inline(always)]
    fn scatter(&self, points: &[Lanes; POINTS * POINTS], plane: usize, group: usize) {
        let ([height, width], [down, across]) = (self.conv.output, self.conv.dilation);
        let plane = plane * height * width;
        for row in 0..POINTS {
            let mut line = [0.0; POINTS * LANES];
            for (lane, four) in line.as_chunks_mut::<POINTS>().0.iter_mut().enumerate() {
                for (column, point) in four.iter_mut().enumerate() {
                    *point = points[row * POINTS + column][lane];
                }
            }
            for run in &self.tiles.groups[group] {
                let [y, x] = [run.point[0] + row * down, run.point[1]];
                if y >= height {
                    continue;
                }
                let count = (width - x).div_ceil(across).min(run.len * POINTS);
                let line = &line[run.lane * POINTS..][..count];
                let place = plane + y * width + x;
                match across {
                    1 => self.finish_line(line, place, 1),
                    _ => self.finish_line(line, place, across),
                }
            }
        }
    }

    #[inline(always)]
    fn finish_line(&self, line: &[f32], place: usize, step: usize) {
        let relu = |point: f32| {
            if self.finish.relu && point < 0.0 {
                0.0
            } else {
                point
            }
        };
        match self.finish.addend {
            None => {
                for (index, &point) in line.iter().enumerate() {
                    // SAFETY: the point lies in the output, in a plane that only this task writes.
                    unsafe { self.target.at(place + index * step).write(relu(point)) };
                }
            }
            Some(addend) => {
                for (index, &point) in line.iter().enumerate() {
                    let place = place + index * step;
                    // SAFETY: as above.
                    unsafe { self.target.at(place).write(relu(point + addend[place])) };
                }
            }
        }
    }
}

/// `sum over i of factors[i] * rows[i]`, lane by lane.
#[inline(always)]
fn combine<const N: usize>(factors: [f32; N], rows: [&Lanes; N]) -> Lanes {
    let mut sum = [0.0; LANES];
    for lane in 0..LANES {
        let mut total = factors[0] * rows[0][lane];
        for index in 1..N {
            total += factors[index] * rows[index][lane];
        }
        sum[lane] = total;
    }
    sum
}

/// `B^T x` of six numbers.
#[inline(always)]
fn pixels_axis([a, b, c, d, e, f]: [&Lanes; PIXELS]) -> [Lanes; PIXELS] {
    [
        combine([1.0, -1.5, -2.0, 1.5, 1.0], [a, b, c, d, e]),
        combine([-1.0, 0.5, 2.5, 1.0], [b, c, d, e]),
        combine([1.0, -2.5, 0.5, 1.0], [b, c, d, e]),
        combine([-2.0, -1.0, 2.0, 1.0], [b, c, d, e]),
        combine([0.5, -1.0, -0.5, 1.0], [b, c, d, e]),
        combine([1.0, -1.5, -2.0, 1.5, 1.0], [b, c, d, e, f]),
    ]
}

/// `A^T x` of six numbers.
#[inline(always)]
fn points_axis([a, b, c, d, e, f]: [&Lanes; PIXELS]) -> [Lanes; POINTS] {
    [
        combine([1.0, 1.0, 1.0, 1.0, 1.0], [a, b, c, d, e]),
        combine([1.0, -1.0, 0.5, -2.0], [b, c, d, e]),
        combine([1.0, 1.0, 0.25, 4.0], [b, c, d, e]),
        combine([1.0, -1.0, 0.125, -8.0, 1.0], [b, c, d, e, f]),
    ]
}

/// `G x` of three numbers.
#[inline(always)]
fn weights_axis([a, b, c]: [&Lanes; 3]) -> [Lanes; PIXELS] {
    const THIRD: f32 = 1.0 / 3.0;
    const FIFTEENTH: f32 = 1.0 / 15.0;
    [
        *a,
        combine([THIRD; 3], [a, b, c]),
        combine([-THIRD, THIRD, -THIRD], [a, b, c]),
        combine(
            [-16.0 * FIFTEENTH, -8.0 * FIFTEENTH, -4.0 * FIFTEENTH],
            [a, b, c],
        ),
        combine([FIFTEENTH, -2.0 * FIFTEENTH, 4.0 * FIFTEENTH], [a, b, c]),
        *c,
    ]
}

/// `B^T tile B`
#[inline(always)]
fn transform_pixels(tile: &[Lanes; NUMBERS]) -> [Lanes; NUMBERS] {
    both_axes(tile, pixels_axis, pixels_axis)
}

/// `A^T tile A`
#[inline(always)]
fn transform_sums(tile: &[Lanes; NUMBERS]) -> [Lanes; POINTS * POINTS] {
    both_axes(tile, points_axis, points_axis)
}

/// `G kernel G^T`
#[inline(always)]
fn transform_weights(kernel: &[Lanes; 9]) -> [Lanes; NUMBERS] {
    both_axes(kernel, weights_axis, weights_axis)
}

/// Applies a transform to the columns of a square of `FROM` by `FROM`, then to the rows of what comes out.
#[inline(always)]
fn both_axes<const FROM: usize, const TO: usize, const A: usize, const B: usize>(
    square: &[Lanes; A],
    columns: impl Fn([&Lanes; FROM]) -> [Lanes; TO],
    rows: impl Fn([&Lanes; FROM]) -> [Lanes; TO],
) -> [Lanes; B] {
    let mut half = [[[0.0; LANES]; FROM]; TO];
    for column in 0..FROM {
        let found = columns(std::array::from_fn(|row| &square[row * FROM + column]));
        for (half, found) in half.iter_mut().zip(found) {
            half[column] = found;
        }
    }
    let mut result = [[0.0; LANES]; B];
    for (row, half) in half.iter().enumerate() {
        let found = rows(std::array::from_fn(|column| &half[column]));
        result[row * TO..][..TO].copy_from_slice(&found);
    }
    result
}
