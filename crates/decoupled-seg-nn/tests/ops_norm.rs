//! The CPU's batch norm in training against its definition in double precision: output, statistics, gradients, and the same
//! bits on every number of threads.

mod common;

use burn::module::Param;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor, TensorData};
use common::{noise, tensor, values};
use decoupled_seg_nn::batch_norm_sum;
use proptest::prelude::*;

/// Rounding of an output or a gradient in `f32`, relative to the largest number that it is made of.
const ROUNDING: f64 = 1e-6;

#[derive(Debug, Clone, Copy)]
struct Case {
    shape: [usize; 4],
    addend: bool,
    relu: bool,
    /// What is added to every number of the input.
    offset: f32,
}

/// Results in double precision.
struct Exact {
    output: Vec<f64>,
    mean: Vec<f64>,
    variance: Vec<f64>,
    of_input: Vec<f64>,
    of_gamma: Vec<f64>,
    of_beta: Vec<f64>,
    of_addend: Vec<f64>,
}

impl Case {
    fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The channel of every number.
    fn channel(&self, index: usize) -> usize {
        index / (self.shape[2] * self.shape[3]) % self.shape[1]
    }

    /// `normalized = (x - mean) / sqrt(variance + epsilon)`; the ReLU lets through where `kept`.
    fn exact(&self, [input, addend, gamma, beta, upstream]: [&[f32]; 5], kept: &[bool]) -> Exact {
        let channels = self.shape[1];
        let count = (self.len() / channels) as f64;
        let sums = |of: &dyn Fn(usize) -> f64| {
            let mut sums = vec![0.0; channels];
            for index in 0..self.len() {
                sums[self.channel(index)] += of(index);
            }
            sums
        };
        let mean: Vec<f64> = sums(&|index| f64::from(input[index]) / count);
        let deviation = |index: usize| f64::from(input[index]) - mean[self.channel(index)];
        let variance = sums(&|index| deviation(index).powi(2) / count);
        let inverse: Vec<f64> = variance.iter().map(|v| 1.0 / (v + 1e-5).sqrt()).collect();
        let normalized = |index: usize| deviation(index) * inverse[self.channel(index)];
        let grad = |index: usize| {
            let through = !self.relu || kept[index];
            if through {
                f64::from(upstream[index])
            } else {
                0.0
            }
        };
        let of_beta = sums(&grad);
        let of_gamma = sums(&|index| grad(index) * normalized(index));
        let all = |of: &dyn Fn(usize) -> f64| (0..self.len()).map(of).collect::<Vec<f64>>();
        Exact {
            output: all(&|index| {
                let channel = self.channel(index);
                let linear =
                    normalized(index) * f64::from(gamma[channel]) + f64::from(beta[channel]);
                let sum = if self.addend {
                    linear + f64::from(addend[index])
                } else {
                    linear
                };
                if self.relu { sum.max(0.0) } else { sum }
            }),
            of_input: all(&|index| {
                let channel = self.channel(index);
                let rest = (of_beta[channel] + normalized(index) * of_gamma[channel]) / count;
                f64::from(gamma[channel]) * inverse[channel] * (grad(index) - rest)
            }),
            of_addend: all(&grad),
            mean,
            variance,
            of_gamma,
            of_beta,
        }
    }

    fn norm(&self, gamma: &[f32], beta: &[f32], device: &Device) -> BatchNorm {
        let mut norm = BatchNormConfig::new(self.shape[1]).init(device);
        let vector = |values: &[f32]| {
            let data = TensorData::new(values.to_vec(), [values.len()]);
            Param::from_tensor(Tensor::from_data(data, device))
        };
        (norm.gamma, norm.beta) = (vector(gamma), vector(beta));
        norm
    }

