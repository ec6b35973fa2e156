//! The CPU's convolution against its definition in double precision: outputs, gradients, and the same bits on every number of
//! threads.

mod common;

use burn::module::Param;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor, TensorData};
use common::{noise, tensor, values};
use decoupled_seg_nn::{conv2d, conv2d_sum};
use proptest::prelude::*;

/// Rounding of a sum of products in `f32`, relative to the sum of their magnitudes: 16 additions of 2^-24 each.
const ROUNDING: f64 = 1e-6;

/// A convolution by its shapes.
#[derive(Debug, Clone, Copy)]
struct Case {
    batch: usize,
    groups: usize,
    /// Channels of a group, in and out.
    channels: [usize; 2],
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    /// Above, left, below, right.
    padding: [usize; 4],
    dilation: [usize; 2],
    bias: bool,
}

impl Case {
    fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis: usize| {
            let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            let padded = self.size[axis] + self.padding[axis] + self.padding[axis + 2];
            (padded - reach) / self.stride[axis] + 1
        })
    }

    fn fits(&self) -> bool {
        [0, 1].iter().all(|&axis: &usize| {
            let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            self.size[axis] + self.padding[axis] + self.padding[axis + 2] >= reach
        })
    }

    fn input_shape(&self) -> [usize; 4] {
        let [height, width] = self.size;
        [self.batch, self.groups * self.channels[0], height, width]
    }

    fn output_shape(&self) -> [usize; 4] {
        let [height, width] = self.output();
        [self.batch, self.groups * self.channels[1], height, width]
    }

    fn weight_shape(&self) -> [usize; 4] {
        let [inputs, outputs] = self.channels;
        let [rows, columns] = self.kernel;
        [self.groups * outputs, inputs, rows, columns]
    }

    fn layer(&self, weight: &[f32], bias: &[f32], device: &Device) -> Conv2d {
        let [top, left, bottom, right] = self.padding;
        let channels = self.channels.map(|channels| channels * self.groups);
        let mut conv = Conv2dConfig::new(channels, self.kernel)
            .with_stride(self.stride)
            .with_dilation(self.dilation)
            .with_groups(self.groups)
            .with_padding(PaddingConfig2d::Explicit(top, left, bottom, right))
            .with_bias(self.bias)
            .init(device);
        conv.weight = Param::from_tensor(tensor(weight.to_vec(), self.weight_shape(), device));
        if self.bias {
            let data = TensorData::new(bias.to_vec(), [bias.len()]);
            conv.bias = Some(Param::from_tensor(Tensor::from_data(data, device)));
        }
        conv
    }

    /// Calls `term` with the places of input, weight and output of every product.
    fn terms(&self, mut term: impl FnMut(usize, usize, usize)) {
        let ([inputs, outputs], [rows, columns]) = (self.channels, self.kernel);
        let ([height, width], [out_height, out_width]) = (self.size, self.output());
        for image in 0..self.batch {
            for out in 0..self.groups * outputs {
                for channel in 0..inputs {
                    let input = image * self.groups * inputs + out / outputs * inputs + channel;
                    for (row, column) in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
                        let weight = ((out * inputs + channel) * rows + row) * columns + column;
                        for y in 0..out_height {
                            let from = y * self.stride[0] + row * self.dilation[0];
                            let Some(from_y) = from.checked_sub(self.padding[0]) else {
                                continue;
                            };
                            if from_y >= height {
                                continue;
                            }
                            for x in 0..out_width {
                                let from = x * self.stride[1] + column * self.dilation[1];
                                let Some(from_x) = from.checked_sub(self.padding[1]) else {
                                    continue;
                                };
                                if from_x < width {
                                    let output = (image * self.groups * outputs + out) * out_height;
                                    term(
                                        (input * height + from_y) * width + from_x,
                                        weight,
                                        (output + y) * out_width + x,
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn check(&self, seed: u64) {
        let count = |shape: [usize; 4]| shape.iter().product::<usize>();
        let input = noise(count(self.input_shape()), seed);
        let weight = noise(count(self.weight_shape()), seed + 1);
        let bias = noise(self.groups * self.channels[1], seed + 2);
        let upstream = noise(count(self.output_shape()), seed + 3);

        let device = Device::flex().autodiff();
        let layer = self.layer(&weight, &bias, &device);
        let x = tensor(input.clone(), self.input_shape(), &device).require_grad();
        let output = conv2d(&layer, x.clone());
        assert_eq!(output.dims(), self.output_shape());
        let given = tensor(upstream.clone(), self.output_shape(), &device);
        let gradients = (output.clone() * given).sum().backward();

        let mut sums = Sums::new(upstream.len());
        let plane = self.output().iter().product::<usize>().max(1);
        if self.bias {
            for place in 0..upstream.len() {
                sums.add(place, f64::from(bias[place / plane % bias.len()]));
            }
        }
        let (mut of_input, mut of_weight) = (Sums::new(input.len()), Sums::new(weight.len()));
        self.terms(|from, by, to| {
            let (value, factor, grad) = (
                f64::from(input[from]),
                f64::from(weight[by]),
                f64::from(upstream[to]),
            );
            sums.add(to, value * factor);
            of_input.add(from, grad * factor);
            of_weight.add(by, grad * value);
        });
        sums.assert(&values(output), "output");
        of_input.assert(
            &values(x.grad(&gradients).expect("input")),
            "input gradient",
        );
        let weight = layer.weight.val().grad(&gradients).expect("weight");
        of_weight.assert(&values(weight), "weight gradient");
        if let Some(bias) = &layer.bias {
            let mut of_bias = Sums::new(self.groups * self.channels[1]);
            for (place, &grad) in upstream.iter().enumerate() {
                of_bias.add(place / plane % of_bias.sums.len(), f64::from(grad));
            }
            let bias = bias.val().grad(&gradients).expect("bias");
            of_bias.assert(&values(bias), "bias gradient");
        }

        // One pass with addend and ReLU, where no gradient is asked for.
        let device = Device::flex();
        let layer = self.layer(&weight_of(&layer), &bias, &device);
        let x = tensor(input, self.input_shape(), &device);
        let addend = tensor(upstream, self.output_shape(), &device);
        let apart = (conv2d(&layer, x.clone()) + addend.clone()).clamp_min(0.0);
        let at_once = conv2d_sum(&layer, x, Some(addend), true);
        assert_eq!(values(at_once), values(apart));
    }
}

fn weight_of(layer: &Conv2d) -> Vec<f32> {
    values(layer.weight.val())
}

/// Sums in double precision and the magnitudes that their rounding is judged by.
struct Sums {
    sums: Vec<f64>,
    magnitudes: Vec<f64>,
}

impl Sums {
    fn new(len: usize) -> Self {
        Self {
            sums: vec![0.0; len],
            magnitudes: vec![0.0; len],
        }
    }

    fn add(&mut self, place: usize, term: f64) {
        self.sums[place] += term;
        self.magnitudes[place] += term.abs();
    }

    #[track_caller]
    fn assert(&self, actual: &[f32], what: &str) {
        assert_eq!(actual.len(), self.sums.len(), "{what}");
        for (place, &value) in actual.iter().enumerate() {
            let (expected, magnitude) = (self.sums[place], self.magnitudes[place]);
            // Written so that NaN fails.
            let close = (f64::from(value) - expected).abs() <= ROUNDING * magnitude;
            assert!(close, "{what}[{place}]: {value}, expected {expected}");
        }
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let both = |range: std::ops::RangeInclusive<usize>| [range.clone(), range];
    (
        (
            1..=3usize,
            prop_oneof![Just(1usize), 2..=5usize],
            // Few of both, or enough of one side to fill vectors with it.
            prop_oneof![
                [1..=5usize, 1..=11usize],
                [12..=18usize, 1..=3usize],
                [1..=3usize, 12..=18usize],
            ],
        ),
        [1..=21usize, 1..=37usize],
        both(1..=4),
        both(1..=3),
        [0..=4usize, 0..=4usize, 0..=4usize, 0..=4usize],
        (both(1..=3), any::<bool>()),
    )
        .prop_map(
            |((batch, groups, channels), size, kernel, stride, padding, (dilation, bias))| Case {
                batch,
                groups,
                channels,
                size,
                kernel,
                stride,
                padding,
                dilation,
                bias,
            },
        )
        .prop_filter("the kernel fits", Case::fits)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_convolution_is_its_definition(case in cases(), seed in 0..1_000u64) {
        case.check(seed);
    }
}

/// Shapes of real networks, large enough for several blocks of channels and points.
fn real() -> Vec<Case> {
    let plain = Case {
        batch: 1,
        groups: 1,
        channels: [64, 64],
        size: [23, 37],
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1; 4],
        dilation: [1, 1],
        bias: false,
    };
    let stem = Case {
        channels: [3, 16],
        size: [65, 97],
        kernel: [7, 7],
        stride: [2, 2],
        padding: [3; 4],
        ..plain
    };
    let strided = Case {
        batch: 2,
        stride: [2, 2],
        size: [24, 33],
        ..plain
    };
    let dilated = Case {
        channels: [32, 24],
        padding: [36; 4],
        dilation: [36, 36],
        size: [40, 52],
        ..plain
    };
    let pointwise = Case {
        channels: [300, 70],
        kernel: [1, 1],
        padding: [0; 4],
        bias: true,
        ..plain
    };
    let depthwise = Case {
        groups: 48,
        channels: [1, 1],
        stride: [2, 2],
        padding: [0; 4],
        size: [31, 45],
        ..plain
    };
    let deep = Case {
        channels: [160, 40],
        size: [17, 19],
        batch: 2,
        ..plain
    };
    let line = Case {
        channels: [20, 20],
        size: [1, 301],
        ..plain
    };
    let pixel = Case {
        channels: [90, 33],
        size: [1, 1],
        ..plain
    };
    let flow = Case {
        channels: [64, 2],
        ..plain
    };
    let few_outputs = Case {
        channels: [40, 5],
        stride: [2, 2],
        dilation: [2, 3],
        padding: [2; 4],
        ..plain
    };
    let wide = Case {
        channels: [130, 150],
        size: [9, 8],
        batch: 3,
        ..plain
    };
    vec![
        plain,
        stem,
        strided,
        dilated,
        pointwise,
        depthwise,
        deep,
        line,
        pixel,
        flow,
        few_outputs,
        wide,
    ]
}

#[test]
fn convolutions_of_real_networks_are_their_definition() {
    for (seed, case) in real().into_iter().enumerate() {
        eprintln!("{case:?}");
        case.check(seed as u64);
    }
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    for case in real() {
        let run = || {
            let device = Device::flex().autodiff();
            let count = |shape: [usize; 4]| shape.iter().product::<usize>();
            let weight = noise(count(case.weight_shape()), 1);
            let bias = noise(case.groups * case.channels[1], 2);
            let layer = case.layer(&weight, &bias, &device);
            let input = noise(count(case.input_shape()), 3);
            let x = tensor(input, case.input_shape(), &device).require_grad();
            let output = conv2d(&layer, x.clone());
            let upstream = tensor(
                noise(count(case.output_shape()), 4),
                case.output_shape(),
                &device,
            );
            let gradients = (output.clone() * upstream).sum().backward();
            let weight = layer.weight.val().grad(&gradients).expect("weight");
            let bits =
                |numbers: Vec<f32>| numbers.into_iter().map(f32::to_bits).collect::<Vec<_>>();
            [output, x.grad(&gradients).expect("input"), weight].map(|tensor| bits(values(tensor)))
        };
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("threads").install(run)
        };
        let one = on(1);
        assert!(one == on(2), "{case:?} on two threads");
        assert!(one == on(4), "{case:?} on four threads");
    }
}

#[test]
#[should_panic(expected = "axis 1 expected 4, got 3")]
fn other_channels_are_refused() {
    let device = Device::flex();
    let layer = Conv2dConfig::new([4, 2], [1, 1]).init(&device);
    conv2d(&layer, Tensor::zeros([1, 3, 5, 5], &device));
}

#[test]
#[should_panic(expected = "a kernel of 5 pixels does not fit into 4")]
fn a_kernel_larger_than_the_map_is_refused() {
    let device = Device::flex();
    let layer = Conv2dConfig::new([1, 1], [5, 5]).init(&device);
    conv2d(&layer, Tensor::zeros([1, 1, 4, 6], &device));
}
