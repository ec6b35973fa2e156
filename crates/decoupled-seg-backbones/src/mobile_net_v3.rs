use burn::config::Config;
use burn::module::Module;
use burn::tensor::activation::hard_sigmoid;
use burn::tensor::{Device, Tensor, assert_shape};
use decoupled_seg_nn::{
    Activation, ConfigError, ConvInit, ConvNormAct, ConvNormActConfig, Cost, CostCounter, Fold,
    KeyMap, MapShape, Size,
};

use crate::chain::chain;
use crate::image_channels::{self, image_channels};
use crate::{BackboneNames, Features, OutputStride};

/// One row (one block) of the paper's table.
struct Row {
    kernel: usize,
    expanded: usize,
    out: usize,
    squeeze: bool,
    activation: Activation,
    stride: usize,
}

const fn row(
    kernel: usize,
    expanded: usize,
    out: usize,
    squeeze: bool,
    activation: Activation,
    stride: usize,
) -> Row {
    Row {
        kernel,
        expanded,
        out,
        squeeze,
        activation,
        stride,
    }
}

/// Table 1 of the paper: MobileNetV3-Large.
const LARGE: [Row; 15] = {
    const RE: Activation = Activation::Relu;
    const HS: Activation = Activation::HardSwish;
    [
        row(3, 16, 16, false, RE, 1),
        row(3, 64, 24, false, RE, 2),
        row(3, 72, 24, false, RE, 1),
        row(5, 72, 40, true, RE, 2),
        row(5, 120, 40, true, RE, 1),
        row(5, 120, 40, true, RE, 1),
        row(3, 240, 80, false, HS, 2),
        row(3, 200, 80, false, HS, 1),
        row(3, 184, 80, false, HS, 1),
        row(3, 184, 80, false, HS, 1),
        row(3, 480, 112, true, HS, 1),
        row(3, 672, 112, true, HS, 1),
        row(5, 672, 160, true, HS, 2),
        row(5, 960, 160, true, HS, 1),
        row(5, 960, 160, true, HS, 1),
    ]
};

/// Where the stages at stride 4, 8 and 16 end, and where the fourth begins.
const STAGE_ENDS: [usize; 3] = [3, 6, 12];

/// Channels of the stem, before they are multiplied by `width`.
const STEM: usize = 16;

/// Configuration of a [`MobileNetV3`]; [`init`](MobileNetV3Config::init) builds it.
#[derive(Config, Debug)]
pub struct MobileNetV3Config {
    /// Resolution of the last stages. torchvision's dilated networks have
    /// [`Os16`](OutputStride::Os16).
    #[config(default = "OutputStride::Os16")]
    pub output_stride: OutputStride,
    /// Factor of all channels, which are then rounded to multiples of 8. Published weights have 1.
    #[config(default = 1.0)]
    pub width: f64,
    /// Channels of the images; none: 3, RGB. See [`image_channels`](Self::image_channels).
    #[config(default = "None")]
    pub in_channels: Option<usize>,
}

/// MobileNetV3-Large without a classifier, dilated in its last stages: the small network for phones and the browser.
///
/// Source: Howard et al., ICCV 2019, [arXiv:1905.02244](https://arxiv.org/abs/1905.02244), table 1; the norms' epsilon
/// (1e-3) and momentum (0.01) are torchvision's. `c4` is the output of the last 1x1 convolution, six times as wide as
/// the blocks before it. Built by [`MobileNetV3Config`].
#[derive(Module, Debug)]
pub struct MobileNetV3 {
    /// 3x3 convolution of stride 2.
    pub stem: ConvNormAct,
    /// Fifteen blocks.
    pub blocks: Vec<InvertedResidual>,
    /// 1x1 convolution.
    pub last: ConvNormAct,
}

