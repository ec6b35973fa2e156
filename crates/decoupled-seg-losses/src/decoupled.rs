use burn::config::Config;
use burn::tensor::{Tensor, assert_shape};
use decoupled_seg_nn::SegmentationOutput;
use serde::{Deserialize, Serialize};

use crate::error::{factor, required};
use crate::gated::GatedLoss;
use crate::mining::{AtLimit, PixelCount};
use crate::pixel_losses::PixelLosses;
use crate::{
    BodyReduction, BorderWeights, BoundaryRelaxationLoss, BoundaryRelaxationLossConfig,
    DiceLossConfig, EdgeActivation, EdgeAttentionLoss, EdgeAttentionLossConfig, EdgeLoss,
    EdgeLossConfig, FocalLossConfig, GatedLossConfig, LossConfigError, LossTerms, LovaszLossConfig,
    OhemCrossEntropyLossConfig, PixelMining, Targets, Terms,
};

/// Which labels the segmentation, attention and auxiliary terms of a decoupled network are trained with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelSource {
    /// The labels themselves.
    #[default]
    Labels,
    /// The lowest class in the relaxation window of each pixel, and nothing near ignored pixels and the frame, as in
    /// the official code: [`RelaxedLabels::recovered_labels`](crate::RelaxedLabels::recovered_labels). A network that does
    /// not predict body and edge is trained with the labels themselves all the same, as is the authors' first stage.
    Relaxed,
}

/// Configuration of a [`DecoupledLoss`]; [`init`](DecoupledLossConfig::init) builds it.
///
/// [`new`](DecoupledLossConfig::new) is the documented default: what the official code means, without its slips.
/// [`paper`](DecoupledLossConfig::paper), [`official`](DecoupledLossConfig::official) and
/// [`paddleseg`](DecoupledLossConfig::paddleseg) are what the three sources do.
///
/// | term | `new` | `paper` | `official` | `paddleseg` |
/// |---|---|---|---|---|
/// | labels | true | true | lowest class of the window | true |
/// | segmentation | 1 x OHEM 0.7, at least 1/64 of the pixels | 1 x mean | 1 x OHEM 0.7, at least 10 000 | 1 x OHEM 0.7, at least 10 000 |
/// | body | 1 x mean over labelled pixels | 1 x the same | 1 x sum over images, border weights of the whole batch, histogram class weights | 1 x as official, no class weights |
/// | edge | 20 x balanced | 25 x plain | 20 x balanced, double sigmoid, over all pixels | 50 x balanced, double sigmoid |
/// | attention | 1 x OHEM 0.7 on edges, at least 1/128 of the pixels | 1 x hardest 10 % of the image, where on edges | 1 x OHEM 0.7 on edges, at least 5 000 | 1 x the same |
///
/// The targets have options of their own, with presets of the same names: [`TargetsOptions`](crate::TargetsOptions).
#[derive(Config, Debug, PartialEq)]
pub struct DecoupledLossConfig {
    /// Which labels the segmentation, attention and auxiliary terms of a decoupled network are trained with.
    #[config(default = "LabelSource::Labels")]
    pub label_source: LabelSource,
    /// Cross entropy of the final map.
    #[config(default = "OhemCrossEntropyLossConfig::new().with_mining(hard_pixels(1.0 / 64.0))")]
    pub segmentation: OhemCrossEntropyLossConfig,
    /// A Dice loss of the final map, added to the segmentation term.
    #[config(default = "None")]
    pub dice: Option<DiceLossConfig>,
    /// A focal loss of the final map, added to the segmentation term.
    #[config(default = "None")]
    pub focal: Option<FocalLossConfig>,
    /// A Lovász-Softmax loss of the final map, added to the segmentation term.
    #[config(default = "None")]
    pub lovasz: Option<LovaszLossConfig>,
    /// Relaxed loss of the body map.
    #[config(default = "BoundaryRelaxationLossConfig::new()")]
    pub body: BoundaryRelaxationLossConfig,
    /// Binary cross entropy of the edge map.
    #[config(default = "EdgeLossConfig::new()")]
    pub edge: EdgeLossConfig,
    /// Cross entropy of the final map on predicted edges.
    #[config(default = "EdgeAttentionLossConfig::new().with_mining(hard_pixels(1.0 / 128.0))")]
    pub attention: EdgeAttentionLossConfig,
    /// Cross entropy of an auxiliary head, on a stage below the last, for networks that have one. Source: Zhao et al.,
    /// CVPR 2017 (PSPNet); `OHEM + aux` in the authors' code.
    #[config(default = "OhemCrossEntropyLossConfig::new()")]
    pub auxiliary: OhemCrossEntropyLossConfig,
    /// The terms beside the segmentation term of networks with a shape stream (GSCNN). None: those of its paper,
    /// [`GatedLossConfig::default`].
    #[config(default = "None")]
    pub gated: Option<GatedLossConfig>,
    /// Factor of the cross entropy in the segmentation term, `lambda_3` of eq. 3.
    #[config(default = 1.0)]
    pub segmentation_weight: f64,
    /// Factor of the body term, `lambda_1` of eq. 3.
    #[config(default = 1.0)]
    pub body_weight: f64,
    /// Factor of the edge term, `lambda_2 * lambda_4` of eq. 3 and 4.
    #[config(default = 20.0)]
    pub edge_weight: f64,
    /// Factor of the attention term, `lambda_2 * lambda_5` of eq. 3 and 4.
    #[config(default = 1.0)]
    pub attention_weight: f64,
    /// Factor of the auxiliary term.
    #[config(default = 0.4)]
    pub auxiliary_weight: f64,
}

