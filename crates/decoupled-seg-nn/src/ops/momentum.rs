use burn::tensor::Tensor;

#[cfg(feature = "flex")]
use burn::backend::{Backend, backend_extension, tensor::FloatTensor};

/// How [`momentum_step`] moves weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MomentumStep {
    /// What the velocity is multiplied by.
    pub learning_rate: f64,
    /// What is kept of the velocity.
    pub momentum: f64,
    /// What is held back of each new gradient.
    pub dampening: f64,
    /// Whether the step looks ahead along the momentum.
    pub nesterov: bool,
    /// How much of the weights is added to the gradient.
    pub weight_decay: f64,
}

/// A step of stochastic gradient descent with momentum: new weights and new velocity. One pass over them on a CPU, Burn's
/// operations elsewhere.
///
/// ```text
/// g' = gradient + weight_decay * weights
/// v' = momentum * velocity + (1 - dampening) * g'       g' where there is no velocity yet
/// w' = weights - learning_rate * v'                     nesterov: momentum * v' + g' in place of v'
/// ```
///
/// Nothing here has a gradient: the tensors are not on an autodiff device.
///
/// # Panics
///
/// Panics if the shapes differ.
pub fn momentum_step<const D: usize>(
    weights: Tensor<D>,
    gradient: Tensor<D>,
    velocity: Option<Tensor<D>>,
    step: MomentumStep,
) -> (Tensor<D>, Tensor<D>) {
    for other in velocity.iter().chain([&gradient]) {
        assert_eq!(
            other.dims(),
            weights.dims(),
            "gradient and velocity must be of the weights' shape"
        );
    }
    match velocity {
        #[cfg(feature = "flex")]
        Some(velocity) if is_ours([&weights, &gradient, &velocity]) => {
            let (weights, velocity) = burn::backend::Dispatch::momentum_step(
                weights.into_dispatch(),
                gradient.into_dispatch(),
                velocity.into_dispatch(),
                step,
            );
            (
                Tensor::from_dispatch(weights),
                Tensor::from_dispatch(velocity),
            )
        }
        velocity => composed(weights, gradient, velocity, step),
    }
}

#[cfg(feature = "flex")]
fn is_ours<const D: usize>(tensors: [&Tensor<D>; 3]) -> bool {
    let f32s = tensors
        .iter()
        .all(|tensor| tensor.dtype() == burn::tensor::DType::F32);
    f32s && super::is_flex(&tensors[0].device())
}

/// The operations of Burn's own optimizer, in its order.
fn composed<const D: usize>(
    weights: Tensor<D>,
    gradient: Tensor<D>,
    velocity: Option<Tensor<D>>,
    step: MomentumStep,
) -> (Tensor<D>, Tensor<D>) {
    let gradient = match step.weight_decay {
        0.0 => gradient,
        decay => weights.clone().mul_scalar(decay).add(gradient),
    };
    let velocity = match velocity {
        Some(velocity) => gradient
            .clone()
            .mul_scalar(1.0 - step.dampening)
            .add(velocity.mul_scalar(step.momentum)),
        None => gradient.clone(),
    };
    let ahead = match step.nesterov {
        true => velocity.clone().mul_scalar(step.momentum).add(gradient),
        false => velocity.clone(),
    };
    (weights - ahead.mul_scalar(step.learning_rate), velocity)
}

/// Only the CPU is asked.
#[cfg(feature = "flex")]
#[backend_extension(Flex)]
pub(super) trait MomentumBackend: Backend {
    /// New weights and new velocity, of tensors of `f32`.
    fn momentum_step(
        weights: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        step: MomentumStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use rstest::rstest;

    use super::*;

    fn numbers(shape: [usize; 2], step: usize) -> Tensor<2> {
        let value = |n: usize| (n * step % 2003) as f32 / 1001.5 - 1.0;
        let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::default())
    }

    /// The path in use on this device against Burn's operations: on a CPU the same bits.
    #[rstest]
    fn the_path_in_use_is_the_composed_one(
        #[values(false, true)] nesterov: bool,
        #[values(0.0, 0.1)] dampening: f64,
        #[values(0.0, 5e-4)] weight_decay: f64,
        #[values(false, true)] shared: bool,
    ) {
        let step = MomentumStep {
            learning_rate: 0.03,
            momentum: 0.9,
            dampening,
            nesterov,
            weight_decay,
        };
        // Several tasks of threads, and turned over, so that memory is not in the order of the elements.
        for shape in [[3, 5], [190, 257]] {
            let [weights, gradient, velocity] = [7919, 613, 31].map(|step| numbers(shape, step));
            let gradient = gradient.reshape([shape[1], shape[0]]).transpose();
            let kept = shared.then(|| (weights.clone(), velocity.clone()));
            let before = weights.clone().into_data();
            let (expected, expected_velocity) = composed(
                numbers(shape, 7919),
                gradient.clone(),
                Some(numbers(shape, 31)),
                step,
            );
            let (used, used_velocity) = momentum_step(weights, gradient, Some(velocity), step);
            used.into_data().assert_eq(&expected.into_data(), true);
            let expected = expected_velocity.into_data();
            used_velocity.into_data().assert_eq(&expected, true);
            if let Some((weights, _)) = kept {
                weights.into_data().assert_eq(&before, true);
            }
        }
    }

    #[test]
    fn the_first_step_starts_the_velocity() {
        let step = MomentumStep {
            learning_rate: 0.5,
            momentum: 0.9,
            dampening: 0.1,
            nesterov: false,
            weight_decay: 0.25,
        };
        let device = Device::default();
        let one = |value: f32| Tensor::<1>::from_floats([value], &device);
        let (weights, velocity) = momentum_step(one(2.0), one(3.0), None, step);
        assert_eq!(velocity.into_scalar::<f32>(), 3.5);
        assert_eq!(weights.into_scalar::<f32>(), 0.25);
    }

    #[test]
    #[should_panic(expected = "gradient and velocity must be of the weights' shape")]
    fn shapes_must_agree() {
        let step = MomentumStep {
            learning_rate: 0.5,
            momentum: 0.9,
            dampening: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        };
        momentum_step(numbers([2, 3], 1), numbers([3, 2], 1), None, step);
    }
}
