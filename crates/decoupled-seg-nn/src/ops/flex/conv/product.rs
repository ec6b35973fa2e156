//! A lattice calculated: blocks of points in parallel, each from a patch of the source in the thread's own memory.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::super::target::Target;
use super::geometry::Lattice;
use super::patch::{Block, Layout, Run, runs};
use super::scratch::with_scratch;
use super::tile::{Isa, Tile};
use super::weights::{Packed, Split, WeightStrides, share};

/// Weights that stay in the first level of the cache while they meet a block: taps times channels.
const DEPTH: usize = 640;
/// Numbers in a patch: a part of the second level of the cache.
const PATCH: usize = 48 << 10;
/// Numbers in the sums over a part of the channels, for a block.
const PARTIAL: usize = 96 << 10;
/// Points of a block from which on the weights have been read often enough.
const POINTS: usize = 1 << 10;
/// Tasks a thread, so that the last one to finish does not keep the others waiting.
const TASKS: usize = 4;

/// What happens to the sums.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Finish<'a> {
    /// A number an output channel, that its weights are multiplied by.
    pub(in super::super) scale: Option<&'a [f32]>,
    /// A number an output channel.
    pub(in super::super) bias: Option<&'a [f32]>,
    /// Added, of the size of the target.
    pub(in super::super) addend: Option<&'a [f32]>,
    /// Whether negative results become zero.
    pub(in super::super) relu: bool,
}

/// A run of a block and the taps that see more than padding there.
struct PlannedRun {
    run: Run,
    /// Row and column of its first point in the block.
    first: [usize; 2],
    taps: Vec<(u32, u32)>,
}

/// A block and its runs.
struct PlannedBlock {
    block: Block,
    runs: Vec<PlannedRun>,
}

/// Writes all points of the lattice into `target`, and nothing else.
pub(super) fn calculate(
    isa: Isa,
    lattice: &Lattice,
    source: &[f32],
    weights: &[f32],
    strides: WeightStrides,
    finish: Finish<'_>,
    target: &mut [MaybeUninit<f32>],
) {
    if lattice.points.contains(&0) || lattice.outputs == 0 {
        return;
    }
    let depth = (DEPTH / lattice.taps.len().max(1)).max(1);
    let split = Split::new(lattice, isa.panel(), depth);
    let packed = Packed::new(lattice, split, weights, strides, finish.scale);
    let job = Job::new(isa, lattice, split, &packed, finish, source);
    job.run(Target::of(target));
}

struct Job<'a> {
    isa: Isa,
    lattice: &'a Lattice,
    split: Split,
    packed: &'a Packed,
    finish: Finish<'a>,
    source: &'a [f32],
    layout: Layout,
    blocks: Vec<PlannedBlock>,
    /// Vectors of a tile, at most.
    longest: usize,
}

impl<'a> Job<'a> {
    fn new(
        isa: Isa,
        lattice: &'a Lattice,
        split: Split,
        packed: &'a Packed,
        finish: Finish<'a>,
        source: &'a [f32],
    ) -> Self {
        let longest = isa.widest(split.largest_panel());
        let size = block_size(lattice, split);
        let layout = Layout::new(lattice, size);
        let counts = [0, 1].map(|axis: usize| lattice.points[axis].div_ceil(size[axis]));
        let mut blocks = Vec::with_capacity(counts[0] * counts[1]);
        for row in 0..counts[0] {
            for column in 0..counts[1] {
                let rows = share(lattice.points[0], counts[0], row);
                let columns = share(lattice.points[1], counts[1], column);
                let block = Block {
                    start: [rows.start, columns.start],
                    size: [rows.len(), columns.len()],
                };
                let runs = runs(block, layout.width, isa.lanes, longest)
                    .into_iter()
                    .map(|run| plan(lattice, &layout, block, run))
                    .collect();
                blocks.push(PlannedBlock { block, runs });
            }
        }
        Self {
            isa,
            lattice,
            split,
            packed,
            finish,
            source,
            layout,
            blocks,
            longest,
        }
    }

    fn run(&self, target: Target) {
        let whole = self.lattice.batch * self.lattice.groups * self.blocks.len();
        // Few blocks: several threads share one, each with outputs of its own.
        let wanted = TASKS * rayon::current_num_threads();
        let shares = wanted.div_ceil(whole).min(self.split.panels);
        (0..whole * shares).into_par_iter().for_each(|task| {
            let (whole, part) = (task / shares, task % shares);
            let (outer, block) = (whole / self.blocks.len(), whole % self.blocks.len());
            let image = Image {
                batch: outer / self.lattice.groups,
                group: outer % self.lattice.groups,
            };
            let panels = share(self.split.panels, shares, part);
            self.block(&self.blocks[block], image, panels, target);
        });
    }

