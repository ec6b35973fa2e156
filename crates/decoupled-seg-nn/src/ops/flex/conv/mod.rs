//! Convolutions on the CPU, in `f32`, straight from and into `[batch, channels, height, width]`.
//!
//! The same bits come out for every number of threads.

mod geometry;
mod outer;
mod patch;
mod product;
mod scratch;
mod tile;
mod vector;
mod weight_gradient;
mod weights;
mod winograd;

use decoupled_seg_types::written;

pub(super) use geometry::Conv;
pub(super) use product::Finish;
use product::calculate;
use tile::Isa;
use weights::WeightStrides;

/// Convolves `input` with `weight`, `[outputs, channels of a group, height, width]`.
pub(super) fn forward(conv: &Conv, input: &[f32], weight: &[f32], finish: Finish<'_>) -> Vec<f32> {
    assert_lengths(conv, input, weight);
    let taps = conv.kernel[0] * conv.kernel[1];
    let strides = WeightStrides {
        group: conv.out_channels * conv.in_channels * taps,
        output: conv.in_channels * taps,
        channel: taps,
    };
    let isa = Isa::detect();
    // SAFETY: the lattice of the output has a point at every pixel, and `calculate` writes all points.
    unsafe {
        written(conv.output_len(), |output| {
            calculate(isa, &conv.forward(), input, weight, strides, finish, output);
        })
    }
}

/// As [`forward`], with fewer products and ten times its rounding where that is faster.
pub(super) fn forward_fast(
    conv: &Conv,
    input: &[f32],
    weight: &[f32],
    finish: Finish<'_>,
) -> Vec<f32> {
    if !winograd::suits(conv) {
        return forward(conv, input, weight, finish);
    }
    assert_lengths(conv, input, weight);
    // SAFETY: the tiles of all phases and images cover the output, and `calculate` writes all points of them in it.
    unsafe {
        written(conv.output_len(), |output| {
            winograd::calculate(Isa::detect(), conv, input, weight, finish, output);
        })
    }
}

/// The gradient of the input from the gradient of the output.
pub(super) fn input_gradient(conv: &Conv, grad: &[f32], weight: &[f32]) -> Vec<f32> {
    assert_eq!(
        grad.len(),
        conv.output_len(),
        "the gradient is of the output's shape"
    );
    let taps = conv.kernel[0] * conv.kernel[1];
    let strides = WeightStrides {
        group: conv.out_channels * conv.in_channels * taps,
        output: taps,
        channel: conv.in_channels * taps,
    };
    let isa = Isa::detect();
    // SAFETY: the lattices together have a point at every pixel of the input, and `calculate` writes all points.
    unsafe {
        written(conv.input_len(), |target| {
            for lattice in conv.input_gradient() {
                calculate(
                    isa,
                    &lattice,
                    grad,
                    weight,
                    strides,
                    Finish::default(),
                    target,
                );
            }
        })
    }
}

/// The gradient of the weights.
pub(super) fn weight_gradient(conv: &Conv, input: &[f32], grad: &[f32]) -> Vec<f32> {
    assert_eq!(input.len(), conv.input_len(), "the input is of its shape");
    assert_eq!(
        grad.len(),
        conv.output_len(),
        "the gradient is of the output's shape"
    );
    // SAFETY: `weight_gradient` writes every number of its target, piece by piece.
    unsafe {
        written(conv.weight_len(), |target| {
            weight_gradient::weight_gradient(Isa::detect(), conv, input, grad, target);
        })
    }
}

