//! Helpers of the tests. `BURN_DEVICE` picks the device, as everywhere in Burn.

use burn::tensor::{Device, Tensor, TensorData};

/// The device under test.
pub fn device() -> Device {
    Device::default()
}

/// The elements of a tensor in row-major order.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .convert::<f32>()
        .try_into_vec()
        .expect("converted to f32")
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
    let values: Vec<f32> = values.into_iter().map(|value| value * amount).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Asserts that two slices agree within `tolerance` times the largest expected magnitude, at least 1.
#[track_caller]
pub fn assert_close(actual: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}: number of elements");
    let largest = expected.iter().fold(1.0_f32, |max, v| max.max(v.abs()));
    for (index, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        // The comparison is false for NaN, so NaN fails.
        let close = (actual - expected).abs() <= tolerance * largest;
        assert!(
            close,
            "{what}[{index}]: {actual}, expected {expected} (largest {largest})"
        );
    }
}
