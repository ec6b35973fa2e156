use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor, assert_shape};
use decoupled_seg_nn::{
    BodyEdge, ConfigError, Cost, CostCounter, Fold, KeyMap, MapShape, Size, WarpOptions, map_size,
};

use super::deformable_generator::DeformableGenerator;
use super::flow_generator::FlowGenerator;
use super::options::{BodyGeneration, Downsampling, Upsampling};
use super::propagation_generator::PropagationGenerator;

/// Configuration of a [`BodyEdgeModule`]; [`init`](BodyEdgeModuleConfig::init) builds it.
///
/// The defaults are the authors' module. The other values are the ablations of the paper's Table 1(c) to (f).
#[derive(Config, Debug)]
pub struct BodyEdgeModuleConfig {
    /// Channels of the feature map to split.
    pub channels: usize,
    /// How the body is made. The settings below concern [`BodyGeneration::Flow`] only.
    #[config(default = "BodyGeneration::Flow")]
    pub generation: BodyGeneration,
    /// How the coarse view of the features is made.
    #[config(default = "Downsampling::DepthwiseConv")]
    pub downsampling: Downsampling,
    /// How often the coarse view is halved, 1 to 4 times.
    #[config(default = 2)]
    pub strided_steps: usize,
    /// Zeros that the strided convolutions add on each side: 0 or 1. With 0, as the authors have it, the coarse view
    /// loses a margin, and two steps need at least 7x7 pixels. With 1, a map of any size will do.
    #[config(default = 0)]
    pub padding: usize,
    /// How the coarse view comes back to the size of the features.
    #[config(default = "Upsampling::Bilinear")]
    pub upsampling: Upsampling,
    /// Units and conventions of the flow.
    #[config(default = "WarpOptions::official()")]
    pub warp: WarpOptions,
}

/// Splits a feature map `F` into a smooth body and the edge it leaves.
///
/// ```text
/// flow   = conv3x3([F ; up(down(F))])   channels (x, y), unit of the configured warp
/// F_body = warp(F, flow)
/// F_edge = F - F_body
/// ```
///
/// Source: Li et al., ECCV 2020, [arXiv:2007.10035](https://arxiv.org/abs/2007.10035), section 3.2 (eq. 1) and the
/// subtraction of 3.3; `SqueezeBodyEdge` in the authors' code. Built by [`BodyEdgeModuleConfig`].
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use decoupled_seg_body_edge::BodyEdgeModuleConfig;
///
/// let device = Device::default();
/// let module = BodyEdgeModuleConfig::new(32).init(&device);
/// let features = Tensor::<4>::random([1, 32, 16, 24], Distribution::Default, &device);
///
/// let split = module.forward(features);
///
/// assert_eq!(split.body.dims(), [1, 32, 16, 24]);
/// assert_eq!(split.edge.dims(), [1, 32, 16, 24]);
/// ```
#[doc(alias = "SqueezeBodyEdge")]
#[derive(Module, Debug)]
pub struct BodyEdgeModule {
    /// What makes the body.
    pub generator: BodyGenerator,
    /// See [`BodyEdgeModuleConfig::channels`].
    pub channels: usize,
    /// Smallest height and width of a feature map, in pixels.
    pub min_size: usize,
}

/// The parts of a [`BodyEdgeModule`], one variant for each [`BodyGeneration`].
#[derive(Module, Debug)]
pub enum BodyGenerator {
    /// [`BodyGeneration::Flow`].
    Flow(FlowGenerator),
    /// [`BodyGeneration::Deformable`].
    Deformable(DeformableGenerator),
    /// [`BodyGeneration::SpatialPropagation`].
    SpatialPropagation(PropagationGenerator),
}

/// What [`BodyEdgeModule::forward_detailed`] returns.
#[derive(Debug, Clone)]
pub struct BodyEdgeDetail {
    /// The smooth part, `[batch, channels, height, width]`.
    pub body: Tensor<4>,
    /// The features minus the body, `[batch, channels, height, width]`.
    pub edge: Tensor<4>,
    /// The flow `[batch, 2, height, width]`, channel 0 along the width, in the unit of the configured warp; `None` if
    /// the body is made without a flow.
    pub flow: Option<Tensor<4>>,
    /// The coarse view of the features; `None` if there is none.
    pub down: Option<Tensor<4>>,
}

