//! The CPU's max pooling against Burn's: the same numbers, and gradients at the same places.

mod common;

use burn::nn::PaddingConfig2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::{Device, Tensor};
use common::{noise, tensor, values};
use decoupled_seg_nn::max_pool2d;
use proptest::prelude::*;

/// Output and gradient of the input.
fn run(
    pool: impl Fn(Tensor<4>) -> Tensor<4>,
    input: &[f32],
    shape: [usize; 4],
) -> ([usize; 4], [Vec<f32>; 2]) {
    let x = tensor(input.to_vec(), shape, &Device::flex().autodiff()).require_grad();
    let output = pool(x.clone());
    let dims = output.dims();
    let upstream = tensor(noise(dims.iter().product(), 9), dims, &x.device());
    let gradients = (output.clone() * upstream).sum().backward();
    let grad = x.grad(&gradients).expect("the input is tracked");
    (dims, [values(output), values(grad)])
}

fn pool(kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> MaxPool2d {
    let [vertical, horizontal] = padding;
    MaxPool2dConfig::new(kernel)
        .with_strides(stride)
        .with_padding(PaddingConfig2d::Explicit(
            vertical, horizontal, vertical, horizontal,
        ))
        .init()
}

proptest! {
    #[test]
    fn is_the_pooling_of_burn(
        (batch, channels) in (1_usize..3, 1_usize..4),
        [height, width] in [1_usize..20, 1_usize..40],
        kernel in [1_usize..5, 1_usize..5],
        stride in [1_usize..4, 1_usize..4],
        padded in [any::<bool>(), any::<bool>()],
        seed in 0_u64..1000,
    ) {
        let padding = [0, 1].map(|axis: usize| if padded[axis] { kernel[axis] / 2 } else { 0 });
        prop_assume!(kernel[0] <= height + 2 * padding[0] && kernel[1] <= width + 2 * padding[1]);
        let shape = [batch, channels, height, width];
        let input = noise(shape.iter().product(), seed);
        let pool = pool(kernel, stride, padding);
        let (dims, ours) = run(|x| max_pool2d(&pool, x), &input, shape);
        let (expected_dims, expected) = run(|x| pool.forward(x), &input, shape);
        prop_assert_eq!(dims, expected_dims);
        prop_assert_eq!(&ours[0], &expected[0]);
        // A number that is the largest of several windows takes their gradients in another order.
        for (index, (&ours, &burn)) in ours[1].iter().zip(&expected[1]).enumerate() {
            prop_assert!((ours - burn).abs() <= 1e-6, "gradient {}: {} and {}", index, ours, burn);
        }
    }
}

#[test]
fn the_first_of_equal_numbers_takes_the_gradient() {
    let pool = pool([2, 2], [2, 2], [0, 0]);
    let (_, [_, grad]) = run(
        |x| max_pool2d(&pool, x),
        &[0.0, 3.0, 3.0, 1.0],
        [1, 1, 2, 2],
    );
    let places: Vec<bool> = grad.iter().map(|&grad| grad != 0.0).collect();
    assert_eq!(places, [false, true, false, false]);
}

#[test]
fn what_is_not_a_number_is_seen() {
    let pool = pool([3, 3], [1, 1], [1, 1]);
    let mut input = noise(25, 3);
    input[12] = f32::NAN;
    let (_, [output, _]) = run(|x| max_pool2d(&pool, x), &input, [1, 1, 5, 5]);
    for (index, number) in output.iter().enumerate() {
        let near = (1..4).contains(&(index / 5)) && (1..4).contains(&(index % 5));
        assert_eq!(number.is_nan(), near, "{index}");
    }
}
