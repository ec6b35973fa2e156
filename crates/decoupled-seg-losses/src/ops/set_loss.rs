use burn::tensor::Tensor;

use crate::LabelSets;

/// Stands for "minus infinity" where a difference of two of them has to stay finite.
const FAR_BELOW: f32 = -1e30;

/// The sum over all pixels, by their weights, of the likelihood of their sets, `[1]`; without weights the mean over the pixels
/// whose set is not empty, 0 if there is none.
///
/// ```text
/// m   = max_c x_c,  m_S = max_(c in S) x_c                    constants for the gradient
/// nll = -log sum_(c in S) softmax(x)_c
///     = (m - m_S) + log sum_c exp(x_c - m) - log sum_(c in S) exp(x_c - m_S)
/// ```
///
/// A pixel whose set is empty adds nothing and has no gradient. The set has its own maximum, so that a set of classes far below
/// the best one does not underflow to `log 0`. `weights` are `[batch, height, width]`, and constants.
pub(crate) fn set_loss(
    logits: Tensor<4>,
    sets: &LabelSets,
    weights: Option<Tensor<3>>,
) -> Tensor<1> {
    #[cfg(feature = "flex")]
    if super::flex::serves(&logits.device()) {
        return super::flex::set_loss(logits, sets, weights);
    }
    set_loss_composed(logits, sets, weights)
}

fn set_loss_composed(logits: Tensor<4>, sets: &LabelSets, weights: Option<Tensor<3>>) -> Tensor<1> {
    let nll = set_nll(logits, sets);
    match weights {
        Some(weights) => (nll * weights).sum(),
        None => {
            let counted = sets.is_empty().bool_not().int().sum();
            nll.sum() / counted.clamp_min(1).float()
        }
    }
}

fn set_nll(logits: Tensor<4>, sets: &LabelSets) -> Tensor<3> {
    let outside = sets.clone().into_multi_hot().bool_not();
    let members = logits.clone().mask_fill(outside, FAR_BELOW);
    let top = logits.clone().inner().max_dim(1);
    let top_member = members.clone().inner().max_dim(1);
    let gap = top.clone() - top_member.clone();

    let all = (logits - top).exp().sum_dim(1).log();
    let inside = (members - top_member).exp().sum_dim(1).log();
    let nll: Tensor<3> = (all - inside + gap).squeeze_dim(1);
    nll.mask_fill(sets.is_empty(), 0)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use rstest::rstest;

    use super::*;

    fn numbers<const D: usize>(
        shape: [usize; D],
        step: usize,
        scale: f32,
        device: &Device,
    ) -> Tensor<D> {
        let value = |n: usize| ((n * step) % 2003) as f32 / 1001.5 - 1.0;
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|n| scale * value(n))
            .collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// Empty, single, several and full sets.
    fn sets([batch, classes, height, width]: [usize; 4], device: &Device) -> LabelSets {
        let member = |n: usize| {
            i32::from(match n % 5 {
                0 => false,
                1 => n.is_multiple_of(3),
                2 => n % 7 < 4,
                3 => true,
                _ => n.is_multiple_of(11),
            })
        };
        let plane = height * width;
        let members: Vec<_> = (0..batch * classes * plane)
            .map(|n: usize| member(n % plane + n / plane % 2))
            .collect();
        let shape = [batch, classes, height, width];
        LabelSets::from_multi_hot(Tensor::from_data(TensorData::new(members, shape), device))
    }

    /// The path in use on this device against the composed one, value and gradient.
    #[rstest]
    #[case([2, 19, 20, 31], 3.0)]
    #[case([1, 5, 1, 1], 3.0)]
    #[case([3, 40, 9, 60], 3.0)]
    #[case([1, 7, 20, 20], 300.0)]
    #[case([1, 7, 20, 20], 1e4)]
    fn the_path_in_use_is_the_composed_one(
        #[case] shape: [usize; 4],
        #[case] scale: f32,
        #[values(true, false)] weighted: bool,
        #[values(1.0, -3.0)] factor: f32,
    ) {
        let device = Device::default().autodiff();
        let [batch, _, height, width] = shape;
        let sets = sets(shape, &device);
        let weights = weighted.then(|| numbers([batch, height, width], 613, 1.0, &device).inner());
        let run = |loss: fn(_, &LabelSets, _) -> Tensor<1>| {
            let leaf = numbers(shape, 7919, scale, &device).require_grad();
            let loss = loss(leaf.clone(), &sets, weights.clone());
            let gradients = (loss.clone() * factor).backward();
            let gradient = leaf.grad(&gradients).expect("a gradient");
            let gradient: Vec<f32> = gradient.try_into_vec_as().expect("floats");
            (loss.into_scalar::<f32>(), gradient)
        };
        let (used, used_gradient) = run(set_loss);
        let (composed, composed_gradient) = run(set_loss_composed);
        // Terms of both signs: the sum is measured by what it is made of.
        let terms = set_nll(numbers(shape, 7919, scale, &device), &sets).inner();
        let terms = match &weights {
            Some(weights) => (terms * weights.clone()).abs().sum(),
            None => terms.mean(),
        };
        let terms = terms.into_scalar::<f32>().max(1e-3);
        assert!(
            (used - composed).abs() <= 1e-6 * terms,
            "{used}, composed {composed}, of terms of {terms}"
        );
        let largest = composed_gradient
            .iter()
            .fold(0.0, |most: f32, value| most.max(value.abs()));
        for (used, composed) in used_gradient.into_iter().zip(composed_gradient) {
            // A few units in the last place of the largest; both round differently.
            assert!(
                (used - composed).abs() <= 1e-6 * largest,
                "{used} and {composed}, of up to {largest}"
            );
        }
    }

    #[test]
    fn without_a_gradient_the_loss_is_the_same() {
        let device = Device::default();
        let shape = [2, 11, 17, 23];
        let loss = |device: &Device| {
            let leaf = numbers(shape, 7919, 4.0, device);
            let leaf = if device.is_autodiff() {
                leaf.require_grad()
            } else {
                leaf
            };
            set_loss(leaf, &sets(shape, device), None).into_scalar::<f32>()
        };
        assert_eq!(loss(&device), loss(&device.clone().autodiff()));
    }
}
