use decoupled_seg_datasets::{ClassTable, LabelMap};
use decoupled_seg_types::Size;
use decoupled_seg_viz::{
    EDGE_PRIOR_THRESHOLD, FlowScale, Palette, colorize, edge_prior, flow_color_wheel, overlay,
};
use image::{DynamicImage, GrayImage, RgbImage};
use serde::{Deserialize, Serialize};

use super::Prediction;

/// What is written for an image: a PNG in a folder of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictionKind {
    /// The class index of each pixel, 8 bits (Cityscapes calls these train ids).
    ClassIndex,
    /// The data set's own value for the class of each pixel, 8 bits, as benchmarks want it.
    LabelId,
    /// The class colours.
    Color,
    /// Image and colours, half each.
    Overlay,
    /// The predicted edge: white from [`EDGE_PRIOR_THRESHOLD`] on. Of networks with body and edge only.
    Edge,
    /// The segmentation as the body alone sees it, in class colours. Of networks with body and edge only.
    Body,
    /// The flow towards the body on the colour wheel, at the size of the features. Of networks with a flow only.
    Flow,
}

impl PredictionKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ClassIndex,
        Self::LabelId,
        Self::Color,
        Self::Overlay,
        Self::Edge,
        Self::Body,
        Self::Flow,
    ];

    /// The kind that is written to a folder of this name.
    pub fn from_folder(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.folder() == name)
    }

    /// The folder it is written to, which is its name too.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::ClassIndex => "class_index",
            Self::LabelId => "label_id",
            Self::Color => "color",
            Self::Overlay => "overlay",
            Self::Edge => "edge",
            Self::Body => "body",
            Self::Flow => "flow",
        }
    }

    /// Whether it needs a look inside the network.
    pub(super) const fn inspects(self) -> bool {
        matches!(self, Self::Edge | Self::Body | Self::Flow)
    }

    /// The picture; `None` if the network does not predict this.
    pub(super) fn render(
        self,
        image: &RgbImage,
        prediction: &Prediction,
        classes: &ClassTable,
    ) -> Option<DynamicImage> {
        let palette = Palette::new(classes.colors());
        let labels = &prediction.labels;
        let size = Size::new(labels.height, labels.width);
        let colors = |map: &LabelMap| colorize(&map.data, size, &palette);
        Some(match self {
            Self::ClassIndex => gray(labels.clone()).into(),
            Self::LabelId => gray(label_ids(labels, classes)).into(),
            Self::Color => colors(labels).into(),
            Self::Overlay => overlay(image, &labels.data, &palette, 0.5).into(),
            Self::Body => colors(prediction.body.as_ref()?).into(),
            Self::Edge => {
                let probs = prediction.edge_probs.as_ref()?;
                edge_prior(probs, size, EDGE_PRIOR_THRESHOLD).into()
            }
            Self::Flow => flow_color_wheel(prediction.flow.as_ref()?, FlowScale::default()).into(),
        })
    }
}

/// The data set's own values of class indices.
pub(super) fn label_ids(labels: &LabelMap, classes: &ClassTable) -> LabelMap {
    let table: Vec<u8> = (0..=u8::MAX).map(|label| classes.id(label)).collect();
    let data = labels
        .data
        .iter()
        .map(|&label| table[usize::from(label)])
        .collect();
    LabelMap::new(labels.size(), data)
}

pub(super) fn gray(map: LabelMap) -> GrayImage {
    GrayImage::from_raw(map.width as u32, map.height as u32, map.data)
        .expect("a label map has width * height values")
}
