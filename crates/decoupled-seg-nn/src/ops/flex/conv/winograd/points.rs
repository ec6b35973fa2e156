//! The points of tiles from their sums.

use std::ops::Range;

use super::super::super::number::Real;
use super::super::geometry::Conv;
use super::super::product::Finish;
use super::super::tile::Work;
use super::super::vector::Vector;
use super::arithmetic::{self, NUMBERS, OfPoints, PIXELS, POINTS};
use super::grid::{Chunk, Grid};
use super::transpose::SIDE;
use super::{LANES, Target};

/// Numbers in the rows of points that a row of tiles gives, for `width` outputs.
pub(super) fn scratch_len(grid: &Grid, width: usize) -> usize {
    POINTS * grid.points() * width
}

/// Writes the points of a chunk.
pub(super) struct Points<'a> {
    pub(super) conv: &'a Conv,
    pub(super) grid: &'a Grid,
    pub(super) finish: Finish<'a>,
    /// Outputs, in lanes.
    pub(super) lanes: Range<usize>,
    pub(super) chunk: &'a Chunk,
    /// `[tile][number][output]`
    pub(super) sums: &'a [f32],
    pub(super) scratch: &'a mut [f32],
    pub(super) target: Target,
}

impl Work for Points<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { conv, grid, .. } = self;
        let width = self.lanes.len() * LANES;
        let first = self.lanes.start * LANES;
        let count = (conv.out_channels - first).min(width);
        let line_len = grid.points() * width;
        let [down, across] = grid.dilation;
        let (scale, bias) = (
            lanes_of(self.finish.scale, 1.0, first, count),
            lanes_of(self.finish.bias, 0.0, first, count),
        );
        let relu = self.finish.relu && self.finish.addend.is_none();
        let mut sums = self.sums.chunks_exact(NUMBERS * width);
        for row in self.chunk.rows.clone() {
            let (image, row) = (row / grid.rows.len(), row % grid.rows.len());
            for (column, sums) in grid.columns.iter().zip(&mut sums) {
                for part in (0..width).step_by(V::LANES) {
                    // SAFETY: there are numbers of all outputs of the part.
                    let (scale, bias) = unsafe {
                        (
                            V::load(scale[part..part + V::LANES].as_ptr()),
                            V::load(bias[part..part + V::LANES].as_ptr()),
                        )
                    };
                    let scratch = &mut *self.scratch;
                    arithmetic::both_axes(
                        OfPoints,
                        #[inline(always)]
                        |row, column| {
                            let place = (row * PIXELS + column) * width + part;
                            // SAFETY: as above.
                            unsafe { V::load(sums[place..place + V::LANES].as_ptr()) }
                        },
                        #[inline(always)]
                        |row, points: [V; POINTS]| {
                            for (index, point) in points.into_iter().enumerate() {
                                let mut point = bias.add_product(scale, point);
                                if relu {
                                    point = point.at_least(V::splat(0.0));
                                }
                                let x = column.first + index * across;
                                let place = row * line_len + x * width + part;
                                let to = &mut scratch[place..place + V::LANES];
                                // SAFETY: there is room for as many.
                                unsafe { point.store(to.as_mut_ptr()) };
                            }
                        },
                    );
                }
            }
            for index in 0..POINTS {
                let y = grid.rows[row].first + index * down;
                if y < conv.output[0] {
                    let line = &self.scratch[index * line_len..][..line_len];
                    let plane = image * conv.out_channels + first;
                    // SAFETY: the row is of this task's chunk and outputs, which no other task writes.
                    unsafe { store(conv, self.finish, line, width, count, plane, y, self.target) };
                }
            }
        }
    }
}

/// The numbers of a part's outputs, `other` where there are none.
#[inline(always)]
fn lanes_of(
    numbers: Option<&[f32]>,
    other: f32,
    first: usize,
    count: usize,
) -> [f32; super::PART * LANES] {
    let mut lanes = [other; super::PART * LANES];
    if let Some(numbers) = numbers {
        lanes[..count].copy_from_slice(&numbers[first..first + count]);
    }
    lanes
}

/// Writes a row of `count` planes from `line`, `[point][output]`.
///
/// # Safety
///
/// `target` is an output of `conv`, and nobody else touches row `y` of these planes.
#[inline(always)]
#[expect(
    clippy::too_many_arguments,
    reason = "a struct of them would be built for every row"
)]
unsafe fn store(
    conv: &Conv,
    finish: Finish<'_>,
    line: &[f32],
    width: usize,
    count: usize,
    plane: usize,
    y: usize,
    target: Target,
) {
    let [height, columns] = conv.output;
    let place = |output: usize| ((plane + output) * height + y) * columns;
    let finished = |point: f32, place: usize| match finish.addend {
        Some(addend) if finish.relu => {
            let sum = point + addend[place];
            if sum < 0.0 { 0.0 } else { sum }
        }
        Some(addend) => point + addend[place],
        None => point,
    };
    let whole = columns / SIDE * SIDE;
    for output in (0..count).step_by(SIDE) {
        let few = SIDE.min(count - output);
        for x in (0..whole).step_by(SIDE) {
            let mut tile = [[0.0; SIDE]; SIDE];
            for (point, tile) in tile.iter_mut().enumerate() {
                let from = &line[(x + point) * width + output..];
                *tile = *from.first_chunk().expect("outputs come in lanes");
            }
            let tile = f32::transpose(tile);
            for (index, mut points) in tile.into_iter().enumerate().take(few) {
                let place = place(output + index) + x;
                if let Some(addend) = finish.addend {
                    for (point, &addend) in points.iter_mut().zip(&addend[place..place + SIDE]) {
                        *point += addend;
                        if finish.relu && *point < 0.0 {
                            *point = 0.0;
                        }
                    }
                }
                // SAFETY: eight points of the row are left.
                unsafe {
                    target
                        .at(place)
                        .cast::<[f32; SIDE]>()
                        .write_unaligned(points)
                };
            }
        }
        for x in whole..columns {
            for index in 0..few {
                let place = place(output + index) + x;
                let point = line[x * width + output + index];
                // SAFETY: it is a point of the row.
                unsafe { target.at(place).write(finished(point, place)) };
            }
        }
    }
}
