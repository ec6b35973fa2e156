//! Convolutions. Those with weights to be scaled are for the CPU alone, and are never asked of a server.

use burn::backend::ir::BackendIr;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Remote, TensorMetadata};
use burn::tensor::Shape;
use burn::tensor::ops::ConvOptions;

use super::super::conv2d::{ConvBackend, ConvGradients};
use super::call::{Operations, Primitive, call, like};

const CONVOLVE: &str = "decoupled_seg.convolve";
const CONVOLVE_BIAS: &str = "decoupled_seg.convolve_bias";
const CONVOLVE_SUM: &str = "decoupled_seg.convolve_sum";
const CONVOLVE_FAST: &str = "decoupled_seg.convolve_fast";
const CONVOLVE_FAST_SUM: &str = "decoupled_seg.convolve_fast_sum";
const INPUT_GRADIENT: &str = "decoupled_seg.convolve_input_gradient";
const WEIGHT_GRADIENT: &str = "decoupled_seg.convolve_weight_gradient";

/// The shape of the result.
///
/// # Panics
///
/// Panics if there is none: the shapes do not fit each other, or the kernel is larger than the padded input.
fn convolved(x: &Shape, weight: &Shape, options: &ConvOptions<2>) -> Shape {
    let fits = x.rank() == 4
        && weight.rank() == 4
        && weight.num_elements() > 0
        && weight[0].is_multiple_of(options.groups)
        && weight[1].checked_mul(options.groups) == Some(x[1]);
    let side = |axis: usize| {
        let (before, after) = options.padding[axis];
        let padded = x[2 + axis].checked_add(before)?.checked_add(after)?;
        let reach = options.dilation[axis].checked_mul(weight[2 + axis] - 1)?;
        let steps = padded.checked_sub(reach)?.checked_sub(1)?;
        Some(steps / options.stride[axis] + 1)
    };
    let sides = fits.then(|| Some([side(0)?, side(1)?])).flatten();
    let [height, width] =
        sides.unwrap_or_else(|| panic!("cannot convolve {x:?} with {weight:?}, {options:?}"));
    Shape::new([x[0], weight[0], height, width])
}

/// Asks for a convolution of the first input with the second; the others are added.
fn convolve<const N: usize>(
    name: &'static str,
    inputs: [Primitive; N],
    options: ConvOptions<2>,
    relu: bool,
) -> Primitive {
    let (x, weight) = (&inputs[0], &inputs[1]);
    let output = (convolved(&x.shape(), &weight.shape(), &options), x.dtype());
    let [output] = call(name, inputs, [output], (options, relu));
    output
}

impl ConvBackend for Remote {
    fn convolve(x: Primitive, weight: Primitive, options: ConvOptions<2>, relu: bool) -> Primitive {
        convolve(CONVOLVE, [x, weight], options, relu)
    }

    fn convolve_bias(
        x: Primitive,
        weight: Primitive,
        bias: Primitive,
        options: ConvOptions<2>,
        relu: bool,
    ) -> Primitive {
        convolve(CONVOLVE_BIAS, [x, weight, bias], options, relu)
    }

    fn convolve_sum(
        x: Primitive,
        weight: Primitive,
        bias: Primitive,
        addend: Primitive,
        options: ConvOptions<2>,
        relu: bool,
    ) -> Primitive {
        convolve(CONVOLVE_SUM, [x, weight, bias, addend], options, relu)
    }

    fn convolve_fast(
        x: Primitive,
        weight: Primitive,
        bias: Primitive,
        options: ConvOptions<2>,
        relu: bool,
    ) -> Primitive {
        convolve(CONVOLVE_FAST, [x, weight, bias], options, relu)
    }

    fn convolve_fast_sum(
        x: Primitive,
        weight: Primitive,
        bias: Primitive,
        addend: Primitive,
        options: ConvOptions<2>,
        relu: bool,
    ) -> Primitive {
        convolve(CONVOLVE_FAST_SUM, [x, weight, bias, addend], options, relu)
    }
}

impl ConvGradients for Remote {
    fn convolve_input_gradient(
        x: Primitive,
        weight: Primitive,
        grad: Primitive,
        options: ConvOptions<2>,
    ) -> Primitive {
        let output = like(&x);
        let [output] = call(INPUT_GRADIENT, [x, weight, grad], [output], options);
        output
    }

