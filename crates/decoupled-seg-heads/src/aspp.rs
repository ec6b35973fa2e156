use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor, assert_shape};
use decoupled_seg_nn::{
    ConfigError, ConvInit, ConvNormAct, ConvNormActConfig, Cost, CostCounter, Fold, KeyMap,
    MapShape, Size, conv2d,
};

/// Configuration of an [`Aspp`]; [`init`](AsppConfig::init) builds it.
#[derive(Config, Debug)]
pub struct AsppConfig {
    /// Channels `[in, out]`; published networks have 256 out.
    pub channels: [usize; 2],
    /// Channels of each branch.
    #[config(default = "channels[1]")]
    pub branch_channels: usize,
    /// Dilation of each 3x3 branch, in feature pixels: [`ATROUS_RATES_OS8`](AsppConfig::ATROUS_RATES_OS8) or
    /// [`ATROUS_RATES_OS16`](AsppConfig::ATROUS_RATES_OS16).
    #[config(default = "AsppConfig::ATROUS_RATES_OS8.to_vec()")]
    pub atrous_rates: Vec<usize>,
    /// How the convolutions are initialised.
    #[config(default = "ConvInit::Uniform")]
    pub conv_init: ConvInit,
}

/// Atrous spatial pyramid pooling: the same features seen at several scales.
///
/// ```text
/// image    = up(relu(norm(conv1x1(mean over height and width))))
/// features = relu(norm(conv1x1)), relu(norm(conv3x3 dilated by each rate))
/// result   = conv1x1([image ; features ...])        no norm, no ReLU
/// ```
///
/// In training, the norm of the image branch sees one value a channel for each image. With a single image it would see
/// no spread at all, so training needs batches of two, or frozen norms.
///
/// Source: Chen et al., ECCV 2018, [arXiv:1802.02611](https://arxiv.org/abs/1802.02611), figure 2; `aspp` and
/// `bot_aspp` in the authors' code. The order of the branches is theirs. Built by [`AsppConfig`].
#[doc(alias = "_AtrousSpatialPyramidPoolingModule")]
#[derive(Module, Debug)]
pub struct Aspp {
    /// 1x1 convolution of the mean over the whole map.
    pub image: ConvNormAct,
    /// The 1x1 convolution, then a dilated 3x3 one for each rate.
    pub branches: Vec<ConvNormAct>,
    /// 1x1 convolution over all branches, image first (`bot_aspp`).
    pub project: Conv2d,
    /// See [`AsppConfig::channels`].
    pub channels: [usize; 2],
}

impl AsppConfig {
    /// Rates for features at stride 8.
    pub const ATROUS_RATES_OS8: [usize; 3] = [12, 24, 36];
    /// Rates for features at stride 16; they reach as far in the image.
    pub const ATROUS_RATES_OS16: [usize; 3] = [6, 12, 18];
    /// Largest rate, here and in a [`DenseAspp`](crate::DenseAspp): it reaches beyond any image.
    pub const MAX_ATROUS_RATE: usize = 1024;

    /// Checks that the head can be built.
    ///
    /// # Errors
    ///
    /// A number of channels is 0 or too large, or a rate is not in 1 to [`MAX_ATROUS_RATE`](Self::MAX_ATROUS_RATE).
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check_channels("channels", &self.channels)?;
        ConfigError::check_channels("branch_channels", &[self.branch_channels])?;
        ConfigError::check_all(
            "atrous_rates",
            &self.atrous_rates,
            1..=Self::MAX_ATROUS_RATE,
        )
    }

    /// Builds the head on `device`.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> Aspp {
        ConfigError::assert_none(self.validate());
        Aspp {
            image: self.image().init(device),
            branches: self
                .branches()
                .iter()
                .map(|branch| branch.init(device))
                .collect(),
            project: self.project().init(device),
            channels: self.channels,
        }
    }

    /// The 1x1 convolution of the image branch.
    fn image(&self) -> ConvNormActConfig {
        ConvNormActConfig::new([self.channels[0], self.branch_channels], [1, 1])
            .with_conv_init(self.conv_init)
    }

    /// The branches at the features' resolution: the 1x1 branch, then the dilated branches.
    fn branches(&self) -> Vec<ConvNormActConfig> {
        let atrous = self.atrous_rates.iter().map(|&rate| {
            ConvNormActConfig::new([self.channels[0], self.branch_channels], [3, 3])
                .with_dilation([rate, rate])
                .with_same_padding()
                .with_conv_init(self.conv_init)
        });
        std::iter::once(self.image()).chain(atrous).collect()
    }

    /// The last 1x1 convolution.
    fn project(&self) -> Conv2dConfig {
        let branches = 2 + self.atrous_rates.len();
        Conv2dConfig::new([branches * self.branch_channels, self.channels[1]], [1, 1])
            .with_bias(false)
            .with_initializer(self.conv_init.weight())
    }

    /// The authors' names of the head's tensors.
    pub fn official_keys(&self) -> KeyMap {
        let mut aspp = KeyMap::new();
        for (index, branch) in self.branches().iter().enumerate() {
            let keys = KeyMap::new().conv_norm_act("0", "1", "", branch);
            aspp = aspp.nest(
                &format!("features.{index}"),
                &format!("branches.{index}"),
                keys,
            );
        }
        let image = KeyMap::new().conv_norm_act("0", "1", "", &self.image());
        let aspp = aspp.nest("img_conv", "image", image);
        KeyMap::new()
            .nest("aspp", "", aspp)
            .conv("bot_aspp", "project", false)
    }
}

