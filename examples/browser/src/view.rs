use decoupled_seg::weights::NamedClass;
use decoupled_seg_viz::{
    Colormap, FlowScale, Palette, ValueRange, colorize, flow_color_wheel, heat_map,
};
use image::RgbImage;

use crate::Segmentation;

/// What of a segmentation is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The classes, in their colours.
    Segmentation,
    /// The classes as the body alone sees them.
    Body,
    /// The probability of an edge: black for 0, white for 1.
    Edge,
    /// The flow towards the body on the colour wheel, at the size of the features.
    Flow,
    /// The probability of the predicted class: black for 0, white for 1.
    Confidence,
}

impl View {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Segmentation,
        Self::Body,
        Self::Edge,
        Self::Flow,
        Self::Confidence,
    ];

    /// Its name on the page.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Segmentation => "segmentation",
            Self::Body => "body",
            Self::Edge => "edge",
            Self::Flow => "flow",
            Self::Confidence => "confidence",
        }
    }

    /// The view of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.name() == name)
    }

    /// Draws it; `None` if the network predicts no such thing.
    ///
    /// # Panics
    ///
    /// Panics if a label has no class.
    pub fn draw(self, segmentation: &Segmentation, classes: &[NamedClass]) -> Option<RgbImage> {
        let size = segmentation.size;
        let colors: Vec<[u8; 3]> = classes.iter().map(|class| class.color).collect();
        let of_labels = |labels: &[u8]| colorize(labels, size, &Palette::new(colors));
        let of_probabilities =
            |values: &[f32]| heat_map(values, size, Colormap::Grey, ValueRange::UNIT);
        Some(match self {
            Self::Segmentation => of_labels(&segmentation.labels),
            Self::Body => of_labels(segmentation.body.as_deref()?),
            Self::Edge => of_probabilities(segmentation.edge.as_deref()?),
            Self::Flow => flow_color_wheel(segmentation.flow.as_ref()?, FlowScale::PerImage),
            Self::Confidence => of_probabilities(&segmentation.confidence),
        })
    }
}
