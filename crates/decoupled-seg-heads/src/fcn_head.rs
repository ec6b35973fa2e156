use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor, assert_shape};
use decoupled_seg_nn::{
    ConfigError, ConvInit, ConvNormAct, ConvNormActConfig, Cost, CostCounter, Fold, KeyMap,
    MapShape,
};

/// Configuration of an [`FcnHead`]; [`init`](FcnHeadConfig::init) builds it.
#[derive(Config, Debug)]
pub struct FcnHeadConfig {
    /// Channels `[in, out]`; published networks have 256 out.
    pub channels: [usize; 2],
    /// How the convolution is initialised.
    #[config(default = "ConvInit::Uniform")]
    pub conv_init: ConvInit,
}

/// One 3x3 convolution with norm and ReLU: the context of the paper's FCN baseline.
///
/// Source: `fcn_head` in the authors' code. Built by [`FcnHeadConfig`].
#[derive(Module, Debug)]
pub struct FcnHead {
    /// The convolution.
    pub conv: ConvNormAct,
    /// See [`FcnHeadConfig::channels`].
    pub channels: [usize; 2],
}

impl FcnHeadConfig {
    /// Checks that the head can be built.
    ///
    /// # Errors
    ///
    /// A number of channels is 0 or too large.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check_channels("channels", &self.channels)
    }

    /// Builds the head on `device`.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> FcnHead {
        ConfigError::assert_none(self.validate());
        FcnHead {
            conv: self.conv().init(device),
            channels: self.channels,
        }
    }

    fn conv(&self) -> ConvNormActConfig {
        ConvNormActConfig::new(self.channels, [3, 3])
            .with_same_padding()
            .with_conv_init(self.conv_init)
    }

    /// The authors' names of the head's tensors.
    pub fn official_keys(&self) -> KeyMap {
        let conv = KeyMap::new().conv_norm_act("0", "1", "conv", &self.conv());
        KeyMap::new().nest("fcn_head", "", conv)
    }
}

impl Cost for FcnHeadConfig {
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape {
        let output = self.conv().cost(input, counter);
        counter.end_part("fcn_head", output);
        output
    }
}

impl FcnHead {
    /// Computes the context features.
    ///
    /// # Shapes
    ///
    /// - `features`: `[batch, in, height, width]`
    /// - output: `[batch, out, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not `in`.
    pub fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        assert_shape!(features, [_, self.channels[0], _, _]);
        self.conv.forward(features)
    }
}

impl Fold for FcnHead {
    fn fold(self) -> Self {
        Self {
            conv: self.conv.fold(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_size() {
        let device = Device::default();
        let head = FcnHeadConfig::new([6, 4]).init(&device);
        let output = head.forward(Tensor::zeros([2, 6, 5, 7], &device));
        assert_eq!(output.dims(), [2, 4, 5, 7]);
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 6, got 5")]
    fn other_channels_are_refused() {
        let device = Device::default();
        let head = FcnHeadConfig::new([6, 4]).init(&device);
        head.forward(Tensor::zeros([2, 5, 5, 7], &device));
    }
}
