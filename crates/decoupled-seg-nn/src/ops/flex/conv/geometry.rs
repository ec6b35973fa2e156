//! What meets what: shapes of a convolution, and the one form that all directions of it are brought into.

use std::ops::Range;

/// Shapes of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Conv {
    pub(in super::super) batch: usize,
    pub(in super::super) groups: usize,
    /// Input channels of a group.
    pub(in super::super) in_channels: usize,
    /// Output channels of a group.
    pub(in super::super) out_channels: usize,
    /// Height and width of the input.
    pub(in super::super) input: [usize; 2],
    /// Height and width of the output.
    pub(in super::super) output: [usize; 2],
    pub(in super::super) kernel: [usize; 2],
    pub(in super::super) stride: [usize; 2],
    /// Zeros above and to the left.
    pub(in super::super) padding: [usize; 2],
    pub(in super::super) dilation: [usize; 2],
}

impl Conv {
    /// Numbers in the input.
    pub(in super::super) fn input_len(&self) -> usize {
        self.batch * self.groups * self.in_channels * self.input[0] * self.input[1]
    }

    /// Numbers in the output.
    pub(in super::super) fn output_len(&self) -> usize {
        self.batch * self.groups * self.out_channels * self.output[0] * self.output[1]
    }

    /// Numbers in the weights.
    pub(in super::super) fn weight_len(&self) -> usize {
        self.groups * self.out_channels * self.in_channels * self.kernel[0] * self.kernel[1]
    }

    /// How far the tap `place` of an axis reaches from the first pixel of the input, for the first pixel of the output.
    fn reach(&self, axis: usize, place: usize) -> isize {
        (place * self.dilation[axis]) as isize - self.padding[axis] as isize
    }

    /// The source pixel that the tap `place` of an axis sees from `point`, if it is none of the padding.
    pub(super) fn source(&self, axis: usize, place: usize, point: usize) -> Option<usize> {
        let pixel = usize::try_from((point * self.stride[axis]) as isize + self.reach(axis, place));
        pixel.ok().filter(|&pixel| pixel < self.input[axis])
    }

    /// The points of an axis from which the tap `place` sees more than padding.
    pub(super) fn seen(&self, axis: usize, place: usize) -> Range<usize> {
        let (reach, stride) = (self.reach(axis, place), self.stride[axis]);
        // The first point whose source pixel is not before `pixel`.
        let first = |pixel: isize| {
            let first = (pixel - reach).max(0) as usize;
            first.div_ceil(stride).min(self.output[axis])
        };
        let start = first(0);
        start..first(self.input[axis] as isize).max(start)
    }

    /// Output from input.
    pub(super) fn forward(&self) -> Lattice {
        let mut taps = Vec::new();
        for y in 0..self.kernel[0] {
            for x in 0..self.kernel[1] {
                taps.push(Tap {
                    offset: [self.reach(0, y), self.reach(1, x)],
                    weight: y * self.kernel[1] + x,
                });
            }
        }
        Lattice {
            batch: self.batch,
            groups: self.groups,
            channels: self.in_channels,
            outputs: self.out_channels,
            source: self.input,
            step: self.stride,
            taps,
            points: self.output,
            target: self.output,
            start: [0, 0],
            spread: [1, 1],
        }
    }

    /// Gradient of the input from the gradient of the output: a lattice for every phase of the stride, which together
    /// reach every pixel of the input once.
    pub(super) fn input_gradient(&self) -> Vec<Lattice> {
        let mut lattices = Vec::new();
        for y in 0..self.stride[0].min(self.input[0]) {
            for x in 0..self.stride[1].min(self.input[1]) {
                let (rows, columns) = (self.senders(0, y), self.senders(1, x));
                let mut taps = Vec::new();
                for &(row, down) in &rows {
                    for &(column, across) in &columns {
                        taps.push(Tap {
                            offset: [down, across],
                            weight: row * self.kernel[1] + column,
                        });
                    }
                }
                lattices.push(Lattice {
                    batch: self.batch,
                    groups: self.groups,
                    channels: self.out_channels,
                    outputs: self.in_channels,
                    source: self.output,
                    step: [1, 1],
                    taps,
                    points: [
                        (self.input[0] - y).div_ceil(self.stride[0]),
                        (self.input[1] - x).div_ceil(self.stride[1]),
                    ],
                    target: self.input,
                    start: [y, x],
                    spread: self.stride,
                });
            }
        }
        lattices
    }

    /// The taps of an axis through which the input pixels of `phase` are read, and the output pixel that reads the
    /// first of these pixels.
    fn senders(&self, axis: usize, phase: usize) -> Vec<(usize, isize)> {
        let stride = self.stride[axis] as isize;
        (0..self.kernel[axis])
            .filter_map(|place| {
                let from = phase as isize - self.reach(axis, place);
                (from.rem_euclid(stride) == 0).then(|| (place, from.div_euclid(stride)))
            })
            .collect()
    }
}

/// A tap of a kernel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tap {
    /// Where the source pixel of the first point lies.
    pub(super) offset: [isize; 2],
    /// Which number of the kernel it multiplies with.
    pub(super) weight: usize,
}

/// A sum of weighted source pixels at each point of a lattice:
///
/// ```text
/// target[o, start + spread * p] = sum over channels c and taps t of weight[o, c, t] * source[c, step * p + offset(t)]
/// ```
#[derive(Debug, Clone)]
pub(super) struct Lattice {
    pub(super) batch: usize,
    pub(super) groups: usize,
    /// Channels of the source, a group.
    pub(super) channels: usize,
    /// Channels of the target, a group.
    pub(super) outputs: usize,
    /// Height and width of the source.
    pub(super) source: [usize; 2],
    pub(super) step: [usize; 2],
    pub(super) taps: Vec<Tap>,
    /// Rows and columns of the lattice.
    pub(super) points: [usize; 2],
    /// Height and width of the target.
    pub(super) target: [usize; 2],
    pub(super) start: [usize; 2],
    pub(super) spread: [usize; 2],
}
