use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, assert_shape};
use decoupled_seg_nn::{
    ConvInit, ConvNormAct, ConvNormActConfig, Cost, CostCounter, Fold, KeyMap, MapShape, conv2d,
};

/// Configuration of a [`GatedConv`]; [`init`](GatedConvConfig::init) builds it.
#[derive(Config, Debug)]
pub struct GatedConvConfig {
    /// Channels of the shape stream.
    pub channels: usize,
    /// Channels of the regular stream.
    #[config(default = 1)]
    pub regular_channels: usize,
    /// How the convolutions are initialised.
    #[config(default = "ConvInit::Uniform")]
    pub conv_init: ConvInit,
}

/// A gated convolution: the regular stream decides where the shape stream is kept.
///
/// ```text
/// alpha = sigmoid(norm(conv1x1([s ; r])))         one channel
/// s'    = (s * alpha + s)^T w                     a 1x1 convolution without bias
/// ```
///
/// Source: Takikawa et al., ICCV 2019, [arXiv:1907.05740](https://arxiv.org/abs/1907.05740), eq. 1 and 2. Built by
/// [`GatedConvConfig`].
#[doc(alias = "GCL")]
#[derive(Module, Debug)]
pub struct GatedConv {
    /// The normalised 1x1 convolution behind the sigmoid.
    pub attention: ConvNormAct,
    /// The weights `w` of the channels.
    pub weight: Conv2d,
}

/// What a [`GatedConv`] returns.
#[derive(Debug, Clone)]
pub struct Gated {
    /// The shape stream behind the gate, `[batch, channels, height, width]`.
    pub shape: Tensor<4>,
    /// Where it is kept, `[batch, 1, height, width]`, in `0..1`.
    pub attention: Tensor<4>,
}

impl GatedConvConfig {
    /// Builds the convolution on `device`.
    pub fn init(&self, device: &Device) -> GatedConv {
        GatedConv {
            attention: self.attention().init(device),
            weight: self.weight().init(device),
        }
    }

    fn attention(&self) -> ConvNormActConfig {
        ConvNormActConfig::new([self.channels + self.regular_channels, 1], [1, 1])
            .with_activation(None)
            .with_conv_init(self.conv_init)
    }

    fn weight(&self) -> Conv2dConfig {
        Conv2dConfig::new([self.channels; 2], [1, 1])
            .with_bias(false)
            .with_initializer(self.conv_init.weight())
    }

    /// Names of the tensors. They are ours: no checkpoint of others is read.
    pub fn official_keys(&self) -> KeyMap {
        KeyMap::new()
            .conv_norm_act(
                "attention.conv",
                "attention.norm",
                "attention",
                &self.attention(),
            )
            .conv("weight", "weight", false)
    }
}

/// Of the shape stream's map; the regular stream's has its size.
impl Cost for GatedConvConfig {
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape {
        let both = counter.concatenate(&[input, input.with_channels(self.regular_channels)]);
        let attention = self.attention().cost(both, counter);
        counter.activation(attention);
        counter.other(input); // the product
        counter.other(input); // the sum
        self.weight().cost(input, counter)
    }
}

impl GatedConv {
    /// Gates the shape stream.
    ///
    /// # Shapes
    ///
    /// - `shape`: `[batch, channels, height, width]`
    /// - `regular`: `[batch, regular_channels, height, width]`
    /// - returned: see [`Gated`]
    ///
    /// # Panics
    ///
    /// Panics if the shapes are others.
    pub fn forward(&self, shape: Tensor<4>, regular: Tensor<4>) -> Gated {
        let [batch, channels, height, width] = shape.dims();
        let [_, channels_in, _, _] = self.attention.conv.weight.dims();
        assert!(
            channels < channels_in,
            "the gate reads {channels_in} channels in all, got {channels} of the shape stream"
        );
        assert_shape!(regular, [batch, channels_in - channels, height, width]);
        let both = Tensor::cat(vec![shape.clone(), regular], 1);
        let attention = sigmoid(self.attention.forward(both));
        let kept = shape.clone() * attention.clone() + shape;
        Gated {
            shape: conv2d(&self.weight, kept),
            attention,
        }
    }
}

impl Fold for GatedConv {
    fn fold(self) -> Self {
        Self {
            attention: self.attention.fold(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::tensor::Tolerance;

    use super::*;

    #[test]
    fn a_closed_gate_keeps_the_stream_and_an_open_one_doubles_it() {
        let device = Device::default();
        let mut gate = GatedConvConfig::new(2).init(&device);
        // The attention reads the regular stream alone, and the weights are the identity.
        let reads = Tensor::<1>::from_floats([0.0, 0.0, 1.0], &device);
        gate.attention.conv.weight = Param::from_tensor(reads.reshape([1, 3, 1, 1]));
        gate.weight.weight = Param::from_tensor(Tensor::<2>::eye(2, &device).reshape([2, 2, 1, 1]));
        let shape = Tensor::<4>::from_floats([[[[1.0, 2.0]], [[-3.0, 4.0]]]], &device);
        let regular = Tensor::<4>::from_floats([[[[-40.0, 40.0]]]], &device);

        let gated = gate.forward(shape, regular);

        let expected = Tensor::<4>::from_floats([[[[1.0, 4.0]], [[-3.0, 8.0]]]], &device);
        let tolerance = Tolerance::absolute(1e-5);
        gated
            .shape
            .into_data()
            .assert_approx_eq::<f32>(&expected.into_data(), tolerance);
        let attention = Tensor::<4>::from_floats([[[[0.0, 1.0]]]], &device);
        gated
            .attention
            .into_data()
            .assert_approx_eq::<f32>(&attention.into_data(), tolerance);
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 1, got 2")]
    fn another_regular_stream_is_refused() {
        let device = Device::default();
        let gate = GatedConvConfig::new(2).init(&device);
        let map = |channels| Tensor::zeros([1, channels, 3, 3], &device);
        gate.forward(map(2), map(2));
    }
}
