//! Products of transformed pixels and weights, summed over channels: `[tile][number][output]`.

use std::ops::Range;

use super::super::tile::Work;
use super::super::vector::Vector;
use super::arithmetic::NUMBERS;
use super::grid::Chunk;
use super::{LANES, Tiles, weights};

/// Multiplies the tiles of a chunk with the weights of some channels.
pub(super) struct Products<'a> {
    pub(super) tiles: &'a Tiles,
    pub(super) chunk: &'a Chunk,
    /// As [`weights`] has them.
    pub(super) weights: &'a [f32],
    /// Outputs.
    pub(super) width: usize,
    pub(super) channels: Range<usize>,
    /// Added to, but by the first channels.
    pub(super) sums: &'a mut [f32],
}

impl Work for Products<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let (width, channels) = (self.width, self.channels.len());
        let step = weights::step(channels, width);
        let pixels = self.tiles.numbers();
        let block = self.channels.start / LANES;
        for number in 0..NUMBERS {
            for group in &self.chunk.groups {
                let start = (self.chunk.start + group.start) * NUMBERS * self.tiles.channels;
                let place = number * self.tiles.channels * group.len();
                let pixels = &pixels[(start + place + block * group.len()) * LANES..];
                let mut column = 0;
                while column < width {
                    let vectors = ((width - column) / V::LANES).min(2);
                    let job = Sums {
                        pixels: pixels.as_ptr(),
                        channels,
                        weights: self.weights[number * step + column..].as_ptr(),
                        width,
                        sums: self.sums[(group.start * NUMBERS + number) * width + column..]
                            .as_mut_ptr(),
                        add: self.channels.start > 0,
                    };
                    // SAFETY: the pixels of a group lie in `[channels][tile][channel]`; there are weights of all channels
                    // and outputs, and sums of all tiles.
                    unsafe {
                        match vectors {
                            1 => sums_of::<V, 1>(group.len(), &job),
                            _ => sums_of::<V, 2>(group.len(), &job),
                        }
                    }
                    column += vectors * V::LANES;
                }
            }
        }
    }
}

struct Sums {
    /// `[sixteen channels][tile][channel]`
    pixels: *const f32,
    channels: usize,
    /// `[channel][output]`
    weights: *const f32,
    /// From one channel of the weights to the next.
    width: usize,
    sums: *mut f32,
    /// Whether there are sums already.
    add: bool,
}

/// # Safety
///
/// As for [`sums`].
#[inline(always)]
unsafe fn sums_of<V: Vector, const VECTORS: usize>(tiles: usize, job: &Sums) {
    macro_rules! tiles {
        ($($count:literal)+) => {
            match tiles {
                // SAFETY: as the caller vouches.
                $($count if $count <= V::PAIRS => unsafe { sums::<V, $count, VECTORS>(job) },)+
                _ => unreachable!("a group has at most {} tiles, not {tiles}", V::PAIRS),
            }
        };
    }
    tiles!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// # Safety
///
/// The pointers reach what the fields of [`Sums`] say, for `TILES` tiles and `VECTORS` vectors of outputs. `V` is a vector that
/// the processor has.
#[inline(always)]
unsafe fn sums<V: Vector, const TILES: usize, const VECTORS: usize>(job: &Sums) {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        let row = NUMBERS * job.width;
        let mut sums = [[V::splat(0.0); VECTORS]; TILES];
        if job.add {
            for (tile, sums) in sums.iter_mut().enumerate() {
                for (vector, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(job.sums.add(tile * row + vector * V::LANES));
                }
            }
        }
        let mut pixels = job.pixels;
        let mut weights = job.weights;
        let mut left = job.channels;
        while left > 0 {
            let count = left.min(LANES);
            for lane in 0..count {
                let mut values = [V::splat(0.0); VECTORS];
                for (vector, value) in values.iter_mut().enumerate() {
                    *value = V::load(weights.add(vector * V::LANES));
                }
                for (tile, sums) in sums.iter_mut().enumerate() {
                    let pixel = V::splat(*pixels.add(tile * LANES + lane));
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum = sum.add_product(pixel, value);
                    }
                }
                weights = weights.wrapping_add(job.width);
            }
            pixels = pixels.wrapping_add(TILES * LANES);
            left -= count;
        }
        for (tile, sums) in sums.into_iter().enumerate() {
            for (vector, sum) in sums.into_iter().enumerate() {
                sum.store(job.sums.add(tile * row + vector * V::LANES));
            }
        }
    }
}