/// Configuration of an [`InvertedResidual`].
#[derive(Config, Debug)]
pub struct InvertedResidualConfig {
    /// Channels in, expanded and out.
    pub channels: [usize; 3],
    /// Side of the depthwise kernel, in pixels.
    pub kernel: usize,
    /// Whether the block weighs its channels by their means over the whole map (squeeze and excitation).
    pub squeeze: bool,
    /// Activation behind the expanding and the depthwise convolution.
    pub activation: Activation,
    /// Whether the input is added to the output.
    pub residual: bool,
    /// Stride of the depthwise convolution, in pixels.
    #[config(default = 1)]
    pub stride: usize,
    /// Dilation of the depthwise convolution, in pixels.
    #[config(default = 1)]
    pub dilation: usize,
}

/// Expands the channels, convolves each of them alone, weighs them, and projects them to the channels out.
///
/// ```text
/// x      = depthwise(expand(input))
/// x      = x * hard_sigmoid(fc2(relu(fc1(mean over height and width of x))))      where it squeezes
/// output = project(x) + input                                                     where it is residual
/// ```
///
/// Source: Howard et al., ICCV 2019, figure 4. Built by [`InvertedResidualConfig`].
#[derive(Module, Debug)]
pub struct InvertedResidual {
    /// 1x1 convolution; `None` where the channels in are as many as the expanded ones.
    pub expand: Option<ConvNormAct>,
    /// Depthwise convolution.
    pub depthwise: ConvNormAct,
    /// The two 1x1 convolutions that compute the channels' weights, if the block weighs them.
    pub squeeze: Option<[ConvNormAct; 2]>,
    /// 1x1 convolution without activation.
    pub project: ConvNormAct,
    /// See [`InvertedResidualConfig::residual`].
    pub residual: bool,
}

/// Rounds `channels` to a multiple of 8. The result is at least 8, and at least nine tenths of `channels`.
fn divisible(channels: f64) -> usize {
    let rounded = (((channels + 4.0) as usize) / 8 * 8).max(8);
    match (rounded as f64) < 0.9 * channels {
        true => rounded + 8,
        false => rounded,
    }
}

/// A convolution with norm, padded to keep the size.
fn conv(channels: [usize; 2], side: usize, activation: Option<Activation>) -> ConvNormActConfig {
    ConvNormActConfig::new(channels, [side; 2])
        .with_same_padding()
        .with_norm_epsilon(1e-3)
        .with_norm_momentum(0.01)
        .with_activation(activation)
        .with_conv_init(ConvInit::HeNormalFanOut)
}

impl MobileNetV3Config {
    /// Checks that the network can be built.
    ///
    /// # Errors
    ///
    /// `width` is not above 0 and at most 64, or `in_channels` is 0 or too large.
    pub fn validate(&self) -> Result<(), ConfigError> {
        // The widest layer has 960 times as many channels.
        if !(self.width > 0.0 && self.width <= 64.0) {
            let expected = "above 0, at most 64";
            return Err(ConfigError::value("width", self.width, expected));
        }
        image_channels::validate(self.in_channels)
    }