    fn block(
        &self,
        planned: &PlannedBlock,
        image: Image,
        panels: std::ops::Range<usize>,
        target: Target,
    ) {
        let lattice = self.lattice;
        let plane = lattice.source[0] * lattice.source[1];
        // A tile reads whole vectors, and so beyond the end of its run.
        let slack = self.longest * self.isa.lanes;
        let patch_len =
            (self.split.largest_block() * self.layout.plane + slack).next_multiple_of(16);
        let tile_len = self.split.largest_panel() * self.longest * self.isa.lanes;
        let tiles = planned.runs.len() * panels.len();
        let partial_len = if self.split.blocks > 1 { tiles } else { 0 } * tile_len;
        with_scratch(patch_len + tile_len + partial_len, |scratch| {
            let (patch, rest) = scratch.split_at_mut(patch_len);
            let (spare, partial) = rest.split_at_mut(tile_len);
            for block in 0..self.split.blocks {
                let channels = self.split.block(block);
                let first = (image.batch * lattice.groups + image.group) * lattice.channels;
                let source = &self.source[(first + channels.start) * plane..];
                self.layout
                    .fill(planned.block, &source[..channels.len() * plane], patch);
                let mut tile = 0;
                for panel in panels.clone() {
                    let rows = self.split.panel(panel);
                    let weights = self.packed.part(image.group, panel, block);
                    for run in &planned.runs {
                        let work = TileWork {
                            run,
                            block: planned.block,
                            image,
                            rows: rows.clone(),
                            weights,
                            channels: channels.len(),
                            patch,
                        };
                        let partial = if partial.is_empty() {
                            &mut [][..]
                        } else {
                            &mut partial[tile * tile_len..][..tile_len]
                        };
                        self.tile(work, [block, self.split.blocks], partial, spare, target);
                        tile += 1;
                    }
                }
            }
        });
    }

    fn tile(
        &self,
        work: TileWork<'_>,
        [block, blocks]: [usize; 2],
        partial: &mut [f32],
        spare: &mut [f32],
        target: Target,
    ) {
        let lattice = self.lattice;
        let vectors = work.run.run.len.div_ceil(self.isa.lanes);
        let padded = vectors * self.isa.lanes;
        let first_row = work.image.group * lattice.outputs + work.rows.start;
        let mut tile = Tile {
            weights: work.weights.as_ptr(),
            // Without taps there is nothing to read, and the patch may be shorter.
            source: work.patch.as_ptr().wrapping_add(work.run.run.place),
            taps: &work.run.taps,
            channels: work.channels,
            plane: self.layout.plane,
            partial: std::ptr::null(),
            bias: std::ptr::null(),
            out: spare.as_mut_ptr(),
            out_row: padded,
            addend: std::ptr::null(),
            relu: false,
        };
        if block > 0 {
            tile.partial = partial.as_ptr();
        } else if let Some(bias) = self.finish.bias {
            tile.bias = bias[first_row..first_row + work.rows.len()].as_ptr();
        }
        if block + 1 < blocks {
            tile.out = partial.as_mut_ptr();
            // SAFETY: see below.
            unsafe { self.isa.product(work.rows.len(), vectors, &tile) };
            return;
        }
        let target_plane = lattice.target[0] * lattice.target[1];
        let first_plane = work.image.batch * lattice.groups * lattice.outputs + first_row;
        let [row, column] = work.run.first;
        let place = first_plane * target_plane
            + (lattice.start[0] + (work.block.start[0] + row) * lattice.spread[0])
                * lattice.target[1]
            + lattice.start[1]
            + (work.block.start[1] + column) * lattice.spread[1];
        let columns = work.block.size[1];
        let in_one_row = column + work.run.run.len <= columns;
        let rows_touch = self.layout.width == columns && columns == lattice.target[1];
        let straight = lattice.spread == [1, 1] && (in_one_row || rows_touch);
        if straight && work.run.run.len == padded {
            // SAFETY: the place lies in the target, because the points of the tile do.
            tile.out = unsafe { target.at(place) };
            tile.out_row = target_plane;
            if let Some(addend) = self.finish.addend {
                tile.addend = addend[place..].as_ptr();
            }
            tile.relu = self.finish.relu;
            // SAFETY: see below.
            unsafe { self.isa.product(work.rows.len(), vectors, &tile) };
            return;
        }
        // SAFETY: the weights are of as many rows, channels and taps. The patch has `channels` planes and a tile's
        // length of slack behind them. Partial sums and spare memory have room for the largest tile. The bias has a
        // number for each row. Above, `padded` points of each row lie side by side in target and addend.
        unsafe { self.isa.product(work.rows.len(), vectors, &tile) };
        self.scatter(&work, &spare[..work.rows.len() * padded], place, target);
    }