/// OHEM at 0.7 that keeps at least a share of the batch. The official 10 000 and 5 000 are 1/69 and 1/138 of one
/// 832x832 crop; a share stays the same on smaller pictures and larger batches.
fn hard_pixels(fraction: f64) -> PixelMining {
    PixelMining::Threshold {
        probability: 0.7,
        min_kept: PixelCount::Fraction(fraction),
        at_limit: AtLimit::Kept,
    }
}

impl Default for DecoupledLossConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl DecoupledLossConfig {
    /// Eq. 3 to 5 of the paper: `lambda_1 = lambda_2 = lambda_3 = lambda_5 = 1`, `lambda_4 = 25`.
    pub fn paper() -> Self {
        Self::new()
            .with_segmentation(OhemCrossEntropyLossConfig::without_mining())
            .with_edge(EdgeLossConfig::paper())
            .with_edge_weight(25.0)
            .with_attention(EdgeAttentionLossConfig::paper())
    }

    /// The loss of the authors' code, slips included. On one process with one image it is comparable to the
    /// published training; the body term grows with the square of the batch. Use it with
    /// [`TargetsOptions::official`](crate::TargetsOptions::official).
    pub fn official() -> Self {
        Self::new()
            .with_label_source(LabelSource::Relaxed)
            .with_segmentation(OhemCrossEntropyLossConfig::new())
            .with_body(BoundaryRelaxationLossConfig::official())
            .with_edge(EdgeLossConfig::official())
            .with_attention(EdgeAttentionLossConfig::new())
    }

    /// The loss of PaddleSeg's port. Its class weights of the edges are twice the official ones, which doubles the
    /// factor of 25 here. Its divisors have `1e-5` added to the share of kept pixels; this is left out.
    pub fn paddleseg() -> Self {
        let mining = |min_kept| PixelMining::Threshold {
            probability: 0.7,
            min_kept: PixelCount::Absolute(min_kept),
            at_limit: AtLimit::Dropped,
        };
        Self::new()
            .with_segmentation(OhemCrossEntropyLossConfig::new().with_mining(mining(10_000)))
            .with_body(
                BoundaryRelaxationLossConfig::new()
                    .with_border_weights(BorderWeights::WholeBatch)
                    .with_reduction(BodyReduction::SumOverImages),
            )
            .with_edge(EdgeLossConfig::new().with_activation(EdgeActivation::DoubleSigmoid))
            .with_edge_weight(50.0)
            .with_attention(EdgeAttentionLossConfig::new().with_mining(mining(5_000)))
    }

    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// Panics on a factor below 0, and as the nested configurations do.
    pub fn init(&self) -> DecoupledLoss {
        required(self.validate());
        DecoupledLoss {
            body: self.body.init(),
            edge: self.edge.init(),
            attention: self.attention.init(),
            gated: self.gated.clone().unwrap_or_default().init(),
            config: self.clone(),
        }
    }