    fn convolve_weight_gradient(
        x: Primitive,
        weight: Primitive,
        grad: Primitive,
        options: ConvOptions<2>,
    ) -> Primitive {
        let output = like(&weight);
        let [output] = call(WEIGHT_GRADIENT, [x, weight, grad], [output], options);
        output
    }
}

/// What is added is of the result's shape; a bias has a number for each output channel.
fn check_sums<const N: usize>(output: &Shape, bias: &Shape, addends: [Shape; N]) {
    assert_eq!(*bias, Shape::new([output[1]]), "bias of {output:?}");
    for addend in &addends {
        assert_eq!(addend, output, "the addend is of the result's shape");
    }
}

/// The gradient of a result is of the result's shape.
fn check_grad(output: Shape, grad: Shape) {
    assert_eq!(grad, output, "the gradient is of the result's shape");
}

/// A convolution of an input with weights and a bias.
type OfThree<B> =
    fn(FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, ConvOptions<2>, bool) -> FloatTensor<B>;

/// The same, and an addend.
type OfFour<B> = fn(
    FloatTensor<B>,
    FloatTensor<B>,
    FloatTensor<B>,
    FloatTensor<B>,
    ConvOptions<2>,
    bool,
) -> FloatTensor<B>;

pub(super) fn add<B: BackendIr + ConvBackend + ConvGradients>(ops: &mut Operations<B>) {
    ops.add(CONVOLVE, |[x, weight], (options, relu)| {
        convolved(&x.shape(), &weight.shape(), &options);
        [B::convolve(x, weight, options, relu)]
    });
    for (name, run) in [
        (CONVOLVE_BIAS, B::convolve_bias as OfThree<B>),
        (CONVOLVE_FAST, B::convolve_fast),
    ] {
        ops.add(name, move |[x, weight, bias], (options, relu)| {
            let output = convolved(&x.shape(), &weight.shape(), &options);
            check_sums(&output, &bias.shape(), []);
            [run(x, weight, bias, options, relu)]
        });
    }
    for (name, run) in [
        (CONVOLVE_SUM, B::convolve_sum as OfFour<B>),
        (CONVOLVE_FAST_SUM, B::convolve_fast_sum),
    ] {
        ops.add(name, move |[x, weight, bias, addend], (options, relu)| {
            let output = convolved(&x.shape(), &weight.shape(), &options);
            check_sums(&output, &bias.shape(), [addend.shape()]);
            [run(x, weight, bias, addend, options, relu)]
        });
    }
    ops.add(INPUT_GRADIENT, |[x, weight, grad], options| {
        let output = convolved(&x.shape(), &weight.shape(), &options);
        check_grad(output, grad.shape());
        [B::convolve_input_gradient(x, weight, grad, options)]
    });
    ops.add(WEIGHT_GRADIENT, |[x, weight, grad], options| {
        let output = convolved(&x.shape(), &weight.shape(), &options);
        check_grad(output, grad.shape());
        [B::convolve_weight_gradient(x, weight, grad, options)]
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_by_hand() {
        let options = ConvOptions::new_with_padding([2, 1], [(1, 0), (2, 2)], [1, 2], 2);
        let shape = convolved(
            &Shape::new([3, 4, 8, 9]),
            &Shape::new([6, 2, 3, 3]),
            &options,
        );
        // (8 + 1 - 3) / 2 + 1 rows, 9 + 4 - 5 + 1 columns.
        assert_eq!(shape, Shape::new([3, 6, 4, 9]));
    }

    #[test]
    #[should_panic(expected = "cannot convolve")]
    fn channels_that_do_not_fit_are_refused() {
        let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        convolved(
            &Shape::new([1, 3, 8, 8]),
            &Shape::new([4, 2, 1, 1]),
            &options,
        );
    }

    #[test]
    #[should_panic(expected = "cannot convolve")]
    fn a_kernel_larger_than_the_input_is_refused() {
        let options = ConvOptions::new([1, 1], [0, 0], [4, 4], 1);
        convolved(
            &Shape::new([1, 2, 8, 8]),
            &Shape::new([4, 2, 3, 3]),
            &options,
        );
    }

    #[test]
    #[should_panic(expected = "cannot convolve")]
    fn a_padding_beyond_all_numbers_is_refused() {
        let options = ConvOptions::new([1, 1], [usize::MAX, 0], [1, 1], 1);
        convolved(
            &Shape::new([1, 2, 8, 8]),
            &Shape::new([4, 2, 3, 3]),
            &options,
        );
    }
}
