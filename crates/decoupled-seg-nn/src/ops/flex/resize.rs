//! Resizing on the CPU: planes in parallel, rows first across, then down.

use std::mem::MaybeUninit;

use decoupled_seg_types::{Size, written};
use num_traits::One;
use rayon::prelude::*;

use super::super::position::ResizeAxis;
use super::number::{Real, Storage};
use super::simd::{Kernel, dispatch};

/// The two input pixels that each output pixel reads along one axis, and the share of the second.
struct Reads<R> {
    pixels: Vec<(u32, u32)>,
    shares: Vec<R>,
}

impl<R: Real> Reads<R> {
    fn new(input: usize, output: usize, align_corners: bool) -> Self {
        let axis = ResizeAxis::new(input, output, align_corners);
        let last = input - 1;
        let (pixels, shares) = (0..output)
            .map(|to| {
                let position = (to as f64 * axis.scale + axis.shift).max(0.0);
                let first = (position as usize).min(last);
                let pixels = (first as u32, (first + 1).min(last) as u32);
                (pixels, R::from_f64(position - first as f64))
            })
            .unzip();
        Self { pixels, shares }
    }

    fn get(&self, to: usize) -> (usize, usize, R) {
        let (first, second) = self.pixels[to];
        (first as usize, second as usize, self.shares[to])
    }
}

/// The output pixels that read each input pixel along one axis, with their shares: [`Reads`] transposed.
struct Readers<R> {
    /// Entries of input pixel `i`: `starts[i]..starts[i + 1]`.
    starts: Vec<usize>,
    entries: Vec<(u32, R)>,
}

impl<R: Real> Readers<R> {
    fn new(input: usize, output: usize, align_corners: bool) -> Self {
        let reads = Reads::<R>::new(input, output, align_corners);
        let mut of = vec![Vec::new(); input];
        for to in 0..output {
            let (first, second, share) = reads.get(to);
            of[first].push((to as u32, R::one() - share));
            of[second].push((to as u32, share));
        }
        let mut starts = vec![0];
        let mut entries = Vec::with_capacity(2 * output);
        for list in of {
            entries.extend(list);
            starts.push(entries.len());
        }
        Self { starts, entries }
    }

    #[inline(always)]
    fn of(&self, input: usize) -> &[(u32, R)] {
        &self.entries[self.starts[input]..self.starts[input + 1]]
    }
}

/// Resizes planes of `from` to planes of `to`.
pub(super) fn bilinear<S: Storage>(x: &[S], from: Size, to: Size, align_corners: bool) -> Vec<S> {
    let planes = x.len() / from.pixels();
    let rows = Reads::new(from.height, to.height, align_corners);
    let columns = Reads::new(from.width, to.width, align_corners);
    let write = |output: &mut [MaybeUninit<S>]| {
        output
            .par_chunks_exact_mut(to.pixels())
            .zip(x.par_chunks_exact(from.pixels()))
            .for_each_init(
                || vec![S::Real::default(); 2 * to.width],
                |buffer, (output, x)| {
                    dispatch(Forward {
                        x,
                        from,
                        rows: &rows,
                        columns: &columns,
                        buffer,
                        output,
                    })
                },
            );
    };
    // SAFETY: the chunks cover whole planes, and `Forward` writes every row of its plane.
    unsafe { written(planes * to.pixels(), write) }
}

struct Forward<'a, S: Storage> {
    x: &'a [S],
    from: Size,
    rows: &'a Reads<S::Real>,
    columns: &'a Reads<S::Real>,
    /// Two input rows, resized across.
    buffer: &'a mut [S::Real],
    output: &'a mut [MaybeUninit<S>],
}

