use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor, assert_shape};

use decoupled_seg_nn::ConvInit;
use decoupled_seg_nn::KeyMap;
use decoupled_seg_nn::resize;

/// Configuration of an [`EdgePreservation`]; [`init`](EdgePreservationConfig::init) builds it.
#[derive(Config, Debug)]
pub struct EdgePreservationConfig {
    /// Channels of the edge features.
    pub channels: usize,
    /// Channels of the low-level features, `None` to go without them.
    #[config(default = "None")]
    pub low_level_channels: Option<usize>,
    /// Channels that the low-level features are reduced to.
    #[config(default = 48)]
    pub fine_channels: usize,
    /// How the convolutions start.
    #[config(default = "ConvInit::Uniform")]
    pub conv_init: ConvInit,
}

/// Gives the edge features back the detail that the backbone's stride cost them.
///
/// ```text
/// fine   = conv1x1(low_level)
/// result = conv1x1([edge ; fine])      at the size of low_level, edge first
/// result = conv1x1(edge)               without low-level features
/// ```
///
/// Source: Li et al., ECCV 2020, section 3.3, `γ((F - F_body) ‖ F_fine)`; `bot_fine` and `edge_fusion` in the authors'
/// code. Built by [`EdgePreservationConfig`].
#[doc(alias = "edge_fusion")]
#[derive(Module, Debug)]
pub struct EdgePreservation {
    /// 1x1 convolution of the low-level features, if they are used.
    pub fine: Option<Conv2d>,
    /// 1x1 convolution over edge and fine features.
    pub fuse: Conv2d,
}

impl EdgePreservationConfig {
    /// Builds the module on `device`.
    pub fn init(&self, device: &Device) -> EdgePreservation {
        let conv = |channels| {
            Conv2dConfig::new(channels, [1, 1])
                .with_bias(false)
                .with_initializer(self.conv_init.weight())
                .init(device)
        };
        let fine_channels = self.low_level_channels.map_or(0, |_| self.fine_channels);
        EdgePreservation {
            fine: self
                .low_level_channels
                .map(|low| conv([low, self.fine_channels])),
            fuse: conv([self.channels + fine_channels, self.channels]),
        }
    }

    /// The authors' names of its tensors.
    pub fn official_keys(&self) -> KeyMap {
        let map = match self.low_level_channels {
            Some(_) => KeyMap::new().conv("bot_fine", "fine", false),
            None => KeyMap::new(),
        };
        map.conv("edge_fusion", "fuse", false)
    }
}

impl EdgePreservation {
    /// Refines the edge features.
    ///
    /// # Shapes
    ///
    /// - `edge`: `[batch, channels, height, width]`
    /// - `low_level`: `[batch, low_level_channels, fine_height, fine_width]`
    /// - result: `[batch, channels, fine_height, fine_width]`; the size of `edge` without low-level features
    ///
    /// # Panics
    ///
    /// Panics if `low_level` is missing where the config asks for it or the other way round, or if axis 1 of an input
    /// has another length than configured.
    pub fn forward(&self, edge: Tensor<4>, low_level: Option<Tensor<4>>) -> Tensor<4> {
        let fused = match fine_features(self.fine.as_ref(), low_level) {
            Some(fine) => {
                let [_, _, height, width] = fine.dims();
                Tensor::cat(vec![resize(edge, [height, width], true), fine], 1)
            }
            None => edge,
        };
        self.fuse.forward(fused)
    }
}

/// The reduced low-level features, where they are configured.
pub(super) fn fine_features(
    reduce: Option<&Conv2d>,
    low_level: Option<Tensor<4>>,
) -> Option<Tensor<4>> {
    match (reduce, low_level) {
        (Some(reduce), Some(low_level)) => {
            let [_, channels, _, _] = reduce.weight.dims();
            assert_shape!(low_level, [_, channels, _, _]);
            Some(reduce.forward(low_level))
        }
        (None, None) => None,
        (Some(_), None) => panic!("low-level features are configured, but none were given"),
        (None, Some(_)) => panic!("low-level features were given, but none are configured"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_size_of_the_low_level_features() {
        let device = Device::default();
        let module = EdgePreservationConfig::new(4)
            .with_low_level_channels(Some(6))
            .with_fine_channels(2)
            .init(&device);
        let edge = Tensor::zeros([1, 4, 5, 6], &device);

        let refined = module.forward(edge, Some(Tensor::zeros([1, 6, 9, 11], &device)));

        assert_eq!(refined.dims(), [1, 4, 9, 11]);
        assert_eq!(module.fuse.weight.dims(), [4, 6, 1, 1]);
    }

    #[test]
    fn works_without_low_level_features() {
        let device = Device::default();
        let module = EdgePreservationConfig::new(4).init(&device);
        let refined = module.forward(Tensor::zeros([1, 4, 5, 6], &device), None);
        assert_eq!(refined.dims(), [1, 4, 5, 6]);
    }

    #[test]
    #[should_panic(expected = "low-level features are configured, but none were given")]
    fn missing_low_level_features_panic() {
        let device = Device::default();
        let module = EdgePreservationConfig::new(4)
            .with_low_level_channels(Some(6))
            .init(&device);
        let _ = module.forward(Tensor::zeros([1, 4, 5, 6], &device), None);
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 6, got 5")]
    fn wrong_low_level_channels_panic() {
        let device = Device::default();
        let module = EdgePreservationConfig::new(4)
            .with_low_level_channels(Some(6))
            .init(&device);
        let low_level = Tensor::zeros([1, 5, 5, 6], &device);
        let _ = module.forward(Tensor::zeros([1, 4, 5, 6], &device), Some(low_level));
    }
}
