use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor, assert_shape};

use decoupled_seg_nn::{
    ConfigError, ConvInit, Cost, CostCounter, KeyMap, MapShape, conv2d, map_size, resize,
};

/// Configuration of an [`EdgePreservation`]; [`init`](EdgePreservationConfig::init) builds it.
#[derive(Config, Debug)]
pub struct EdgePreservationConfig {
    /// Channels of the edge features.
    pub channels: usize,
    /// Channels `[in, out]` of the 1x1 convolution of the low-level features; `None` for a module without them.
    #[config(default = "None")]
    pub fine: Option<[usize; 2]>,
    /// How the convolutions are initialised.
    #[config(default = "ConvInit::Uniform")]
    pub conv_init: ConvInit,
}

/// Adds the detail to the edge features that the backbone's stride has lost.
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
        EdgePreservation {
            fine: self
                .fine
                .map(|channels| pointwise(channels, self.conv_init).init(device)),
            fuse: self.fuse().init(device),
        }
    }

    fn fuse(&self) -> Conv2dConfig {
        let fine_channels = self.fine.map_or(0, |[_, fine]| fine);
        let channels = [self.channels + fine_channels, self.channels];
        pointwise(channels, self.conv_init)
    }

    /// The authors' names of the module's tensors.
    pub fn official_keys(&self) -> KeyMap {
        fine_keys(self.fine).conv("edge_fusion", "fuse", false)
    }

    /// Counts the module's cost, one part for each of `bot_fine` and `edge_fusion`; returns the shape of the refined
    /// edge.
    pub(super) fn cost(
        &self,
        edge: MapShape,
        low_level: MapShape,
        counter: &mut CostCounter,
    ) -> MapShape {
        let fused = match fine_cost(self.fine, low_level, counter) {
            Some(fine) => {
                let edge = counter.resize(edge, fine.size);
                counter.concatenate(&[edge, fine])
            }
            None => edge,
        };
        let refined = self.fuse().cost(fused, counter);
        counter.end_part("edge_fusion", refined);
        refined
    }
}

/// A 1x1 convolution without bias.
pub(super) fn pointwise(channels: [usize; 2], conv_init: ConvInit) -> Conv2dConfig {
    Conv2dConfig::new(channels, [1, 1])
        .with_bias(false)
        .with_initializer(conv_init.weight())
}

/// Checks the channels of the convolution of the low-level features, where there is one.
pub(super) fn validate_fine(fine: Option<[usize; 2]>) -> Result<(), ConfigError> {
    match fine {
        Some(channels) => ConfigError::check_channels("fine", &channels),
        None => Ok(()),
    }
}

/// The authors' name of the convolution of the low-level features, where there is one.
pub(super) fn fine_keys(fine: Option<[usize; 2]>) -> KeyMap {
    match fine {
        Some(_) => KeyMap::new().conv("bot_fine", "fine", false),
        None => KeyMap::new(),
    }
}

/// Counts the convolution of the low-level features, where there is one, as the part `bot_fine`.
pub(super) fn fine_cost(
    fine: Option<[usize; 2]>,
    low_level: MapShape,
    counter: &mut CostCounter,
) -> Option<MapShape> {
    let reduced = pointwise(fine?, ConvInit::default()).cost(low_level, counter);
    counter.end_part("bot_fine", reduced);
    Some(reduced)
}

impl EdgePreservation {
    /// Refines the edge features.
    ///
    /// # Shapes
    ///
    /// - `edge`: `[batch, channels, height, width]`
    /// - `low_level`: `[batch, fine[0], fine_height, fine_width]`
    /// - result: `[batch, channels, fine_height, fine_width]`; the size of `edge` without low-level features
    ///
    /// # Panics
    ///
    /// Panics if `low_level` is missing where the config asks for it, if it is given where the config does not ask for
    /// it, or if axis 1 of an input has another length than configured.
    pub fn forward(&self, edge: Tensor<4>, low_level: Option<Tensor<4>>) -> Tensor<4> {
        let fused = match fine_features(self.fine.as_ref(), low_level) {
            Some(fine) => {
                let edge = resize(edge, map_size(&fine), true);
                Tensor::cat(vec![edge, fine], 1)
            }
            None => edge,
        };
        conv2d(&self.fuse, fused)
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
            Some(conv2d(reduce, low_level))
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
            .with_fine(Some([6, 2]))
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
            .with_fine(Some([6, 2]))
            .init(&device);
        let _ = module.forward(Tensor::zeros([1, 4, 5, 6], &device), None);
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 6, got 5")]
    fn wrong_low_level_channels_panic() {
        let device = Device::default();
        let module = EdgePreservationConfig::new(4)
            .with_fine(Some([6, 2]))
            .init(&device);
        let low_level = Tensor::zeros([1, 5, 5, 6], &device);
        let _ = module.forward(Tensor::zeros([1, 4, 5, 6], &device), Some(low_level));
    }
}
