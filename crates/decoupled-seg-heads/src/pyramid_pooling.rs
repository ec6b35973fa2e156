use burn::config::Config;
use burn::module::Module;
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor, assert_shape};
use decoupled_seg_nn::{
    ConfigError, ConvInit, ConvNormAct, ConvNormActConfig, Cost, CostCounter, Fold, KeyMap,
    MapShape, Size, channel_dropout, map_size, resize,
};

/// Configuration of a [`PyramidPooling`]; [`init`](PyramidPoolingConfig::init) builds it.
#[derive(Config, Debug)]
pub struct PyramidPoolingConfig {
    /// Channels `[in, out]`; published networks have 256 out.
    pub channels: [usize; 2],
    /// Channels of each stage.
    #[config(default = "channels[1]")]
    pub stage_channels: usize,
    /// Bins along each side of a stage's grid, one number for each stage.
    #[config(default = "vec![1, 2, 3, 6]")]
    pub bins: Vec<usize>,
    /// Share of the output's channels dropped in training.
    #[config(default = 0.1)]
    pub dropout: f64,
    /// How the convolutions are initialised.
    #[config(default = "ConvInit::Uniform")]
    pub conv_init: ConvInit,
}

/// Pyramid pooling: averages over coarser and finer grids, next to the features themselves.
///
/// ```text
/// stage  = up(norm(conv1x1(average over a grid of bins x bins)))       no ReLU
/// result = dropout(relu(norm(conv1x1([stages ... ; features]))))
/// ```
///
/// Neighbouring bins overlap by a row where the number of bins does not divide the size, as in PyTorch's adaptive
/// pooling. In training, the norm of the one-bin stage sees one value a channel for each image, so training needs
/// batches of two, as with an [`Aspp`](crate::Aspp).
///
/// Source: Zhao et al., CVPR 2017, [arXiv:1612.01105](https://arxiv.org/abs/1612.01105), section 3.2; `ppm` in the
/// authors' code, which leaves out the stages' ReLU. Built by [`PyramidPoolingConfig`].
#[doc(alias("PSPModule", "PPM"))]
#[derive(Module, Debug)]
pub struct PyramidPooling {
    /// One stage for each entry of [`PyramidPoolingConfig::bins`].
    pub stages: Vec<PyramidStage>,
    /// 1x1 convolution over stages and features.
    pub bottleneck: ConvNormAct,
    /// Drops channels of the output in training.
    pub dropout: Dropout,
    /// See [`PyramidPoolingConfig::channels`].
    pub channels: [usize; 2],
}

/// One grid of a [`PyramidPooling`].
#[derive(Module, Debug)]
pub struct PyramidStage {
    /// The averages.
    pub pool: AdaptiveAvgPool2d,
    /// 1x1 convolution with norm, without ReLU.
    pub conv: ConvNormAct,
}

impl PyramidPoolingConfig {
    /// Checks that the head can be built.
    ///
    /// # Errors
    ///
    /// A number of channels is 0 or too large, there are no bins, one of them is not in 1 to 128, or `dropout` is not in
    /// `0..1`.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check_channels("channels", &self.channels)?;
        ConfigError::check_channels("stage_channels", &[self.stage_channels])?;
        if self.bins.is_empty() {
            return Err(ConfigError::value("bins", "[]", "a number for each stage"));
        }
        ConfigError::check_all("bins", &self.bins, 1..=128)?;
        ConfigError::check_dropout("dropout", self.dropout)
    }

    /// Builds the head on `device`.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> PyramidPooling {
        ConfigError::assert_none(self.validate());
        PyramidPooling {
            stages: self
                .bins
                .iter()
                .map(|&bins| PyramidStage {
                    pool: AdaptiveAvgPool2dConfig::new([bins, bins]).init(),
                    conv: self.stage().init(device),
                })
                .collect(),
            bottleneck: self.bottleneck().init(device),
            dropout: DropoutConfig::new(self.dropout).init(),
            channels: self.channels,
        }
    }

    /// The convolution of every stage.
    fn stage(&self) -> ConvNormActConfig {
        ConvNormActConfig::new([self.channels[0], self.stage_channels], [1, 1])
            .with_activation(None)
            .with_conv_init(self.conv_init)
    }

    /// The convolution over stages and features.
    fn bottleneck(&self) -> ConvNormActConfig {
        let channels_in = self.bins.len() * self.stage_channels + self.channels[0];
        ConvNormActConfig::new([channels_in, self.channels[1]], [1, 1])
            .with_conv_init(self.conv_init)
    }

    /// The authors' names of the head's tensors.
    pub fn official_keys(&self) -> KeyMap {
        let mut ppm = KeyMap::new();
        for index in 0..self.bins.len() {
            let stage = KeyMap::new().conv_norm_act("1", "2", "conv", &self.stage());
            ppm = ppm.nest(
                &format!("stages.{index}"),
                &format!("stages.{index}"),
                stage,
            );
        }
        let bottleneck = KeyMap::new().conv_norm_act("0", "1", "", &self.bottleneck());
        KeyMap::new().nest("ppm", "", ppm.nest("bottleneck", "bottleneck", bottleneck))
    }
}

