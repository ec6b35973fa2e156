//! Convolutions of Burn's tensors: in `f32` through the kernels of [`conv`](super::conv), in other types through Burn's.

use burn::backend::ops::ModuleOps;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, Shape};

use super::super::conv2d::{ConvBackend, ConvGradients, finish};
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
        convolve(x, weight, None, None, options, relu)
    }

    fn convolve_bias(
        x: Primitive,
        weight: Primitive,
        bias: Primitive,
        options: ConvOptions<2>,
        relu: bool,
    ) -> Primitive {
        convolve(x, weight, Some(bias), None, options, relu)
    }

    fn convolve_sum(
        x: Primitive,
        weight: Primitive,
        bias: Primitive,
        addend: Primitive,
        options: ConvOptions<2>,
        relu: bool,
    ) -> Primitive {
        convolve(x, weight, Some(bias), Some(addend), options, relu)
    }
}

fn convolve(
    x: Primitive,
    weight: Primitive,
    bias: Option<Primitive>,
    addend: Option<Primitive>,
    options: ConvOptions<2>,
    relu: bool,
) -> Primitive {
    let all = [Some(&x), Some(&weight), bias.as_ref(), addend.as_ref()];
    if !all_f32(all) {
        let output = Flex::conv2d(x, weight, bias, options);
        return finish::<Flex>(output, addend, relu);
    }
    let conv = shapes(&x, &weight, &options);
    let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
    let bias = bias.map(|bias| bias.to_contiguous());
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
        bias: bias.as_ref().map(numbers),
        addend: addend.as_ref().map(numbers),
        relu,
    };
    let output = conv::forward(&conv, numbers(&x), numbers(&weight), finish);
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
