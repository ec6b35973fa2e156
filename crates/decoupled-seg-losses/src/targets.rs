use burn::config::Config;
use burn::tensor::{Int, Tensor, assert_shape};
use serde::{Deserialize, Serialize};

use crate::ops::plain;
use crate::{EdgeConfig, IGNORE_INDEX, RelaxationConfig, RelaxedLabels};

/// Which masks the edges are drawn on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EdgeSource {
    /// The labels themselves: an edge of radius 2 is 4 pixels wide. As PaddleSeg does it.
    #[default]
    Labels,
    /// The relaxed labels: an edge of radius 2 is 6 pixels wide at a border of 1. As the official code does it.
    Relaxed,
}

/// What ignored pixels are to the edges beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IgnoredPixels {
    /// Unknown: a border to them is no edge, and they have the ignore index for an edge label.
    #[default]
    Exclude,
    /// Background: a border to them is an edge, on both sides, and they have an edge label of 0 or 1 like any other
    /// pixel. As the official code and PaddleSeg do it.
    Background,
}

/// How [`Targets`] are made from labels.
///
/// | | [`new`](TargetsConfig::new), [`paper`](TargetsConfig::paper) | [`official`](TargetsConfig::official) | [`paddleseg`](TargetsConfig::paddleseg) |
/// |---|---|---|---|
/// | relaxation window | 3x3 | 3x3 | 3x3 |
/// | edge radius | 2 | 2 | 2 |
/// | edges drawn on | labels | relaxed labels | labels |
/// | frame of the picture | no edge | edge | edge |
/// | ignored pixels | excluded | background | background |
#[derive(Config, Debug, PartialEq)]
pub struct TargetsConfig {
    /// Number of classes; every other label but the ignore index is treated as ignored too.
    pub num_classes: usize,
    /// Label of pixels that take no part.
    #[config(default = "IGNORE_INDEX")]
    pub ignore_index: i64,
    /// Pixels that the relaxation window reaches to each side: 1 is a window of 3x3.
    #[config(default = 1)]
    pub border: usize,
    /// Classes whose own pixels keep their plain label when relaxed.
    #[config(default = "Vec::new()")]
    pub strict_classes: Vec<usize>,
    /// Euclidean distance in pixels within which an edge pixel sees another class.
    #[config(default = 2.0)]
    pub edge_radius: f64,
    /// Which masks the edges are drawn on.
    #[config(default = "EdgeSource::Labels")]
    pub edge_source: EdgeSource,
    /// Whether there is an edge all along the frame of the picture.
    #[config(default = false)]
    pub frame_is_edge: bool,
    /// What ignored pixels are to the edges beside them.
    #[config(default = "IgnoredPixels::Exclude")]
    pub ignored_pixels: IgnoredPixels,
}

impl TargetsConfig {
    /// The paper does not say how wide an edge is or what happens at the frame: this is [`new`](Self::new).
    pub fn paper(num_classes: usize) -> Self {
        Self::new(num_classes)
    }

    /// The targets of the authors' code.
    pub fn official(num_classes: usize) -> Self {
        Self::paddleseg(num_classes).with_edge_source(EdgeSource::Relaxed)
    }

    /// The targets of PaddleSeg's port.
    pub fn paddleseg(num_classes: usize) -> Self {
        Self::new(num_classes)
            .with_frame_is_edge(true)
            .with_ignored_pixels(IgnoredPixels::Background)
    }

    /// The part that relaxes labels.
    pub fn relaxation(&self) -> RelaxationConfig {
        RelaxationConfig::new(self.num_classes)
            .with_ignore_index(self.ignore_index)
            .with_border(self.border)
            .with_strict_classes(self.strict_classes.clone())
    }

    /// The part that finds edges.
    pub fn edges(&self) -> EdgeConfig {
        EdgeConfig::new(self.num_classes)
            .with_ignore_index(self.ignore_index)
            .with_radius(self.edge_radius)
            .with_frame_is_edge(self.frame_is_edge)
            .with_ignore_borders(self.ignored_pixels == IgnoredPixels::Background)
            .with_mask_ignored(self.ignored_pixels == IgnoredPixels::Exclude)
    }
}

/// What [`DecoupledLoss`](crate::DecoupledLoss) is trained towards, on the device of the labels.
#[derive(Clone, Debug)]
pub struct Targets {
    /// Class of every pixel, or the ignore index, `[batch, height, width]`.
    pub labels: Tensor<3, Int>,
    /// The classes near every pixel: the target of the body.
    pub relaxed: RelaxedLabels,
    /// 1 near a border between classes, 0 elsewhere, or the ignore index, `[batch, height, width]`.
    pub edge_labels: Tensor<3, Int>,
    /// Label of pixels that take no part, in `labels` and `edge_labels`.
    pub ignore_index: i64,
}

impl Targets {
    /// Makes all targets of a batch from its labels, by tensor operations on the device that holds them.
    ///
    /// # Shapes
    ///
    /// - `labels`: `[batch, height, width]`
    ///
    /// # Panics
    ///
    /// Panics on a configuration without classes, with a strict class that does not exist, or with an edge radius
    /// below 1.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::tensor::{Device, Int, Tensor};
    /// use decoupled_seg_losses::{Targets, TargetsConfig};
    ///
    /// let device = Device::default();
    /// let labels = Tensor::<3, Int>::from_data([[[0, 0, 0, 1, 1, 1, 255]]], &device);
    /// let targets = Targets::from_labels(labels, &TargetsConfig::new(2).with_edge_radius(1.0));
    ///
    /// let edges: Vec<i32> = targets.edge_labels.try_into_vec_as().unwrap();
    /// assert_eq!(edges, [0, 0, 1, 1, 0, 0, 255]);
    /// let classes: Vec<i32> = targets.relaxed.classes.counts().try_into_vec_as().unwrap();
    /// assert_eq!(classes, [1, 1, 2, 2, 1, 1, 1]);
    /// ```
    pub fn from_labels(labels: Tensor<3, Int>, config: &TargetsConfig) -> Self {
        let labels = plain(labels);
        let relaxed = RelaxedLabels::from_labels(labels.clone(), &config.relaxation());
        let edge_labels = match config.edge_source {
            EdgeSource::Labels => config.edges().edge_labels(labels.clone()),
            EdgeSource::Relaxed => config
                .edges()
                .edge_labels_of_sets(&relaxed.classes, labels.clone()),
        };
        Self {
            labels,
            relaxed,
            edge_labels,
            ignore_index: config.ignore_index,
        }
    }

    /// Puts together targets that were made elsewhere, by a data loader for instance.
    ///
    /// # Shapes
    ///
    /// - `labels`, `relaxed`, `edge_labels`: `[batch, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if the sizes differ.
    pub fn new(
        labels: Tensor<3, Int>,
        relaxed: RelaxedLabels,
        edge_labels: Tensor<3, Int>,
        ignore_index: i64,
    ) -> Self {
        let [batch, height, width] = labels.dims();
        assert_shape!(edge_labels, [batch, height, width]);
        assert_eq!(
            relaxed.classes.dims(),
            labels.dims(),
            "relaxed labels and labels must have the same size"
        );
        Self {
            labels: plain(labels),
            relaxed,
            edge_labels: plain(edge_labels),
            ignore_index,
        }
    }
}