fn assert_lengths(conv: &Conv, input: &[f32], weight: &[f32]) {
    assert_eq!(input.len(), conv.input_len(), "the input is of its shape");
    assert_eq!(
        weight.len(),
        conv.weight_len(),
        "the weights are of their shape"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Odd sizes, dilation, padding, several images, bias, addend and ReLU.
    #[test]
    fn winograd_is_close_to_the_plain_sums() {
        let plain = Conv {
            batch: 2,
            groups: 1,
            in_channels: 33,
            out_channels: 37,
            input: [29, 38],
            output: [29, 38],
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
        };
        let dilated = Conv {
            padding: [3, 2],
            dilation: [3, 2],
            ..plain
        };
        let unpadded = Conv {
            output: [31, 30],
            padding: [2, 0],
            dilation: [1, 4],
            ..plain
        };
        let numbers = |len: usize, step: usize| -> Vec<f32> {
            (0..len)
                .map(|index| (index * step % 127) as f32 / 63.0 - 1.0)
                .collect()
        };
        // Several blocks of channels.
        let deep = Conv {
            in_channels: 300,
            out_channels: 70,
            batch: 1,
            dilation: [2, 2],
            padding: [2, 2],
            ..plain
        };
        // Several blocks of rows of tiles, and more than a chunk in each.
        let large = Conv {
            in_channels: 90,
            out_channels: 3,
            input: [80, 100],
            output: [80, 100],
            ..plain
        };
        let narrow = Conv {
            in_channels: 3,
            input: [1, 7],
            output: [1, 7],
            ..plain
        };
        for conv in [plain, dilated, unpadded, deep, large, narrow] {
            let input = numbers(conv.input_len(), 31);
            let weight = numbers(conv.weight_len(), 17);
            let outputs = conv.out_channels;
            let (bias, scale) = (numbers(outputs, 5), numbers(outputs, 11));
            let addend = numbers(conv.output_len(), 53);
            let finish = Finish {
                scale: Some(&scale),
                bias: Some(&bias),
                addend: Some(&addend),
                relu: true,
            };
            let exact = forward(&conv, &input, &weight, finish);
            let largest = exact.iter().fold(0.0, |most: f32, &x| most.max(x));
            for isa in Isa::all() {
                // SAFETY: all points are written, as in `forward_fast`.
                let fast = unsafe {
                    written(conv.output_len(), |output| {
                        winograd::calculate(isa, &conv, &input, &weight, finish, output);
                    })
                };
                for (index, (&fast, &exact)) in fast.iter().zip(&exact).enumerate() {
                    let close = (fast - exact).abs() <= 1e-5 * largest;
                    assert!(close, "{conv:?}, {index}: {fast}, exactly {exact}");
                }
                let on = |threads: usize| {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                    // SAFETY: as above.
                    pool.expect("threads").install(|| unsafe {
                        written(conv.output_len(), |output| {
                            winograd::calculate(isa, &conv, &input, &weight, finish, output);
                        })
                    })
                };
                assert!([1, 2, 4].into_iter().all(|threads| on(threads) == fast));
            }
        }
    }

    /// Every instruction set gives the same sums, but for rounding.
    #[test]
    fn all_instruction_sets_agree() {
        let wide = Conv {
            batch: 2,
            groups: 2,
            in_channels: 90,
            out_channels: 13,
            input: [11, 29],
            output: [11, 29],
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
        };
        // One block of channels, whose panels are no whole number of cache lines with AVX2.
        let stem = Conv {
            batch: 1,
            groups: 1,
            in_channels: 3,
            out_channels: 9,
            kernel: [7, 7],
            padding: [3, 3],
            ..wide
        };
        for conv in [wide, stem] {
            assert_agreement(&conv);
        }
    }

    fn assert_agreement(conv: &Conv) {
        let numbers = |len: usize, step: usize| -> Vec<f32> {
            (0..len)
                .map(|index| (index * step % 127) as f32 / 63.0 - 1.0)
                .collect()
        };
        let input = numbers(conv.input_len(), 31);
        let weight = numbers(conv.weight_len(), 17);
        let grad = numbers(conv.output_len(), 53);
        let strides = WeightStrides {
            group: conv.out_channels * conv.in_channels * conv.kernel[0] * conv.kernel[1],
            output: conv.in_channels * conv.kernel[0] * conv.kernel[1],
            channel: conv.kernel[0] * conv.kernel[1],
        };
        let run = |isa: Isa| {
            let finish = Finish::default();
            // SAFETY: both write every number, as above.
            let (output, gradient) = unsafe {
                let output = written(conv.output_len(), |output| {
                    calculate(
                        isa,
                        &conv.forward(),
                        &input,
                        &weight,
                        strides,
                        finish,
                        output,
                    );
                });
                let gradient = written(conv.weight_len(), |target| {
                    weight_gradient::weight_gradient(isa, conv, &input, &grad, target);
                });
                (output, gradient)
            };
            [output, gradient]
        };
        let all: Vec<[Vec<f32>; 2]> = Isa::all().into_iter().map(run).collect();
        for other in &all[1..] {
            for (ours, theirs) in other.iter().flatten().zip(all[0].iter().flatten()) {
                // Sums of at most 810 products below 1.
                assert!((ours - theirs).abs() <= 2e-3, "{ours} and {theirs}");
            }
        }
    }
}
