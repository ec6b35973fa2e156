use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor};

use decoupled_seg_nn::{
    ConvInit, ConvNormAct, ConvNormActConfig, Cost, CostCounter, Fold, KeyMap, MapShape, conv2d,
};

/// Configuration of a [`PredictionBranch`]; [`init`](PredictionBranchConfig::init) builds it.
#[derive(Config, Debug)]
pub struct PredictionBranchConfig {
    /// Channels `[in, hidden, out]`.
    pub channels: [usize; 3],
    /// Number of 3x3 convolutions in front of the 1x1 convolution.
    #[config(default = 1)]
    pub layers: usize,
    /// How the convolutions are initialised.
    #[config(default = "ConvInit::Uniform")]
    pub conv_init: ConvInit,
}

/// A few 3x3 convolutions with norm and ReLU, then a 1x1 convolution to one map for each class. None has a bias.
///
/// Every branch of the authors' heads that ends in a prediction is one of these. Built by [`PredictionBranchConfig`].
#[derive(Module, Debug)]
pub struct PredictionBranch {
    /// The 3x3 convolutions.
    pub layers: Vec<ConvNormAct>,
    /// The 1x1 convolution.
    pub classifier: Conv2d,
}

impl PredictionBranchConfig {
    /// Builds the branch on `device`.
    pub fn init(&self, device: &Device) -> PredictionBranch {
        PredictionBranch {
            layers: self
                .layers()
                .iter()
                .map(|layer| layer.init(device))
                .collect(),
            classifier: self.classifier().init(device),
        }
    }

    /// Input channels of layer `index`, or of the classifier if `index` is the number of layers.
    fn channels_in(&self, index: usize) -> usize {
        let [input, hidden, _] = self.channels;
        if index == 0 { input } else { hidden }
    }

    fn layers(&self) -> Vec<ConvNormActConfig> {
        let layer = |index| {
            ConvNormActConfig::new([self.channels_in(index), self.channels[1]], [3, 3])
                .with_same_padding()
                .with_conv_init(self.conv_init)
        };
        (0..self.layers).map(layer).collect()
    }

    fn classifier(&self) -> Conv2dConfig {
        Conv2dConfig::new([self.channels_in(self.layers), self.channels[2]], [1, 1])
            .with_bias(false)
            .with_initializer(self.conv_init.weight())
    }

    /// The authors' names of the branch's tensors: an `nn.Sequential` in which each layer takes three places.
    pub fn official_keys(&self) -> KeyMap {
        let mut keys = KeyMap::new();
        for (index, layer) in self.layers().iter().enumerate() {
            keys = keys.conv_norm_act(
                &(3 * index).to_string(),
                &(3 * index + 1).to_string(),
                &format!("layers.{index}"),
                layer,
            );
        }
        keys.conv(&(3 * self.layers).to_string(), "classifier", false)
    }
}

impl Cost for PredictionBranchConfig {
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape {
        let hidden = self.layers().cost(input, counter);
        self.classifier().cost(hidden, counter)
    }
}

impl PredictionBranch {
    /// Predicts at the size of the input.
    ///
    /// # Shapes
    ///
    /// - `features`: `[batch, in, height, width]`
    /// - logits: `[batch, out, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not `in`.
    pub fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        let hidden = self
            .layers
            .iter()
            .fold(features, |features, layer| layer.forward(features));
        conv2d(&self.classifier, hidden)
    }
}

impl Fold for PredictionBranch {
    fn fold(self) -> Self {
        Self {
            layers: self.layers.fold(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::classifier_only(0)]
    #[case::one(1)]
    #[case::two(2)]
    fn keeps_the_size(#[case] layers: usize) {
        let device = Device::default();
        let branch = PredictionBranchConfig::new([3, 4, 5])
            .with_layers(layers)
            .init(&device);
        let logits = branch.forward(Tensor::zeros([2, 3, 6, 7], &device));
        assert_eq!(logits.dims(), [2, 5, 6, 7]);
    }

    #[test]
    fn names_follow_the_sequential() {
        let keys = PredictionBranchConfig::new([3, 4, 5])
            .with_layers(2)
            .official_keys();
        assert_eq!(keys.path_of("3.weight"), Some("layers.1.conv.weight"));
        assert_eq!(keys.path_of("4.bias"), Some("layers.1.norm.beta"));
        assert_eq!(keys.path_of("6.weight"), Some("classifier.weight"));
    }
}
