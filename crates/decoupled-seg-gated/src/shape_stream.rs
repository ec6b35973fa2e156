use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor, assert_shape};
use decoupled_seg_nn::{
    ConfigError, ConvInit, ConvNormAct, ConvNormActConfig, Cost, CostCounter, Fold, KeyMap,
    MapShape, conv2d, map_size, resize,
};

use crate::gated_conv::{GatedConv, GatedConvConfig};

/// Configuration of a [`ShapeStream`]; [`init`](ShapeStreamConfig::init) builds it.
#[derive(Config, Debug)]
pub struct ShapeStreamConfig {
    /// Channels of the backbone's four stages.
    pub stages: [usize; 4],
    /// Channels of the stream.
    #[config(default = 32)]
    pub channels: usize,
    /// How the convolutions are initialised.
    #[config(default = "ConvInit::Uniform")]
    pub conv_init: ConvInit,
}

/// Predicts the borders of classes from the stages of a backbone: a few residual blocks with a gate behind each.
///
/// ```text
/// s = relu(norm(conv1x1(c1)))
/// for c in c2, c3, c4:
///     s = relu(s + norm(conv3x3(relu(norm(conv3x3(s))))))
///     s = gated_conv(s, up(conv1x1(c)))                          one channel of the stage
/// edge_logits = conv1x1(s)
/// ```
///
/// It works at the size of the first stage. `up` is bilinear with aligned corners.
///
/// Source: Takikawa et al., ICCV 2019, [arXiv:1907.05740](https://arxiv.org/abs/1907.05740), section 3.1 and figure 2. The
/// paper starts from the first convolution and gives no channels. Built by [`ShapeStreamConfig`].
#[derive(Module, Debug)]
pub struct ShapeStream {
    /// 1x1 convolution of the first stage.
    pub first: ConvNormAct,
    /// A residual block and a gate for each stage behind the first.
    pub levels: Vec<ShapeLevel>,
    /// 1x1 convolution to one map, with bias.
    pub edge: Conv2d,
}

/// A residual block and the gate behind it.
#[derive(Module, Debug)]
pub struct ShapeLevel {
    /// The two 3x3 convolutions of the residual block.
    pub block: Vec<ConvNormAct>,
    /// 1x1 convolution of the backbone's stage to one channel, with bias.
    pub regular: Conv2d,
    /// What the stage lets through.
    pub gate: GatedConv,
}

impl ShapeStreamConfig {
    /// Checks that the stream can be built.
    ///
    /// # Errors
    ///
    /// A number of channels is 0 or too large.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check_channels("stages", &self.stages)?;
        ConfigError::check_channels("channels", &[self.channels])
    }

    /// Builds the stream on `device`.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> ShapeStream {
        ConfigError::assert_none(self.validate());
        let level = |stage| ShapeLevel {
            block: self.block().iter().map(|conv| conv.init(device)).collect(),
            regular: self.to_one(stage).init(device),
            gate: self.gate().init(device),
        };
        ShapeStream {
            first: self.first().init(device),
            levels: self.stages[1..].iter().map(|&stage| level(stage)).collect(),
            edge: self.to_one(self.channels).init(device),
        }
    }

    fn first(&self) -> ConvNormActConfig {
        ConvNormActConfig::new([self.stages[0], self.channels], [1, 1])
            .with_conv_init(self.conv_init)
    }

    /// The block's convolutions. The last has no ReLU: it comes behind the sum.
    fn block(&self) -> [ConvNormActConfig; 2] {
        let conv = ConvNormActConfig::new([self.channels; 2], [3, 3])
            .with_same_padding()
            .with_conv_init(self.conv_init);
        [conv.clone(), conv.with_activation(None)]
    }

    fn to_one(&self, channels: usize) -> Conv2dConfig {
        Conv2dConfig::new([channels, 1], [1, 1]).with_initializer(self.conv_init.weight())
    }

    fn gate(&self) -> GatedConvConfig {
        GatedConvConfig::new(self.channels).with_conv_init(self.conv_init)
    }

    /// Names of the tensors. They are ours: no checkpoint of others is read.
    pub fn official_keys(&self) -> KeyMap {
        let mut keys =
            KeyMap::new().conv_norm_act("first.conv", "first.norm", "first", &self.first());
        for index in 0..self.stages.len() - 1 {
            let mut level = KeyMap::new();
            for (place, conv) in self.block().iter().enumerate() {
                let path = format!("block.{place}");
                let [conv_key, norm_key] = ["conv", "norm"].map(|part| format!("{path}.{part}"));
                level = level.conv_norm_act(&conv_key, &norm_key, &path, conv);
            }
            level = level.conv("regular", "regular", true).nest(
                "gate",
                "gate",
                self.gate().official_keys(),
            );
            let path = format!("levels.{index}");
            keys = keys.nest(&path, &path, level);
        }
        keys.conv("edge", "edge", true)
    }

    /// Counts the stream's cost for the shapes of the four stages; returns the shape of the edge map.
    pub fn cost(&self, stages: [MapShape; 4], counter: &mut CostCounter) -> MapShape {
        let [first, others @ ..] = stages;
        let mut shape = self.first().cost(first, counter);
        for stage in others {
            let block = self.block().cost(shape, counter);
            counter.other(block); // the sum
            counter.activation(block);
            let regular = self.to_one(stage.channels).cost(stage, counter);
            counter.resize(regular, block.size);
            shape = self.gate().cost(block, counter);
        }
        let edge = self.to_one(self.channels).cost(shape, counter);
        counter.end_part("shape_stream", edge);
        edge
    }
}

