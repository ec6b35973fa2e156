//! The gradient of the weights as sums of outer products, a point of the output after the other: the numbers of one side
//! (outputs or channels) in vectors, each times single numbers of the other side.
//!
//! ```text
//! gradient[o, c, tap] = sum over points p of grad[o, p] * input[c, stride * p + offset(tap)]
//! ```
//!
//! The side in vectors is transposed, a band of rows at a time, so that the numbers of a point lie side by side; the other is
//! read where it is. Points at which a tap sees padding are left out.

use std::mem::MaybeUninit;
use std::ops::Range;

use decoupled_seg_types::written;
use rayon::prelude::*;

use super::super::number::Real;
use super::super::target::Target;
use super::geometry::Conv;
use super::scratch::with_scratch;
use super::tile::{Isa, OUTER_COLUMNS, Outer, OuterRun};
use super::weights::share;

/// Points of a band: its vectors stay in the first level of the cache.
const POINTS: usize = 160;
/// Numbers in the sums of a task: a part of the second level of the cache.
const SUMS: usize = 32 << 10;
/// Tasks that there should be, if that is possible. The same for every number of threads, since the sums depend on it.
const TASKS: usize = 16;
/// Numbers in the sums of all tasks.
const ALL_SUMS: usize = 4 << 20;

/// Rows and columns that are transposed at a time.
const SIDE: usize = 8;

/// Which side lies in vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wide {
    Outputs,
    Channels,
}

/// How the work is cut.
pub(super) struct Plan<'a> {
    isa: Isa,
    conv: &'a Conv,
    wide: Wide,
    /// Vectors of the wide side, and panels that they are cut into.
    vectors: usize,
    panels: usize,
    /// Blocks of the other side.
    blocks: usize,
    /// Bands of rows of an image.
    bands: usize,
    /// Parts of all bands, each with sums of its own.
    chunks: usize,
}

impl<'a> Plan<'a> {
    /// `None` where too much of the vectors would be empty.
    pub(super) fn new(isa: Isa, conv: &'a Conv) -> Option<Self> {
        let lanes = isa.lanes;
        // Of 100.
        let filled = |len: usize| 100 * len / len.next_multiple_of(lanes);
        let (outputs, channels) = (filled(conv.out_channels), filled(conv.in_channels));
        // Channels in vectors are transposed anew for each row of the kernel.
        let wide = match 4 * channels > 5 * outputs {
            true => Wide::Channels,
            false => Wide::Outputs,
        };
        if outputs.max(channels) < 60 {
            return None;
        }
        let (len, other) = match wide {
            Wide::Outputs => (conv.out_channels, conv.in_channels),
            Wide::Channels => (conv.in_channels, conv.out_channels),
        };
        let vectors = len.div_ceil(lanes);
        let panels = vectors.div_ceil(isa.outer_vectors());
        let taps = conv.kernel[0] * conv.kernel[1];
        let panel = vectors.div_ceil(panels) * lanes;
        let blocks = other.div_ceil((SUMS / (taps * panel)).clamp(1, other));
        let [height, width] = conv.output;
        let bands = height.div_ceil((POINTS / width).max(1));
        let others = conv.groups * panels * blocks;
        let chunks = TASKS
            .div_ceil(others)
            .min(ALL_SUMS.div_ceil(conv.weight_len()))
            .min(conv.batch * bands);
        Some(Self {
            isa,
            conv,
            wide,
            vectors,
            panels,
            blocks,
            bands,
            chunks,
        })
    }

    /// Writes all of `target`.
    pub(super) fn run(&self, input: &[f32], grad: &[f32], target: &mut [MaybeUninit<f32>]) {
        let run = |target: &mut [MaybeUninit<f32>]| {
            let target = Target::of(target);
            let tasks = self.chunks * self.conv.groups * self.panels * self.blocks;
            (0..tasks)
                .into_par_iter()
                .for_each(|task| self.task(task, input, grad, target));
        };
        if self.chunks == 1 {
            run(target);
            return;
        }
        let weights = target.len();
        // SAFETY: the tasks of a chunk together write the sums of all weights.
        let sums = unsafe { written(self.chunks * weights, run) };
        const PIECE: usize = 1 << 12;
        let pieces = target.par_chunks_mut(PIECE).enumerate();
        pieces.for_each(|(index, target)| {
            let mut total = [0.0; PIECE];
            let total = &mut total[..target.len()];
            for sums in sums.chunks_exact(weights) {
                let sums = &sums[index * PIECE..][..total.len()];
                for (total, &sum) in total.iter_mut().zip(sums) {
                    *total += sum;
                }
            }
            for (target, &total) in target.iter_mut().zip(&*total) {
                target.write(total);
            }
        });
    }

