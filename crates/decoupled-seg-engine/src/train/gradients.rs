use std::marker::PhantomData;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Scales all gradients down together so that their norm over the whole network is at most `max_norm`, without reading
/// anything back.
///
/// ```text
/// norm = sqrt(sum over all parameters of g^2)
/// g   *= min(1, max_norm / (norm + 1e-6))
/// ```
///
/// Burn's own `GradientClipping::Norm` is per parameter, which changes the direction of the step; this is
/// PyTorch's `clip_grad_norm_`.
pub(crate) fn clip_global_norm<M: Module>(
    model: &M,
    gradients: GradientsParams,
    max_norm: f64,
) -> GradientsParams {
    let mut squares = SquaredNorms {
        gradients: &gradients,
        sums: Vec::new(),
    };
    model.visit(&mut squares);
    if squares.sums.is_empty() {
        return gradients;
    }
    let norm = Tensor::cat(squares.sums, 0).sum().sqrt();
    let factor = norm
        .add_scalar(1e-6)
        .recip()
        .mul_scalar(max_norm)
        .clamp_max(1.0);
    scale_by(model, gradients, factor)
}

/// Divides all gradients by a number.
pub(crate) fn divide<M: Module>(
    model: &M,
    gradients: GradientsParams,
    divisor: usize,
) -> GradientsParams {
    let Some(device) = model.devices().into_iter().next() else {
        return gradients;
    };
    let factor = Tensor::<1>::from_floats([1.0 / divisor as f32], &device.inner());
    scale_by(model, gradients, factor)
}

fn scale_by<M: Module>(
    model: &M,
    gradients: GradientsParams,
    factor: Tensor<1>,
) -> GradientsParams {
    let mut scale = Scale {
        gradients,
        factor,
        module: PhantomData::<M>,
    };
    model.visit(&mut scale);
    scale.gradients
}

struct SquaredNorms<'a> {
    gradients: &'a GradientsParams,
    sums: Vec<Tensor<1>>,
}

impl ModuleVisitor for SquaredNorms<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.sums.push(gradient.square().sum().reshape([1]));
        }
    }
}

struct Scale<M> {
    gradients: GradientsParams,
    factor: Tensor<1>,
    module: PhantomData<M>,
}

impl<M> ModuleVisitor for Scale<M> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            let scaled = gradient * self.factor.clone().reshape([1; D]);
            self.gradients.register(param.id, scaled);
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[derive(Module, Debug)]
    struct Two {
        a: Param<Tensor<1>>,
        b: Param<Tensor<2>>,
    }

    fn gradients(device: &Device) -> (Two, GradientsParams) {
        let module = Two {
            a: Param::from_tensor(Tensor::from_floats([1.0], device)),
            b: Param::from_tensor(Tensor::from_floats([[1.0, 1.0]], device)),
        };
        // Gradients 3 and (4, 0): a norm of 5.
        let loss = module.a.val().mul_scalar(3.0).sum()
            + module.b.val().slice([0..1, 0..1]).mul_scalar(4.0).sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &module);
        (module, gradients)
    }

    fn values(module: &Two, gradients: &GradientsParams) -> Vec<f32> {
        let a = gradients.get::<1>(module.a.id).expect("a takes part");
        let b = gradients.get::<2>(module.b.id).expect("b takes part");
        Tensor::cat(vec![a, b.reshape([2])], 0)
            .try_into_vec_as()
            .expect("f32")
    }

    #[test]
    fn the_norm_is_taken_over_all_parameters() {
        let device = Device::default().autodiff();
        let (module, all) = gradients(&device);
        let clipped = clip_global_norm(&module, all, 1.0);
        for (found, expected) in values(&module, &clipped).iter().zip([0.6, 0.8, 0.0]) {
            assert!(
                (found - expected).abs() < 1e-5,
                "{found}, expected {expected}"
            );
        }
    }

    #[test]
    fn small_gradients_stay_as_they_are() {
        let device = Device::default().autodiff();
        let (module, all) = gradients(&device);
        let clipped = clip_global_norm(&module, all, 100.0);
        assert_eq!(values(&module, &clipped), [3.0, 4.0, 0.0]);
    }

    #[test]
    fn dividing_reaches_every_parameter() {
        let device = Device::default().autodiff();
        let (module, all) = gradients(&device);
        let halved = divide(&module, all, 2);
        assert_eq!(values(&module, &halved), [1.5, 2.0, 0.0]);
    }
}
