//! The gradient of a convolution's weights as Burn could calculate it: a product for each tap instead of a convolution with a
//! kernel as large as the picture. The text that goes with it: `docs/upstream/README.md`.

mod common;

use burn::module::Param;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor, s};
use common::{random, values};

/// The function to offer, on tensors: `conv2d_weight_grad_no_groups` of `burn-backend`.
fn weight_gradient(conv: &Conv2d, padding: usize, x: Tensor<4>, grad: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let [_, outputs, rows, columns] = grad.dims();
    let ([down, across], points) = (conv.stride, batch * rows * columns);
    let padded = [batch, channels, height + 2 * padding, width + 2 * padding];
    let inside = s![.., .., padding..padding + height, padding..padding + width];
    let x = Tensor::zeros(padded, &x.device()).slice_assign(inside, x);
    let grad = grad.swap_dims(0, 1).reshape([outputs, points]);
    let [kernel_rows, kernel_columns] = conv.kernel_size;
    let mut taps = Vec::with_capacity(kernel_rows * kernel_columns);
    for row in 0..kernel_rows {
        for column in 0..kernel_columns {
            let (top, left) = (row * conv.dilation[0], column * conv.dilation[1]);
            let (bottom, right) = (
                top + (rows - 1) * down + 1,
                left + (columns - 1) * across + 1,
            );
            let seen = x
                .clone()
                .slice(s![.., .., top..bottom;down, left..right;across]);
            let seen = seen.swap_dims(0, 1).reshape([channels, points]);
            taps.push(grad.clone().matmul(seen.transpose()));
        }
    }
    Tensor::stack::<3>(taps, 2).reshape([outputs, channels, kernel_rows, kernel_columns])
}

#[test]
fn a_product_for_each_tap_is_the_gradient() {
    let device = Device::flex().autodiff();
    for (side, stride, padding, dilation) in
        [(3, 1, 1, 1), (3, 2, 1, 1), (3, 1, 2, 2), (1, 2, 0, 1)]
    {
        let mut conv = Conv2dConfig::new([5, 7], [side; 2])
            .with_stride([stride; 2])
            .with_padding(PaddingConfig2d::Explicit(
                padding, padding, padding, padding,
            ))
            .with_dilation([dilation; 2])
            .with_bias(false)
            .init(&device);
        conv.weight = Param::from_tensor(random([7, 5, side, side], 1.0, 1, &device));
        let x = random([2, 5, 11, 14], 1.0, 2, &device);
        let output = conv.forward(x.clone());
        let upstream = random(output.dims(), 1.0, 3, &device);
        let gradients = (output * upstream.clone()).sum().backward();

        let burn = values(conv.weight.val().grad(&gradients).expect("tracked"));
        let ours = values(weight_gradient(&conv, padding, x.inner(), upstream.inner()));

        assert_eq!(burn.len(), ours.len());
        for (burn, ours) in burn.iter().zip(ours) {
            // Sums of at most 308 products below 1.
            assert!((burn - ours).abs() < 1e-4, "{burn} and {ours}");
        }
    }
}