impl ShapeStream {
    /// Predicts the borders, before the sigmoid.
    ///
    /// # Shapes
    ///
    /// - `stages`: `[batch, stages[i], height_i, width_i]`, from fine to coarse
    /// - edge logits: `[batch, 1, height_0, width_0]`
    ///
    /// # Panics
    ///
    /// Panics if axis 1 of a stage has another length than configured.
    pub fn forward(&self, stages: [Tensor<4>; 4]) -> Tensor<4> {
        let [first, others @ ..] = stages;
        let [_, channels, _, _] = self.first.conv.weight.dims();
        assert_shape!(first, [_, channels, _, _]);
        let size = map_size(&first);
        let mut shape = self.first.forward(first);
        for (level, stage) in self.levels.iter().zip(others) {
            let [_, channels, _, _] = level.regular.weight.dims();
            assert_shape!(stage, [_, channels, _, _]);
            let [spread, join] = &level.block[..] else {
                unreachable!("a block has two convolutions");
            };
            let block = join.forward_residual(spread.forward(shape.clone()), shape);
            let regular = resize(conv2d(&level.regular, stage), size, true);
            shape = level.gate.forward(block, regular).shape;
        }
        conv2d(&self.edge, shape)
    }
}

impl Fold for ShapeStream {
    fn fold(self) -> Self {
        Self {
            first: self.first.fold(),
            levels: self.levels.fold(),
            ..self
        }
    }
}

impl Fold for ShapeLevel {
    fn fold(self) -> Self {
        Self {
            block: self.block.fold(),
            gate: self.gate.fold(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tolerance};

    use super::*;

    fn stages(device: &Device) -> [Tensor<4>; 4] {
        [(4, 9, 12), (8, 5, 6), (16, 5, 6), (32, 3, 3)].map(|(channels, height, width)| {
            let shape = [2, channels, height, width];
            Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
        })
    }

    #[test]
    fn works_at_the_size_of_the_first_stage() {
        let device = Device::default();
        let stream = ShapeStreamConfig::new([4, 8, 16, 32])
            .with_channels(6)
            .init(&device);
        assert_eq!(stream.forward(stages(&device)).dims(), [2, 1, 9, 12]);
        assert_eq!(stream.levels.len(), 3);
    }

    #[test]
    fn folded_it_says_the_same() {
        let device = Device::default();
        let stream = ShapeStreamConfig::new([4, 8, 16, 32])
            .with_channels(6)
            .init(&device);
        let stages = stages(&device);
        let expected = stream.forward(stages.clone()).into_data();
        let folded = stream.fold();
        assert!(folded.levels[0].gate.attention.norm.is_none());
        folded
            .forward(stages)
            .into_data()
            .assert_approx_eq::<f32>(&expected, Tolerance::rel_abs(1e-4, 1e-5));
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 8, got 7")]
    fn other_stages_are_refused() {
        let device = Device::default();
        let stream = ShapeStreamConfig::new([4, 8, 16, 32]).init(&device);
        let mut stages = stages(&device);
        stages[1] = Tensor::zeros([2, 7, 5, 6], &device);
        stream.forward(stages);
    }
}
