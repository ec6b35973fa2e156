use decoupled_seg::datasets::{MapillaryVersion, MapillaryVistas};
use decoupled_seg::engine::RecipePreset;
use decoupled_seg::synthetic::{self, SyntheticConfig};

use crate::Project;

impl Project {
    /// Mapillary Vistas: 18,000 training and 2,000 validation images of many sizes, the classes of its `config_v1.2.json`.
    ///
    /// Neither the paper nor the scripts train on it; the recipe is the paper's for Cityscapes.
    pub fn mapillary() -> Self {
        let recipe = RecipePreset::Paper.recipe();
        Self::new("mapillary", "data/mapillary", recipe, |root, split| {
            MapillaryVistas::open_partially(root, split, MapillaryVersion::V12).shared()
        })
        .with_variant(
            "v2.0",
            "the classes of `config_v2.0.json`",
            |root, split| {
                MapillaryVistas::open_partially(root, split, MapillaryVersion::V20).shared()
            },
        )
        .with_synthetic(|root| synthetic::write_mapillary(root, &SyntheticConfig::default()))
    }
}
