use decoupled_seg_losses::{EdgeSource, IgnoredPixels, TargetsConfig};
use serde::{Deserialize, Serialize};

/// How the body and edge targets are made from the labels; [`TargetsConfig`] without the number of classes, which the
/// data set knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetsRecipe {
    /// Pixels that the relaxation window reaches to each side: 1 is a window of 3x3.
    pub border: usize,
    /// Classes whose own pixels keep their plain label when relaxed.
    pub strict_classes: Vec<usize>,
    /// Distance in pixels within which an edge pixel sees another class.
    pub edge_radius: usize,
    /// Which masks the edges are drawn on.
    pub edge_source: EdgeSource,
    /// What a border between labelled and ignored pixels is.
    pub ignored_pixels: IgnoredPixels,
    /// Whether there is an edge all along the frame of the picture.
    pub frame_is_edge: bool,
    /// Where they are made.
    pub made_on: TargetsPlace,
}

/// Where body and edge targets are made; they are the same either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetsPlace {
    /// With tensor operations on the device that trains: only the labels are transferred.
    #[default]
    Device,
    /// In the loader's threads: leaves the device alone. Better where the device is the CPU, whose tensor operations
    /// are slower than the loader's loops.
    Loader,
}

impl Default for TargetsRecipe {
    /// [`TargetsConfig::new`].
    fn default() -> Self {
        Self::from(TargetsConfig::new(1))
    }
}

impl From<TargetsConfig> for TargetsRecipe {
    fn from(config: TargetsConfig) -> Self {
        Self {
            border: config.border,
            strict_classes: config.strict_classes,
            edge_radius: config.edge_radius as usize,
            edge_source: config.edge_source,
            ignored_pixels: config.ignored_pixels,
            frame_is_edge: config.frame_is_edge,
            made_on: TargetsPlace::default(),
        }
    }
}

impl TargetsRecipe {
    /// The targets of the authors' code.
    pub fn official() -> Self {
        Self::from(TargetsConfig::official(1))
    }

    /// The targets for a data set of `num_classes` classes.
    pub fn config(&self, num_classes: usize) -> TargetsConfig {
        TargetsConfig::new(num_classes)
            .with_border(self.border)
            .with_strict_classes(self.strict_classes.clone())
            .with_edge_radius(self.edge_radius as f64)
            .with_edge_source(self.edge_source)
            .with_ignored_pixels(self.ignored_pixels)
            .with_frame_is_edge(self.frame_is_edge)
    }
}