impl Cost for AsppConfig {
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape {
        let mean = counter.pool(input, Size::square(1));
        let image = self.image().cost(mean, counter);
        let mut maps = vec![image.with_size(input.size)];
        for branch in self.branches() {
            maps.push(branch.cost(input, counter));
        }
        let branches = counter.concatenate(&maps);
        counter.end_part("aspp", branches);

        let output = self.project().cost(branches, counter);
        counter.end_part("bot_aspp", output);
        output
    }
}

impl Aspp {
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
        conv2d(&self.project, self.forward_branches(features))
    }

    /// Runs the branches, without the last convolution; the image branch comes first.
    ///
    /// # Shapes
    ///
    /// - `features`: `[batch, in, height, width]`
    /// - output: `[batch, (2 + rates) * branch_channels, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not `in`, or in training on fewer images than
    /// [`min_training_batch`](Self::min_training_batch).
    pub fn forward_branches(&self, features: Tensor<4>) -> Tensor<4> {
        assert_shape!(features, [_, self.channels[0], _, _]);
        let [_, _, height, width] = features.dims();

        let mean = features.clone().mean_dim(2).mean_dim(3);
        // Up-sampling a single pixel gives a constant map.
        let image = self.image.forward(mean);
        let [batch, channels, _, _] = image.dims();
        let mut maps = vec![image.expand([batch, channels, height, width])];
        for branch in &self.branches {
            maps.push(branch.forward(features.clone()));
        }

        Tensor::cat(maps, 1)
    }

    /// The smallest batch for training: 2, or 1 with frozen norms.
    pub fn min_training_batch(&self) -> usize {
        self.image.min_pooled_batch()
    }
}

impl Fold for Aspp {
    fn fold(self) -> Self {
        Self {
            image: self.image.fold(),
            branches: self.branches.fold(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::tensor::{Distribution, Tolerance};

    use super::*;

    #[test]
    fn branches_are_image_first_and_keep_the_size() {
        let device = Device::default();
        device.seed(1);
        let head = AsppConfig::new([6, 4])
            .with_branch_channels(3)
            .init(&device);
        let features = Tensor::random([2, 6, 5, 7], Distribution::Default, &device);

        let branches = head.forward_branches(features.clone());
        assert_eq!(branches.dims(), [2, 15, 5, 7]);
        let image = branches.slice([0..2, 0..3]);
        let corner = image.clone().slice([0..2, 0..3, 0..1, 0..1]);
        let corner = corner.expand([2, 3, 5, 7]);
        image
            .into_data()
            .assert_approx_eq::<f32>(&corner.into_data(), Tolerance::absolute(0.0));
        assert_eq!(head.forward(features).dims(), [2, 4, 5, 7]);
    }

    #[test]
    fn rates_reach_as_far_in_the_image_at_both_strides() {
        let reach = |rates: [usize; 3], stride| rates.map(|rate| rate * stride);
        assert_eq!(
            reach(AsppConfig::ATROUS_RATES_OS8, 8),
            reach(AsppConfig::ATROUS_RATES_OS16, 16)
        );
    }

    #[test]
    #[should_panic(
        expected = "expects more than 1 value per channel, got an input of [1, 4, 1, 1]"
    )]
    fn a_single_image_in_training_is_refused() {
        let device = Device::default().autodiff();
        let head = AsppConfig::new([4, 4]).init(&device);
        assert_eq!(head.min_training_batch(), 2);
        let _ = head.forward(Tensor::ones([1, 4, 5, 5], &device));
    }

    #[test]
    fn official_names() {
        let keys = AsppConfig::new([8, 4]).official_keys();
        let path = |official: &str| keys.path_of(official).expect(official).to_string();
        assert_eq!(path("aspp.features.0.0.weight"), "branches.0.conv.weight");
        assert_eq!(path("aspp.features.3.1.bias"), "branches.3.norm.beta");
        assert_eq!(path("aspp.img_conv.1.weight"), "image.norm.gamma");
        assert_eq!(path("bot_aspp.weight"), "project.weight");
        assert_eq!(keys.keys().len(), 5 * 6 + 1);
    }

    #[test]
    fn frozen_it_still_runs_on_an_autodiff_device() {
        let device = Device::default().autodiff();
        let head = AsppConfig::new([4, 4]).init(&device).freeze();
        assert_eq!(head.min_training_batch(), 1);
        let output = head.forward(Tensor::ones([1, 4, 5, 5], &device));
        assert!(output.sum().into_scalar::<f32>().is_finite());
    }

    #[test]
    #[should_panic(expected = "`atrous_rates` is [6, 0, 18], expected numbers of 1 to 1024")]
    fn a_rate_of_zero_is_refused() {
        AsppConfig::new([4, 4])
            .with_atrous_rates(vec![6, 0, 18])
            .init(&Device::default());
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 4, got 3")]
    fn other_channels_are_refused() {
        let device = Device::default();
        let head = AsppConfig::new([4, 4]).init(&device);
        head.forward(Tensor::zeros([1, 3, 5, 5], &device));
    }
}
