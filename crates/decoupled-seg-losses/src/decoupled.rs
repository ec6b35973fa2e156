use burn::config::Config;
use burn::tensor::{Int, Tensor, assert_shape};
use serde::{Deserialize, Serialize};

use crate::check::{ensure, required};
use crate::cross_entropy::PixelLosses;
use crate::mining::{AtLimit, PixelCount};
use crate::{
    AuxiliaryLossConfig, BodyReduction, BorderWeights, BoundaryRelaxationLoss,
    BoundaryRelaxationLossConfig, EdgeActivation, EdgeAttentionLoss, EdgeAttentionLossConfig,
    EdgeLoss, EdgeLossConfig, OhemCrossEntropyLossConfig, PixelMining, Targets,
};

/// Which labels the segmentation and the attention term are trained with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LabelSource {
    /// The labels themselves.
    #[default]
    Labels,
    /// The lowest class in the relaxation window of each pixel, and nothing near ignored pixels and the frame, as in
    /// the official code: [`RelaxedLabels::recovered_labels`](crate::RelaxedLabels::recovered_labels).
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
/// The targets have options of their own, with presets of the same names: [`TargetsConfig`](crate::TargetsConfig).
/// Of the nested configurations every `ignore_index` is replaced by the one of the targets.
#[derive(Config, Debug, PartialEq)]
pub struct DecoupledLossConfig {
    /// Which labels the segmentation, attention and auxiliary terms are trained with.
    #[config(default = "LabelSource::Labels")]
    pub label_source: LabelSource,
    /// Cross entropy of the final map.
    #[config(default = "OhemCrossEntropyLossConfig::new().with_mining(hard_pixels(1.0 / 64.0))")]
    pub segmentation: OhemCrossEntropyLossConfig,
    /// Relaxed loss of the body map.
    #[config(default = "BoundaryRelaxationLossConfig::new()")]
    pub body: BoundaryRelaxationLossConfig,
    /// Binary cross entropy of the edge map.
    #[config(default = "EdgeLossConfig::new()")]
    pub edge: EdgeLossConfig,
    /// Cross entropy of the final map on predicted edges.
    #[config(default = "EdgeAttentionLossConfig::new().with_mining(hard_pixels(1.0 / 128.0))")]
    pub attention: EdgeAttentionLossConfig,
    /// Loss of an auxiliary head, for networks that have one.
    #[config(default = "AuxiliaryLossConfig::new()")]
    pub auxiliary: AuxiliaryLossConfig,
    /// Factor of the segmentation term, `lambda_3` of eq. 3.
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
            .with_segmentation(OhemCrossEntropyLossConfig::new().with_mining(PixelMining::Off))
            .with_edge(EdgeLossConfig::paper())
            .with_edge_weight(25.0)
            .with_attention(EdgeAttentionLossConfig::paper())
    }

    /// The loss of the authors' code, slips included. On one process with one image it is comparable to the
    /// published training; the body term grows with the square of the batch. Use it with
    /// [`TargetsConfig::official`](crate::TargetsConfig::official).
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
            config: self.clone(),
        }
    }

    /// Checks the values that no type can.
    ///
    /// # Errors
    ///
    /// Says in words what [`init`](Self::init) would panic on.
    pub fn validate(&self) -> Result<(), String> {
        let weights = [
            self.segmentation_weight,
            self.body_weight,
            self.edge_weight,
            self.attention_weight,
            self.auxiliary.weight,
        ];
        for weight in weights {
            ensure(weight >= 0.0 && weight.is_finite(), || {
                format!("a factor of a loss must not be below 0, got {weight}")
            })?;
        }
        self.segmentation.validate()?;
        self.auxiliary.cross_entropy.validate()?;
        self.body.class_weights.validate()?;
        self.attention.validate()
    }

    /// Checks that fixed class weights are those of `num_classes`.
    ///
    /// # Errors
    ///
    /// Says in words what the loss would panic on.
    pub fn validate_for(&self, num_classes: usize) -> Result<(), String> {
        let weights = [
            &self.segmentation.class_weights,
            &self.auxiliary.cross_entropy.class_weights,
            &self.body.class_weights,
        ];
        weights
            .iter()
            .try_for_each(|weights| weights.validate_for(num_classes))
    }
}

/// The terms of a [`DecoupledLoss`], each with its factor, as it enters the total. All are `[1]`.
#[derive(Clone, Debug)]
pub struct DecoupledLossOutput {
    /// Sum of the terms; call `backward` on this.
    pub total: Tensor<1>,
    /// Cross entropy of the final map.
    pub segmentation: Tensor<1>,
    /// Relaxed loss of the body map.
    pub body: Tensor<1>,
    /// Binary cross entropy of the edge map.
    pub edge: Tensor<1>,
    /// Cross entropy of the final map on predicted edges.
    pub attention: Tensor<1>,
    /// Cross entropy of an auxiliary head, if there is one.
    pub auxiliary: Option<Tensor<1>>,
}

impl DecoupledLossOutput {
    /// The terms with their names, without the total.
    pub fn terms(&self) -> Vec<(&'static str, Tensor<1>)> {
        let four = [
            ("segmentation", &self.segmentation),
            ("body", &self.body),
            ("edge", &self.edge),
            ("attention", &self.attention),
        ];
        let auxiliary = self.auxiliary.as_ref().map(|term| ("auxiliary", term));
        four.into_iter()
            .chain(auxiliary)
            .map(|(name, term)| (name, term.clone()))
            .collect()
    }
}

