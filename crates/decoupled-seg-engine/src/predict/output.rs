use std::path::Path;

use decoupled_seg_datasets::{ClassTable, LabelMap};
use decoupled_seg_polygons::{to_geojson, to_labelme, trace};
use decoupled_seg_types::Size;
use decoupled_seg_viz::{
    Colormap, EDGE_PRIOR_THRESHOLD, FlowScale, Palette, ValueRange, colorize, edge_prior,
    flow_color_wheel, heat_map, overlay,
};
use image::{DynamicImage, GrayImage, RgbImage};
use serde::{Deserialize, Serialize};

use super::Prediction;

/// What is written for an image, into a folder of its own: a PNG, or polygons as JSON.
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
    /// The probability of the predicted class: black for 0, white for 1.
    Confidence,
    /// The regions of one class as polygons, exact to the pixel: a GeoJSON `FeatureCollection`.
    #[serde(rename = "geojson")]
    GeoJson,
    /// The same as an annotation file of LabelMe 5.
    #[serde(rename = "labelme")]
    LabelMe,
}

/// The content of a file, before it is encoded.
pub(super) enum Output {
    Picture(DynamicImage),
    Json(serde_json::Value),
}

impl PredictionKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::ClassIndex,
        Self::LabelId,
        Self::Color,
        Self::Overlay,
        Self::Edge,
        Self::Body,
        Self::Flow,
        Self::Confidence,
        Self::GeoJson,
        Self::LabelMe,
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
            Self::Confidence => "confidence",
            Self::GeoJson => "geojson",
            Self::LabelMe => "labelme",
        }
    }

    /// Whether it is a picture to look at: neither values nor polygons.
    pub const fn is_for_viewing(self) -> bool {
        !matches!(
            self,
            Self::ClassIndex | Self::LabelId | Self::GeoJson | Self::LabelMe
        )
    }

    /// The ending of its files.
    pub(super) const fn extension(self) -> &'static str {
        match self {
            Self::GeoJson => "geojson",
            Self::LabelMe => "json",
            _ => "png",
        }
    }

    /// Whether it needs a look inside the network, at what only one with body and edge has.
    pub const fn inspects(self) -> bool {
        matches!(self, Self::Edge | Self::Body | Self::Flow)
    }

    /// What is written for the image in the file `input`; `None` if the network does not predict this.
    pub(super) fn output(
        self,
        image: &RgbImage,
        input: &Path,
        prediction: &Prediction,
        classes: &ClassTable,
    ) -> Option<Output> {
        let labels = &prediction.labels;
        let polygons = || trace(&labels.data, labels.size());
        let name = |label: u8| {
            let name = classes.names().get(usize::from(label)).copied();
            name.map(str::to_string)
        };
        Some(match self {
            Self::GeoJson => Output::Json(to_geojson(&polygons(), name)),
            Self::LabelMe => {
                // LabelMe looks for the image from where its file is, and that may be anywhere.
                let path = input.canonicalize().unwrap_or_else(|_| input.to_path_buf());
                let path = path.display().to_string();
                Output::Json(to_labelme(&polygons(), labels.size(), &path, name))
            }
            _ => Output::Picture(self.render(image, prediction, classes)?),
        })
    }

    /// The picture; `None` if the network does not predict this, or it is none.
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
            Self::Confidence => {
                let confidence = prediction.confidence.as_ref()?;
                heat_map(confidence, size, Colormap::Grey, ValueRange::UNIT).into()
            }
            Self::GeoJson | Self::LabelMe => return None,
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