    fn task(&self, task: usize, input: &[f32], grad: &[f32], target: Target) {
        let conv = self.conv;
        let (task, block) = (task / self.blocks, task % self.blocks);
        let (task, panel) = (task / self.panels, task % self.panels);
        let (chunk, group) = (task / conv.groups, task % conv.groups);
        let (wide_len, other_len) = match self.wide {
            Wide::Outputs => (conv.out_channels, conv.in_channels),
            Wide::Channels => (conv.in_channels, conv.out_channels),
        };
        let vectors = share(self.vectors, self.panels, panel);
        let lanes = self.isa.lanes;
        let part = Part {
            group,
            wide: vectors.start * lanes..(vectors.end * lanes).min(wide_len),
            vectors: vectors.len(),
            other: share(other_len, self.blocks, block),
        };
        let taps = conv.kernel[0] * conv.kernel[1];
        let panel_len = part.vectors * lanes;
        let sums_len = taps * part.other.len() * panel_len;
        let rows = conv.output[0].div_ceil(self.bands);
        let row = match self.wide {
            Wide::Outputs => conv.output[1],
            Wide::Channels => conv.input[1],
        };
        with_scratch(sums_len + rows * row * panel_len, |scratch| {
            let (sums, vectors) = scratch.split_at_mut(sums_len);
            sums.fill(0.0);
            for band in share(conv.batch * self.bands, self.chunks, chunk) {
                let image = band / self.bands;
                let rows = share(conv.output[0], self.bands, band % self.bands);
                match self.wide {
                    Wide::Outputs => {
                        self.outputs_wide(&part, image, rows, [input, grad], vectors, sums);
                    }
                    Wide::Channels => {
                        self.channels_wide(&part, image, rows, [input, grad], vectors, sums);
                    }
                }
            }
            // SAFETY: no other task has the weights of this chunk, group, panel and block.
            unsafe { self.store(&part, chunk, sums, target) };
        });
    }

    fn outputs_wide(
        &self,
        part: &Part,
        image: usize,
        rows: Range<usize>,
        [input, grad]: [&[f32]; 2],
        vectors: &mut [f32],
        sums: &mut [f32],
    ) {
        let conv = self.conv;
        let width = conv.output[1];
        let panel = part.vectors * self.isa.lanes;
        let plane = conv.output[0] * width;
        let first = (image * conv.groups + part.group) * conv.out_channels + part.wide.start;
        transpose(
            &grad[first * plane + rows.start * width..],
            plane,
            part.wide.len(),
            rows.len() * width,
            panel,
            vectors,
        );
        let input_plane = conv.input[0] * conv.input[1];
        let first = (image * conv.groups + part.group) * conv.in_channels + part.other.start;
        let other = Other {
            numbers: &input[first * input_plane..],
            plane: input_plane,
            count: part.other.len(),
            step: conv.stride[1],
        };
        let mut runs = Vec::with_capacity(rows.len());
        for row in 0..conv.kernel[0] {
            for column in 0..conv.kernel[1] {
                let columns = conv.seen(1, column);
                runs.clear();
                for y in rows.clone() {
                    let Some(from) = conv.source(0, row, y) else {
                        continue;
                    };
                    let Some(left) = conv.source(1, column, columns.start) else {
                        break;
                    };
                    let run = OuterRun {
                        vector: ((y - rows.start) * width + columns.start) * panel,
                        other: from * conv.input[1] + left,
                        len: columns.len(),
                    };
                    push(&mut runs, run, panel, conv.stride[1]);
                }
                let tap = row * conv.kernel[1] + column;
                let sums = &mut sums[tap * panel..];
                self.multiply(part.vectors, &vectors[..], panel, &other, &runs, sums);
            }
        }
    }