impl Cost for PyramidPoolingConfig {
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape {
        let mut maps = Vec::with_capacity(self.bins.len() + 1);
        for &bins in &self.bins {
            let pooled = counter.pool(input, Size::square(bins));
            let pooled = self.stage().cost(pooled, counter);
            maps.push(counter.resize(pooled, input.size));
        }
        maps.push(input);
        let all = counter.concatenate(&maps);
        let output = self.bottleneck().cost(all, counter);
        counter.end_part("ppm", output);
        output
    }
}

impl PyramidPooling {
    /// Computes the context features.
    ///
    /// # Shapes
    ///
    /// - `features`: `[batch, in, height, width]`
    /// - output: `[batch, out, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not `in`, or in training on fewer images than
    /// [`min_training_batch`](Self::min_training_batch).
    pub fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        assert_shape!(features, [_, self.channels[0], _, _]);
        let size = map_size(&features);

        let mut maps = Vec::with_capacity(self.stages.len() + 1);
        for stage in &self.stages {
            let pooled = stage.conv.forward(stage.pool.forward(features.clone()));
            maps.push(resize(pooled, size, true));
        }
        maps.push(features);
        let output = self.bottleneck.forward(Tensor::cat(maps, 1));

        channel_dropout(&self.dropout, output)
    }

    /// The smallest batch for training: 2 if the norm of a one-bin stage is trained, else 1.
    pub fn min_training_batch(&self) -> usize {
        let one_bin = |stage: &&PyramidStage| stage.pool.output_size == [1, 1];
        let stages = self.stages.iter().filter(one_bin);
        stages
            .map(|stage| stage.conv.min_pooled_batch())
            .max()
            .unwrap_or(1)
    }
}

impl Fold for PyramidPooling {
    fn fold(self) -> Self {
        Self {
            stages: self.stages.fold(),
            bottleneck: self.bottleneck.fold(),
            ..self
        }
    }
}

impl Fold for PyramidStage {
    fn fold(self) -> Self {
        Self {
            conv: self.conv.fold(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::tensor::{Distribution, TensorData, Tolerance};

    use super::*;

    #[test]
    fn keeps_the_size_also_of_maps_smaller_than_the_bins() {
        let device = Device::default();
        let head = PyramidPoolingConfig::new([6, 4]).init(&device);
        for [height, width] in [[9, 13], [4, 5], [1, 1]] {
            let features = Tensor::random([2, 6, height, width], Distribution::Default, &device);
            assert_eq!(head.forward(features).dims(), [2, 4, height, width]);
        }
    }

    #[test]
    fn bins_overlap_where_the_size_is_no_multiple() {
        let device = Device::default();
        let pool = AdaptiveAvgPool2dConfig::new([3, 3]).init();
        // 4 columns in 3 bins: 0-1, 1-2, 2-3.
        let features = Tensor::<4>::from_floats([[[[0.0, 1.0, 2.0, 4.0]]]], &device);
        let pooled = pool.forward(features.expand([1, 1, 3, 4]));
        pooled
            .slice([0..1, 0..1, 0..1])
            .into_data()
            .assert_approx_eq::<f32>(
                &TensorData::from([[[[0.5, 1.5, 3.0]]]]),
                Tolerance::absolute(1e-6),
            );
    }

    #[test]
    fn stages_come_first_and_stay_negative_without_relu() {
        let device = Device::default();
        let mut head = PyramidPoolingConfig::new([1, 1])
            .with_bins(vec![1])
            .init(&device);
        let ones = |shape| Param::from_tensor(Tensor::<4>::ones(shape, &device));
        head.stages[0].conv.conv.weight = ones([1, 1, 1, 1]).map(|weight| -weight);
        // The bottleneck reads the stage only, and negates it.
        head.bottleneck.conv.weight =
            Param::from_tensor(Tensor::<4>::from_floats([[[[-1.0]], [[0.0]]]], &device));
        let output = head.forward(Tensor::full([1, 1, 2, 2], 3.0, &device));
        // The result is -(-3) after two norms with variance 1 and epsilon 1e-5.
        output.into_data().assert_approx_eq::<f32>(
            &TensorData::from([[[[3.0; 2]; 2]]]),
            Tolerance::absolute(1e-4),
        );
    }

    #[test]
    fn a_one_bin_stage_asks_for_two_images() {
        let device = Device::default();
        let config = PyramidPoolingConfig::new([4, 4]);
        assert_eq!(config.init(&device).min_training_batch(), 2);
        assert_eq!(config.init(&device).freeze().min_training_batch(), 1);
        let config = config.with_bins(vec![2, 3]);
        assert_eq!(config.init(&device).min_training_batch(), 1);
    }

    #[test]
    fn official_names() {
        let keys = PyramidPoolingConfig::new([8, 4]).official_keys();
        let path = |official: &str| keys.path_of(official).expect(official).to_string();
        assert_eq!(path("ppm.stages.3.1.weight"), "stages.3.conv.conv.weight");
        assert_eq!(path("ppm.stages.0.2.weight"), "stages.0.conv.norm.gamma");
        assert_eq!(path("ppm.bottleneck.1.bias"), "bottleneck.norm.beta");
        assert_eq!(keys.keys().len(), 5 * 6);
    }

    #[test]
    #[should_panic(expected = "`bins` is [1, 0], expected numbers of 1 to 128")]
    fn a_stage_without_bins_is_refused() {
        PyramidPoolingConfig::new([4, 4])
            .with_bins(vec![1, 0])
            .init(&Device::default());
    }
}
