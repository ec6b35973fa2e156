use std::sync::Arc;

use decoupled_seg::datasets::augment::Augmentation;
use decoupled_seg::datasets::{Opened, SegmentationDataset, Split};
use decoupled_seg::engine::{Recipe, SgdRecipe};
use decoupled_seg::losses::DecoupledLossConfig;
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
            size: [64, 96],
        }
    }
}

/// That of the quickstart.
fn recipe() -> Recipe {
    Recipe {
        epochs: 24,
        batch: 8,
        optimizer: SgdRecipe {
            learning_rate: 0.05,
            ..SgdRecipe::default()
        }
        .into(),
        augmentation: Augmentation::default().with_flip(0.5),
        class_uniform: None,
        loss: DecoupledLossConfig::new(),
        ..Recipe::default()
    }
}

impl Project {
    pub(crate) const STREET_SCENES: &str = "street_scenes";

    /// Made-up street scenes: nothing to download, 320 to train on and 64 others to judge by, of 64x96 pixels.
    pub fn street_scenes() -> Self {
        Self::street_scenes_of(Scenes::default()).with_variant(
            "large",
            "128x192 pixels",
            |_, split| {
                let size = [128, 192];
                open(
                    Scenes {
                        size,
                        ..Scenes::default()
                    },
                    split,
                )
            },
        )
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
