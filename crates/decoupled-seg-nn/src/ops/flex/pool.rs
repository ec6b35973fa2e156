//! Max pooling in `f32`, a plane a task.

use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Shape;
use decoupled_seg_types::written;
use rayon::prelude::*;

use super::super::pool::{PoolBackend, PoolGradients, Window};
use super::norm::with_wide_vectors;
use super::{Primitive, tensor};

/// Planes and the windows over them.
#[derive(Clone, Copy)]
struct Pool {
    window: Window,
    input: [usize; 2],
    output: [usize; 2],
}

impl Pool {
    fn new(window: Window, x: &Primitive) -> Self {
        let [_, _, height, width] = x.shape().dims();
        let input = [height, width];
        let output = [0, 1].map(|axis: usize| {
            (input[axis] + 2 * window.padding[axis] - window.kernel[axis]) / window.stride[axis] + 1
        });
        Self {
            window,
            input,
            output,
        }
    }

    /// The pixels of an axis that the window `place` sees.
    #[inline(always)]
    fn seen(&self, axis: usize, place: usize) -> std::ops::Range<usize> {
        let start = place * self.window.stride[axis];
        let padding = self.window.padding[axis];
        let end = (start + self.window.kernel[axis] - padding).min(self.input[axis]);
        start.saturating_sub(padding)..end
    }

    /// The largest numbers of a plane. `line` has a number a column of the input.
    #[inline(always)]
    fn plane(&self, x: &[f32], line: &mut [f32], output: &mut [std::mem::MaybeUninit<f32>]) {
        let width = self.input[1];
        for (y, output) in output.chunks_exact_mut(self.output[1]).enumerate() {
            let rows = self.seen(0, y);
            line.copy_from_slice(&x[rows.start * width..][..width]);
            for row in rows.skip(1) {
                for (most, &number) in line.iter_mut().zip(&x[row * width..][..width]) {
                    *most = larger(*most, number);
                }
            }
            for (place, output) in output.iter_mut().enumerate() {
                let seen = &line[self.seen(1, place)];
                let most = seen[1..].iter().fold(seen[0], |most, &x| larger(most, x));
                output.write(most);
            }
        }
    }

    /// Adds the gradient of each output to that of the number that it is; they start at zero. `found` has a number a column of
    /// the output.
    #[inline(always)]
    fn plane_backward(
        &self,
        x: &[f32],
        output: &[f32],
        grad: &[f32],
        found: &mut [u32],
        x_grad: &mut [f32],
    ) {
        let width = self.input[1];
        let rows_of_outputs = output.chunks_exact(self.output[1]);
        for (y, (most, grad)) in rows_of_outputs
            .zip(grad.chunks_exact(self.output[1]))
            .enumerate()
        {
            let rows = self.seen(0, y);
            // Where nothing is as large, something is not a number, and so is the gradient.
            for (place, found) in found.iter_mut().enumerate() {
                *found = (rows.start * width + self.seen(1, place).start) as u32;
            }
            // From the last number of the windows to the first, which wins.
            for row in rows.rev() {
                for column in (0..self.window.kernel[1]).rev() {
                    let places = self.places(column);
                    if places.is_empty() {
                        continue;
                    }
                    let first =
                        places.start * self.window.stride[1] + column - self.window.padding[1];
                    let start = row * width + first;
                    mark(
                        &x[start..],
                        self.window.stride[1],
                        &most[places.clone()],
                        start as u32,
                        &mut found[places],
                    );
                }
            }
            for (&found, &grad) in found.iter().zip(grad) {
                x_grad[found as usize] += grad;
            }
        }
    }

    /// The windows of a row whose number `column` is not padding.
    #[inline(always)]
    fn places(&self, column: usize) -> std::ops::Range<usize> {
        let (padding, stride) = (self.window.padding[1], self.window.stride[1]);
        let start = padding.saturating_sub(column).div_ceil(stride);
        let end = (self.input[1] + padding)
            .saturating_sub(column)
            .div_ceil(stride);
        let end = end.min(self.output[1]);
        start.min(end)..end
    }
}

/// Where every `stride`-th number of `x` is the largest of its window, makes its place the one that was found.
#[inline(always)]
fn mark(x: &[f32], stride: usize, most: &[f32], start: u32, found: &mut [u32]) {
    let mut done = 0;
    // With pairs there is no bound to check, and vectors can do it.
    if stride == 2 {
        let (pairs, _) = x.as_chunks::<2>();
        done = pairs.len().min(found.len());
        let places = (start..).step_by(2);
        for (((found, &most), &[number, _]), place) in
            found.iter_mut().zip(most).zip(pairs).zip(places)
        {
            *found = if number == most { place } else { *found };
        }
    }
    for (index, (found, &most)) in found.iter_mut().zip(most).enumerate().skip(done) {
        if x[index * stride] == most {
            *found = start + (index * stride) as u32;
        }
    }
}

/// The larger of both; what is not a number is larger than any.
#[inline(always)]
fn larger(most: f32, number: f32) -> f32 {
    if number > most || number.is_nan() {
        number
    } else {
        most
    }
}

/// The numbers of a tensor of `f32` that is contiguous.
fn numbers(tensor: &Primitive) -> &[f32] {
    tensor
        .as_slice()
        .expect("the tensor was made contiguous, and is of f32")
}

impl PoolBackend for Flex {
    fn largest(x: Primitive, window: Window) -> Primitive {
        let pool = Pool::new(window, &x);
        let [batch, channels, _, _] = x.shape().dims();
        let [height, width] = pool.output;
        let x = x.to_contiguous();
        let plane = pool.input[0] * pool.input[1];
        let len = batch * channels * height * width;
        // SAFETY: every plane writes all of its outputs.
        let output = unsafe {
            written(len, |output| {
                output
                    .par_chunks_exact_mut(height * width)
                    .zip(numbers(&x).par_chunks_exact(plane))
                    .for_each_init(
                        || vec![0.0; pool.input[1]],
                        |line, (output, x)| {
                            with_wide_vectors(
                                #[inline(always)]
                                || pool.plane(x, line, output),
                            );
                        },
                    );
            })
        };
        tensor(output, Shape::new([batch, channels, height, width]))
    }
}

impl PoolGradients for Flex {
    fn largest_backward(
        x: Primitive,
        output: Primitive,
        grad: Primitive,
        window: Window,
    ) -> Primitive {
        let (pool, shape) = (Pool::new(window, &x), x.shape());
        let [x, output, grad] = [x, output, grad].map(|tensor| tensor.to_contiguous());
        let (plane, points) = (
            pool.input[0] * pool.input[1],
            pool.output[0] * pool.output[1],
        );
        assert!(u32::try_from(plane).is_ok(), "a plane of {plane} pixels");
        let mut x_grad = vec![0.0; numbers(&x).len()];
        x_grad
            .par_chunks_exact_mut(plane)
            .zip(numbers(&x).par_chunks_exact(plane))
            .zip(numbers(&output).par_chunks_exact(points))
            .zip(numbers(&grad).par_chunks_exact(points))
            .for_each_init(
                || vec![0; pool.output[1]],
                |found, (((x_grad, x), output), grad)| {
                    with_wide_vectors(
                        #[inline(always)]
                        || pool.plane_backward(x, output, grad, found, x_grad),
                    );
                },
            );
        tensor(x_grad, shape)
    }
}
