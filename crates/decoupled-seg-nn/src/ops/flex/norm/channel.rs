//! What is done to the numbers of one channel.

use std::mem::MaybeUninit;

/// Numbers that are read twice while they are in the first level of the cache.
const BLOCK: usize = 4 << 10;
/// Sums that are kept side by side, so that vectors can hold them and their latency is hidden.
const LANES: usize = 32;

/// Runs `work` with the widest vectors that the processor has. Only what is inlined is compiled for them.
#[inline(always)]
pub(in super::super) fn with_wide_vectors(work: impl FnOnce()) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512vl,avx512dq")]
        fn with_avx512(work: impl FnOnce()) {
            work();
        }
        #[target_feature(enable = "avx2")]
        fn with_avx2(work: impl FnOnce()) {
            work();
        }
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
        {
            // SAFETY: the processor has them, asked on the lines above.
            unsafe { with_avx512(work) };
            return;
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has it, asked on the line above.
            unsafe { with_avx2(work) };
            return;
        }
    }
    work();
}

#[inline(always)]
fn total(lanes: [f32; LANES]) -> f64 {
    lanes.into_iter().map(f64::from).sum()
}

/// Sums `of(index)` over `0..len`.
#[inline(always)]
fn sum(len: usize, of: impl Fn(usize) -> f32) -> f64 {
    let mut lanes = [0.0; LANES];
    let whole = len / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += of(start + lane);
        }
    }
    for (lane, index) in (whole..len).enumerate() {
        lanes[lane] += of(index);
    }
    total(lanes)
}

/// Count, mean and sum of squared deviations.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Statistics {
    count: f64,
    pub(super) mean: f64,
    squares: f64,
}

impl Statistics {
    /// Of all numbers of `parts`. Blocks by themselves, then merged: no sum is long, and no square large.
    #[inline(always)]
    pub(super) fn of<'a>(parts: impl Iterator<Item = &'a [f32]>) -> Self {
        let mut all = Self::default();
        for part in parts {
            for block in part.chunks(BLOCK) {
                let count = block.len() as f64;
                let centre = (sum(block.len(), |index| block[index]) / count) as f32;
                // The sum was rounded, and so the deviations have a mean of their own.
                let [deviations, squares] = two_sums(block.len(), |index| {
                    let deviation = block[index] - centre;
                    [deviation, deviation * deviation]
                });
                let off = deviations / count;
                all = all.merged(Self {
                    count,
                    mean: f64::from(centre) + off,
                    squares: squares - deviations * off,
                });
            }
        }
        all
    }

    fn merged(self, other: Self) -> Self {
        let count = self.count + other.count;
        let apart = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + apart * (other.count / count),
            squares: self.squares
                + other.squares
                + apart * apart * (self.count * other.count / count),
        }
    }

    /// The biased variance.
    pub(super) fn variance(&self) -> f64 {
        (self.squares / self.count).max(0.0)
    }

    /// `1 / sqrt(variance + epsilon)`
    pub(super) fn inverse_deviation(&self, epsilon: f64) -> f64 {
        1.0 / (self.variance() + epsilon).sqrt()
    }
}

/// `(x - mean) * scale + shift + addend`, negative results zero if `relu`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forward {
    pub(super) mean: f32,
    pub(super) scale: f32,
    pub(super) shift: f32,
    pub(super) relu: bool,
}

impl Forward {
    #[inline(always)]
    pub(super) fn apply(self, x: &[f32], addend: Option<&[f32]>, output: &mut [MaybeUninit<f32>]) {
        let linear = |x: f32| (x - self.mean) * self.scale + self.shift;
        match (addend, self.relu) {
            (None, false) => map(x, output, linear),
            (None, true) => map(x, output, |x| relu(linear(x))),
            (Some(addend), false) => map_two(x, addend, output, |x, addend| linear(x) + addend),
            (Some(addend), true) => {
                map_two(x, addend, output, |x, addend| relu(linear(x) + addend));
            }
        }
    }
}

/// Zero for negative numbers; what is not a number stays.
#[inline(always)]
fn relu(number: f32) -> f32 {
    if number < 0.0 { 0.0 } else { number }
}

#[inline(always)]
fn map(x: &[f32], output: &mut [MaybeUninit<f32>], of: impl Fn(f32) -> f32) {
    for (&x, output) in x.iter().zip(output) {
        output.write(of(x));
    }
}

#[inline(always)]
fn map_two(x: &[f32], y: &[f32], output: &mut [MaybeUninit<f32>], of: impl Fn(f32, f32) -> f32) {
    for ((&x, &y), output) in x.iter().zip(y).zip(output) {
        output.write(of(x, y));
    }
}

