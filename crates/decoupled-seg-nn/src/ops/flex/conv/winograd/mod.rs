//! Winograd's F(4x4, 3x3): a 3x3 convolution of stride 1 with a quarter of the products, for networks that only predict.
//!
//! ```text
//! output = A^T [ sum over channels of (G weight G^T) * (B^T input B) ] A      a tile of 4x4 points from 6x6 pixels
//! ```
//!
//! The points are 0, 1, -1, 1/2, -2, whose rounding is half that of 0, 1, -1, 2, -2: about 2e-6 of the largest output, ten
//! times that of the plain sums. A dilated convolution is an undilated one for each phase of the pixels. Source: Lavin and
//! Gray, [arXiv:1509.09308](https://arxiv.org/abs/1509.09308).
//!
//! Vectors hold channels, not pixels: then a tile may lie anywhere, and no transform has to gather. The pixels of some rows of
//! tiles are transformed once ([`pixels`]). Each task takes a few outputs: it transforms their weights ([`weights`]) into memory
//! that the second level of the cache holds, multiplies ([`product`]) and transforms the sums back ([`points`]).

mod arithmetic;
mod grid;
mod pixels;
mod points;
mod product;
mod transpose;
mod weights;

use std::mem::MaybeUninit;
use std::ops::Range;

use decoupled_seg_types::written;
use rayon::prelude::*;

use super::super::target::Target;
use super::geometry::Conv;
use super::product::Finish;
use super::scratch::{Line, with_scratch};
use super::tile::Isa;
use super::weights::share;
use arithmetic::NUMBERS;
use grid::{Chunk, Grid};
use pixels::Pixels;

/// Channels, or outputs, that lie side by side.
const LANES: usize = 16;
/// Outputs of a part, in lanes.
const PART: usize = 2;
/// Channels whose transformed weights a part keeps at a time.
const CHANNELS: usize = 128;
/// Numbers in the transformed pixels of a block: a part of the last level of the cache.
const BLOCK: usize = 1 << 20;
/// Numbers in the sums of a chunk.
const SUMS: usize = 128 << 10;
/// Tasks a thread, so that the last one to finish does not keep the others waiting.
const TASKS: usize = 4;

/// Whether the transforms pay.
pub(super) fn suits(conv: &Conv) -> bool {
    let fits =
        conv.kernel == [3, 3] && conv.stride == [1, 1] && conv.groups == 1 && conv.output_len() > 0;
    if !fits {
        return false;
    }
    let tiles = conv.batch * Grid::tiles(conv);
    // Of the plain sums, which leave out what only meets padding.
    let seen: usize = [0, 1]
        .map(|axis: usize| (0..3).map(|tap| conv.seen(axis, tap).len()).sum::<usize>())
        .iter()
        .product();
    let (channels, outputs) = (conv.in_channels, conv.out_channels.next_multiple_of(LANES));
    let plain = conv.batch * seen * channels * outputs;
    // Measured on single layers, in products: what a tile's transforms cost a channel and an output, and those of the weights.
    let transforms = tiles * (900 * channels + 900 * outputs) + 250 * channels * outputs;
    plain > tiles * NUMBERS * channels * outputs * 5 / 4 + transforms
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
    let grid = Grid::new(conv);
    let channels = conv.in_channels.next_multiple_of(LANES);
    let row = grid.columns.len();
    let rows = conv.batch * grid.rows.len();
    // Rows of tiles of a block.
    let fits = (BLOCK / (NUMBERS * channels * row)).clamp(1, rows);
    let blocks = rows.div_ceil(fits);
    let channel_blocks = conv.in_channels.div_ceil(CHANNELS);
    let parts = conv.out_channels.div_ceil(PART * LANES);
    let job = Job {
        isa,
        conv,
        grid: &grid,
        source,
        weights,
        finish,
        channel_blocks,
        target: Target::of(target),
    };
    for block in 0..blocks {
        let rows = share(rows, blocks, block);
        // Sums over a part of the channels are kept for the whole block.
        let fits = match channel_blocks {
            1 => (SUMS / (NUMBERS * PART * LANES * row)).clamp(1, rows.len()),
            _ => rows.len(),
        };
        let chunks = Chunk::cut(rows.clone(), fits, row, isa.pairs);
        let tiles = job.transform_pixels(&chunks, rows);
        let wanted = TASKS * rayon::current_num_threads();
        let shares = wanted.div_ceil(parts).min(chunks.len());
        (0..parts * shares).into_par_iter().for_each(|task| {
            let (part, chunk) = (task / shares, task % shares);
            let outputs = share(conv.out_channels.div_ceil(LANES), parts, part);
            job.part(outputs, &chunks[share(chunks.len(), shares, chunk)], &tiles);
        });
    }
}