impl<S: Storage> Kernel for Forward<'_, S> {
    #[inline(always)]
    fn run(self) {
        let width = self.columns.shares.len();
        let (mut upper, mut lower) = self.buffer.split_at_mut(width);
        // Which input rows the two buffers hold.
        let (mut upper_row, mut lower_row) = (usize::MAX, usize::MAX);
        let row = |y: usize| &self.x[y * self.from.width..][..self.from.width];
        for (y, output) in self.output.chunks_exact_mut(width).enumerate() {
            let (first, second, share) = self.rows.get(y);
            if first == lower_row {
                std::mem::swap(&mut upper, &mut lower);
                std::mem::swap(&mut upper_row, &mut lower_row);
            }
            if first != upper_row {
                across(row(first), self.columns, upper);
                upper_row = first;
            }
            if second != lower_row {
                across(row(second), self.columns, lower);
                lower_row = second;
            }
            let rest = S::Real::one() - share;
            for ((output, upper), lower) in output.iter_mut().zip(&*upper).zip(&*lower) {
                output.write(S::store(*upper * rest + *lower * share));
            }
        }
    }
}

/// Resizes a row.
#[inline(always)]
fn across<S: Storage>(row: &[S], columns: &Reads<S::Real>, output: &mut [S::Real]) {
    let reads = columns.pixels.iter().zip(&columns.shares);
    for (output, (&(first, second), &share)) in output.iter_mut().zip(reads) {
        let (first, second) = (row[first as usize].load(), row[second as usize].load());
        *output = first * (S::Real::one() - share) + second * share;
    }
}

/// Where the planes of a batch of images lie: whole images, but not always one behind the other.
pub(super) struct Images {
    pub(super) start: usize,
    pub(super) batch: usize,
    /// From an image to the next.
    pub(super) stride: usize,
    pub(super) channels: usize,
}

/// The gradient of [`bilinear`]: every input pixel collects from the output pixels that read it.
pub(super) fn bilinear_backward<S: Storage>(
    grad: &[S],
    images: Images,
    from: Size,
    to: Size,
    align_corners: bool,
) -> Vec<S> {
    let planes = images.batch * images.channels;
    let rows = Readers::new(from.height, to.height, align_corners);
    let columns = Readers::new(from.width, to.width, align_corners);
    let plane = |index: usize| {
        let (image, channel) = (index / images.channels, index % images.channels);
        &grad[images.start + image * images.stride + channel * to.pixels()..][..to.pixels()]
    };
    let write = |output: &mut [MaybeUninit<S>]| {
        output
            .par_chunks_exact_mut(from.pixels())
            .enumerate()
            .for_each_init(
                || vec![S::Real::default(); to.width],
                |buffer, (index, output)| {
                    dispatch(Backward {
                        grad: plane(index),
                        rows: &rows,
                        columns: &columns,
                        buffer,
                        output,
                        width: from.width,
                    })
                },
            );
    };
    // SAFETY: the chunks cover whole planes, and `Backward` writes every row of its plane.
    unsafe { written(planes * from.pixels(), write) }
}

struct Backward<'a, S: Storage> {
    grad: &'a [S],
    rows: &'a Readers<S::Real>,
    columns: &'a Readers<S::Real>,
    /// One input row, still as wide as the output.
    buffer: &'a mut [S::Real],
    output: &'a mut [MaybeUninit<S>],
    width: usize,
}

impl<S: Storage> Kernel for Backward<'_, S> {
    #[inline(always)]
    fn run(self) {
        let wide = self.buffer.len();
        for (y, output) in self.output.chunks_exact_mut(self.width).enumerate() {
            self.buffer.fill(S::Real::default());
            for &(from, share) in self.rows.of(y) {
                let grad = &self.grad[from as usize * wide..][..wide];
                for (sum, grad) in self.buffer.iter_mut().zip(grad) {
                    *sum += grad.load() * share;
                }
            }
            for (x, output) in output.iter_mut().enumerate() {
                let mut sum = S::Real::default();
                for &(from, share) in self.columns.of(x) {
                    sum += self.buffer[from as usize] * share;
                }
                output.write(S::store(sum));
            }
        }
    }
}
