use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use decoupled_seg_nn::cost::Outputs;
use decoupled_seg_nn::{
    ConfigError, ConvInit, Cost, CostCounter, Fold, Inspection, KeyMap, MapShape,
    SegmentationOutput, Size, map_size, resize,
};

use super::edge_preservation::{EdgePreservation, EdgePreservationConfig, validate_fine};
use super::prediction_branch::{PredictionBranch, PredictionBranchConfig};
use crate::body_edge::{BodyEdgeDetail, BodyEdgeModule, BodyEdgeModuleConfig};

/// Configuration of a [`DecoupledHead`]; [`init`](DecoupledHeadConfig::init) builds it.
#[derive(Config, Debug)]
pub struct DecoupledHeadConfig {
    /// Number of classes.
    pub num_classes: usize,
    /// Body generation; its `channels` are those of the context features.
    #[config(default = "BodyEdgeModuleConfig::new(256)")]
    pub body_edge: BodyEdgeModuleConfig,
    /// Channels `[in, out]` of the 1x1 convolution of the low-level features; `None` for a head without them.
    #[config(default = "None")]
    pub fine: Option<[usize; 2]>,
    /// Hidden channels of the edge prediction.
    #[config(default = 48)]
    pub edge_channels: usize,
    /// How the convolutions of the three predictions and of edge preservation are initialised. The authors use
    /// [`ConvInit::Uniform`] with ResNets.
    #[config(default = "ConvInit::Uniform")]
    pub conv_init: ConvInit,
}

/// Predicts from body and edge, apart and together: everything behind the context features `F`.
///
/// ```text
/// F_body, F_edge = body_edge(F)
/// e           = edge_preservation(F_edge, low_level)
/// edge_logits = up(edge(e))
/// body_logits = up(body(F_body))
/// logits      = up(segmentation([up(F) ; e + up(F_body)]))      F first
/// ```
///
/// `up` is bilinear with aligned corners. The edge output is a logit. The authors' network ends in a sigmoid and their
/// loss applies a second one; here the second sigmoid is an option of the loss.
///
/// Source: Li et al., ECCV 2020, [arXiv:2007.10035](https://arxiv.org/abs/2007.10035), section 3 and figure 2; the
/// decoupled networks of the authors' code. Built by [`DecoupledHeadConfig`].
#[derive(Module, Debug)]
pub struct DecoupledHead {
    /// Splits the context features.
    pub body_edge: BodyEdgeModule,
    /// Refines the edge.
    pub edge_preservation: EdgePreservation,
    /// Predicts the edge (`edge_out`); only for supervision.
    pub edge: PredictionBranch,
    /// Predicts the classes from the body alone (`dsn_seg_body`); only for supervision.
    pub body: PredictionBranch,
    /// Predicts the classes (`final_seg`).
    pub segmentation: PredictionBranch,
}

/// The features that the three predictions read.
struct HeadFeatures {
    split: BodyEdgeDetail,
    edge: Tensor<4>,
    segmentation: Tensor<4>,
}

impl DecoupledHeadConfig {
    /// Sets the channels of the context features.
    #[must_use]
    pub fn with_channels(mut self, channels: usize) -> Self {
        self.body_edge.channels = channels;
        self
    }

