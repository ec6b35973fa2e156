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

/// Two numbers made of each index of the slices, all of one length, and summed.
///
/// The lanes are read from chunks of known length: where a bound has to be checked, no vectors are used.
#[expect(
    clippy::needless_range_loop,
    reason = "an index runs over all inputs at once"
)]
#[inline(always)]
fn sums_of<const INPUTS: usize>(
    inputs: [&[f32]; INPUTS],
    of: impl Fn([f32; INPUTS]) -> [f32; 2],
) -> [f64; 2] {
    let len = inputs[0].len();
    let chunks = inputs.map(|input| input[..len].as_chunks::<LANES>());
    let count = len / LANES;
    let whole = chunks.map(|(whole, _)| &whole[..count]);
    let rest = chunks.map(|(_, rest)| &rest[..len % LANES]);
    let (mut first, mut second) = ([0.0; LANES], [0.0; LANES]);
    for chunk in 0..count {
        for lane in 0..LANES {
            let [a, b] = of(std::array::from_fn(|input| whole[input][chunk][lane]));
            first[lane] += a;
            second[lane] += b;
        }
    }
    let mut sums = [total(first), total(second)];
    for index in 0..len % LANES {
        let [a, b] = of(std::array::from_fn(|input| rest[input][index]));
        sums[0] += f64::from(a);
        sums[1] += f64::from(b);
    }
    sums
}

/// By halves, so that vectors can do it.
#[inline(always)]
fn total(lanes: [f32; LANES]) -> f64 {
    let mut sums = lanes.map(f64::from);
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
        half /= 2;
    }
    sums[0]
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
                let [sum, _] = sums_of([block], |[number]| [number, 0.0]);
                let centre = (sum / count) as f32;
                // The sum was rounded, and so the deviations have a mean of their own.
                let [deviations, squares] = sums_of([block], |[number]| {
                    let deviation = number - centre;
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
}

/// `1 / sqrt(variance + epsilon)`
#[inline(always)]
pub(super) fn inverse_deviation(variance: f32, epsilon: f64) -> f64 {
    1.0 / (f64::from(variance) + epsilon).sqrt()
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
    /// Without addend and ReLU.
    #[inline(always)]
    fn linear(self, x: f32) -> f32 {
        (x - self.mean) * self.scale + self.shift
    }

    #[inline(always)]
    pub(super) fn apply(self, x: &[f32], addend: Option<&[f32]>, output: &mut [MaybeUninit<f32>]) {
        let linear = |x: f32| self.linear(x);
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

/// What a ReLU behind a norm lets through of a gradient.
#[derive(Debug, Clone, Copy)]
pub(super) enum Gate<'a> {
    /// There is no ReLU.
    Open,
    /// Where this output is positive.
    Output(&'a [f32]),
    /// Where the norm's output is positive, made again from its input.
    Made(Forward),
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

/// The sums of `g` and of `g * (x - mean)`, where `g` is what the gate lets through of `grad`.
#[inline(always)]
pub(super) fn sums(grad: &[f32], x: &[f32], gate: Gate<'_>, mean: f32) -> [f64; 2] {
    let mut sums = [0.0; 2];
    for start in (0..grad.len()).step_by(BLOCK) {
        let block = start..(start + BLOCK).min(grad.len());
        let (grad, x) = (&grad[block.clone()], &x[block.clone()]);
        let found = match gate {
            Gate::Open => sums_of([grad, x], |[grad, x]| [grad, grad * (x - mean)]),
            Gate::Output(output) => sums_of([grad, x, &output[block]], |[grad, x, output]| {
                let grad = through(grad, output);
                [grad, grad * (x - mean)]
            }),
            Gate::Made(made) => sums_of([grad, x], |[grad, x]| {
                let grad = through(grad, made.linear(x));
                [grad, grad * (x - mean)]
            }),
        };
        sums[0] += found[0];
        sums[1] += found[1];
    }
    sums
}

/// `scale * (g - grad_mean - (x - mean) * slope)`, with `g` as of [`sums`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Backward {
    pub(super) mean: f32,
    pub(super) scale: f32,
    pub(super) grad_mean: f32,
    pub(super) slope: f32,
}

/// Where the gradient is, and where the results go; all are of one length.
pub(super) enum Places<'a> {
    /// The gradient of the input takes the gradient's place.
    Turned(&'a mut [f32]),
    /// What the gate lets through takes the gradient's place.
    Masked {
        grad: &'a mut [f32],
        x_grad: &'a mut [MaybeUninit<f32>],
    },
    /// The gradient stays; what the gate lets through is wanted or not.
    Apart {
        grad: &'a [f32],
        x_grad: &'a mut [MaybeUninit<f32>],
        masked: Option<&'a mut [MaybeUninit<f32>]>,
    },
}

impl Backward {
    /// Writes the gradient of the input and what the gate lets through, as the places say.
    #[inline(always)]
    pub(super) fn apply(self, x: &[f32], gate: Gate<'_>, places: Places<'_>) {
        match gate {
            Gate::Open => self.with(x, x, places, |grad, _, _| grad),
            Gate::Output(output) => {
                self.with(x, output, places, |grad, _, output| through(grad, output));
            }
            Gate::Made(made) => {
                self.with(x, x, places, |grad, x, _| through(grad, made.linear(x)));
            }
        }
    }

    /// With what lets the gradient through made of gradient, input and another number.
    #[inline(always)]
    fn with(
        self,
        x: &[f32],
        other: &[f32],
        places: Places<'_>,
        through: impl Fn(f32, f32, f32) -> f32,
    ) {
        let slope =
            |x: f32, grad: f32| self.scale * (grad - self.grad_mean - (x - self.mean) * self.slope);
        let inputs = x.iter().zip(other);
        match places {
            Places::Turned(grad) => {
                for (grad, (&x, &other)) in grad.iter_mut().zip(inputs) {
                    *grad = slope(x, through(*grad, x, other));
                }
            }
            Places::Masked { grad, x_grad } => {
                for ((grad, x_grad), (&x, &other)) in grad.iter_mut().zip(x_grad).zip(inputs) {
                    *grad = through(*grad, x, other);
                    x_grad.write(slope(x, *grad));
                }
            }
            Places::Apart {
                grad,
                x_grad,
                masked: None,
            } => {
                for ((&grad, x_grad), (&x, &other)) in grad.iter().zip(x_grad).zip(inputs) {
                    x_grad.write(slope(x, through(grad, x, other)));
                }
            }
            Places::Apart {
                grad,
                x_grad,
                masked: Some(masked),
            } => {
                let results = x_grad.iter_mut().zip(masked);
                for ((&grad, (x_grad, masked)), (&x, &other)) in
                    grad.iter().zip(results).zip(inputs)
                {
                    let grad = through(grad, x, other);
                    masked.write(grad);
                    x_grad.write(slope(x, grad));
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
