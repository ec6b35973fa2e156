//! Convolutions of Burn's tensors: in `f32` through the kernels of [`conv`](super::conv), in other types through Burn's.

use burn::backend::ops::ModuleOps;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, Shape};

use super::super::conv2d::{ConvBackend, ConvGradients, finish, scaled};
use super::conv::{self, Conv, Finish};
use super::{Primitive, tensor};

fn shapes(x: &Primitive, weight: &Primitive, options: &ConvOptions<2>) -> Conv {
    let [batch, channels, height, width] = x.shape().dims();
    let [outputs, _, rows, columns] = weight.shape().dims();
    let (input, kernel) = ([height, width], [rows, columns]);
    let output = [0, 1].map(|axis: usize| {
        let (before, after) = options.padding[axis];
        let reach = options.dilation[axis] * (kernel[axis] - 1) + 1;
        (input[axis] + before + after - reach) / options.stride[axis] + 1
    });
    Conv {
        batch,
        groups: options.groups,
        in_channels: channels / options.groups,
        out_channels: outputs / options.groups,
        input,
        output,
        kernel,
        stride: options.stride,
        padding: options.padding.map(|(before, _)| before),
        dilation: options.dilation,
    }
}

fn all_f32<'a>(tensors: impl IntoIterator<Item = Option<&'a Primitive>>) -> bool {
    let mut given = tensors.into_iter().flatten();
    given.all(|tensor| tensor.dtype() == DType::F32)
}

/// The numbers of a tensor of `f32` that is contiguous.
fn numbers(tensor: &Primitive) -> &[f32] {
    tensor
        .as_slice()
        .expect("the tensor was made contiguous, and is of f32")
}

impl ConvBackend for Flex {
    fn convolve(x: Primitive, weight: Primitive, options: ConvOptions<2>, relu: bool) -> Primitive {
        convolve(x, weight, Extra::default(), options, relu)
    }

    fn convolve_bias(
        x: Primitive,
        weight: Primitive,
        bias: Primitive,
        options: ConvOptions<2>,
        relu: bool,
    ) -> Primitive {
        let extra = Extra {
            bias: Some(bias),
            ..Extra::default()
        };
        convolve(x, weight, extra, options, relu)
    }

    fn convolve_sum(
        x: Primitive,
        weight: Primitive,
        bias: Primitive,
        addend: Primitive,
        options: ConvOptions<2>,
        relu: bool,
    ) -> Primitive {
        let extra = Extra {
            bias: Some(bias),
            addend: Some(addend),
            ..Extra::default()
        };
        convolve(x, weight, extra, options, relu)
    }

    fn convolve_fast(
        x: Primitive,
        weight: Primitive,
        bias: Primitive,
        options: ConvOptions<2>,
        relu: bool,
    ) -> Primitive {
        let extra = Extra {
            bias: Some(bias),
            fast: true,
            ..Extra::default()
        };
        convolve(x, weight, extra, options, relu)
    }

    fn convolve_fast_sum(
        x: Primitive,
        weight: Primitive,
        bias: Primitive,
        addend: Primitive,
        options: ConvOptions<2>,
        relu: bool,
    ) -> Primitive {
        let extra = Extra {
            bias: Some(bias),
            addend: Some(addend),
            fast: true,
            ..Extra::default()
        };
        convolve(x, weight, extra, options, relu)
    }

    fn convolve_scaled(
        x: Primitive,
        weight: Primitive,
        scale: Primitive,
        bias: Primitive,
        options: ConvOptions<2>,
        relu: bool,
    ) -> Primitive {
        let extra = Extra {
            scale: Some(scale),
            bias: Some(bias),
            ..Extra::default()
        };
        convolve(x, weight, extra, options, relu)
    }

    fn convolve_scaled_sum(
        x: Primitive,
        weight: Primitive,
        scale: Primitive,
        bias: Primitive,
        addend: Primitive,
        options: ConvOptions<2>,
        relu: bool,
    ) -> Primitive {
        let extra = Extra {
            scale: Some(scale),
            bias: Some(bias),
            addend: Some(addend),
            fast: false,
        };
        convolve(x, weight, extra, options, relu)
    }
}

/// What else goes into the results.
#[derive(Default)]
struct Extra {
    /// A number an output channel, that the weights are multiplied by.
    scale: Option<Primitive>,
    /// A number an output channel.
    bias: Option<Primitive>,
    /// Of the shape of the result.
    addend: Option<Primitive>,
    /// Whether more rounding is allowed.
    fast: bool,
}

fn convolve(
    x: Primitive,
    weight: Primitive,
    extra: Extra,
    options: ConvOptions<2>,
    relu: bool,
) -> Primitive {
    let Extra {
        scale,
        bias,
        addend,
        fast,
    } = extra;
    let all = [&scale, &bias, &addend].map(Option::as_ref);
    if !all_f32([Some(&x), Some(&weight)].into_iter().chain(all)) {
        let weight = match scale {
            Some(scale) => scaled::<Flex>(weight, scale),
            None => weight,
        };
        let output = Flex::conv2d(x, weight, bias, options);
        return finish::<Flex>(output, addend, relu);
    }
    let conv = shapes(&x, &weight, &options);
    let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
    let bias = bias.map(|bias| bias.to_contiguous());
    let scale = scale.map(|scale| scale.to_contiguous());
    let shape = Shape::new([
        conv.batch,
        conv.groups * conv.out_channels,
        conv.output[0],
        conv.output[1],
    ]);
    let addend = addend.map(|addend| {
        assert_eq!(addend.shape(), shape, "the addend is of the result's shape");
        addend.to_contiguous()
    });
    let finish = Finish {
        scale: scale.as_ref().map(numbers),
        bias: bias.as_ref().map(numbers),
        addend: addend.as_ref().map(numbers),
        relu,
    };
    let forward = match fast {
        true => conv::forward_fast,
        false => conv::forward,
    };
    let output = forward(&conv, numbers(&x), numbers(&weight), finish);
    tensor(output, shape)
}

impl ConvGradients for Flex {
    fn convolve_input_gradient(
        x: Primitive,
        weight: Primitive,
        grad: Primitive,
        options: ConvOptions<2>,
    ) -> Primitive {
        if !all_f32([Some(&x), Some(&weight), Some(&grad)]) {
            return Flex::conv2d_x_backward(x, weight, grad, options);
        }
        let conv = shapes(&x, &weight, &options);
        let (weight, grad) = (weight.to_contiguous(), grad.to_contiguous());
        tensor(
            conv::input_gradient(&conv, numbers(&grad), numbers(&weight)),
            x.shape(),
        )
    }

    fn convolve_weight_gradient(
        x: Primitive,
        weight: Primitive,
        grad: Primitive,
        options: ConvOptions<2>,
    ) -> Primitive {
        if !all_f32([Some(&x), Some(&weight), Some(&grad)]) {
            return Flex::conv2d_weight_backward(x, weight, grad, options);
        }
        let conv = shapes(&x, &weight, &options);
        let (x, grad) = (x.to_contiguous(), grad.to_contiguous());
        tensor(
            conv::weight_gradient(&conv, numbers(&x), numbers(&grad)),
            weight.shape(),
        )
    }
}