impl BodyEdgeDetail {
    /// A body that was made without a flow, and the edge that it leaves.
    pub(super) fn without_flow(features: Tensor<4>, body: Tensor<4>) -> Self {
        Self {
            edge: features - body.clone(),
            body,
            flow: None,
            down: None,
        }
    }
}

impl BodyEdgeModuleConfig {
    /// Checks that the module can be built.
    ///
    /// # Errors
    ///
    /// `channels` is 0 or too large, `strided_steps` is not in 1 to 4, or `padding` is over 1.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check_channels("channels", &[self.channels])?;
        ConfigError::check("strided_steps", self.strided_steps, 1..=4)?;
        ConfigError::check("padding", self.padding, 0..=1)
    }

    /// Builds the module on `device`, with the default initializers of Burn (and PyTorch).
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> BodyEdgeModule {
        ConfigError::assert_none(self.validate());
        BodyEdgeModule {
            generator: match self.generation {
                BodyGeneration::Flow => BodyGenerator::Flow(FlowGenerator::new(self, device)),
                BodyGeneration::Deformable => {
                    BodyGenerator::Deformable(DeformableGenerator::new(self, device))
                }
                BodyGeneration::SpatialPropagation => {
                    BodyGenerator::SpatialPropagation(PropagationGenerator::new(self, device))
                }
            },
            channels: self.channels,
            min_size: self.min_size(),
        }
    }

    /// Smallest height and width of a feature map that this module takes, in pixels.
    pub fn min_size(&self) -> usize {
        if self.generation != BodyGeneration::Flow || self.downsampling == Downsampling::Bilinear {
            return 1;
        }
        // A convolution returns n pixels from 2 * (n - 1) + 3, padding included.
        (0..self.strided_steps).fold(1, |size, _| 2 * size + 1 - 2 * self.padding)
    }

    /// The authors' names of the module's tensors, without the leading `squeeze_body_edge`.
    pub fn official_keys(&self) -> KeyMap {
        let keys = match self.generation {
            BodyGeneration::Flow => FlowGenerator::official_keys(self),
            BodyGeneration::Deformable => DeformableGenerator::official_keys(),
            BodyGeneration::SpatialPropagation => PropagationGenerator::official_keys(),
        };
        KeyMap::new().nest("", "generator", keys)
    }
}

impl Cost for BodyEdgeModuleConfig {
    fn cost(&self, features: MapShape, counter: &mut CostCounter) -> MapShape {
        match self.generation {
            BodyGeneration::Flow => FlowGenerator::cost(self, features, counter),
            BodyGeneration::Deformable => DeformableGenerator::cost(self, features, counter),
            BodyGeneration::SpatialPropagation => {
                PropagationGenerator::cost(self, features, counter);
            }
        }
        counter.other(features); // the difference
        features
    }
}

impl BodyEdgeModule {
    /// The smallest batch of feature maps of the size `map` that the module can be trained on: 2 where the strided
    /// convolutions leave one pixel and their norms are trained, else 1.
    pub fn min_training_batch(&self, map: Size) -> usize {
        match &self.generator {
            BodyGenerator::Flow(generator) => generator.min_training_batch(map),
            BodyGenerator::Deformable(_) | BodyGenerator::SpatialPropagation(_) => 1,
        }
    }

    /// Splits `features` into body and edge.
    ///
    /// # Shapes
    ///
    /// - `features`: `[batch, channels, height, width]`
    /// - `body`, `edge`: `[batch, channels, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if axis 1 is not `channels`, or if the map is smaller than [`min_size`](BodyEdgeModuleConfig::min_size):
    /// the strided convolutions would leave no pixel.
    pub fn forward(&self, features: Tensor<4>) -> BodyEdge {
        let BodyEdgeDetail { body, edge, .. } = self.forward_detailed(features);
        BodyEdge { body, edge }
    }

