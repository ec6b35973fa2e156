//! Operations that networks are put together from, each beside Burn's, and those that are refused.

mod common;

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2dConfig, AvgPool2dConfig, MaxPool2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{
    gelu, hard_sigmoid, leaky_relu, log_sigmoid, log_softmax, sigmoid, silu, softmax, softmin, tanh,
};
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions, PadMode};
use burn::tensor::{DType, Device, Distribution, FloatDType, Int, Tensor, s};
use common::{determined, export, number, pictures};
use decoupled_seg_nn::{SegmentationModel, SegmentationOutput, Size, WarpOptions, flow_warp};
use decoupled_seg_onnx::{OnnxError, OnnxExport};

type Map = fn(Tensor<4>) -> Tensor<4>;

/// A function as a network, with a parameter so that it has a device.
#[derive(Module, Debug)]
struct Function {
    factor: Param<Tensor<1>>,
    #[module(skip)]
    map: Map,
}

impl Function {
    fn new(map: Map) -> Self {
        // Takes no byte to a half, where rounding hangs on the last bit.
        let factor = Tensor::from_floats([1.37], &Device::default());
        Self {
            factor: Param::from_tensor(factor),
            map,
        }
    }
}

impl SegmentationModel for Function {
    fn num_classes(&self) -> usize {
        3
    }

    fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
        let factor = self.factor.val().reshape([1, 1, 1, 1]);
        SegmentationOutput::plain((self.map)(images * factor))
    }
}

const SIZE: Size = Size {
    height: 6,
    width: 9,
};

/// Positive, away from 0.
fn positive(x: Tensor<4>) -> Tensor<4> {
    x.abs() + 0.5
}

