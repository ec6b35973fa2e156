use burn::nn::BatchNorm;
use burn::tensor::{Tensor, activation};

use crate::ops::normalize;

/// Applies a batch norm and, in training, keeps its running statistics the way PyTorch does.
///
/// Burn's own forward puts the *biased* variance of the batch (divided by `n`) into the running variance, PyTorch the
/// unbiased one (divided by `n - 1`). The two differ by a factor `n / (n - 1)`: nothing on a large map, 6 % where a
/// channel has 18 values. Normalisation itself uses the biased variance in both. Every batch norm of the networks goes
/// through here.
///
/// Training means: the input is on an autodiff device and the layer is not frozen, as in burn-nn.
///
/// An input of another float type than the norm's weights is normalised in theirs and returned in its own, so that
/// networks can calculate in half precision while their norms do not.
///
/// # Shapes
///
/// - `input`, output: `[batch, channels, ..]`
///
/// # Panics
///
/// Panics if axis 1 is not the number of channels of the norm, or if a channel has one value only in training: it has no
/// spread, the norm would return its bias whatever the image is, and its running variance would fall to 0.
pub fn batch_norm<const D: usize>(norm: &BatchNorm, input: Tensor<D>) -> Tensor<D> {
    if !trains(norm, &input) {
        let (own, given) = (norm.gamma.val().dtype(), input.dtype());
        if own != given {
            return norm.forward(input.cast(own)).cast(given);
        }
        return norm.forward(input);
    }
    let shape = input.dims();
    let rest = shape[2..].iter().product::<usize>();
    let output = batch_norm_sum(
        norm,
        input.reshape([shape[0], shape[1], rest, 1]),
        None,
        false,
    );
    output.reshape(shape)
}

/// Applies a batch norm as [`batch_norm`] does, adds `addend` and, if `relu`, makes negative results zero: in training on a
/// CPU in one pass over the memory, with nothing kept in between for the backward pass.
///
/// # Shapes
///
/// - `input`, `addend`, output: `[batch, channels, height, width]`
///
/// # Panics
///
/// As [`batch_norm`], and if `addend` is not of the input's shape.
pub fn batch_norm_sum(
    norm: &BatchNorm,
    input: Tensor<4>,
    addend: Option<Tensor<4>>,
    relu: bool,
) -> Tensor<4> {
    let (own, given) = (norm.gamma.val().dtype(), input.dtype());
    if !trains(norm, &input) {
        return finish(batch_norm(norm, input), addend, relu);
    }
    if own != given {
        let output = batch_norm_sum(norm, input.cast(own), None, false).cast(given);
        return finish(output, addend, relu);
    }
    let device = input.device();
    let shape = input.dims();
    let values = shape.iter().product::<usize>() / shape[1];
    assert!(
        values > 1,
        "a batch norm in training expects more than 1 value per channel, got an input of {shape:?}: \
         raise the batch size or freeze the norms"
    );
    let unbiased = values as f64 / (values - 1) as f64;
    let (gamma, beta) = (norm.gamma.val(), norm.beta.val());
    let batch = normalize(input, gamma, beta, addend, norm.epsilon, relu);

    let (kept, new) = (1.0 - norm.momentum, norm.momentum);
    let mean = norm.running_mean.value_sync().to_device(&device);
    let variance = norm.running_var.value_sync().to_device(&device);
    let mean = mean * kept + batch.mean.detach() * new;
    let variance = variance * kept + batch.variance.detach() * (new * unbiased);
    norm.running_mean.update(mean.detach());
    norm.running_var.update(variance.detach());

    batch.output
}

/// Whether the norm takes the statistics of the batch.
fn trains<const D: usize>(norm: &BatchNorm, input: &Tensor<D>) -> bool {
    input.device().is_autodiff() && norm.training.is_enabled()
}

fn finish(mut output: Tensor<4>, addend: Option<Tensor<4>>, relu: bool) -> Tensor<4> {
    if let Some(addend) = addend {
        output = output + addend;
    }
    if relu {
        output = activation::relu(output);
    }
    output
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::nn::BatchNormConfig;
    use burn::tensor::{Device, TensorData, Tolerance};

    use super::*;

    #[test]
    fn running_variance_is_unbiased() {
        let device = Device::default().autodiff();
        let norm = BatchNormConfig::new(1).init(&device);
        // Mean 3; squared deviations 4 + 0 + 1 + 9 + 4 = 18: 4.5 unbiased, 3.6 biased.
        let input = Tensor::<2>::from_floats([[1.0], [3.0], [4.0], [6.0], [1.0]], &device);

        let output = batch_norm(&norm, input);

        let variance = norm.running_var.value_sync().into_data();
        variance.assert_approx_eq::<f32>(&TensorData::from([0.9 + 0.45]), Tolerance::default());
        let mean = norm.running_mean.value_sync().into_data();
        mean.assert_approx_eq::<f32>(&TensorData::from([0.3]), Tolerance::default());
        // Normalised by the biased variance: 3 / sqrt(3.6) is the largest.
        let largest: f32 = output.max().into_scalar();
        assert!((largest - 3.0 / 3.6_f32.sqrt()).abs() < 1e-4);
    }

    #[test]
    fn a_frozen_norm_keeps_its_statistics() {
        let device = Device::default().autodiff();
        let norm = BatchNormConfig::new(1).init(&device).freeze();
        let input = Tensor::<2>::from_floats([[1.0], [3.0]], &device);

        let output = batch_norm(&norm, input.clone());

        let tolerance = Tolerance::rel_abs(1e-4, 1e-4);
        output
            .into_data()
            .assert_approx_eq::<f32>(&input.into_data(), tolerance);
        assert_eq!(norm.running_mean.value_sync().into_scalar::<f32>(), 0.0);
    }

    #[test]
    #[should_panic(
        expected = "expects more than 1 value per channel, got an input of [1, 1, 1, 1]"
    )]
    fn one_value_a_channel_is_refused_in_training() {
        let device = Device::default().autodiff();
        let norm = BatchNormConfig::new(1).init(&device);
        let _ = batch_norm(&norm, Tensor::<4>::ones([1, 1, 1, 1], &device));
    }

    #[test]
    fn one_value_a_channel_is_enough_without_training() {
        let device = Device::default().autodiff();
        let norm = BatchNormConfig::new(1).init(&device).freeze();
        let output = batch_norm(&norm, Tensor::<2>::from_floats([[5.0]], &device));
        assert!((output.into_scalar::<f32>() - 5.0).abs() < 1e-4);
    }
}