    /// Checks that the head can be built.
    ///
    /// # Errors
    ///
    /// A number of classes or of channels is 0 or too large, or as [`BodyEdgeModuleConfig::validate`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::check_channels("num_classes", &[self.num_classes])?;
        let body_edge = self.body_edge.validate();
        body_edge.map_err(|error| error.inside("body_edge"))?;
        validate_fine(self.fine)?;
        ConfigError::check_channels("edge_channels", &[self.edge_channels])
    }

    /// Builds the head on `device`.
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    pub fn init(&self, device: &Device) -> DecoupledHead {
        ConfigError::assert_none(self.validate());
        DecoupledHead {
            body_edge: self.body_edge.init(device),
            edge_preservation: self.edge_preservation().init(device),
            edge: self.edge().init(device),
            body: self.body().init(device),
            segmentation: self.segmentation().init(device),
        }
    }

    fn edge_preservation(&self) -> EdgePreservationConfig {
        EdgePreservationConfig::new(self.body_edge.channels)
            .with_fine(self.fine)
            .with_conv_init(self.conv_init)
    }

    fn edge(&self) -> PredictionBranchConfig {
        PredictionBranchConfig::new([self.body_edge.channels, self.edge_channels, 1])
            .with_conv_init(self.conv_init)
    }

    fn body(&self) -> PredictionBranchConfig {
        let channels = self.body_edge.channels;
        PredictionBranchConfig::new([channels, channels, self.num_classes])
            .with_conv_init(self.conv_init)
    }

    fn segmentation(&self) -> PredictionBranchConfig {
        let channels = self.body_edge.channels;
        PredictionBranchConfig::new([2 * channels, channels, self.num_classes])
            .with_layers(2)
            .with_conv_init(self.conv_init)
    }

    /// The authors' names of the head's tensors.
    pub fn official_keys(&self) -> KeyMap {
        KeyMap::new()
            .nest(
                "squeeze_body_edge",
                "body_edge",
                self.body_edge.official_keys(),
            )
            .nest(
                "",
                "edge_preservation",
                self.edge_preservation().official_keys(),
            )
            .nest("edge_out", "edge", self.edge().official_keys())
            .nest("dsn_seg_body", "body", self.body().official_keys())
            .nest(
                "final_seg",
                "segmentation",
                self.segmentation().official_keys(),
            )
    }

    /// Counts the head's cost for an image, one part for each of the authors' names.
    pub fn cost(
        &self,
        context: MapShape,
        low_level: MapShape,
        image_size: Size,
        outputs: Outputs,
        counter: &mut CostCounter,
    ) {
        let predict =
            |name, branch: PredictionBranchConfig, features, counter: &mut CostCounter| {
                let logits = branch.cost(features, counter);
                let logits = counter.resize(logits, image_size);
                counter.end_part(name, logits);
            };
        self.body_edge.cost(context, counter);
        counter.end_part("squeeze_body_edge", context);

        let edge = self.edge_preservation().cost(context, low_level, counter);

        let body = counter.resize(context, edge.size);
        counter.other(body); // the edge is added
        let upper = counter.resize(context, edge.size);
        let features = counter.concatenate(&[upper, body]);
        predict("final_seg", self.segmentation(), features, counter);

        if outputs == Outputs::All {
            predict("edge_out", self.edge(), edge, counter);
            predict("dsn_seg_body", self.body(), context, counter);
        }
    }
}

impl DecoupledHead {
    /// Predicts segmentation, body and edge.
    ///
    /// # Shapes
    ///
    /// - `context`: `[batch, channels, height, width]`
    /// - `low_level`: `[batch, fine[0], fine_height, fine_width]`
    /// - the outputs have `output_size`, the image's
    ///
    /// # Panics
    ///
    /// Panics as [`BodyEdgeModule::forward`] does, and if `low_level` is missing where the config asks for it or given
    /// where it does not.
    pub fn forward(
        &self,
        context: Tensor<4>,
        low_level: Option<Tensor<4>>,
        output_size: Size,
    ) -> SegmentationOutput {
        let features = self.features(context, low_level);
        let [logits, body_logits, edge_logits] = self.predict(&features, output_size);
        SegmentationOutput::decoupled(logits, body_logits, edge_logits)
    }

    /// Predicts the segmentation only. Inference needs no more: body and edge predictions serve the supervision.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward); returns `[batch, num_classes, height, width]`.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_logits(
        &self,
        context: Tensor<4>,
        low_level: Option<Tensor<4>>,
        output_size: Size,
    ) -> Tensor<4> {
        let features = self.features(context, low_level);
        resize(
            self.segmentation.forward(features.segmentation),
            output_size,
            true,
        )
    }

    /// As [`forward`](Self::forward), with the features in between, for pictures.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn inspect(
        &self,
        context: Tensor<4>,
        low_level: Option<Tensor<4>>,
        output_size: Size,
    ) -> Inspection {
        let features = self.features(context, low_level);
        let [logits, body_logits, edge_logits] = self.predict(&features, output_size);
        Inspection {
            body: features.split.body,
            edge: features.split.edge,
            refined_edge: features.edge,
            flow: features.split.flow,
            logits,
            body_logits,
            edge_logits,
        }
    }

    fn features(&self, context: Tensor<4>, low_level: Option<Tensor<4>>) -> HeadFeatures {
        let split = self.body_edge.forward_detailed(context.clone());
        let edge = self
            .edge_preservation
            .forward(split.edge.clone(), low_level);
        let size = map_size(&edge);
        let refined = edge.clone() + resize(split.body.clone(), size, true);
        let segmentation = Tensor::cat(vec![resize(context, size, true), refined], 1);
        HeadFeatures {
            split,
            edge,
            segmentation,
        }
    }

    /// Segmentation, body and edge.
    fn predict(&self, features: &HeadFeatures, output_size: Size) -> [Tensor<4>; 3] {
        let up = |branch: &PredictionBranch, features: &Tensor<4>| {
            resize(branch.forward(features.clone()), output_size, true)
        };
        [
            up(&self.segmentation, &features.segmentation),
            up(&self.body, &features.split.body),
            up(&self.edge, &features.edge),
        ]
    }
}