    /// As [`forward`](Self::forward), and also returns the flow and the coarse view.
    ///
    /// # Shapes
    ///
    /// - `features`: `[batch, channels, height, width]`
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_detailed(&self, features: Tensor<4>) -> BodyEdgeDetail {
        assert_shape!(features, [_, self.channels, _, _]);
        let (size, least) = (map_size(&features), self.min_size);
        assert!(
            size.height.min(size.width) >= least,
            "features must be at least {least}x{least}, got {size}"
        );
        match &self.generator {
            BodyGenerator::Flow(generator) => generator.forward(features),
            BodyGenerator::Deformable(generator) => generator.forward(features),
            BodyGenerator::SpatialPropagation(generator) => generator.forward(features),
        }
    }
}

impl Fold for BodyEdgeModule {
    fn fold(self) -> Self {
        let generator = match self.generator {
            BodyGenerator::Flow(generator) => BodyGenerator::Flow(generator.fold()),
            without_norms => without_norms,
        };
        Self { generator, ..self }
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::tensor::{Distribution, TensorData, Tolerance};
    use rstest::rstest;

    use super::*;
    use decoupled_seg_nn::{FlowUnit, WarpPadding};

    fn random(shape: [usize; 4], device: &Device) -> Tensor<4> {
        Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
    }

    #[rstest]
    fn every_ablation_keeps_the_shape_and_adds_up(
        #[values(
            Downsampling::Bilinear,
            Downsampling::Conv,
            Downsampling::DepthwiseConv
        )]
        downsampling: Downsampling,
        #[values(Upsampling::Bilinear, Upsampling::Nearest, Upsampling::Deconv)]
        upsampling: Upsampling,
        #[values((1, 0), (2, 1), (4, 0))] (strided_steps, padding): (usize, usize),
    ) {
        let device = Device::default();
        let module = BodyEdgeModuleConfig::new(3)
            .with_downsampling(downsampling)
            .with_upsampling(upsampling)
            .with_strided_steps(strided_steps)
            .with_padding(padding)
            .init(&device);
        let features = random([2, 3, 31, 34], &device);

        let split = module.forward(features.clone());

        assert_eq!(split.edge.dims(), [2, 3, 31, 34]);
        (split.body + split.edge)
            .into_data()
            .assert_approx_eq::<f32>(&features.into_data(), Tolerance::absolute(1e-6));
    }

    #[rstest]
    #[case::one_step(1, 0, 3)]
    #[case::two_steps(2, 0, 7)]
    #[case::four_steps(4, 0, 31)]
    #[case::padded(4, 1, 1)]
    fn the_smallest_map_passes(
        #[case] strided_steps: usize,
        #[case] padding: usize,
        #[case] expected: usize,
    ) {
        let device = Device::default();
        let config = BodyEdgeModuleConfig::new(2)
            .with_strided_steps(strided_steps)
            .with_padding(padding);
        assert_eq!(config.min_size(), expected);
        let split = config
            .init(&device)
            .forward(random([1, 2, expected, expected], &device));
        assert_eq!(split.body.dims(), [1, 2, expected, expected]);
    }

    #[rstest]
    #[case::deformable(BodyGeneration::Deformable)]
    #[case::propagation(BodyGeneration::SpatialPropagation)]
    fn the_rivals_split_maps_of_any_size(#[case] generation: BodyGeneration) {
        let device = Device::default();
        let module = BodyEdgeModuleConfig::new(3)
            .with_generation(generation)
            .init(&device);
        let features = random([2, 3, 4, 6], &device);

        let detail = module.forward_detailed(features.clone());

        assert!(detail.flow.is_none());
        (detail.body + detail.edge)
            .into_data()
            .assert_approx_eq::<f32>(&features.into_data(), Tolerance::absolute(1e-6));
    }

    #[test]
    fn interpolation_takes_any_size() {
        let device = Device::default();
        let config = BodyEdgeModuleConfig::new(2).with_downsampling(Downsampling::Bilinear);
        let split = config.init(&device).forward(random([1, 2, 1, 2], &device));
        assert_eq!(split.body.dims(), [1, 2, 1, 2]);
    }

    #[test]
    #[should_panic(expected = "features must be at least 7x7, got 7x6")]
    fn a_smaller_map_panics() {
        let device = Device::default();
        let module = BodyEdgeModuleConfig::new(2).init(&device);
        let _ = module.forward(Tensor::zeros([1, 2, 7, 6], &device));
    }

    #[test]
    #[should_panic(expected = "axis 1 expected 8, got 4")]
    fn other_channels_panic() {
        let device = Device::default();
        let module = BodyEdgeModuleConfig::new(8).init(&device);
        let _ = module.forward(Tensor::zeros([1, 4, 9, 9], &device));
    }

    #[rstest]
    #[case::none(BodyEdgeModuleConfig::new(2).with_strided_steps(0))]
    #[case::five(BodyEdgeModuleConfig::new(2).with_strided_steps(5))]
    #[should_panic(expected = "`strided_steps` is ")]
    fn other_steps_panic(#[case] config: BodyEdgeModuleConfig) {
        let _ = config.init(&Device::default());
    }

    /// `((i * a) mod m - m / 2) * scale`, the weights of the small module test.
    fn wave<const D: usize>(
        shape: [usize; D],
        [a, m]: [usize; 2],
        scale: f32,
        device: &Device,
    ) -> Tensor<D> {
        let count: usize = shape.iter().product();
        let values = (0..count)
            .map(|i| ((i * a % m) as f32 - (m / 2) as f32) * scale)
            .collect::<Vec<_>>();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// Values of the authors' module on two channels, batch norm in evaluation at its initial statistics.
    #[test]
    fn matches_the_authors_small_module() {
        let device = Device::default();
        let mut module = BodyEdgeModuleConfig::new(2).init(&device);
        let BodyGenerator::Flow(generator) = &mut module.generator else {
            panic!("the default is a flow");
        };
        let bias = |values| Some(Param::from_tensor(Tensor::from_floats(values, &device)));
        let weight = |shape, steps, scale| Param::from_tensor(wave(shape, steps, scale, &device));
        generator.down[0].conv.weight = weight([2, 1, 3, 3], [5, 9], 0.1);
        generator.down[0].conv.bias = bias([0.1, 0.2]);
        generator.down[1].conv.weight = weight([2, 1, 3, 3], [3, 7], 0.15);
        generator.down[1].conv.bias = bias([-0.05, 0.15]);
        generator.flow.weight = weight([2, 4, 3, 3], [7, 13], 0.1);

        let detail = module.forward_detailed(wave([1, 2, 9, 11], [7, 11], 0.5, &device));

        let down = detail.down.expect("two strided steps");
        let tolerance = Tolerance::absolute(2e-6);
        down.into_data().assert_approx_eq::<f32>(
            &TensorData::from([[[[0.0, 0.122499]], [[0.899992, 0.0]]]]),
            tolerance,
        );
        let flow = detail.flow.expect("the default is a flow");
        let at = |y: usize, x: usize| {
            flow.clone()
                .slice([0..1, 0..2, y..y + 1, x..x + 1])
                .reshape([2])
                .into_data()
        };
        at(4, 5).assert_approx_eq::<f32>(&TensorData::from([0.092500, 0.267552]), tolerance);
        at(0, 0).assert_approx_eq::<f32>(&TensorData::from([1.043423, 2.742678]), tolerance);
        let mean: f32 = flow.abs().mean().into_scalar();
        assert!((mean - 0.872316).abs() < 2e-6, "{mean}");
    }

    #[test]
    fn a_flow_of_zero_leaves_no_edge() {
        let device = Device::default();
        for warp in [
            WarpOptions::official(),
            WarpOptions::official()
                .with_flow_unit(FlowUnit::Pixels)
                .with_padding(WarpPadding::Border),
        ] {
            let mut module = BodyEdgeModuleConfig::new(2).with_warp(warp).init(&device);
            let BodyGenerator::Flow(generator) = &mut module.generator else {
                panic!("the default is a flow");
            };
            generator.flow.weight = Param::from_tensor(Tensor::zeros([2, 4, 3, 3], &device));
            let split = module.forward(random([1, 2, 8, 9], &device));
            let largest: f32 = split.edge.abs().max().into_scalar();
            assert!(largest < 1e-6, "{warp:?}: {largest}");
        }
    }
}