    fn channels_wide(
        &self,
        part: &Part,
        image: usize,
        rows: Range<usize>,
        [input, grad]: [&[f32]; 2],
        vectors: &mut [f32],
        sums: &mut [f32],
    ) {
        let conv = self.conv;
        let ([height, width], in_width) = (conv.output, conv.input[1]);
        let panel = part.vectors * self.isa.lanes;
        let plane = conv.input[0] * in_width;
        let first = (image * conv.groups + part.group) * conv.in_channels + part.wide.start;
        let output_plane = height * width;
        let first_output =
            (image * conv.groups + part.group) * conv.out_channels + part.other.start;
        let other = Other {
            numbers: &grad[first_output * output_plane..],
            plane: output_plane,
            count: part.other.len(),
            step: 1,
        };
        let mut runs = Vec::with_capacity(rows.len());
        for row in 0..conv.kernel[0] {
            for (index, y) in rows.clone().enumerate() {
                if let Some(from) = conv.source(0, row, y) {
                    let start = index * in_width * panel;
                    transpose(
                        &input[first * plane + from * in_width..],
                        plane,
                        part.wide.len(),
                        in_width,
                        panel,
                        &mut vectors[start..],
                    );
                }
            }
            for column in 0..conv.kernel[1] {
                let columns = conv.seen(1, column);
                let Some(left) = conv.source(1, column, columns.start) else {
                    continue;
                };
                runs.clear();
                for (index, y) in rows.clone().enumerate() {
                    if conv.source(0, row, y).is_some() {
                        let run = OuterRun {
                            vector: (index * in_width + left) * panel,
                            other: y * width + columns.start,
                            len: columns.len(),
                        };
                        push(&mut runs, run, conv.stride[1] * panel, 1);
                    }
                }
                let tap = row * conv.kernel[1] + column;
                let sums = &mut sums[tap * panel..];
                let vector_row = conv.stride[1] * panel;
                self.multiply(part.vectors, &vectors[..], vector_row, &other, &runs, sums);
            }
        }
    }

    /// Adds the outer products of `runs` to the sums of a tap, in rows of `[other][tap][panel]`.
    fn multiply(
        &self,
        vectors: usize,
        panel: &[f32],
        vector_row: usize,
        other: &Other<'_>,
        runs: &[OuterRun],
        sums: &mut [f32],
    ) {
        if runs.iter().all(|run| run.len == 0) {
            return;
        }
        let taps = self.conv.kernel[0] * self.conv.kernel[1];
        let sums_row = taps * vectors * self.isa.lanes;
        let tiles = other.count.div_ceil(self.isa.outer_columns(vectors));
        for tile in 0..tiles {
            let columns = share(other.count, tiles, tile);
            let mut starts = [other.numbers.as_ptr(); OUTER_COLUMNS];
            for (start, column) in starts.iter_mut().zip(columns.clone()) {
                *start = other.numbers[column * other.plane..].as_ptr();
            }
            let last = (columns.end - 1) * sums_row + vectors * self.isa.lanes;
            let sums = &mut sums[columns.start * sums_row..last];
            let job = Outer {
                vectors: panel.as_ptr(),
                vector_row,
                columns: starts,
                step: other.step,
                runs,
                sums: sums.as_mut_ptr(),
                sums_row,
            };
            // SAFETY: the runs name points that lie in the band, whose vectors are in `panel`, and source pixels that lie
            // in the planes of `other`. There is a sum for each column and number of the panel.
            unsafe { self.isa.outer(vectors, columns.len(), &job) };
        }
    }