/// Each uses its operations in a way that shows in the result.
const MAPS: &[(&str, Map)] = &[
    ("arithmetic", |x| {
        (x.clone() + 2.0) * x.clone() - x.clone() / 3.0 + x.clone() * x.clone()
            - positive(x).recip()
    }),
    ("scalar first", |x| 1.0 - x),
    ("remainder", |x| x.remainder_scalar(0.75)),
    ("roots", |x| {
        positive(x.clone()).sqrt() + positive(x.clone()).log() + positive(x).log1p()
    }),
    ("powers", |x| {
        positive(x.clone()).powf_scalar(1.5) + x.clone().powi_scalar(3) + x.powi_scalar(2)
    }),
    ("waves", |x| {
        x.clone().sin() + x.clone().cos() + x.clone().tanh() + x.erf()
    }),
    ("whole", |x| {
        x.clone().floor() + x.clone().ceil() + x.clone().round() + x.sign()
    }),
    ("clamps", |x| {
        x.clone().clamp(-0.5, 0.5) + x.clone().clamp_min(0.1) + x.clone().clamp_max(0.2) - x.neg()
    }),
    ("pairs", |x| {
        x.clone().max_pair(x.clone() * 0.5) + x.clone().min_pair(x.abs() * 0.2)
    }),
    ("sums", |x| {
        x.clone()
            + x.clone().sum_dim(1)
            + x.clone().mean_dim(2)
            + x.clone().max_dim(3)
            + x.clone().min_dim(1)
            + x.mean_dims(&[2, 3])
    }),
    ("products", |x| x.clone() + (x * 0.5).prod_dim(1)),
    ("running sum", |x| x.cumsum(3)),
    ("greatest magnitude", |x| {
        x.clone() / x.abs().max_dim(1).add_scalar(1.0)
    }),
    ("masks", |x| {
        let low = x.clone().lower_elem(0.1);
        x.clone()
            .mask_fill(low.clone(), -1.0)
            .mask_where(low.bool_not(), x.exp())
    }),
    ("comparisons", |x| {
        x.clone().greater(x.clone().flip([3])).float()
            + x.clone().greater_equal_elem(0.3).float()
            + x.clone().lower_equal(x.clone().flip([2])).float()
            + x.clone().round().equal_elem(0.0).float()
            + x.clone().round().not_equal_elem(1.0).float()
            + x
    }),
    ("logic", |x| {
        let (a, b) = (x.clone().greater_elem(0.0), x.clone().lower_elem(0.5));
        a.clone().bool_and(b.clone()).float()
            + a.clone().bool_or(b.clone()).float() * 2.0
            + a.bool_xor(b).float() * 4.0
            + x
    }),
    ("places", |x| {
        let best = x.clone().argmax(1);
        x.clone().gather(1, best.clone()) + best.float() + x.clone().argmin(1).float() + x
    }),
    ("with indices", |x| {
        // No two alike in a line.
        let ramp = Tensor::<1, Int>::arange(0..9, &x.device()).float() * 1e-3;
        let (best, place) = (x.clone() + ramp.reshape([1, 1, 1, 9])).max_dim_with_indices(3);
        x + best + place.float()
    }),
    ("axes", |x| {
        x.clone().swap_dims(2, 3).permute([0, 1, 3, 2])
            + x.clone().flip([1, 3])
            + x.reshape([0, 3, -1]).reshape([-1, 3, 6, 9])
    }),
    ("batch last", |x| {
        let [b, ..] = x.dims();
        x.permute([1, 2, 3, 0])
            .reshape([3, 54, b])
            .permute([2, 0, 1])
            .reshape([b, 3, 6, 9])
    }),
    ("batch joined", |x| {
        let [b, ..] = x.dims();
        (x.reshape([b * 3, 54]) * 2.0).reshape([b, 3, 6, 9])
    }),
    ("parts", |x| {
        Tensor::cat(
            vec![
                x.clone().narrow(1, 2, 1),
                x.clone().slice(s![.., 0..2, .., ..]),
            ],
            1,
        ) + x.slice(s![.., .., ..;-1, ..])
    }),
    ("steps", |x| {
        x.clone().slice(s![.., .., 0..6;2, ..]).repeat_dim(2, 2)
            + x.clone().slice(s![.., .., 1..6;-3, ..]).repeat_dim(2, 3)
            + x.slice(s![.., .., -3..-1, ..]).repeat(&[1, 1, 3, 1])
    }),
    ("assigned", |x| {
        x.clone()
            .slice_assign(
                s![.., 1..3, 2..5, ..],
                x.clone().slice(s![.., 0..2, 0..3, ..]) * 3.0,
            )
            .slice_assign(s![.., .., .., ..], x.clone() * 0.5)
            + x
    }),
    ("made", |x| {
        let [b, c, h, w] = x.dims();
        let device = x.device();
        x + Tensor::ones([b, c, 1, 1], &device)
            + Tensor::zeros([1, c, h, w], &device)
            + Tensor::full([b, 1, 1, w], 0.25, &device)
    }),
    ("expanded", |x| {
        let [b, c, h, w] = x.dims();
        let line = Tensor::<1>::from_floats([0.1, 0.2, 0.3], &x.device()).reshape([1, 3, 1, 1]);
        x.clone() + line.expand([b, c, h, w]) + x.mean_dim(1).expand([b, c, h, w])
    }),
    ("positions", |x| {
        let line = Tensor::<1, Int>::arange(0..9, &x.device())
            .float()
            .reshape([1, 1, 1, 9]);
        x + line
    }),
    ("chosen", |x| {
        let order = Tensor::<1, Int>::from_ints([2, 0, 1], &x.device());
        x.select(1, order)
    }),
    ("integers", |x| {
        let whole = (x.clone() * 4.0).int();
        x + (whole.clone() * 3 + whole.clone() - 1).float() + whole.remainder_scalar(3).float()
    }),
    ("types", |x| {
        x.clone() + x.cast(DType::F64).cast(FloatDType::F32)
    }),
    ("matrices", |x| {
        x.clone().matmul(x.clone().swap_dims(2, 3)).matmul(x)
    }),
    ("all of it", |x| {
        let [_, c, h, w] = x.dims();
        let one = x.clone().narrow(0, 0, 1);
        x + one.clone().sum().expand([1, c, h, w]) * 0.01 + one.max().expand([1, c, h, w])
    }),
    ("padded", |x| {
        x.clone()
            .pad([(1, 0), (0, 2)], PadMode::Constant(0.5))
            .narrow(2, 0, 6)
            .narrow(3, 2, 9)
            + x.clone().pad([(1, 1)], PadMode::Reflect).narrow(3, 0, 9)
            + x.pad([(2, 0)], PadMode::Edge).narrow(3, 0, 9)
    }),
    ("gates", |x| {
        sigmoid(x.clone())
            + tanh(x.clone())
            + silu(x.clone())
            + gelu(x.clone())
            + log_sigmoid(x.clone())
            + leaky_relu(x.clone(), 0.1)
            + hard_sigmoid(x, 0.2, 0.5)
    }),
    ("shares", |x| {
        softmax(x.clone(), 1) + log_softmax(x.clone(), 1) * 0.5 + softmin(x, 3)
    }),
    ("resized", |x| {
        let bilinear = |align, size| {
            InterpolateOptions::new(InterpolateMode::Bilinear)
                .with_align_corners(align)
                .with_output_size(size)
        };
        interpolate(
            interpolate(x, bilinear(true, [11, 5])),
            bilinear(false, [6, 9]),
        )
    }),
    ("one pixel", |x| {
        let one = decoupled_seg_nn::resize(x, Size::new(1, 1), false);
        decoupled_seg_nn::resize(one, SIZE, true)
    }),
    ("pools", |x| {
        MaxPool2dConfig::new([3, 3])
            .with_strides([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init()
            .forward(x.clone())
            + AvgPool2dConfig::new([3, 3])
                .with_strides([1, 1])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_count_include_pad(false)
                .init()
                .forward(x)
    }),
    ("bins", |x| {
        let bins = AdaptiveAvgPool2dConfig::new([4, 2])
            .init()
            .forward(x.clone());
        x.clone()
            + decoupled_seg_nn::resize(bins, SIZE, false)
            + AdaptiveAvgPool2dConfig::new([1, 1]).init().forward(x)
    }),
    ("warped", |x| {
        let flow = x.clone().narrow(1, 0, 2) * 3.0;
        flow_warp(x, flow, WarpOptions::paper())
    }),
];

#[test]
fn it_says_what_burn_says() {
    for (name, map) in MAPS {
        let network = Function::new(*map);
        for batch in [1, 2, 5] {
            let pictures = pictures(batch, SIZE.height, SIZE.width);
            let (_, parity) = export(&OnnxExport::new(SIZE), &network, &pictures);
            assert!(parity.numbers[0].largest > 0.1, "{name}: {parity}");
            assert!(parity.holds(), "{name}, {batch} pictures: {parity}");
        }
    }
}

/// Layers of burn-nn that stand in no network of ours.
#[derive(Module, Debug)]
struct Layers {
    up: ConvTranspose2d,
    norm: LayerNorm,
    linear: Linear,
    same: burn::nn::conv::Conv2d,
    slopes: burn::nn::PRelu,
}

impl SegmentationModel for Layers {
    fn num_classes(&self) -> usize {
        4
    }

    fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
        let up = self.slopes.forward(self.up.forward(images));
        let last = self.norm.forward(up.permute([0, 2, 3, 1]));
        let mixed = self.linear.forward(last).permute([0, 3, 1, 2]);
        let [_, _, height, width] = mixed.dims();
        let cut = mixed.slice(s![.., .., 0..height / 2, 0..width / 2]);
        SegmentationOutput::plain(self.same.forward(cut))
    }
}

#[test]
fn layers_of_burn_nn() {
    let device = Device::default();
    let layers = determined(Layers {
        up: ConvTranspose2dConfig::new([3, 8], [3, 3])
            .with_stride([2, 2])
            .with_padding([1, 1])
            .with_padding_out([1, 1])
            .init(&device),
        norm: LayerNormConfig::new(8).init(&device),
        linear: LinearConfig::new(8, 6).init(&device),
        same: Conv2dConfig::new([6, 4], [3, 5])
            .with_groups(2)
            .with_padding(PaddingConfig2d::Same)
            .init(&device),
        slopes: burn::nn::PReluConfig::new()
            .with_num_parameters(8)
            .init(&device),
    });
    let (file, parity) = export(&OnnxExport::new(SIZE), &layers, &pictures(2, 6, 9));
    assert!(parity.holds(), "{parity}");
    for operation in ["ConvTranspose", "LayerNormalization", "MatMul", "PRelu"] {
        assert!(file.operations().contains(&operation), "{operation}");
    }
}

/// Functions, and the operation that has no counterpart.
const REFUSED: &[(Map, &str)] = &[
    (|x| x.sort(3), "Sort"),
    (
        |x| {
            interpolate(
                x,
                InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([6, 9]),
            )
        },
        "Interpolate",
    ),
    (
        |x| {
            let noise = Tensor::random(x.shape(), Distribution::Default, &x.device());
            x + noise
        },
        "Random",
    ),
    (|x| x.trunc(), "Trunc"),
    (
        |x| {
            let pool = MaxPool2dConfig::new([2, 2]).with_ceil_mode(true).init();
            decoupled_seg_nn::resize(pool.forward(x), SIZE, true)
        },
        "MaxPool2d",
    ),
];

#[test]
fn what_has_no_counterpart_is_named() {
    for (map, expected) in REFUSED {
        let error = OnnxExport::new(SIZE)
            .export(&Function::new(*map))
            .expect_err("it is not translated");
        let OnnxError::Unsupported { operation, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(operation, expected);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// What the operation is not part of is not asked about.
#[test]
fn what_no_output_needs_may_be_anything() {
    let network = Function::new(|x| {
        let _ = x.clone().sort(3);
        x
    });
    let file = OnnxExport::new(SIZE).export(&network).expect("no sort");
    assert!(!file.operations().contains(&"Sort"));
}

/// What they say of a picture depends on how many come with it.
const COUNTING: &[Map] = &[
    |x| {
        let [b, ..] = x.dims();
        x * b as f32
    },
    |x| {
        let [b, ..] = x.dims();
        let numbers: Vec<f32> = (0..b).map(|i| number(1, i)).collect();
        let line = Tensor::<1>::from_floats(numbers.as_slice(), &x.device());
        x + line.reshape([b, 1, 1, 1])
    },
    |x| {
        let [b, c, h, w] = x.dims();
        let all = x.reshape([b, c * h * w]);
        let all = all.clone().matmul(all.transpose()).reshape([b * b]);
        all.sum().expand([b, c, h, w])
    },
    |x| {
        let [b, ..] = x.dims();
        (0..b).fold(x, |x, _| x.tanh())
    },
];

#[test]
fn a_network_that_counts_pictures_is_refused_unless_their_number_is_fixed() {
    for (index, map) in COUNTING.iter().enumerate() {
        let network = Function::new(*map);
        let free = OnnxExport::new(SIZE).export(&network);
        let error = free.expect_err("it depends on the batch");
        assert!(
            matches!(error, OnnxError::BatchDependent { .. }),
            "{index}: {error}"
        );

        let fixed = OnnxExport::new(SIZE).with_batch(2);
        let (_, parity) = export(&fixed, &network, &pictures(2, SIZE.height, SIZE.width));
        assert!(parity.holds(), "{index}: {parity}");
    }
}

#[test]
fn half_precision_is_refused_by_the_parameter_s_name() {
    let mut network = Function::new(|x| x);
    network.factor = network.factor.map(|factor| factor.cast(FloatDType::F16));
    let error = OnnxExport::new(SIZE).export(&network).expect_err("f16");
    let OnnxError::NotF32 { parameter, found } = &error else {
        panic!("{error}");
    };
    assert_eq!((parameter.as_str(), *found), ("factor", DType::F16));
}

#[test]
#[should_panic(expected = "the logits of a network must be [batch, classes, height, width]")]
fn logits_of_another_size_are_a_mistake() {
    let network = Function::new(|x| x.narrow(2, 0, 3));
    let _ = OnnxExport::new(SIZE).export(&network);
}

/// A training device records gradients, and a network in training is exported as it predicts.
#[test]
fn a_network_in_training_is_exported_as_it_predicts() {
    let mut network = Function::new(|x| x * 2.0);
    network.factor = network
        .factor
        .map(|it| it.to_device(&Device::default().autodiff()));
    let (_, parity) = export(&OnnxExport::new(SIZE), &network, &pictures(1, 6, 9));
    assert!(parity.holds(), "{parity}");
}

/// Parameters that are called as inputs, outputs and results of operations are.
#[derive(Module, Debug)]
struct Namesakes {
    image: Param<Tensor<4>>,
    labels: Param<Tensor<4>>,
    add: Vec<Param<Tensor<4>>>,
}

impl SegmentationModel for Namesakes {
    fn num_classes(&self) -> usize {
        3
    }

    fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
        let sum = images * self.image.val() + self.labels.val();
        let sum = self.add.iter().fold(sum, |sum, add| sum + add.val());
        SegmentationOutput::plain(sum)
    }
}

#[test]
fn names_of_parameters_take_no_other_name() {
    let line = |seed| {
        let values: Vec<f32> = (0..3).map(|index| number(seed, index)).collect();
        let line = Tensor::<1>::from_floats(values.as_slice(), &Device::default());
        Param::from_tensor(line.reshape([1, 3, 1, 1]))
    };
    let network = Namesakes {
        image: line(1),
        labels: line(2),
        add: (3..8).map(line).collect(),
    };
    let (file, parity) = export(&OnnxExport::new(SIZE), &network, &pictures(2, 6, 9));
    assert!(parity.holds(), "{parity}");
    let again = OnnxExport::new(SIZE).export(&network).expect("as before");
    assert!(
        file.to_bytes() == again.to_bytes(),
        "the same file each time"
    );
}
