//! What the tests of the ops share. `BURN_DEVICE` picks the device, as everywhere in Burn.
#![allow(dead_code)] // Every test file compiles its own copy and uses a part of it.

pub mod composed;

use burn::tensor::{Device, Tensor, TensorData};
use decoupled_seg_nn::{FlowUnit, WarpOptions, WarpPadding};

/// The device under test.
pub fn device() -> Device {
    Device::default()
}

/// The device under test, recording gradients.
pub fn autodiff_device() -> Device {
    device().autodiff()
}

/// The elements of a tensor in row-major order.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .convert::<f32>()
        .try_into_vec()
        .expect("converted to f32")
}

pub fn tensor(values: Vec<f32>, shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Numbers between -1 and 1 that differ with the seed.
pub fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d;
    let mut next = || {
        // xorshift64*
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// A tensor of [`noise`].
pub fn random(shape: [usize; 4], amount: f32, seed: u64, device: &Device) -> Tensor<4> {
    let values = noise(shape.iter().product(), seed);
    let values = values.into_iter().map(|value| value * amount).collect();
    tensor(values, shape, device)
}

/// Every combination of unit, corner convention and padding that differs.
pub fn all_options() -> Vec<WarpOptions> {
    let presets = [
        WarpOptions::official(),
        WarpOptions::official_torch13(),
        WarpOptions::paper(),
    ];
    let both = |options: WarpOptions| [options, options.with_padding(WarpPadding::Border)];
    presets.into_iter().flat_map(both).collect()
}

/// Where a pixel samples along an axis, in double precision, from the definition of the options.
pub fn position(x: usize, length: usize, flow: f32, options: WarpOptions) -> f64 {
    let (x, size, flow) = (x as f64, length as f64, f64::from(flow));
    match (options.flow_unit, options.align_corners) {
        (FlowUnit::Pixels, _) => x + flow,
        (FlowUnit::HalfGrid, true) => x + flow * (size - 1.0) / (2.0 * size),
        (FlowUnit::HalfGrid, false) if length == 1 => (flow - 1.0) / 2.0,
        (FlowUnit::HalfGrid, false) => x + x / (size - 1.0) + flow / 2.0 - 0.5,
    }
}

/// Which elements of a flow lie away from the kinks of both axes of their pixel, so that rounding cannot decide the
/// derivative.
pub fn smooth(flow: &[f32], shape: [usize; 4], options: WarpOptions) -> Vec<bool> {
    let [_, _, height, width] = shape;
    let plane = height * width;
    let away = |position: f64| (position - position.round()).abs() > 1e-3;
    (0..flow.len())
        .map(|index| {
            let (image, pixel) = (index / (2 * plane), index % plane);
            let flow_x = flow[image * 2 * plane + pixel];
            let flow_y = flow[image * 2 * plane + plane + pixel];
            away(position(pixel % width, width, flow_x, options))
                && away(position(pixel / width, height, flow_y, options))
        })
        .collect()
}

/// Asserts that two slices agree within `tolerance` times the largest expected magnitude, at least 1.
#[track_caller]
pub fn assert_close(actual: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_close_where(actual, expected, tolerance, what, |_| true);
}

/// The same over the elements that `keep` selects.
#[track_caller]
pub fn assert_close_where(
    actual: &[f32],
    expected: &[f32],
    tolerance: f32,
    what: &str,
    keep: impl Fn(usize) -> bool,
) {
    assert_eq!(actual.len(), expected.len(), "{what}: number of elements");
    let largest = expected.iter().fold(1.0_f32, |max, v| max.max(v.abs()));
    for (index, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        // Written so that NaN fails.
        let close = (actual - expected).abs() <= tolerance * largest;
        assert!(
            close || !keep(index),
            "{what}[{index}]: {actual}, expected {expected} (largest {largest})"
        );
    }
}

/// The inner product of two tensors, summed in double precision.
pub fn inner(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
    products.sum()
}
