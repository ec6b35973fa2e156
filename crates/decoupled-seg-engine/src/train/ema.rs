use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::container::TensorContainer;

/// Moves `average` a bit towards `model`; both are out of training and have their parameters in the same places.
pub(crate) fn update<M: Module>(average: M, model: &M, decay: f64) -> M {
    let mut values = Values::default();
    model.visit(&mut values);
    average.map(&mut Blend {
        values,
        decay,
        place: 0,
    })
}

/// The tensors of a network by their place in it: running statistics do not keep their identity through all mappers.
#[derive(Default)]
struct Values {
    by_place: TensorContainer<usize>,
    place: usize,
}

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.by_place.register(self.place, param.val().inner());
        self.place += 1;
    }
}

struct Blend {
    values: Values,
    decay: f64,
    place: usize,
}

impl ModuleMapper for Blend {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let new: Tensor<D> = self
            .values
            .by_place
            .remove(&self.place)
            .expect("the average has the network's parameters");
        self.place += 1;
        let decay = self.decay;
        param.map(|average| {
            average
                .inner()
                .mul_scalar(decay)
                .add(new.mul_scalar(1.0 - decay))
        })
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::{BatchNorm, BatchNormConfig};
    use burn::tensor::Device;

    use super::*;

    fn norm(gamma: f32, mean: f32) -> BatchNorm {
        let device = Device::default();
        let mut norm = BatchNormConfig::new(1).init(&device);
        norm.gamma = Param::from_tensor(Tensor::from_floats([gamma], &device));
        norm.running_mean = burn::module::RunningState::new(Tensor::from_floats([mean], &device));
        norm
    }

    fn scalar(tensor: Tensor<1>) -> f32 {
        tensor.into_scalar::<f32>()
    }

    #[test]
    fn weights_and_running_statistics_move_together() {
        let average = update(norm(1.0, 0.0), &norm(3.0, 4.0), 0.75);
        assert_eq!(scalar(average.gamma.val()), 1.5);
        assert_eq!(scalar(average.running_mean.value()), 1.0);
    }
}
