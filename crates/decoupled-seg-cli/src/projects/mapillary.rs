use std::sync::Arc;

use decoupled_seg::datasets::MapillaryVistas;
use decoupled_seg::datasets::synthetic::{self, SyntheticConfig};
use decoupled_seg::engine::RecipePreset;

use crate::Project;

impl Project {
    /// Mapillary Vistas: 18,000 training and 2,000 validation images of many sizes, the classes of its `config_v1.2.json`.
    ///
    /// Neither the paper nor the scripts train on it; the recipe is the paper's for Cityscapes.
    pub fn mapillary() -> Self {
        let recipe = RecipePreset::Paper.recipe();
        Self::new("mapillary", "data/mapillary", recipe, |root, split| {
            Ok(Arc::new(MapillaryVistas::open(root, split)?))
        })
        .with_synthetic(|root| synthetic::write_mapillary(root, &SyntheticConfig::default()))
    }
}
