use burn::config::Config;
use burn::tensor::{Bool, Int, Tensor, assert_shape};

use crate::label_sets::is_class;
use crate::ops::{DiskValues, differs_within, plain};
use crate::{IGNORE_INDEX, LabelSets};

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
    /// Whether there is an edge all along the frame of the picture, as in the official code, which pads its masks
    /// with background: the outer `radius` pixels of every crop.
    #[config(default = false)]
    pub frame_is_edge: bool,
    /// Whether a border between a class and ignored pixels is an edge, on both sides, as in the official code;
    /// otherwise nothing is compared with ignored pixels.
    #[config(default = false)]
    pub ignore_borders: bool,
    /// Whether ignored pixels have the ignore index for an edge label too; in the official code they are 0 or 1.
    #[config(default = true)]
    pub mask_ignored: bool,
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
        let labels = plain(labels);
        let ignored = self.ignored(&labels);
        // Class c is c + 1, so that 0 is left for pixels of no class.
        let codes = labels.mask_fill(ignored.clone(), -1) + 1;
        let edges = self.differs(codes.unsqueeze_dim(1), ignored.clone());
        self.labels(edges, ignored).squeeze_dim(1)
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
    /// - `sets`, `labels`: `[batch, height, width]`; the labels only say which pixels are masked
    /// - returned: `[batch, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if the radius is below 1, or if the two maps differ in size.
    pub fn edge_labels_of_sets(&self, sets: &LabelSets, labels: Tensor<3, Int>) -> Tensor<3, Int> {
        let [batch, height, width] = sets.dims();
        assert_shape!(labels, [batch, height, width]);
        let planes = self.differs(sets.words(), sets.is_empty());
        let edges = planes.int().max_dim(1).equal_elem(1);
        self.labels(edges, self.ignored(&plain(labels)))
            .squeeze_dim(1)
    }

    /// The edges of each class by itself: where its mask changes within the radius.
    ///
    /// # Shapes
    ///
    /// - `sets`, `labels`: `[batch, height, width]`; the labels only say which pixels are masked
    /// - returned: `[batch, num_classes, height, width]`, 0, 1 or the ignore index
    ///
    /// # Panics
    ///
    /// Panics if the radius is below 1, or if the two maps differ in size.
    pub fn class_edges(&self, sets: LabelSets, labels: Tensor<3, Int>) -> Tensor<4, Int> {
        let [batch, height, width] = sets.dims();
        assert_shape!(labels, [batch, height, width]);
        let empty = sets.is_empty();
        let edges = self.differs(sets.into_multi_hot().int(), empty);
        self.labels(edges, self.ignored(&plain(labels)))
    }

    /// Pixels without a label.
    fn ignored(&self, labels: &Tensor<3, Int>) -> Tensor<3, Bool> {
        let not_ignored = labels.clone().not_equal_elem(self.ignore_index);
        is_class(labels, self.num_classes)
            .bool_and(not_ignored)
            .bool_not()
    }

    /// Whether the values within the radius differ; `nothing` are pixels of no class.
    fn differs(&self, values: Tensor<4, Int>, nothing: Tensor<3, Bool>) -> Tensor<4, Bool> {
        assert!(
            self.radius >= 1.0,
            "an edge radius below 1 pixel finds no edge, got {}",
            self.radius
        );
        let excluded = (!self.ignore_borders).then(|| nothing.unsqueeze_dim(1));
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

    fn labels(&self, edges: Tensor<4, Bool>, ignored: Tensor<3, Bool>) -> Tensor<4, Int> {
        if !self.mask_ignored {
            return edges.int();
        }
        let ignored: Tensor<4, Bool> = ignored.unsqueeze_dim(1);
        let shape = edges.dims();
        edges
            .int()
            .mask_fill(ignored.expand(shape), self.ignore_index)
    }
}