    fn check(&self, seed: u64) {
        let channels = self.shape[1];
        let input: Vec<f32> = noise(self.len(), seed)
            .iter()
            .map(|x| x + self.offset)
            .collect();
        let (addend, upstream) = (noise(self.len(), seed + 1), noise(self.len(), seed + 2));
        let (gamma, beta) = (noise(channels, seed + 3), noise(channels, seed + 4));
        let device = Device::flex().autodiff();
        let norm = self.norm(&gamma, &beta, &device);
        let x = tensor(input.clone(), self.shape, &device).require_grad();
        let y = tensor(addend.clone(), self.shape, &device).require_grad();

        let output = batch_norm_sum(&norm, x.clone(), self.addend.then(|| y.clone()), self.relu);
        let given = tensor(upstream.clone(), self.shape, &device);
        let gradients = (output.clone() * given).sum().backward();

        let output = values(output);
        let kept: Vec<bool> = output.iter().map(|&number| number > 0.0).collect();
        let exact = self.exact([&input, &addend, &gamma, &beta, &upstream], &kept);
        // A deviation is as exact as the input: 2^-24 of the offset, times what it is divided by.
        let inverse = exact.variance.iter().map(|v| 1.0 / (v + 1e-5).sqrt());
        let steep = inverse.fold(1.0, f64::max) * (1.0 + f64::from(self.offset.abs()));
        let count = (self.len() / channels) as f64;
        assert_close(&output, &exact.output, steep, "output");
        let of_input = values(x.grad(&gradients).expect("input"));
        assert_close(&of_input, &exact.of_input, steep * steep, "input gradient");
        let of = |param: &Param<Tensor<1>>| values(param.val().grad(&gradients).expect("tracked"));
        assert_close(&of(&norm.gamma), &exact.of_gamma, steep * count, "gamma");
        assert_close(&of(&norm.beta), &exact.of_beta, count, "beta");
        if self.addend {
            let of_addend = values(y.grad(&gradients).expect("addend"));
            assert_close(&of_addend, &exact.of_addend, 1.0, "addend gradient");
        }
        let share = 0.1 * count / (count - 1.0);
        let mean: Vec<f64> = exact.mean.iter().map(|mean| 0.1 * mean).collect();
        let variance: Vec<f64> = exact.variance.iter().map(|v| 0.9 + share * v).collect();
        let magnitude = 1.0 + f64::from(self.offset.abs());
        assert_close(
            &values(norm.running_mean.value_sync()),
            &mean,
            magnitude,
            "mean",
        );
        assert_close(
            &values(norm.running_var.value_sync()),
            &variance,
            1.0,
            "variance",
        );
    }
}

fn assert_close(found: &[f32], exact: &[f64], magnitude: f64, what: &str) {
    assert_eq!(found.len(), exact.len(), "{what}");
    for (index, (&found, &exact)) in found.iter().zip(exact).enumerate() {
        let apart = (f64::from(found) - exact).abs();
        assert!(
            apart <= ROUNDING * (magnitude + exact.abs()),
            "{what} {index}: {found}, exactly {exact}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn agrees_with_the_definition(
        batch in 1_usize..4,
        channels in 1_usize..6,
        size in [1_usize..20, 2_usize..40],
        addend: bool,
        relu: bool,
        offset in prop_oneof![Just(0.0_f32), -8.0_f32..8.0],
        seed in 0_u64..1000,
    ) {
        let [height, width] = size;
        let shape = [batch, channels, height, width];
        Case { shape, addend, relu, offset }.check(seed);
    }
}

#[test]
fn large_maps_agree_with_the_definition() {
    for relu in [false, true] {
        let shape = [2, 3, 97, 101];
        Case {
            shape,
            addend: relu,
            relu,
            offset: 0.5,
        }
        .check(7);
    }
}

#[test]
fn every_number_of_threads_gives_the_same_bits() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads can be had").install(|| {
            let shape = [3, 7, 33, 41];
            let len = shape.iter().product();
            let device = Device::flex().autodiff();
            let norm = BatchNormConfig::new(7).init(&device);
            let x = tensor(noise(len, 1), shape, &device).require_grad();
            let y = tensor(noise(len, 2), shape, &device).require_grad();
            let output = batch_norm_sum(&norm, x.clone(), Some(y.clone()), true);
            let given = tensor(noise(len, 3), shape, &device);
            let gradients = (output.clone() * given).sum().backward();
            [x.grad(&gradients), y.grad(&gradients), Some(output.inner())]
                .map(|tensor| values(tensor.expect("tracked")))
        })
    };
    let one = run(1);
    for threads in [2, 4] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}