    /// Writes a tile to where its points lie; `place` is that of its first.
    fn scatter(&self, work: &TileWork<'_>, tile: &[f32], place: usize, target: Target) {
        let lattice = self.lattice;
        let plane = lattice.target[0] * lattice.target[1];
        let padded = tile.len() / work.rows.len();
        let columns = work.block.size[1];
        let down = lattice.spread[0] * lattice.target[1];
        let across = lattice.spread[1];
        let first_column = work.run.first[1];
        for (row, tile) in tile.chunks_exact(padded).enumerate() {
            // Pieces of the run between the ends of rows.
            let (mut column, mut line, mut done) = (first_column, 0, 0);
            while done < work.run.run.len {
                let left = work.run.run.len - done;
                if column < columns {
                    let count = left.min(columns - column);
                    let start = (place + row * plane + line * down + column * across)
                        - first_column * across;
                    self.finish_line(&tile[done..done + count], start, across, target);
                }
                let step = left.min(self.layout.width - column);
                done += step;
                column = 0;
                line += 1;
            }
        }
    }

    #[inline(always)]
    fn finish_line(&self, sums: &[f32], start: usize, across: usize, target: Target) {
        let relu = |sum: f32| {
            if self.finish.relu && sum < 0.0 {
                0.0
            } else {
                sum
            }
        };
        for (index, &sum) in sums.iter().enumerate() {
            let place = start + index * across;
            let sum = match self.finish.addend {
                Some(addend) => sum + addend[place],
                None => sum,
            };
            // SAFETY: the place is that of a point of this task's block.
            unsafe { target.at(place).write(relu(sum)) };
        }
    }
}

/// Which picture and which channels.
#[derive(Debug, Clone, Copy)]
struct Image {
    batch: usize,
    group: usize,
}

/// A tile over a part of the channels.
struct TileWork<'a> {
    run: &'a PlannedRun,
    block: Block,
    image: Image,
    /// Output channels, of the group.
    rows: std::ops::Range<usize>,
    weights: &'a [f32],
    channels: usize,
    patch: &'a [f32],
}

/// How many points a block has, at most.
fn block_size(lattice: &Lattice, split: Split) -> [usize; 2] {
    let [height, width] = lattice.points;
    let fits = |size: [usize; 2]| {
        let plane = Layout::new(lattice, size).plane;
        let partial = if split.blocks > 1 {
            size[0] * size[1] * split.outputs
        } else {
            0
        };
        split.largest_block() * plane <= PATCH && partial <= PARTIAL && size[0] * size[1] <= POINTS
    };
    let mut columns = width;
    while columns > 64 && !fits([1, columns]) {
        columns = columns.div_ceil(2);
    }
    // The largest number of rows that fits, by halving the interval.
    let (mut least, mut most) = (1, height);
    while least < most {
        let middle = (least + most).div_ceil(2);
        if fits([middle, columns]) {
            least = middle;
        } else {
            most = middle - 1;
        }
    }
    [least, columns]
}

/// The taps that see more than padding from a run.
fn plan(lattice: &Lattice, layout: &Layout, block: Block, run: Run) -> PlannedRun {
    let first = [run.place / layout.width, run.place % layout.width];
    let last = run.place + run.len - 1;
    let last = [last / layout.width, last % layout.width];
    // Over several rows it may touch every column.
    let columns = if first[0] == last[0] {
        [first[1], last[1]]
    } else {
        [0, block.size[1] - 1]
    };
    let ends = [[first[0], last[0]], columns];
    let sees = |axis: usize, offset: isize| {
        let at =
            |point: usize| ((block.start[axis] + point) * lattice.step[axis]) as isize + offset;
        at(ends[axis][0]) < lattice.source[axis] as isize && at(ends[axis][1]) >= 0
    };
    let taps = lattice
        .taps
        .iter()
        .zip(&layout.offsets)
        .enumerate()
        .filter(|(_, (tap, _))| sees(0, tap.offset[0]) && sees(1, tap.offset[1]))
        .map(|(index, (_, &offset))| (index as u32, offset as u32))
        .collect();
    PlannedRun { run, first, taps }
}