    /// Builds the network on `device`: convolutions normal with variance `2 / fan_out`, batch norms 1 and 0.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> MobileNetV3 {
        ConfigError::assert_none(self.validate());
        MobileNetV3 {
            stem: self.stem().init(device),
            blocks: self
                .blocks()
                .iter()
                .map(|block| block.init(device))
                .collect(),
            last: self.last().init(device),
        }
    }

    /// Channels of the images: [`in_channels`](Self::in_channels), or 3.
    pub fn image_channels(&self) -> usize {
        image_channels(self.in_channels)
    }

    /// Channels of `c1` to `c4`.
    pub fn channels(&self) -> [usize; 4] {
        let [first, second, third] = STAGE_ENDS.map(|end| self.scaled(LARGE[end - 1].out));
        [first, second, third, self.last().channels[1]]
    }

    fn scaled(&self, channels: usize) -> usize {
        divisible(channels as f64 * self.width)
    }

    fn stem(&self) -> ConvNormActConfig {
        conv(
            [self.image_channels(), self.scaled(STEM)],
            3,
            Some(Activation::HardSwish),
        )
        .with_stride([2, 2])
    }

    fn blocks(&self) -> Vec<InvertedResidualConfig> {
        let [third, fourth] = self.output_stride.last_stages();
        let mut channels_in = self.scaled(STEM);
        let blocks = LARGE.iter().enumerate().map(|(index, row)| {
            let channels = [channels_in, self.scaled(row.expanded), self.scaled(row.out)];
            channels_in = channels[2];
            // Only the first block of a stage changes the resolution; every block of a dilated stage is dilated.
            let (stage_stride, dilation) = match index {
                index if index >= STAGE_ENDS[2] => fourth,
                index if index >= STAGE_ENDS[1] => third,
                _ => (2, 1),
            };
            let residual = row.stride == 1 && channels[0] == channels[2];
            let stride = row.stride.min(stage_stride);
            InvertedResidualConfig::new(channels, row.kernel, row.squeeze, row.activation, residual)
                .with_stride(stride)
                .with_dilation(dilation)
        });
        blocks.collect()
    }

    fn last(&self) -> ConvNormActConfig {
        let channels = self.scaled(LARGE[LARGE.len() - 1].out);
        conv([channels, 6 * channels], 1, Some(Activation::HardSwish))
    }

    /// torchvision's names of the network's tensors, inside its segmentation networks or inside its classifiers.
    pub fn official_keys(&self, names: BackboneNames) -> KeyMap {
        let mut keys = KeyMap::new()
            .conv_norm_act("0.0", "0.1", "stem", &self.stem())
            .image_weight("stem.conv.weight");
        let blocks = self.blocks();
        for (index, block) in blocks.iter().enumerate() {
            let (theirs, ours) = (format!("{}.block", index + 1), format!("blocks.{index}"));
            keys = keys.nest(&theirs, &ours, block.official_keys());
        }
        let last = blocks.len() + 1;
        let (conv, norm) = (format!("{last}.0"), format!("{last}.1"));
        let keys = keys.conv_norm_act(&conv, &norm, "last", &self.last());
        match names {
            BackboneNames::Segmentation => KeyMap::new().nest("backbone", "", keys),
            BackboneNames::Classifier => ["0.weight", "0.bias", "3.weight", "3.bias"]
                .into_iter()
                .fold(KeyMap::new().nest("features", "", keys), |keys, name| {
                    keys.without_counterpart(&format!("classifier.{name}"))
                }),
        }
    }

    /// Counts the network's cost for an image, one part a stage; returns the shapes of `c1` to `c4`.
    pub fn cost(&self, image: MapShape, counter: &mut CostCounter) -> [MapShape; 4] {
        let mut map = self.stem().cost(image, counter);
        let blocks = self.blocks();
        let mut start = 0;
        let mut stages = [map; 4];
        for (stage, end) in STAGE_ENDS.into_iter().chain([blocks.len()]).enumerate() {
            map = blocks[start..end].cost(map, counter);
            if stage == 3 {
                map = self.last().cost(map, counter);
            }
            counter.end_part(&format!("stage{}", stage + 1), map);
            stages[stage] = map;
            start = end;
        }
        stages
    }
}

impl MobileNetV3 {
    /// Computes the features of `images`, which are RGB, normalised as in the weights' training.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, image_channels, height, width]`
    /// - `c1`: `[batch, channels[0], ceil(height / 4), ceil(width / 4)]`, `c2` at stride 8, `c3` and `c4` as
    ///   [`MobileNetV3Config::output_stride`] says
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not [`MobileNetV3Config::image_channels`].
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let [_, channels, _, _] = self.stem.conv.weight.dims();
        assert_shape!(images, [_, channels, _, _]);
        let run = |blocks, input| chain(blocks, input, InvertedResidual::forward);
        let [first, second, third] = STAGE_ENDS;
        let c1 = run(&self.blocks[..first], self.stem.forward(images));
        let c2 = run(&self.blocks[first..second], c1.clone());
        let c3 = run(&self.blocks[second..third], c2.clone());
        let c4 = self.last.forward(run(&self.blocks[third..], c3.clone()));
        Features { c1, c2, c3, c4 }
    }
}

