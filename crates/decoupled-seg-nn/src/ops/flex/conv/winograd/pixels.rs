//! Transformed pixels: `[group of tiles][number][sixteen channels][tile][channel]`.

use super::super::geometry::Conv;
use super::super::tile::Work;
use super::super::vector::Vector;
use super::arithmetic::{self, NUMBERS, OfPixels, PIXELS, POINTS};
use super::grid::{Band, Chunk, Grid};
use super::transpose::transpose;
use super::{LANES, Target};

/// Numbers in the rows of pixels of sixteen channels that a row of tiles reads.
pub(super) fn scratch_len(grid: &Grid) -> usize {
    PIXELS * grid.pixels() * LANES
}

/// Where the numbers of a tile start in the transformed pixels, and from one number to the next.
pub(super) fn place(chunks: &[Chunk], tile: usize, channels: usize, channel: usize) -> [usize; 2] {
    let index = chunks.partition_point(|chunk| chunk.start <= tile) - 1;
    let chunk = &chunks[index];
    let group = chunk.group(tile - chunk.start);
    let first = (chunk.start + group.start) * NUMBERS * channels;
    let inside = channel * group.len() + tile - chunk.start - group.start;
    [(first + inside) * LANES, channels * group.len() * LANES]
}

/// Transforms the tiles of a band, for sixteen channels.
pub(super) struct Pixels<'a> {
    pub(super) conv: &'a Conv,
    pub(super) grid: &'a Grid,
    pub(super) source: &'a [f32],
    pub(super) band: Band,
    /// Which sixteen channels.
    pub(super) channel: usize,
    pub(super) chunks: &'a [Chunk],
    pub(super) scratch: &'a mut [f32],
    pub(super) target: Target,
}

impl Work for Pixels<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { conv, grid, .. } = self;
        let channels = conv.in_channels.div_ceil(LANES);
        let row_len = grid.pixels() * LANES;
        let [down, across] = grid.dilation;
        let scratch = self.scratch;
        // What stays zero: padding, and channels that are not there.
        scratch.fill(0.0);
        let mut tile = self.band.tile;
        let mut before = None;
        for place in &grid.rows[self.band.rows.clone()] {
            // The tile above in the same phase has read the first two rows.
            let known = match before == Some(place.first) {
                true => PIXELS - POINTS,
                false => 0,
            };
            before = Some(place.first + POINTS * down);
            // Row `number` of a phase is kept at `number % PIXELS`.
            let mut slots = [0; PIXELS];
            for (row, slot) in slots.iter_mut().enumerate() {
                *slot = (place.index * POINTS + row) % PIXELS * row_len;
                if row >= known {
                    let y = (place.first + row * down).checked_sub(conv.padding[0]);
                    let y = y.filter(|&y| y < conv.input[0]);
                    let line = &mut scratch[*slot..][..row_len];
                    fill(conv, self.source, self.band.image, self.channel, y, line);
                }
            }
            for column in &grid.columns {
                let [start, step] = self::place(self.chunks, tile, channels, self.channel);
                for part in (0..LANES).step_by(V::LANES) {
                    arithmetic::both_axes(
                        OfPixels,
                        #[inline(always)]
                        |row, index| {
                            let place = slots[row] + (column.first + index * across) * LANES + part;
                            // SAFETY: a padded row has as many pixels as the last tile reads.
                            unsafe { V::load(scratch[place..place + V::LANES].as_ptr()) }
                        },
                        #[inline(always)]
                        |row, numbers: [V; PIXELS]| {
                            for (column, number) in numbers.into_iter().enumerate() {
                                let place = start + (row * PIXELS + column) * step + part;
                                // SAFETY: it is a number of this tile, of the channels of this task.
                                unsafe { number.store(self.target.at(place)) };
                            }
                        },
                    );
                }
                tile += 1;
            }
        }
    }
}

/// Copies row `y` of sixteen channels, pixel after pixel, behind the padding; zeros for a row outside.
#[inline(always)]
fn fill(
    conv: &Conv,
    source: &[f32],
    image: usize,
    channel: usize,
    y: Option<usize>,
    line: &mut [f32],
) {
    let [height, width] = conv.input;
    let line = &mut line[conv.padding[1] * LANES..];
    let (line, _) = line[..width * LANES].as_chunks_mut::<LANES>();
    let Some(y) = y else {
        line.fill([0.0; LANES]);
        return;
    };
    let first = channel * LANES;
    let count = (conv.in_channels - first).min(LANES);
    let plane = height * width;
    let start = (image * conv.in_channels + first) * plane + y * width;
    let rows = &source[start..start + (count - 1) * plane + width];
    transpose(rows, plane, count, width, line);
}
