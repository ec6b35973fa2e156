use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor};
use decoupled_seg_nn::{SegmentationModel, SegmentationOutput};

use crate::EngineError;
use crate::recipe::Precision;

impl Precision {
    /// The type of images and of all weights but those of batch norms, if it is not their own.
    fn reduced(self) -> Option<DType> {
        match self {
            Self::Full => None,
            Self::Bf16Mixed => Some(DType::BF16),
        }
    }

    /// Checks that the device can.
    ///
    /// # Errors
    ///
    /// Returns an error if the device does not calculate in this type.
    pub(super) fn check(self, device: &Device) -> Result<(), EngineError> {
        match self.reduced() {
            Some(dtype) if !device.supports_dtype(dtype) => Err(EngineError::Precision {
                device: format!("{device:?}"),
                dtype: format!("{dtype:?}"),
            }),
            _ => Ok(()),
        }
    }

    /// A forward pass whose backward pass gives gradients to the weights of `model`.
    pub(super) fn forward<M: SegmentationModel>(
        self,
        model: &M,
        images: Tensor<4>,
    ) -> SegmentationOutput {
        match self.reduced() {
            None => model.forward(images),
            Some(dtype) => reduced(model, dtype).forward(images.cast(dtype)),
        }
    }
}

/// A copy of the network that calculates in `dtype`. Gradients of its weights reach those of `model`, and its batch norms
/// are the model's own.
fn reduced<M: Module>(model: &M, dtype: DType) -> M {
    model.clone().map(&mut Reduce {
        dtype,
        containers: Vec::new(),
    })
}

struct Reduce {
    dtype: DType,
    /// The types on the way to the current value; the last one holds it.
    containers: Vec<String>,
}

impl ModuleMapper for Reduce {
    fn enter_module(&mut self, _name: &str, container_type: &str) {
        self.containers.push(container_type.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.containers.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let holder = self.containers.last();
        if holder.is_some_and(|container| container == "Struct:BatchNorm") {
            return param;
        }
        let (id, weights, mapper) = param.consume();
        Param::from_mapped_value(id, weights.cast(self.dtype), mapper)
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::conv::{Conv2d, Conv2dConfig};
    use burn::nn::{BatchNorm, BatchNormConfig};
    use burn::optim::GradientsParams;
    use burn::tensor::{Distribution, Tolerance};
    use decoupled_seg_nn::batch_norm;

    use super::*;

    #[derive(Module, Debug)]
    struct Net {
        conv: Conv2d,
        norm: BatchNorm,
    }

    impl Net {
        fn new(device: &Device) -> Self {
            Self {
                conv: Conv2dConfig::new([2, 3], [1, 1]).init(device),
                norm: BatchNormConfig::new(3).init(device),
            }
        }

        fn forward(&self, images: Tensor<4>) -> Tensor<4> {
            batch_norm(&self.norm, self.conv.forward(images))
        }
    }

    #[test]
    fn gradients_and_statistics_reach_the_full_network() {
        let device = Device::default().autodiff();
        device.seed(3);
        let net = Net::new(&device);
        let copy = reduced(&net, DType::BF16);
        assert_eq!(copy.conv.weight.val().dtype(), DType::BF16);
        assert_eq!(copy.norm.gamma.val().dtype(), DType::F32);

        let images = Tensor::random([2, 2, 4, 4], Distribution::Default, &device);
        let weights = Tensor::random([2, 3, 4, 4], Distribution::Default, &device);
        let gradients = |net: &Net, full: &Net, images: Tensor<4>| {
            let output = net.forward(images).cast(DType::F32);
            let loss = (output * weights.clone()).sum();
            let gradients = GradientsParams::from_grads(loss.backward(), full);
            let of = gradients.get::<4>(full.conv.weight.id);
            of.expect("the weights are trained").into_data()
        };
        let expected = gradients(&net, &net, images.clone());
        let before = net.norm.running_mean.value_sync().into_data();
        let found = gradients(&copy, &net, images.cast(DType::BF16));
        assert_eq!(found.dtype(), DType::F32);
        // bf16 has 8 bits: each of the 32 products of a gradient is off by up to 1/256 of the largest, their sum by less.
        let largest = expected
            .iter::<f32>()
            .fold(0.0, |most, value| value.abs().max(most));
        found.assert_approx_eq::<f32>(&expected, Tolerance::absolute(0.02 * largest));
        let after = net.norm.running_mean.value_sync().into_data();
        assert_ne!(before, after, "the copy's norms are the network's");
    }
}