impl Fold for MobileNetV3 {
    fn fold(self) -> Self {
        Self {
            stem: self.stem.fold(),
            blocks: self.blocks.fold(),
            last: self.last.fold(),
        }
    }
}

impl InvertedResidualConfig {
    /// Builds the block on `device`.
    ///
    /// # Panics
    ///
    /// Panics if a number is zero or the kernel is even.
    pub fn init(&self, device: &Device) -> InvertedResidual {
        InvertedResidual {
            expand: self.expand().map(|conv| conv.init(device)),
            depthwise: self.depthwise().init(device),
            squeeze: self
                .squeeze_convs()
                .map(|convs| convs.map(|conv| conv.init(device))),
            project: self.project().init(device),
            residual: self.residual,
        }
    }

    fn expand(&self) -> Option<ConvNormActConfig> {
        let [channels_in, expanded, _] = self.channels;
        (channels_in != expanded).then(|| conv([channels_in, expanded], 1, Some(self.activation)))
    }

    fn depthwise(&self) -> ConvNormActConfig {
        let [_, expanded, _] = self.channels;
        conv([expanded; 2], self.kernel, Some(self.activation))
            .with_groups(expanded)
            .with_stride([self.stride; 2])
            .with_dilation([self.dilation; 2])
            .with_same_padding()
    }

    fn squeeze_convs(&self) -> Option<[ConvNormActConfig; 2]> {
        let [_, expanded, _] = self.channels;
        let squeezed = divisible((expanded / 4) as f64);
        let conv = |channels, activation| {
            conv(channels, 1, activation)
                .with_norm(false)
                .with_bias(true)
        };
        self.squeeze.then(|| {
            [
                conv([expanded, squeezed], Some(Activation::Relu)),
                conv([squeezed, expanded], None),
            ]
        })
    }

    fn project(&self) -> ConvNormActConfig {
        let [_, expanded, out] = self.channels;
        conv([expanded, out], 1, None)
    }

    /// torchvision's names of the block's tensors.
    pub fn official_keys(&self) -> KeyMap {
        let mut keys = KeyMap::new();
        let mut place = 0;
        let mut add = |keys: KeyMap, path: &str, config: &ConvNormActConfig| {
            let (conv, norm) = (format!("{place}.0"), format!("{place}.1"));
            place += 1;
            keys.conv_norm_act(&conv, &norm, path, config)
        };
        if let Some(expand) = self.expand() {
            keys = add(keys, "expand", &expand);
        }
        keys = add(keys, "depthwise", &self.depthwise());
        if self.squeeze {
            keys = keys
                .conv(&format!("{place}.fc1"), "squeeze.0.conv", true)
                .conv(&format!("{place}.fc2"), "squeeze.1.conv", true);
            place += 1;
        }
        let (conv, norm) = (format!("{place}.0"), format!("{place}.1"));
        keys.conv_norm_act(&conv, &norm, "project", &self.project())
    }
}

impl Cost for InvertedResidualConfig {
    fn cost(&self, input: MapShape, counter: &mut CostCounter) -> MapShape {
        let expanded = match self.expand() {
            Some(expand) => expand.cost(input, counter),
            None => input,
        };
        let map = self.depthwise().cost(expanded, counter);
        if let Some([reduce, restore]) = self.squeeze_convs() {
            let mean = counter.pool(map, Size::square(1));
            let reduced = reduce.cost(mean, counter);
            let weights = restore.cost(reduced, counter);
            counter.activation(weights);
            counter.other(map);
        }
        let output = self.project().cost(map, counter);
        if self.residual {
            counter.other(output);
        }
        output
    }
}

