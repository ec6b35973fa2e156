use burn::tensor::{Int, Tensor};

/// `-log softmax(logits)[label]` of every pixel, `[batch, height, width]`.
///
/// ```text
/// m   = max_c x_c                      a constant for the gradient
/// nll = log sum_c exp(x_c - m) - (x_label - m)
/// ```
///
/// Every label has to be a class: ignored pixels get some class here and are left out by the caller.
pub(crate) fn label_nll(logits: Tensor<4>, labels: Tensor<3, Int>) -> Tensor<3> {
    #[cfg(feature = "flex")]
    if super::flex::serves(&logits.device()) {
        return super::flex::label_nll(logits, labels);
    }
    label_nll_composed(logits, labels)
}

fn label_nll_composed(logits: Tensor<4>, labels: Tensor<3, Int>) -> Tensor<3> {
    let top = logits.clone().inner().max_dim(1);
    let shifted = logits - top;
    let picked = shifted.clone().gather(1, labels.unsqueeze_dim(1));
    let nll = shifted.exp().sum_dim(1).log() - picked;
    nll.squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, TensorData};
    use rstest::rstest;

    use super::*;

    fn close<const D: usize>(fused: Tensor<D>, composed: Tensor<D>) {
        let fused: Vec<f32> = fused.try_into_vec_as().expect("floats");
        let composed: Vec<f32> = composed.try_into_vec_as().expect("floats");
        let scale = composed
            .iter()
            .fold(1e-3, |max: f32, value| max.max(value.abs()));
        for (fused, composed) in fused.into_iter().zip(composed) {
            // A few units in the last place of the largest value; both round differently.
            assert!(
                (fused - composed).abs() <= 1e-6 * scale,
                "{fused} and {composed}, of up to {scale}"
            );
        }
    }

    /// The function in use on this device against the composed one, values and gradients.
    fn compare(
        logits: Tensor<4>,
        used: impl Fn(Tensor<4>) -> Tensor<3>,
        composed: impl Fn(Tensor<4>) -> Tensor<3>,
    ) {
        let [batch, _, height, width] = logits.dims();
        let weights = Tensor::<3>::random(
            [batch, height, width],
            Distribution::Uniform(-1.0, 1.0),
            &logits.device(),
        );
        let gradients = |nll: &dyn Fn(Tensor<4>) -> Tensor<3>| {
            let leaf = logits.clone().require_grad();
            let nll = nll(leaf.clone());
            let gradients = (nll.clone() * weights.clone()).sum().backward();
            (nll.inner(), leaf.grad(&gradients).expect("a gradient"))
        };
        let (used, used_gradient) = gradients(&used);
        let (composed, composed_gradient) = gradients(&composed);
        close(used, composed);
        close(used_gradient, composed_gradient);
    }

    #[rstest]
    #[case([2, 19, 20, 31], 3.0)]
    #[case([1, 5, 1, 1], 3.0)]
    #[case([3, 40, 9, 60], 3.0)]
    #[case([1, 7, 20, 20], 300.0)]
    #[case([1, 7, 20, 20], 1e4)]
    fn the_path_in_use_is_the_composed_one(#[case] shape: [usize; 4], #[case] scale: f64) {
        let device = Device::default().autodiff();
        let [batch, classes, height, width] = shape;
        let logits = Tensor::<4>::random(shape, Distribution::Uniform(-scale, scale), &device);
        let label = |n: usize| ((n * n / 7 + n / 3) % classes) as i32;
        let labels: Vec<_> = (0..batch * height * width).map(label).collect();
        let labels =
            Tensor::<3, Int>::from_data(TensorData::new(labels, [batch, height, width]), &device);
        compare(
            logits.clone(),
            |logits| label_nll(logits, labels.clone()),
            |logits| label_nll_composed(logits, labels.clone()),
        );
    }
}
