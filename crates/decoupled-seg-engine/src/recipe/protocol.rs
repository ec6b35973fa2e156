use serde::{Deserialize, Serialize};

use super::RecipeError;
use super::values::refuse_above;

/// How an image is shown to the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Window {
    /// As a whole.
    #[default]
    Whole,
    /// In overlapping tiles whose logits are averaged; [`tiles`](crate::tiles) says where they lie.
    Sliding {
        /// Height and width of a tile at scale 1, in pixels.
        tile: [usize; 2],
        /// Share of a tile that the next one covers again.
        overlap: f64,
        /// Whether tiles grow with scales above 1, as in the authors' code; if not, memory stays that of one tile.
        grow_with_scale: bool,
        /// By what the sum of overlapping tiles is divided.
        count: OverlapCount,
    },
}

impl Window {
    /// Square tiles that overlap by a third and grow with the scale: the authors' evaluation, where `tile` is the
    /// size of the training crops.
    pub const fn sliding(tile: usize) -> Self {
        Self::Sliding {
            tile: [tile, tile],
            overlap: 1.0 / 3.0,
            grow_with_scale: true,
            count: OverlapCount::PerPixel,
        }
    }
}

/// By what the summed logits of overlapping tiles are divided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverlapCount {
    /// At each pixel, the number of tiles that cover it.
    #[default]
    PerPixel,
    /// What the authors' code divides by: it counts along (class, row) where it means (row, column). Harmless for the
    /// arg-max of one scale on most image sizes, not for means over scales and flips; an image higher than wide gets
    /// divisors of 0. Here to reproduce its numbers.
    Official,
}

/// What is averaged over scales and flips.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// Logits, as in the authors' code and PaddleSeg.
    #[default]
    Logits,
    /// Probabilities: a scale at which the network is confident does not outvote the others.
    Probabilities,
}

/// Largest factor of [`Protocol::scales`]: larger images than that are a slip, and would not fit in memory.
const MAX_SCALE: f64 = 16.0;
/// Below, an image becomes a few pixels.
const MIN_SCALE: f64 = 1.0 / 64.0;
/// Most pixels that a side is padded to.
const MAX_PADDED: (usize, &str) = (8192, "at most 8192 pixels");

/// How a prediction is made from one image: windows, scales, flip, merging. Stated beside every figure.
///
/// Whole-image maps are resized with corners aligned, merged tile maps by pixel areas, both as in the authors' code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Protocol {
    /// How the image is shown.
    pub window: Window,
    /// Factors on the image's sides; the maps are resized to the image and averaged, all with the same weight.
    pub scales: Vec<f64>,
    /// Whether each scale is shown mirrored as well.
    pub flip: bool,
    /// What is averaged.
    pub merge: Merge,
    /// Tiles that go through the network together.
    pub tile_batch: usize,
    /// Sides are padded at the right and bottom to a multiple of this, and the logits cut back; 1: as they are.
    pub pad_to_multiple: usize,
    /// Sides are padded at the right and bottom to at least this many pixels; to those that the network needs
    /// ([`SegmentationModel::min_image_side`](decoupled_seg_nn::SegmentationModel::min_image_side)) in any case.
    pub min_size: usize,
}

impl Default for Protocol {
    /// The whole image, once: what validation during training uses.
    fn default() -> Self {
        Self {
            window: Window::Whole,
            scales: vec![1.0],
            flip: false,
            merge: Merge::Logits,
            tile_batch: 1,
            pad_to_multiple: 1,
            min_size: 0,
        }
    }
}

impl Protocol {
    /// The "single-scale" evaluation of the authors' scripts: sliding tiles of the crop size, with flip.
    pub fn single_scale(tile: usize) -> Self {
        Self {
            window: Window::sliding(tile),
            flip: true,
            ..Self::default()
        }
    }

    /// The multi-scale evaluation of the authors' scripts: as [`single_scale`](Self::single_scale), at seven scales.
    pub fn multi_scale(tile: usize) -> Self {
        Self {
            scales: vec![0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0],
            ..Self::single_scale(tile)
        }
    }

    /// Checks the values.
    ///
    /// # Errors
    ///
    /// Returns an error that names the field.
    pub fn validate(&self) -> Result<(), RecipeError> {
        let refuse = |field: &'static str, found: String, expected: &'static str| {
            Err(RecipeError::Value {
                field,
                found,
                expected,
            })
        };
        let positive = |scale: &f64| *scale > 0.0 && scale.is_finite();
        if self.scales.is_empty() || !self.scales.iter().all(positive) {
            let found = format!("{:?}", self.scales);
            return refuse("protocol.scales", found, "at least one factor above 0");
        }
        if self.scales.iter().any(|&scale| scale > MAX_SCALE) {
            let found = format!("{:?}", self.scales);
            return refuse("protocol.scales", found, "factors of 16 at most");
        }
        if self.scales.iter().any(|&scale| scale < MIN_SCALE) {
            let found = format!("{:?}", self.scales);
            return refuse("protocol.scales", found, "factors of 1/64 at least");
        }
        if let Window::Sliding { tile, overlap, .. } = self.window {
            if tile.contains(&0) {
                return refuse("protocol.window.tile", format!("{tile:?}"), "sides above 0");
            }
            if !(0.0..1.0).contains(&overlap) {
                let found = overlap.to_string();
                return refuse("protocol.window.overlap", found, "at least 0 and below 1");
            }
        }
        for (field, value) in [
            ("protocol.tile_batch", self.tile_batch),
            ("protocol.pad_to_multiple", self.pad_to_multiple),
        ] {
            if value == 0 {
                return refuse(field, "0".to_string(), "at least 1");
            }
        }
        for (field, value) in [
            ("protocol.pad_to_multiple", self.pad_to_multiple),
            ("protocol.min_size", self.min_size),
        ] {
            refuse_above(field, value, MAX_PADDED)?;
        }
        Ok(())
    }
}