    /// Checks the values that no type can.
    ///
    /// # Errors
    ///
    /// Returns what [`init`](Self::init) would panic on.
    pub fn validate(&self) -> Result<(), LossConfigError> {
        factor("segmentation_weight", self.segmentation_weight)?;
        factor("body_weight", self.body_weight)?;
        factor("edge_weight", self.edge_weight)?;
        factor("attention_weight", self.attention_weight)?;
        factor("auxiliary_weight", self.auxiliary_weight)?;
        self.segmentation.validate()?;
        self.dice
            .as_ref()
            .map_or(Ok(()), DiceLossConfig::validate)?;
        self.focal
            .as_ref()
            .map_or(Ok(()), FocalLossConfig::validate)?;
        self.lovasz
            .as_ref()
            .map_or(Ok(()), LovaszLossConfig::validate)?;
        self.gated
            .as_ref()
            .map_or(Ok(()), GatedLossConfig::validate)?;
        self.auxiliary.validate()?;
        self.body.class_weights.validate()?;
        self.attention.validate()
    }

    /// Whether one of `terms` weighs more than 0: those that a network gives rise to. A network that is trained with none
    /// learns nothing.
    pub fn weighs_any_of<T>(&self, terms: &Terms<T>) -> bool {
        let mut of_final_map = vec![self.segmentation_weight];
        of_final_map.extend(self.dice.as_ref().map(|dice| dice.weight));
        of_final_map.extend(self.focal.as_ref().map(|focal| focal.weight));
        of_final_map.extend(self.lovasz.as_ref().map(|lovasz| lovasz.weight));
        let gated = self.gated.clone().unwrap_or_default();
        let (edge, attention) = match terms.duality.is_some() {
            true => (gated.edge_weight, gated.attention_weight),
            false => (self.edge_weight, self.attention_weight),
        };
        let others = [
            (terms.body.is_some(), self.body_weight),
            (terms.edge.is_some(), edge),
            (terms.attention.is_some(), attention),
            (terms.duality.is_some(), gated.duality.weight),
            (terms.auxiliary.is_some(), self.auxiliary_weight),
        ];
        let others = others.into_iter().filter(|(is_there, _)| *is_there);
        let weights = others.map(|(_, weight)| weight).chain(of_final_map);
        weights.into_iter().any(|weight| weight > 0.0)
    }

    /// Cross entropy, and what is added to it.
    fn of_final_map(&self, pixels: &PixelLosses) -> Tensor<1> {
        let cross_entropy = self.segmentation.of_pixels(pixels) * self.segmentation_weight;
        let others = [
            self.dice.map(|dice| dice.of_pixels(pixels) * dice.weight),
            self.focal
                .as_ref()
                .map(|focal| focal.of_pixels(pixels) * focal.weight),
            self.lovasz
                .map(|lovasz| LovaszLossConfig::of_pixels(pixels) * lovasz.weight),
        ];
        let others = others.into_iter().flatten();
        others.fold(cross_entropy, |sum, other| sum + other)
    }

    /// Checks that there is one fixed class weight for each of `num_classes`.
    ///
    /// # Errors
    ///
    /// Returns what the loss would panic on.
    pub fn validate_for(&self, num_classes: usize) -> Result<(), LossConfigError> {
        [
            Some(&self.segmentation.class_weights),
            Some(&self.auxiliary.class_weights),
            Some(&self.body.class_weights),
            self.attention.class_weights.as_ref(),
            self.focal.as_ref().map(|focal| &focal.class_weights),
        ]
        .into_iter()
        .flatten()
        .try_for_each(|weights| weights.validate_for(num_classes))
    }
}

/// The four losses of body and edge supervision, the loss of an auxiliary head, and their weighted sum.
///
/// ```text
/// L = l1 * L_body + l2 * (l4 * L_bce + l5 * L_ce) + l3 * L_final          eq. 3 and 4 of the paper
/// ```
///
/// `L_body`: [`BoundaryRelaxationLoss`]; `L_bce`: [`EdgeLoss`]; `L_ce` (eq. 5): [`EdgeAttentionLoss`]; `L_final`:
/// [`OhemCrossEntropyLoss`](crate::OhemCrossEntropyLoss). Nothing is read back to the host. A term without a pixel is 0
/// with a zero gradient. The terms of networks with a shape stream are those of [`GatedLossConfig`]. NaN in the logits of a labelled pixel makes its terms and the total NaN, so a check of the
/// total for finiteness finds it, and the terms say where. Built by [`DecoupledLossConfig`].
#[doc(alias = "JointEdgeSegLoss")]
#[derive(Clone, Debug)]
pub struct DecoupledLoss {
    body: BoundaryRelaxationLoss,
    edge: EdgeLoss,
    attention: EdgeAttentionLoss,
    gated: GatedLoss,
    config: DecoupledLossConfig,
}