    /// # Safety
    ///
    /// No other thread has the weights of this chunk and part in `target`, which has `chunks` times all weights.
    unsafe fn store(&self, part: &Part, chunk: usize, sums: &[f32], target: Target) {
        let conv = self.conv;
        let taps = conv.kernel[0] * conv.kernel[1];
        let panel = part.vectors * self.isa.lanes;
        let (outputs, channels) = (conv.out_channels, conv.in_channels);
        let start = chunk * conv.weight_len() + part.group * outputs * channels * taps;
        match self.wide {
            // A row of the target for each number of the panel.
            Wide::Outputs => {
                let start = start + (part.wide.start * channels + part.other.start) * taps;
                let columns = part.other.len() * taps;
                for tile in (0..columns).step_by(SIDE) {
                    for row in (0..part.wide.len()).step_by(SIDE) {
                        let rows = SIDE.min(part.wide.len() - row);
                        let columns = SIDE.min(columns - tile);
                        let line = |index: usize| {
                            let line = &sums[(tile + index.min(columns - 1)) * panel + row..];
                            *line.first_chunk::<SIDE>().expect("panels are whole tiles")
                        };
                        let tile_of_rows = f32::transpose(std::array::from_fn(line));
                        for (index, line) in tile_of_rows[..rows].iter().enumerate() {
                            let place = start + (row + index) * channels * taps + tile;
                            for (column, &sum) in line[..columns].iter().enumerate() {
                                // SAFETY: it is the place of a weight of this part.
                                unsafe { target.at(place + column).write(sum) };
                            }
                        }
                    }
                }
            }
            // The taps of each number of the panel lie side by side.
            Wide::Channels => {
                for (index, other) in part.other.clone().enumerate() {
                    let start = start + (other * channels + part.wide.start) * taps;
                    for tap in 0..taps {
                        let sums = &sums[(index * taps + tap) * panel..][..part.wide.len()];
                        for (wide, &sum) in sums.iter().enumerate() {
                            // SAFETY: as above.
                            unsafe { target.at(start + wide * taps + tap).write(sum) };
                        }
                    }
                }
            }
        }
    }
}

/// What a task calculates.
struct Part {
    group: usize,
    /// Numbers of the wide side, and vectors that they fill.
    wide: Range<usize>,
    vectors: usize,
    other: Range<usize>,
}

/// The side that is read where it is.
struct Other<'a> {
    numbers: &'a [f32],
    /// From one column to the next.
    plane: usize,
    count: usize,
    /// From one point to the next.
    step: usize,
}

/// Adds a run, to the last one if it goes on where that ends.
fn push(runs: &mut Vec<OuterRun>, run: OuterRun, vector_row: usize, step: usize) {
    if let Some(last) = runs.last_mut()
        && last.vector + last.len * vector_row == run.vector
        && last.other + last.len * step == run.other
    {
        last.len += run.len;
    } else {
        runs.push(run);
    }
}

/// `target[point][row]` becomes `source[row * plane + point]`, for `rows` rows of `points`; the rows from there to `panel`
/// become zero.
fn transpose(
    source: &[f32],
    plane: usize,
    rows: usize,
    points: usize,
    panel: usize,
    target: &mut [f32],
) {
    let target = &mut target[..points * panel];
    if rows < panel {
        for target in target.chunks_exact_mut(panel) {
            target[rows..].fill(0.0);
        }
    }
    let whole = [rows / SIDE * SIDE, points / SIDE * SIDE];
    for row in (0..whole[0]).step_by(SIDE) {
        for point in (0..whole[1]).step_by(SIDE) {
            let line = |index: usize| {
                let line = &source[(row + index) * plane + point..];
                *line
                    .first_chunk::<SIDE>()
                    .expect("a tile lies in the plane")
            };
            let tile = f32::transpose(std::array::from_fn(line));
            for (index, line) in tile.iter().enumerate() {
                target[(point + index) * panel + row..][..SIDE].copy_from_slice(line);
            }
        }
    }
    for row in 0..rows {
        let from = if row < whole[0] { whole[1] } else { 0 };
        for point in from..points {
            target[point * panel + row] = source[row * plane + point];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_band_has_zeros_behind_its_rows() {
        let source: Vec<f32> = (0..11 * 30).map(|number| number as f32).collect();
        let mut target = vec![-1.0; 13 * 16];
        transpose(&source, 30, 11, 13, 16, &mut target);
        for (index, &number) in target.iter().enumerate() {
            let (point, row) = (index / 16, index % 16);
            let expected = if row < 11 {
                (row * 30 + point) as f32
            } else {
                0.0
            };
            assert_eq!(number, expected, "point {point}, row {row}");
        }
    }
}
