//! Transformed weights of a few outputs: `[number][channel][output]`.

use std::ops::Range;

use super::super::geometry::Conv;
use super::super::tile::Work;
use super::super::vector::Vector;
use super::LANES;
use super::arithmetic::{self, NUMBERS, OfWeights, PIXELS};
use super::transpose::transpose;

/// Weights of a kernel.
const TAPS: usize = 9;
/// Channels that are transposed at a time.
const CHANNELS: usize = 8;

/// Numbers of the kernels that are transposed at a time.
pub(super) const SCRATCH: usize = TAPS * CHANNELS * LANES;

/// From one number to the next: a line more than there are weights, so that not all fall into the same places of the cache.
pub(super) fn step(channels: usize, width: usize) -> usize {
    channels * width + LANES
}

pub(super) fn len(channels: usize, width: usize) -> usize {
    NUMBERS * step(channels, width)
}

/// Transforms the weights of some channels.
pub(super) struct Weights<'a> {
    pub(super) conv: &'a Conv,
    pub(super) numbers: &'a [f32],
    /// Outputs, in lanes.
    pub(super) lanes: Range<usize>,
    pub(super) channels: Range<usize>,
    pub(super) scratch: &'a mut [f32],
    pub(super) target: &'a mut [f32],
}

impl Work for Weights<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let width = self.lanes.len() * LANES;
        let step = step(self.channels.len(), width);
        let row = self.conv.in_channels * TAPS;
        let (kernels, _) = self.scratch[..SCRATCH].as_chunks_mut::<LANES>();
        for (group, lanes) in self.lanes.clone().enumerate() {
            let first = lanes * LANES;
            let count = (self.conv.out_channels - first).min(LANES);
            // Outputs that are not there.
            kernels.fill([0.0; LANES]);
            for start in self.channels.clone().step_by(CHANNELS) {
                let few = start..(start + CHANNELS).min(self.channels.end);
                let numbers = &self.numbers[first * row + few.start * TAPS..];
                transpose(numbers, row, count, few.len() * TAPS, kernels);
                for (index, channel) in few.enumerate() {
                    let kernel = &kernels[index * TAPS..][..TAPS];
                    let place = (channel - self.channels.start) * width + group * LANES;
                    for part in (0..LANES).step_by(V::LANES) {
                        arithmetic::both_axes(
                            OfWeights,
                            #[inline(always)]
                            |row, column| {
                                let lanes = &kernel[row * 3 + column][part..part + V::LANES];
                                // SAFETY: there are as many.
                                unsafe { V::load(lanes.as_ptr()) }
                            },
                            #[inline(always)]
                            |row, numbers: [V; PIXELS]| {
                                for (column, number) in numbers.into_iter().enumerate() {
                                    let place = (row * PIXELS + column) * step + place + part;
                                    let to = &mut self.target[place..place + V::LANES];
                                    // SAFETY: there is room for as many.
                                    unsafe { number.store(to.as_mut_ptr()) };
                                }
                            },
                        );
                    }
                }
            }
        }
    }
}
