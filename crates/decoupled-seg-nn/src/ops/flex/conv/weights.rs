//! Weights in the order in which the tiles read them.

use std::mem::MaybeUninit;
use std::ops::Range;

use decoupled_seg_types::written;
use rayon::prelude::*;

use super::geometry::Lattice;

/// Where the weights of a lattice lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct WeightStrides {
    pub(super) group: usize,
    pub(super) output: usize,
    pub(super) channel: usize,
}

/// The output channels of a group in panels, and the channels in blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    pub(super) outputs: usize,
    pub(super) panels: usize,
    pub(super) channels: usize,
    pub(super) blocks: usize,
}

impl Split {
    /// Panels of at most `panel` outputs and blocks of at most `block` channels, of about the same size each.
    pub(super) fn new(lattice: &Lattice, panel: usize, block: usize) -> Self {
        Self {
            outputs: lattice.outputs,
            panels: lattice.outputs.div_ceil(panel),
            channels: lattice.channels,
            blocks: lattice.channels.div_ceil(block),
        }
    }

    pub(super) fn panel(&self, index: usize) -> Range<usize> {
        share(self.outputs, self.panels, index)
    }

    pub(super) fn block(&self, index: usize) -> Range<usize> {
        share(self.channels, self.blocks, index)
    }

    /// The largest block.
    pub(super) fn largest_block(&self) -> usize {
        self.channels.div_ceil(self.blocks)
    }

    /// The largest panel.
    pub(super) fn largest_panel(&self) -> usize {
        self.outputs.div_ceil(self.panels)
    }
}

/// Part `index` of `parts` of about the same size.
pub(super) fn share(len: usize, parts: usize, index: usize) -> Range<usize> {
    index * len / parts..(index + 1) * len / parts
}

/// `[group][panel][block][tap][channel][output]`.
pub(super) struct Packed {
    numbers: Vec<f32>,
    taps: usize,
    split: Split,
}

impl Packed {
    pub(super) fn new(
        lattice: &Lattice,
        split: Split,
        weights: &[f32],
        strides: WeightStrides,
        scale: Option<&[f32]>,
    ) -> Self {
        let taps = lattice.taps.len();
        let panels = lattice.groups * split.panels;
        let len = lattice.groups * split.outputs * split.channels * taps;
        let write = |numbers: &mut [MaybeUninit<f32>]| {
            let mut rest = numbers;
            let mut parts = Vec::with_capacity(panels);
            for panel in 0..panels {
                let outputs = split.panel(panel % split.panels);
                let (part, behind) = rest.split_at_mut(outputs.len() * split.channels * taps);
                rest = behind;
                parts.push((panel / split.panels, outputs, part));
            }
            parts.into_par_iter().for_each(|(group, outputs, part)| {
                let first = group * strides.group + outputs.start * strides.output;
                let rows = outputs.len();
                let scale =
                    scale.map(|scale| &scale[group * split.outputs + outputs.start..][..rows]);
                let mut rest = part;
                for block in 0..split.blocks {
                    let channels = split.block(block);
                    let count = channels.len();
                    let (part, behind) = rest.split_at_mut(rows * count * taps);
                    rest = behind;
                    let mut part = part.iter_mut();
                    for tap in &lattice.taps {
                        for channel in channels.clone() {
                            let column = &weights[first + channel * strides.channel + tap.weight..];
                            let column = column.iter().step_by(strides.output).take(rows);
                            let places = column.zip(&mut part);
                            match scale {
                                None => places.for_each(|(&weight, place)| {
                                    place.write(weight);
                                }),
                                Some(scale) => {
                                    for ((&weight, place), &scale) in places.zip(scale) {
                                        place.write(weight * scale);
                                    }
                                }
                            }
                        }
                    }
                }
            });
        };
        // SAFETY: panels, blocks, channels, rows and taps together name every number once.
        let numbers = unsafe { written(len, write) };
        Self {
            numbers,
            taps,
            split,
        }
    }

    /// `[tap][channel][output]` of a panel and a block.
    pub(super) fn part(&self, group: usize, panel: usize, block: usize) -> &[f32] {
        let Split {
            outputs, channels, ..
        } = self.split;
        let (rows, columns) = (self.split.panel(panel), self.split.block(block));
        let start = (group * outputs + rows.start) * channels + rows.len() * columns.start;
        &self.numbers[start * self.taps..][..rows.len() * columns.len() * self.taps]
    }
}
