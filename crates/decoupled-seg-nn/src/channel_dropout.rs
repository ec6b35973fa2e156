use burn::nn::Dropout;
use burn::tensor::Tensor;

/// Drops whole channels in training, rather than single elements (PyTorch's `Dropout2d`): neighbouring pixels are too
/// alike for the other kind to hide anything.
///
/// # Shapes
///
/// - `features`, output: `[batch, channels, height, width]`
pub fn channel_dropout(dropout: &Dropout, features: Tensor<4>) -> Tensor<4> {
    let device = features.device();
    if !device.is_autodiff() || !dropout.training.is_enabled() || dropout.prob == 0.0 {
        return features;
    }
    let [batch, channels, _, _] = features.dims();
    let ones = Tensor::ones([batch, channels, 1, 1], (&device, features.dtype()));
    features * dropout.forward(ones)
}

#[cfg(test)]
mod tests {
    use burn::nn::DropoutConfig;
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn drops_whole_channels_and_scales_the_others() {
        let device = Device::default().autodiff();
        device.seed(5);
        let dropout = DropoutConfig::new(0.5).init();
        let output = channel_dropout(&dropout, Tensor::ones([4, 16, 3, 3], &device));

        let values: Vec<f32> = output.into_data().try_into_vec().expect("features are f32");
        let channels: Vec<f32> = values
            .chunks(9)
            .map(|channel| {
                assert!(channel.iter().all(|value| value == &channel[0]));
                channel[0]
            })
            .collect();
        assert!(channels.iter().all(|&value| value == 0.0 || value == 2.0));
        assert!(channels.contains(&0.0) && channels.contains(&2.0));
    }

    #[test]
    fn does_nothing_at_inference() {
        let device = Device::default();
        let dropout = DropoutConfig::new(0.9).init();
        let output = channel_dropout(&dropout, Tensor::ones([1, 8, 2, 2], &device));
        assert_eq!(output.sum().into_scalar::<f32>(), 32.0);
    }
}
