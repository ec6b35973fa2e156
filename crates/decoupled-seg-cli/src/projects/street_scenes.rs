use std::sync::Arc;

use decoupled_seg::datasets::{Opened, SegmentationDataset, Split};
use decoupled_seg::engine::{Recipe, RecipePreset};
use decoupled_seg::metrics::BoundaryThreshold;
use decoupled_seg::synthetic::{StreetScenes, StreetScenesConfig};
use decoupled_seg::types::Size;
use serde::Deserialize;

use crate::Project;

/// How many scenes there are, and how large.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Scenes {
    /// Scenes to train on.
    pub train: usize,
    /// Scenes to validate.
    pub val: usize,
    /// Height and width.
    pub size: [usize; 2],
}

impl Default for Scenes {
    /// Those of the quickstart.
    fn default() -> Self {
        Self {
            train: 320,
            val: 64,
            size: [128, 192],
        }
    }
}

/// That of the quickstart.
fn recipe() -> Recipe {
    let small = RecipePreset::Small.recipe();
    Recipe {
        epochs: 24,
        augmentation: small.augmentation.with_crop(Some(Size::new(96, 160))),
        class_uniform: None,
        ..small
    }
}

impl Project {
    pub(crate) const STREET_SCENES: &str = "street_scenes";

    /// Made-up street scenes: nothing to download, 320 to train on and 64 others to judge by, of 128x192 pixels. Scenes and
    /// recipe are those of the quickstart.
    pub fn street_scenes() -> Self {
        Self::street_scenes_of(Scenes::default())
    }

    pub(crate) fn street_scenes_of(scenes: Scenes) -> Self {
        Self::new(Self::STREET_SCENES, "", recipe(), move |_, split| {
            open(scenes, split)
        })
        // The paper's fractions of the diagonal are all one pixel on pictures so small.
        .with_boundary([1, 2, 3].map(BoundaryThreshold::Pixels))
    }
}

/// Training, validation and test scenes have seeds of their own.
fn open(scenes: Scenes, split: Split) -> Opened {
    let (len, seed) = match split {
        Split::Train => (scenes.train, 1),
        Split::Val => (scenes.val, 2),
        Split::Test => (scenes.val, 3),
        Split::TrainVal => (scenes.train + scenes.val, 1),
    };
    let [height, width] = scenes.size;
    let scenes = StreetScenes::new(StreetScenesConfig {
        len,
        size: Size::new(height, width),
        seed,
    });
    Opened {
        dataset: Some(Arc::new(scenes) as Arc<dyn SegmentationDataset>),
        problems: Vec::new(),
    }
}
