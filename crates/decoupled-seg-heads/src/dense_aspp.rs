use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, assert_shape};
use decoupled_seg_nn::{
    ConfigError, ConvInit, ConvNormAct, ConvNormActConfig, Cost, CostCounter, Fold, KeyMap,
    MapShape, batch_norm_sum, channel_dropout, conv2d,
};

use crate::aspp::AsppConfig;

/// Configuration of a [`DenseAspp`]; [`init`](DenseAsppConfig::init) builds it.
#[derive(Config, Debug)]
pub struct DenseAsppConfig {
    /// Channels `[in, out]`.
    pub channels: [usize; 2],
    /// Channels to which the 1x1 convolution of each block reduces its input.
    #[config(default = "channels[1]")]
    pub reduced_channels: usize,
    /// Channels that each block adds.
    #[config(default = "channels[1] / 2")]
    pub branch_channels: usize,
    /// Dilation of each block, in feature pixels.
    #[config(default = "vec![3, 6, 12, 18, 24]")]
    pub atrous_rates: Vec<usize>,
    /// Share of the added channels that each block drops in training.
    #[config(default = 0.1)]
    pub dropout: f64,
    /// How the convolutions are initialised.
    #[config(default = "ConvInit::Uniform")]
    pub conv_init: ConvInit,
}

/// Dilated convolutions in a chain. Each reads the features and the outputs of all convolutions before it, so many
/// scales come together.
///
/// ```text
/// x      = features
/// x      = [dropout(conv3x3 dilated(relu(norm(conv1x1(relu(norm(x))))))) ; x]      for each rate; the first without norm(x)
/// result = relu(norm(conv1x1(x)))
/// ```
///
/// Source: Yang et al., CVPR 2018, "DenseASPP for Semantic Segmentation in Street Scenes", figure 3; a rival in Table 3
/// of the paper. The last convolution differs: in DenseASPP it predicts the classes, here a decoder follows. Built by
/// [`DenseAsppConfig`].
#[doc(alias = "DenseASPP")]
#[derive(Module, Debug)]
pub struct DenseAspp {
    /// One block for each rate.
    pub blocks: Vec<DenseAsppBlock>,
    /// 1x1 convolution over the features and what all blocks added.
    pub project: ConvNormAct,
    /// See [`DenseAsppConfig::channels`].
    pub channels: [usize; 2],
}

/// One dilated convolution of a [`DenseAspp`].
#[derive(Module, Debug)]
pub struct DenseAsppBlock {
    /// The norm in front of the 1x1 convolution; the first block has none.
    pub norm: Option<BatchNorm>,
    /// 1x1 convolution, norm, ReLU.
    pub reduce: ConvNormAct,
    /// The dilated 3x3 convolution.
    pub atrous: Conv2d,
    /// Drops channels in training.
    pub dropout: Dropout,
}

impl DenseAsppConfig {
    /// Checks that the head can be built.
    ///
    /// # Errors
    ///
    /// A number of channels is 0 or too large, a rate is not in 1 to [`AsppConfig::MAX_ATROUS_RATE`], or `dropout` is not in `0..1`.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check_channels("channels", &self.channels)?;
        ConfigError::check_channels("reduced_channels", &[self.reduced_channels])?;
        ConfigError::check_channels("branch_channels", &[self.branch_channels])?;
        let rates = 1..=AsppConfig::MAX_ATROUS_RATE;
        ConfigError::check_all("atrous_rates", &self.atrous_rates, rates)?;
        ConfigError::check_dropout("dropout", self.dropout)
    }

    /// Builds the head on `device`.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> DenseAspp {
        ConfigError::assert_none(self.validate());
        let blocks = (0..self.atrous_rates.len()).map(|index| DenseAsppBlock {
            norm: (index > 0).then(|| BatchNormConfig::new(self.width(index)).init(device)),
            reduce: self.reduce(index).init(device),
            atrous: self.atrous(index).init(device),
            dropout: DropoutConfig::new(self.dropout).init(),
        });
        DenseAspp {
            blocks: blocks.collect(),
            project: self.project().init(device),
            channels: self.channels,
        }
    }

    /// Input channels of a block.
    fn width(&self, block: usize) -> usize {
        self.channels[0] + block * self.branch_channels
    }

    fn reduce(&self, block: usize) -> ConvNormActConfig {
        ConvNormActConfig::new([self.width(block), self.reduced_channels], [1, 1])
            .with_bias(true)
            .with_conv_init(self.conv_init)
    }

    fn atrous(&self, block: usize) -> Conv2dConfig {
        let rate = self.atrous_rates[block];
        Conv2dConfig::new([self.reduced_channels, self.branch_channels], [3, 3])
            .with_dilation([rate; 2])
            .with_padding(PaddingConfig2d::Explicit(rate, rate, rate, rate))
            .with_initializer(self.conv_init.weight())
    }

    fn project(&self) -> ConvNormActConfig {
        let width = self.width(self.atrous_rates.len());
        ConvNormActConfig::new([width, self.channels[1]], [1, 1]).with_conv_init(self.conv_init)
    }

    /// The names of the head's tensors: as in the code of the DenseASPP paper, with `bot_aspp` for the last
    /// convolution.
    pub fn official_keys(&self) -> KeyMap {
        let mut keys = KeyMap::new();
        for (index, rate) in self.atrous_rates.iter().enumerate() {
            let mut block = KeyMap::new();
            if index > 0 {
                block = block.norm("norm1", "norm");
            }
            let block = block
                .conv_norm_act("conv1", "norm2", "reduce", &self.reduce(index))
                .conv("conv2", "atrous", true);
            keys = keys.nest(&format!("ASPP_{rate}"), &format!("blocks.{index}"), block);
        }
        let project = KeyMap::new().conv_norm_act("0", "1", "project", &self.project());
        keys.nest("bot_aspp", "", project)
    }
}