struct Job<'a> {
    isa: Isa,
    conv: &'a Conv,
    grid: &'a Grid,
    source: &'a [f32],
    weights: &'a [f32],
    finish: Finish<'a>,
    channel_blocks: usize,
    target: Target,
}

/// Transformed pixels of a block of tiles.
struct Tiles {
    lines: Vec<Line>,
    /// Lanes of channels.
    channels: usize,
}

impl Tiles {
    fn numbers(&self) -> &[f32] {
        Line::numbers(&self.lines)
    }
}

impl Job<'_> {
    fn transform_pixels(&self, chunks: &[Chunk], rows: Range<usize>) -> Tiles {
        let conv = self.conv;
        let channels = conv.in_channels.div_ceil(LANES);
        let tiles = rows.len() * self.grid.columns.len();
        // A task is a few rows of tiles of an image, and sixteen channels.
        let wanted = (TASKS * rayon::current_num_threads()).div_ceil(channels);
        let bands = self.grid.bands(rows, wanted);
        let write = |lines: &mut [MaybeUninit<Line>]| {
            let target = Target::of(lines);
            let tasks = bands.len() * channels;
            (0..tasks).into_par_iter().for_each(|task| {
                let (band, channel) = (&bands[task / channels], task % channels);
                let len = pixels::scratch_len(self.grid);
                with_scratch(len, |scratch| {
                    self.isa.run(Pixels {
                        conv,
                        grid: self.grid,
                        source: self.source,
                        band: band.clone(),
                        channel,
                        chunks,
                        scratch,
                        target,
                    });
                });
            });
        };
        // SAFETY: bands and channels together are all tiles, and `Pixels` writes all numbers of each.
        let lines = unsafe { written(NUMBERS * channels * tiles, write) };
        Tiles { lines, channels }
    }

    /// Writes the outputs of a part for some chunks; `lanes` are the outputs in lanes.
    fn part(&self, lanes: Range<usize>, chunks: &[Chunk], tiles: &Tiles) {
        let conv = self.conv;
        let channels = |block: usize| {
            let lanes = share(tiles.channels, self.channel_blocks, block);
            lanes.start * LANES..(lanes.end * LANES).min(conv.in_channels)
        };
        let largest = tiles.channels.div_ceil(self.channel_blocks) * LANES;
        let width = lanes.len() * LANES;
        let most = chunks.iter().map(|chunk| chunk.tiles()).max().unwrap_or(0);
        let weights_len = weights::len(largest, width);
        let sums_len = most * NUMBERS * width;
        let spare_len = points::scratch_len(self.grid, width).max(weights::SCRATCH);
        with_scratch(weights_len + sums_len + spare_len, |scratch| {
            let (weights, rest) = scratch.split_at_mut(weights_len);
            let (sums, spare) = rest.split_at_mut(sums_len);
            for (index, chunk) in chunks.iter().enumerate() {
                for block in 0..self.channel_blocks {
                    let channels = channels(block);
                    if index == 0 || self.channel_blocks > 1 {
                        self.isa.run(weights::Weights {
                            conv,
                            numbers: self.weights,
                            lanes: lanes.clone(),
                            channels: channels.clone(),
                            scratch: spare,
                            target: weights,
                        });
                    }
                    self.isa.run(product::Products {
                        tiles,
                        chunk,
                        weights,
                        width,
                        channels,
                        sums,
                    });
                }
                self.isa.run(points::Points {
                    conv,
                    grid: self.grid,
                    finish: self.finish,
                    lanes: lanes.clone(),
                    chunk,
                    sums,
                    scratch: spare,
                    target: self.target,
                });
            }
        });
    }
}
