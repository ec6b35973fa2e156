use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor, assert_shape};
use decoupled_seg_nn::{
    ConfigError, ConvInit, ConvNormAct, ConvNormActConfig, Cost, CostCounter, Fold, KeyMap,
    MapShape, channel_dropout, conv2d,
};

/// Configuration of an [`AuxiliaryHead`]; [`init`](AuxiliaryHeadConfig::init) builds it.
#[derive(Config, Debug)]
pub struct AuxiliaryHeadConfig {
    /// Channels of the stage that the head reads. The hidden layer has a quarter of them.
    pub channels: usize,
    /// Number of classes.
    pub num_classes: usize,
    /// Share of the hidden channels dropped in training.
    #[config(default = 0.1)]
    pub dropout: f64,
    /// How the convolutions are initialised.
    #[config(default = "ConvInit::Uniform")]
    pub conv_init: ConvInit,
}

/// Predicts classes from an earlier stage (`c3`), for a second loss that helps the backbone to train.
///
/// ```text
/// logits = conv1x1(dropout(relu(norm(conv3x3(features)))))
/// ```
///
/// Source: Zhao et al., CVPR 2017, [arXiv:1612.01105](https://arxiv.org/abs/1612.01105), section 3.3 (weight 0.4).
/// The paper's own networks have none. Built by [`AuxiliaryHeadConfig`].
#[doc(alias = "aux_classifier")]
#[derive(Module, Debug)]
pub struct AuxiliaryHead {
    /// 3x3 convolution to a quarter of the channels.
    pub conv: ConvNormAct,
    /// Drops channels in training.
    pub dropout: Dropout,
    /// 1x1 convolution to the classes, with bias.
    pub classifier: Conv2d,
    /// See [`AuxiliaryHeadConfig::channels`].
    pub channels: usize,
}

impl AuxiliaryHeadConfig {
    /// Checks that the head can be built.
    ///
    /// # Errors
    ///
    /// `channels` or `num_classes` is 0 or too large, or `dropout` is not in `0..1`.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check_channels("channels", &[self.channels])?;
        ConfigError::check_channels("num_classes", &[self.num_classes])?;
        ConfigError::check_dropout("dropout", self.dropout)
    }

    /// Builds the head on `device`.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> AuxiliaryHead {
        ConfigError::assert_none(self.validate());
        AuxiliaryHead {
            conv: self.conv().init(device),
            dropout: DropoutConfig::new(self.dropout).init(),
            classifier: self.classifier().init(device),
            channels: self.channels,
        }
    }

    fn conv(&self) -> ConvNormActConfig {
        ConvNormActConfig::new([self.channels, self.hidden()], [3, 3])
            .with_same_padding()
            .with_conv_init(self.conv_init)
    }

    fn classifier(&self) -> Conv2dConfig {
        Conv2dConfig::new([self.hidden(), self.num_classes], [1, 1])
            .with_initializer(self.conv_init.weight())
    }

    /// Names of the head's tensors in a PyTorch checkpoint. The authors have no such head, so these are torchvision's
    /// (`aux_classifier`).
    pub fn official_keys(&self) -> KeyMap {
        let keys = KeyMap::new()
            .conv_norm_act("0", "1", "conv", &self.conv())
            .conv("4", "classifier", true);
        KeyMap::new().nest("aux_classifier", "", keys)
    }

    fn hidden(&self) -> usize {
        (self.channels / 4).max(1)
    }
}

impl Cost for AuxiliaryHeadConfig {
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape {
        let hidden = self.conv().cost(input, counter);
        self.classifier().cost(hidden, counter)
    }
}

impl AuxiliaryHead {
    /// Predicts at the size of the features.
    ///
    /// # Shapes
    ///
    /// - `features`: `[batch, channels, height, width]`
    /// - logits: `[batch, num_classes, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not `channels`.
    pub fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        assert_shape!(features, [_, self.channels, _, _]);
        let hidden = self.conv.forward(features);
        conv2d(&self.classifier, channel_dropout(&self.dropout, hidden))
    }
}

impl Fold for AuxiliaryHead {
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
    fn predicts_one_map_a_class() {
        let device = Device::default();
        let head = AuxiliaryHeadConfig::new(8, 5).init(&device);
        assert_eq!(head.conv.conv.weight.dims(), [2, 8, 3, 3]);
        let logits = head.forward(Tensor::zeros([2, 8, 4, 6], &device));
        assert_eq!(logits.dims(), [2, 5, 4, 6]);
    }

    #[test]
    #[should_panic(expected = "`num_classes` is 0, expected 1 to 65536")]
    fn no_classes_are_refused() {
        AuxiliaryHeadConfig::new(8, 0).init(&Device::default());
    }
}
