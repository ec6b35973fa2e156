use burn::config::Config;
use burn::tensor::{Bool, Int, Tensor, assert_shape};
use serde::{Deserialize, Serialize};

use crate::label_sets::is_class;
use crate::ops::{DiskValues, differs_within};
use crate::{IGNORE_INDEX, LabelSets};

/// What a border between labelled and ignored pixels is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IgnoredPixels {
    /// Unknown: pixels are not compared with ignored ones, and ignored pixels have the ignore index for an edge label.
    #[default]
    Exclude,
    /// An edge: ignored pixels belong to no class, like a class of their own, and have an edge label as any other
    /// pixel. As the official code and PaddleSeg do it.
    Background,
}

/// Which pixels are edges.
#[derive(Config, Debug, PartialEq)]
pub struct EdgeConfig {
    /// Number of classes; every other label but the ignore index is treated as ignored too.
    pub num_classes: usize,
    /// Label of pixels that take no part.
    #[config(default = "IGNORE_INDEX")]
    pub ignore_index: i64,
    /// Euclidean distance in pixels within which a pixel sees another class.
    #[config(default = 2.0)]
    pub radius: f64,
    /// What a border between labelled and ignored pixels is.
    #[config(default = "IgnoredPixels::Exclude")]
    pub ignored_pixels: IgnoredPixels,
    /// Whether there is an edge all along the frame of the picture, as in the official code, which pads its masks
    /// with background: the outer `radius` pixels of every crop.
    #[config(default = false)]
    pub frame_is_edge: bool,
}

impl EdgeConfig {
    /// Edge labels, 0, 1 or the ignore index, of a map of class labels.
    ///
    /// ```text
    /// E(p) = 1 if a pixel q with |p - q| <= radius has another label than p
    /// ```
    ///
    /// Source: `L_bce` in section 3.4 of the paper, "generated from the ground truth"; `mask_to_onehot` and
    /// `onehot_to_binary_edges` in the authors' code do this with a distance transform for each class.
    ///
    /// # Shapes
    ///
    /// - `labels`: `[batch, height, width]`
    /// - returned: `[batch, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if the radius is below 1.
    pub fn edge_labels(&self, labels: Tensor<3, Int>) -> Tensor<3, Int> {
        let labels = labels.inner();
        let ignored = self.ignored(&labels);
        // Class c is c + 1, so that 0 is left for pixels of no class.
        let codes = labels.mask_fill(ignored.clone(), -1) + 1;
        let edges = self.differs(codes.unsqueeze_dim(1), &ignored);
        self.finish(edges.squeeze_dim(1), ignored)
    }

    /// Edge labels, 0, 1 or the ignore index, of a map of class sets, such as [`RelaxedLabels`](crate::RelaxedLabels):
    /// the edges that the official code makes, one border wider to each side.
    ///
    /// ```text
    /// E(p) = 1 if for some class c and a pixel q with |p - q| <= radius, T_c(q) is not T_c(p)
    /// ```
    ///
    /// # Shapes
    ///
    /// - `sets`, `labels`: `[batch, height, width]`; of the labels only the ignored pixels matter
    /// - returned: `[batch, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if the radius is below 1, or if the two maps differ in size.
    pub fn edge_labels_of_sets(&self, sets: &LabelSets, labels: Tensor<3, Int>) -> Tensor<3, Int> {
        let [batch, height, width] = sets.dims();
        assert_shape!(labels, [batch, height, width]);
        let ignored = self.ignored(&labels.inner());
        let edges = self.differs(sets.words(), &ignored);
        let edges = edges.int().max_dim(1).squeeze_dim::<3>(1).equal_elem(1);
        self.finish(edges, ignored)
    }

    /// The edges of each class by itself: where its mask changes within the radius.
    ///
    /// # Shapes
    ///
    /// - `sets`, `labels`: `[batch, height, width]`; of the labels only the ignored pixels matter
    /// - returned: `[batch, num_classes, height, width]`, false at excluded pixels
    ///
    /// # Panics
    ///
    /// Panics if the radius is below 1, or if the two maps differ in size.
    pub fn class_edges(&self, sets: LabelSets, labels: Tensor<3, Int>) -> Tensor<4, Bool> {
        let [batch, height, width] = sets.dims();
        assert_shape!(labels, [batch, height, width]);
        let ignored = self.ignored(&labels.inner());
        let edges = self.differs(sets.into_multi_hot().int(), &ignored);
        match self.ignored_pixels {
            IgnoredPixels::Exclude => {
                let excluded: Tensor<4, Bool> = ignored.unsqueeze_dim(1);
                edges
                    .clone()
                    .mask_fill(excluded.expand(edges.dims()), false)
            }
            IgnoredPixels::Background => edges,
        }
    }

    fn ignored(&self, labels: &Tensor<3, Int>) -> Tensor<3, Bool> {
        let known = is_class(labels, self.num_classes)
            .bool_and(labels.clone().not_equal_elem(self.ignore_index));
        known.bool_not()
    }

    fn differs(&self, values: Tensor<4, Int>, ignored: &Tensor<3, Bool>) -> Tensor<4, Bool> {
        assert!(
            self.radius >= 1.0,
            "an edge radius below 1 pixel finds no edge, got {}",
            self.radius
        );
        let excluded = match self.ignored_pixels {
            IgnoredPixels::Exclude => Some(ignored.clone().unsqueeze_dim(1)),
            IgnoredPixels::Background => None,
        };
        let outside = self.frame_is_edge.then_some(0);
        differs_within(
            DiskValues {
                values,
                excluded,
                outside,
            },
            self.radius,
        )
    }

    fn finish(&self, edges: Tensor<3, Bool>, ignored: Tensor<3, Bool>) -> Tensor<3, Int> {
        match self.ignored_pixels {
            IgnoredPixels::Exclude => edges.int().mask_fill(ignored, self.ignore_index),
            IgnoredPixels::Background => edges.int(),
        }
    }
}