impl InvertedResidual {
    /// Runs the block.
    ///
    /// # Shapes
    ///
    /// - `input`: `[batch, channels[0], height, width]`
    /// - output: `[batch, channels[2], ceil(height / stride), ceil(width / stride)]`
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not `channels[0]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let expanded = match &self.expand {
            Some(expand) => expand.forward(input.clone()),
            None => input.clone(),
        };
        let mut features = self.depthwise.forward(expanded);
        if let Some([reduce, restore]) = &self.squeeze {
            let mean = features.clone().mean_dim(2).mean_dim(3);
            let weights = restore.forward(reduce.forward(mean));
            features = features * hard_sigmoid(weights, 1.0 / 6.0, 0.5);
        }
        let output = self.project.forward(features);
        match self.residual {
            true => output + input,
            false => output,
        }
    }
}

impl Fold for InvertedResidual {
    fn fold(self) -> Self {
        Self {
            expand: self.expand.fold(),
            depthwise: self.depthwise.fold(),
            project: self.project.fold(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::tests::{assert_folding_keeps_features, assert_named, assert_strides};

    fn small() -> MobileNetV3Config {
        MobileNetV3Config::new().with_width(0.25)
    }

    #[rstest]
    fn stages_have_their_strides(
        #[values(OutputStride::Os8, OutputStride::Os16, OutputStride::Os32)]
        output_stride: OutputStride,
    ) {
        let device = Device::default();
        let config = small().with_output_stride(output_stride);
        let images = Tensor::zeros([1, 3, 65, 97], &device);
        let features = config.init(&device).forward(images);
        assert_strides(features, output_stride, config.channels(), [17, 25]);
    }

    /// torchvision publishes 5,483,032 parameters and 0.217 billion operations at 224x224, its two linear layers among
    /// them.
    #[test]
    fn costs_are_those_of_torchvision() {
        let linear = (960 * 1280 + 1280) + (1280 * 1000 + 1000);
        let mut counter = CostCounter::new();
        let config = MobileNetV3Config::new().with_output_stride(OutputStride::Os32);
        assert_eq!(config.channels(), [24, 40, 112, 960]);
        config.cost(MapShape::new(3, Size::square(224)), &mut counter);
        let total = counter.total();
        assert_eq!(total.parameters, 5_483_032 - linear);
        let billions = (total.conv_macs + 960 * 1280 + 1280 * 1000) as f64 / 1e9;
        assert!((billions - 0.217).abs() < 0.0005, "{billions}");
    }

    #[rstest]
    fn every_tensor_has_a_name(
        #[values(BackboneNames::Segmentation, BackboneNames::Classifier)] names: BackboneNames,
    ) {
        let config = small();
        assert_named(
            &config.init(&Device::default()),
            &config.official_keys(names),
        );
    }

    #[test]
    fn official_names() {
        let keys = MobileNetV3Config::new().official_keys(BackboneNames::Classifier);
        let path = |official: &str| keys.path_of(official).expect(official).to_string();
        assert_eq!(path("features.0.0.weight"), "stem.conv.weight");
        assert_eq!(
            path("features.1.block.0.0.weight"),
            "blocks.0.depthwise.conv.weight"
        );
        assert_eq!(
            path("features.4.block.2.fc1.bias"),
            "blocks.3.squeeze.0.conv.bias"
        );
        assert_eq!(
            path("features.4.block.3.1.running_var"),
            "blocks.3.project.norm.running_var"
        );
        assert_eq!(path("features.16.1.bias"), "last.norm.beta");
    }

    #[test]
    fn folding_keeps_the_features() {
        let device = Device::default();
        device.seed(3);
        let network = small().init(&device);
        assert_folding_keeps_features(network, MobileNetV3::forward, &device);
    }

    #[test]
    #[should_panic(expected = "`width` is 0, expected above 0, at most 64")]
    fn a_width_of_zero_is_refused() {
        MobileNetV3Config::new()
            .with_width(0.0)
            .init(&Device::default());
    }
}
