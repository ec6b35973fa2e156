use burn::module::{Flag, Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use crate::recipe::BatchNormMode;

impl BatchNormMode {
    /// The network with its batch norms in this mode.
    pub(super) fn apply<M: Module>(self, model: M) -> M {
        match self {
            Self::Train => model,
            mode => model.map(&mut FreezeNorms {
                containers: Vec::new(),
                affine: mode == Self::Frozen,
            }),
        }
    }
}

struct FreezeNorms {
    /// The types on the way to the current value; the last one holds it.
    containers: Vec<String>,
    affine: bool,
}

impl FreezeNorms {
    fn in_batch_norm(&self) -> bool {
        self.containers
            .last()
            .is_some_and(|container| container == "Struct:BatchNorm")
    }
}

impl ModuleMapper for FreezeNorms {
    fn enter_module(&mut self, _name: &str, container_type: &str) {
        self.containers.push(container_type.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.containers.pop();
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        if self.in_batch_norm() {
            flag.with_value(false)
        } else {
            flag
        }
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.affine && self.in_batch_norm() {
            param.set_require_grad(false)
        } else {
            param
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig};
    use burn::tensor::Device;

    use super::*;

    #[derive(Module, Debug)]
    struct Net {
        norms: Vec<BatchNorm>,
        dropout: Dropout,
        weight: Param<Tensor<1>>,
    }

    fn net() -> Net {
        let device = Device::default().autodiff();
        Net {
            norms: vec![BatchNormConfig::new(1).init(&device)],
            dropout: DropoutConfig::new(0.5).init(),
            weight: Param::from_tensor(Tensor::ones([1], &device)),
        }
    }

    #[test]
    fn only_batch_norms_are_frozen() {
        let net = BatchNormMode::FrozenStatistics.apply(net());
        assert!(!net.norms[0].training.is_enabled());
        assert!(net.norms[0].gamma.val().is_require_grad());
        assert!(net.dropout.training.is_enabled());

        let net = BatchNormMode::Frozen.apply(net);
        assert!(!net.norms[0].gamma.val().is_require_grad());
        assert!(net.weight.val().is_require_grad());
    }

    #[test]
    fn frozen_statistics_stay_as_they_are() {
        let net = BatchNormMode::FrozenStatistics.apply(net());
        let device = Device::default().autodiff();
        net.norms[0].forward(Tensor::<2>::from_floats([[2.0], [4.0]], &device));
        let mean = net.norms[0].running_mean.value_sync();
        assert_eq!(mean.into_scalar::<f32>(), 0.0);
    }
}