impl DecoupledLoss {
    /// The losses of a batch: of what the network predicts. Without body and edge these are the segmentation and the
    /// auxiliary term.
    ///
    /// # Shapes
    ///
    /// - `output`: of `[batch, _, height, width]` maps, as in [`SegmentationOutput`]
    /// - `targets`: of `[batch, height, width]` labels
    ///
    /// # Panics
    ///
    /// Panics if sizes or numbers of classes differ, or if `output` has edges and `targets` have none.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::tensor::{Device, Distribution, Int, Tensor};
    /// use decoupled_seg_losses::{DecoupledLossConfig, Targets, TargetsOptions};
    /// use decoupled_seg_nn::SegmentationOutput;
    ///
    /// let device = Device::default().autodiff();
    /// let labels = Tensor::<3, Int>::ones([2, 16, 16], &device);
    /// let targets = Targets::from_labels(labels, 5, &TargetsOptions::paper());
    /// let random = |channels| Tensor::<4>::random([2, channels, 16, 16], Distribution::Default, &device).require_grad();
    /// let output = SegmentationOutput::decoupled(random(5), random(5), random(1));
    ///
    /// let loss = DecoupledLossConfig::new().init();
    /// let terms = loss.forward(&output, &targets);
    /// let gradients = terms.total.backward();
    /// assert_eq!(output.logits.grad(&gradients).unwrap().dims(), [2, 5, 16, 16]);
    /// ```
    pub fn forward(&self, output: &SegmentationOutput, targets: &Targets) -> LossTerms {
        let config = &self.config;
        let wanted = || {
            targets
                .supervision
                .as_ref()
                .expect("the network predicts edges: make its targets with `Targets::from_labels`")
        };
        let supervision = output
            .supervision
            .as_ref()
            .map(|predicted| (predicted, wanted()));
        let labels = match (&supervision, config.label_source) {
            (Some((_, wanted)), LabelSource::Relaxed) => wanted.relaxed.recovered_labels(),
            _ => targets.labels.clone(),
        };

        // The segmentation and the attention term look at the same cross entropies.
        let pixels = PixelLosses::new(output.logits.clone(), labels.clone());
        let segmentation = config.of_final_map(&pixels);
        let [body, edge, attention] = match supervision {
            None => [None, None, None],
            Some((predicted, wanted)) => {
                let num_classes = wanted.relaxed.classes.num_classes();
                assert_shape!(output.logits, [_, num_classes, _, _]);
                let body_logits = predicted.body_logits.clone();
                let edge_logits = predicted.edge_logits.clone();
                let attention = self.attention.of_pixels(&pixels, edge_logits.clone());
                let body = self.body.forward(body_logits, &wanted.relaxed);
                let edge = self.edge.forward(edge_logits, wanted.edge_labels.clone());
                [
                    Some(body * config.body_weight),
                    Some(edge * config.edge_weight),
                    Some(attention * config.attention_weight),
                ]
            }
        };
        let (edge, attention, duality) = match &output.boundary_logits {
            None => (edge, attention, None),
            Some(boundary_logits) => {
                assert!(
                    edge.is_none(),
                    "a network predicts its edges with body and edge or with a shape stream, not with both"
                );
                let edge_labels = wanted().edge_labels.clone();
                let terms = self
                    .gated
                    .forward(&pixels, boundary_logits.clone(), edge_labels);
                (Some(terms.edge), Some(terms.attention), Some(terms.duality))
            }
        };
        let auxiliary = output.aux_logits.clone().map(|logits| {
            config
                .auxiliary
                .of_pixels(&PixelLosses::new(logits, labels))
                * config.auxiliary_weight
        });

        let parts = [&body, &edge, &attention, &duality, &auxiliary];
        let total = parts
            .into_iter()
            .flatten()
            .fold(segmentation.clone(), |sum, part| sum + part.clone());
        LossTerms {
            total,
            segmentation,
            body,
            edge,
            attention,
            duality,
            auxiliary,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, Int, Tensor};

    use super::*;
    use crate::{LossTerm, TargetsOptions};

    fn random(channels: usize) -> Tensor<4> {
        let shape = [2, channels, 9, 10];
        Tensor::random(shape, Distribution::Uniform(-3.0, 3.0), &Device::default())
    }

    /// Columns of three classes and an ignored corner.
    fn labels() -> Tensor<3, Int> {
        let columns = Tensor::<1, Int>::arange(0..10, &Device::default()).div_scalar(4);
        let labels = columns.reshape([1, 1, 10]).expand([2, 9, 10]);
        let corner = Tensor::full([1, 3, 3], 255, &Device::default());
        labels.slice_assign([0..1, 0..3, 0..3], corner)
    }

    #[test]
    fn terms_that_are_there_and_weigh_something_are_found() {
        let plain = Terms {
            total: (),
            segmentation: (),
            body: None,
            edge: None,
            attention: None,
            duality: None,
            auxiliary: None,
        };
        let decoupled = Terms {
            body: Some(()),
            edge: Some(()),
            attention: Some(()),
            ..plain
        };
        let gated = Terms {
            body: None,
            duality: Some(()),
            ..decoupled
        };
        let auxiliary = Terms {
            auxiliary: Some(()),
            ..plain
        };
        let found = |config: &DecoupledLossConfig| {
            [&plain, &decoupled, &gated, &auxiliary].map(|terms| config.weighs_any_of(terms))
        };
        let config = DecoupledLossConfig::new();
        assert_eq!(found(&config), [true; 4]);
        // A shape stream has weights of its own.
        let config = config.with_segmentation_weight(0.0);
        assert_eq!(found(&config), [false, true, true, true]);
        let config = config
            .with_body_weight(0.0)
            .with_edge_weight(0.0)
            .with_attention_weight(0.0);
        assert_eq!(found(&config), [false, false, true, true]);
        let config = config.with_auxiliary_weight(0.0);
        assert_eq!(found(&config), [false, false, true, false]);
        let config = config.with_dice(Some(DiceLossConfig::default()));
        assert_eq!(found(&config), [true; 4]);
    }

    #[test]
    fn a_plain_network_is_trained_with_the_labels_themselves() {
        let config = DecoupledLossConfig::official();
        let (logits, auxiliary) = (random(3), random(3));
        let output = SegmentationOutput::plain(logits.clone()).with_auxiliary(auxiliary.clone());
        let cross_entropy = config.segmentation.init();
        let expected = cross_entropy.forward(logits.clone(), labels());
        let expected_auxiliary = cross_entropy.forward(auxiliary, labels()) * 0.4;

        let options = TargetsOptions::official();
        for targets in [
            Targets::plain(labels()),
            Targets::from_labels(labels(), 3, &options),
        ] {
            let terms = config.init().forward(&output, &targets);
            let names: Vec<LossTerm> = terms.iter().map(|(term, _)| term).collect();
            let here = [LossTerm::Total, LossTerm::Segmentation, LossTerm::Auxiliary];
            assert_eq!(names, here);
            let values = terms.map(|term| term.into_scalar::<f32>());
            assert_eq!(values.segmentation, expected.clone().into_scalar::<f32>());
            let auxiliary = expected_auxiliary.clone().into_scalar::<f32>();
            assert_eq!(values.auxiliary, Some(auxiliary));
            assert_eq!(values.total, values.segmentation + auxiliary);
        }

        // With body and edge the official labels are those recovered from relaxed ones.
        let output = SegmentationOutput::decoupled(logits, random(3), random(1));
        let targets = Targets::from_labels(labels(), 3, &options);
        let decoupled = config.init().forward(&output, &targets).segmentation;
        assert_ne!(
            decoupled.into_scalar::<f32>(),
            expected.into_scalar::<f32>()
        );
    }

    #[test]
    #[should_panic(expected = "make its targets with `Targets::from_labels`")]
    fn body_and_edge_need_their_targets() {
        let output = SegmentationOutput::decoupled(random(3), random(3), random(1));
        DecoupledLossConfig::new()
            .init()
            .forward(&output, &Targets::plain(labels()));
    }

    #[test]
    fn what_no_loss_can_be_built_from_is_refused() {
        let mut config = DecoupledLossConfig::new().with_edge_weight(-1.0);
        let error = LossConfigError::Factor {
            name: "edge_weight",
            value: -1.0,
        };
        assert_eq!(config.validate(), Err(error));
        config.edge_weight = 1.0;
        config.auxiliary.class_weights = crate::ClassWeights::Fixed(vec![1.0; 2]);
        let error = config.validate_for(3).expect_err("a weight is missing");
        assert_eq!(
            error.to_string(),
            "2 class weights, but there are 3 classes; give one a class, in their order"
        );
    }
}