impl Cost for DenseAsppConfig {
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape {
        let mut map = input;
        for index in 0..self.atrous_rates.len() {
            if index > 0 {
                counter.batch_norm(map);
                counter.activation(map);
            }
            let reduced = self.reduce(index).cost(map, counter);
            let added = self.atrous(index).cost(reduced, counter);
            map = counter.concatenate(&[added, map]);
        }
        counter.end_part("dense_aspp", map);
        let output = self.project().cost(map, counter);
        counter.end_part("bot_aspp", output);
        output
    }
}

impl DenseAspp {
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
        let dense = self.blocks.iter().fold(features, |map, block| {
            let added = block.forward(map.clone());
            Tensor::cat(vec![added, map], 1)
        });
        self.project.forward(dense)
    }
}

impl DenseAsppBlock {
    fn forward(&self, map: Tensor<4>) -> Tensor<4> {
        let map = match &self.norm {
            Some(norm) => batch_norm_sum(norm, map, None, true),
            None => map,
        };
        let added = conv2d(&self.atrous, self.reduce.forward(map));
        channel_dropout(&self.dropout, added)
    }
}

impl Fold for DenseAspp {
    fn fold(self) -> Self {
        Self {
            blocks: self.blocks.fold(),
            project: self.project.fold(),
            ..self
        }
    }
}

/// The norm in front of the first ReLU stays: no convolution stands before it.
impl Fold for DenseAsppBlock {
    fn fold(self) -> Self {
        Self {
            norm: self.norm.fold(),
            reduce: self.reduce.fold(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{ModuleMapper, Param};
    use burn::store::ModuleSnapshot;
    use burn::tensor::{Distribution, Tolerance};
    use decoupled_seg_nn::Size;

    use super::*;

    fn config() -> DenseAsppConfig {
        DenseAsppConfig::new([6, 4])
    }

    #[test]
    fn keeps_the_size_and_reads_all_before() {
        let device = Device::default();
        let head = config().init(&device);
        let output = head.forward(Tensor::zeros([2, 6, 5, 7], &device));
        assert_eq!(output.dims(), [2, 4, 5, 7]);
        let reads: Vec<usize> = head
            .blocks
            .iter()
            .map(|block| block.reduce.conv.weight.dims()[1])
            .collect();
        assert_eq!(reads, [6, 8, 10, 12, 14]);
    }

    /// Leaves no ReLU closed: what goes in positive comes out positive.
    struct Positive;

    impl ModuleMapper for Positive {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(Tensor::abs)
        }
    }

    /// A pixel of the result sees as far as the sum of all rates.
    #[test]
    fn it_reaches_as_far_as_all_rates_together() {
        let device = Device::default();
        let head = config().with_atrous_rates(vec![1, 2]).init(&device);
        let head = head.map(&mut Positive);
        let plain: Tensor<4> = Tensor::ones([1, 6, 1, 11], &device);
        let mut far = plain.clone();
        far = far.slice_assign(
            [0..1, 0..6, 0..1, 8..9],
            Tensor::ones([1, 6, 1, 1], &device) * 5.0,
        );
        let difference = (head.forward(far) - head.forward(plain)).abs().sum_dim(1);
        let seen = |x: usize| {
            let pixel = difference.clone().slice([0..1, 0..1, 0..1, x..x + 1]);
            pixel.into_scalar::<f32>() > 0.0
        };
        assert!(seen(5) && !seen(4), "3 pixels to the left, not 4");
    }

    #[test]
    fn every_tensor_has_a_name_and_the_costs_are_those_of_the_tensors() {
        let network = config().init(&Device::default());
        let tensors = network.collect(None, None, true);
        let keys = config().official_keys();
        let mut named: Vec<&str> = keys
            .keys()
            .iter()
            .filter_map(|key| key.path.as_deref())
            .collect();
        let mut paths: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        named.sort_unstable();
        paths.sort_unstable();
        assert_eq!(named, paths);
        assert_eq!(
            keys.path_of("ASPP_6.norm1.bias"),
            Some("blocks.1.norm.beta")
        );

        let mut counter = CostCounter::new();
        config().cost(MapShape::new(6, Size::new(5, 7)), &mut counter);
        let trained = tensors
            .iter()
            .filter(|tensor| !tensor.name.contains("running_"));
        let parameters: usize = trained
            .map(|tensor| tensor.shape.iter().product::<usize>())
            .sum();
        assert_eq!(counter.total().parameters, parameters as u64);
    }

    #[test]
    fn folding_keeps_the_features() {
        let device = Device::default();
        device.seed(2);
        let head = config().init(&device);
        let features = Tensor::random([1, 6, 9, 8], Distribution::Default, &device);
        let expected = head.forward(features.clone());
        head.fold()
            .forward(features)
            .into_data()
            .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-5));
    }

    #[test]
    #[should_panic(expected = "`atrous_rates` is [3, 0], expected numbers of 1 to 1024")]
    fn a_rate_of_zero_is_refused() {
        config()
            .with_atrous_rates(vec![3, 0])
            .init(&Device::default());
    }
}