/// The four losses of body and edge supervision and their weighted sum.
///
/// ```text
/// L = l1 * L_body + l2 * (l4 * L_bce + l5 * L_ce) + l3 * L_final          eq. 3 and 4 of the paper
/// ```
///
/// `L_body`: [`BoundaryRelaxationLoss`]; `L_bce`: [`EdgeLoss`]; `L_ce` (eq. 5): [`EdgeAttentionLoss`]; `L_final`:
/// [`OhemCrossEntropyLoss`](crate::OhemCrossEntropyLoss). Nothing is read back to the host. A term without a pixel is 0
/// with a zero gradient. NaN in the logits of a labelled pixel makes its terms and the total NaN, so a check of the
/// total for finiteness finds it, and the terms say where. Built by [`DecoupledLossConfig`].
#[doc(alias = "JointEdgeSegLoss")]
#[derive(Clone, Debug)]
pub struct DecoupledLoss {
    body: BoundaryRelaxationLoss,
    edge: EdgeLoss,
    attention: EdgeAttentionLoss,
    config: DecoupledLossConfig,
}

impl DecoupledLoss {
    /// The losses of a batch.
    ///
    /// # Shapes
    ///
    /// - `logits`, `body_logits`: `[batch, num_classes, height, width]`
    /// - `edge_logits`: `[batch, 1, height, width]`
    /// - `targets`: of `[batch, height, width]` labels
    ///
    /// # Panics
    ///
    /// Panics if sizes or numbers of classes differ.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::tensor::{Device, Distribution, Int, Tensor};
    /// use decoupled_seg_losses::{DecoupledLossConfig, Targets, TargetsConfig};
    ///
    /// let device = Device::default().autodiff();
    /// let labels = Tensor::<3, Int>::ones([2, 16, 16], &device);
    /// let targets = Targets::from_labels(labels, &TargetsConfig::new(5));
    /// let random = |channels| Tensor::<4>::random([2, channels, 16, 16], Distribution::Default, &device).require_grad();
    /// let (logits, body_logits, edge_logits) = (random(5), random(5), random(1));
    ///
    /// let loss = DecoupledLossConfig::new().init();
    /// let output = loss.forward(logits.clone(), body_logits, edge_logits, &targets);
    /// let gradients = output.total.backward();
    /// assert_eq!(logits.grad(&gradients).unwrap().dims(), [2, 5, 16, 16]);
    /// ```
    pub fn forward(
        &self,
        logits: Tensor<4>,
        body_logits: Tensor<4>,
        edge_logits: Tensor<4>,
        targets: &Targets,
    ) -> DecoupledLossOutput {
        self.terms(logits, body_logits, edge_logits, None, targets)
    }

    /// The losses of a batch from a network with an auxiliary head.
    ///
    /// # Shapes
    ///
    /// - `aux_logits`: `[batch, num_classes, height, width]`; the others as in [`forward`](Self::forward)
    ///
    /// # Panics
    ///
    /// Panics if sizes or numbers of classes differ.
    pub fn forward_with_auxiliary(
        &self,
        logits: Tensor<4>,
        body_logits: Tensor<4>,
        edge_logits: Tensor<4>,
        aux_logits: Tensor<4>,
        targets: &Targets,
    ) -> DecoupledLossOutput {
        self.terms(logits, body_logits, edge_logits, Some(aux_logits), targets)
    }

    fn terms(
        &self,
        logits: Tensor<4>,
        body_logits: Tensor<4>,
        edge_logits: Tensor<4>,
        aux_logits: Option<Tensor<4>>,
        targets: &Targets,
    ) -> DecoupledLossOutput {
        let [batch, height, width] = targets.labels.dims();
        assert_shape!(
            logits,
            [batch, targets.relaxed.classes.num_classes(), height, width]
        );
        let config = &self.config;
        let labels = self.labels(targets);
        let of_map = |logits| PixelLosses::new(logits, labels.clone(), targets.ignore_index);

        // The segmentation and the attention term look at the same cross entropies.
        let pixels = of_map(logits);
        let segmentation = pixels.mined(&config.segmentation) * config.segmentation_weight;
        let attention =
            self.attention.of_pixels(&pixels, edge_logits.clone()) * config.attention_weight;
        let body = self.body.forward(body_logits, &targets.relaxed) * config.body_weight;
        let edge = self.edge.forward(edge_logits, targets.edge_labels.clone()) * config.edge_weight;
        let auxiliary = aux_logits.map(|logits| {
            of_map(logits).mined(&config.auxiliary.cross_entropy) * config.auxiliary.weight
        });

        let mut total = segmentation.clone() + body.clone() + edge.clone() + attention.clone();
        if let Some(auxiliary) = &auxiliary {
            total = total + auxiliary.clone();
        }
        DecoupledLossOutput {
            total,
            segmentation,
            body,
            edge,
            attention,
            auxiliary,
        }
    }

    fn labels(&self, targets: &Targets) -> Tensor<3, Int> {
        match self.config.label_source {
            LabelSource::Labels => targets.labels.clone(),
            LabelSource::Relaxed => targets.relaxed.recovered_labels(targets.ignore_index),
        }
    }
}