/// What a ReLU with that output lets through of a gradient.
#[inline(always)]
fn through(grad: f32, output: f32) -> f32 {
    if output > 0.0 { grad } else { 0.0 }
}

/// The sums of `g` and of `g * (x - mean)`, where `g` is what the ReLU before `output`, if any, lets through of `grad`.
#[inline(always)]
pub(super) fn sums(grad: &[f32], x: &[f32], output: Option<&[f32]>, mean: f32) -> [f64; 2] {
    let mut sums = [0.0; 2];
    let mut add = |found: [f64; 2]| {
        sums[0] += found[0];
        sums[1] += found[1];
    };
    match output {
        Some(output) => {
            let blocks = grad.chunks(BLOCK).zip(x.chunks(BLOCK));
            for ((grad, x), output) in blocks.zip(output.chunks(BLOCK)) {
                let (x, output) = (&x[..grad.len()], &output[..grad.len()]);
                add(two_sums(grad.len(), |index| {
                    let grad = through(grad[index], output[index]);
                    [grad, grad * (x[index] - mean)]
                }));
            }
        }
        None => {
            for (grad, x) in grad.chunks(BLOCK).zip(x.chunks(BLOCK)) {
                let x = &x[..grad.len()];
                add(two_sums(grad.len(), |index| {
                    [grad[index], grad[index] * (x[index] - mean)]
                }));
            }
        }
    }
    sums
}

#[inline(always)]
fn two_sums(len: usize, of: impl Fn(usize) -> [f32; 2]) -> [f64; 2] {
    let (mut first, mut second) = ([0.0; LANES], [0.0; LANES]);
    let whole = len / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        for lane in 0..LANES {
            let [a, b] = of(start + lane);
            first[lane] += a;
            second[lane] += b;
        }
    }
    for (lane, index) in (whole..len).enumerate() {
        let [a, b] = of(index);
        first[lane] += a;
        second[lane] += b;
    }
    [total(first), total(second)]
}

/// `scale * (g - grad_mean - (x - mean) * slope)`, with `g` as of [`sums`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Backward {
    pub(super) mean: f32,
    pub(super) scale: f32,
    pub(super) grad_mean: f32,
    pub(super) slope: f32,
}

impl Backward {
    /// Writes the gradient of the input and, if asked for, what the ReLU lets through.
    ///
    /// # Safety
    ///
    /// `grad` can be read and the targets be written for as many numbers as `x` has. Each of the targets is `grad` itself or
    /// does not overlap it, and they do not overlap each other.
    #[inline(always)]
    pub(super) unsafe fn apply(
        self,
        grad: *const f32,
        x: &[f32],
        output: Option<&[f32]>,
        x_grad: *mut f32,
        masked: Option<*mut f32>,
    ) {
        let slope =
            |x: f32, grad: f32| self.scale * (grad - self.grad_mean - (x - self.mean) * self.slope);
        // SAFETY: as the caller vouches; each number is read before the same place is written.
        unsafe {
            match (output, masked) {
                (None, _) => {
                    for (index, &x) in x.iter().enumerate() {
                        *x_grad.add(index) = slope(x, *grad.add(index));
                    }
                }
                (Some(output), None) => {
                    for (index, (&x, &output)) in x.iter().zip(output).enumerate() {
                        *x_grad.add(index) = slope(x, through(*grad.add(index), output));
                    }
                }
                (Some(output), Some(masked)) => {
                    for (index, (&x, &output)) in x.iter().zip(output).enumerate() {
                        let grad = through(*grad.add(index), output);
                        *x_grad.add(index) = slope(x, grad);
                        *masked.add(index) = grad;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_parts_are_those_of_all_numbers() {
        // A mean far from zero: squares would lose it.
        let numbers: Vec<f32> = (0..10_007)
            .map(|n| 1000.0 + (n * 37 % 101) as f32 / 101.0)
            .collect();
        let exact = |of: &dyn Fn(f64) -> f64| {
            let all = numbers.iter().map(|&number| of(f64::from(number)));
            all.sum::<f64>() / numbers.len() as f64
        };
        let mean = exact(&|number| number);
        let variance = exact(&|number| (number - mean) * (number - mean));
        for parts in [vec![10_007], vec![1, 5000, 5006]] {
            let mut rest = &numbers[..];
            let parts = parts.into_iter().map(|len| {
                let (part, behind) = rest.split_at(len);
                rest = behind;
                part
            });
            let found = Statistics::of(parts);
            // Deviations of at most 1, summed in f32 in 32 lanes of 128.
            assert!((found.mean - mean).abs() < 1e-6, "{}", found.mean);
            assert!((found.variance() / variance - 1.0).abs() < 1e-6);
        }
    }
}