impl Fold for DecoupledHead {
    fn fold(self) -> Self {
        Self {
            body_edge: self.body_edge.fold(),
            edge_preservation: self.edge_preservation,
            edge: self.edge.fold(),
            body: self.body.fold(),
            segmentation: self.segmentation.fold(),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tolerance};
    use rstest::rstest;

    use super::*;

    const SIZE: Size = Size::new(40, 48);

    fn config(low_level: Option<usize>) -> DecoupledHeadConfig {
        DecoupledHeadConfig::new(3)
            .with_channels(8)
            .with_fine(low_level.map(|channels| [channels, 4]))
            .with_edge_channels(5)
    }

    fn random(shape: [usize; 4], device: &Device) -> Tensor<4> {
        Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
    }

    #[rstest]
    #[case::with_low_level(Some(6))]
    #[case::without(None)]
    fn predicts_everything_at_the_size_of_the_image(#[case] low_level: Option<usize>) {
        let device = Device::default();
        let head = config(low_level).init(&device);
        let low_level = low_level.map(|channels| random([2, channels, 15, 17], &device));

        let output = head.forward(random([2, 8, 8, 9], &device), low_level, SIZE);

        assert_eq!(output.logits.dims(), [2, 3, 40, 48]);
        let supervision = output.supervision.expect("a decoupled head");
        assert_eq!(supervision.body_logits.dims(), [2, 3, 40, 48]);
        assert_eq!(supervision.edge_logits.dims(), [2, 1, 40, 48]);
    }

    #[test]
    fn the_three_forwards_agree() {
        let device = Device::default();
        device.seed(1);
        let head = config(Some(6)).init(&device);
        let context = random([1, 8, 8, 9], &device);
        let low_level = Some(random([1, 6, 15, 17], &device));

        let output = head.forward(context.clone(), low_level.clone(), SIZE);
        let logits = head.forward_logits(context.clone(), low_level.clone(), SIZE);
        let inspection = head.inspect(context.clone(), low_level, SIZE);

        let expected = output.logits.into_data();
        assert_eq!(logits.into_data(), expected);
        assert_eq!(inspection.logits.into_data(), expected);
        assert_eq!(
            inspection.edge_logits.into_data(),
            output
                .supervision
                .expect("a decoupled head")
                .edge_logits
                .into_data()
        );
        (inspection.body + inspection.edge)
            .into_data()
            .assert_approx_eq::<f32>(&context.into_data(), Tolerance::absolute(1e-6));
        assert_eq!(inspection.refined_edge.dims(), [1, 8, 15, 17]);
    }

    #[test]
    fn the_edge_output_is_a_logit() {
        let device = Device::default();
        // A sigmoid's output is never negative, a logit may be. One untrained head may have no negative logit by
        // chance, so several are tried.
        let negative = (0..16).any(|_| {
            let head = config(None).init(&device);
            let output = head.forward(random([2, 8, 8, 9], &device), None, SIZE);
            let supervision = output.supervision.expect("a decoupled head");
            supervision.edge_logits.min().into_scalar::<f32>() < 0.0
        });
        assert!(negative);
    }

    #[test]
    fn names_of_the_official_checkpoint() {
        let keys = config(Some(6)).official_keys();
        let path = |official| keys.path_of(official).expect(official);
        assert_eq!(
            path("squeeze_body_edge.down.3.bias"),
            "body_edge.generator.down.1.conv.bias"
        );
        assert_eq!(
            path("squeeze_body_edge.flow_make.weight"),
            "body_edge.generator.flow.weight"
        );
        assert_eq!(path("bot_fine.weight"), "edge_preservation.fine.weight");
        assert_eq!(path("edge_fusion.weight"), "edge_preservation.fuse.weight");
        assert_eq!(path("edge_out.3.weight"), "edge.classifier.weight");
        assert_eq!(
            path("dsn_seg_body.1.running_var"),
            "body.layers.0.norm.running_var"
        );
        assert_eq!(
            path("final_seg.4.weight"),
            "segmentation.layers.1.norm.gamma"
        );
    }

    #[test]
    fn a_config_survives_its_file() {
        let config = config(Some(6));
        let text = config.to_string();
        let read = DecoupledHeadConfig::load_binary(text.as_bytes()).expect("just written");
        assert_eq!(read.to_string(), text);
    }
}
