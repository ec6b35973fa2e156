use decoupled_seg::datasets::Bdd100k;
use decoupled_seg::engine::{RecipePreset, Submission};
use decoupled_seg::synthetic::{self, SyntheticConfig};

use crate::Project;

impl Project {
    /// BDD100K: the 19 classes of Cityscapes, 7000 training and 1000 validation images of 1280x720.
    ///
    /// The recipe is that of the authors' script for the wide ResNet-38, which starts from a Cityscapes network.
    pub fn bdd100k() -> Self {
        let recipe = RecipePreset::Bdd100k.recipe();
        Self::new("bdd100k", "data/bdd100k", recipe, |root, split| {
            Bdd100k::open_partially(root, split).shared()
        })
        .with_classes(Bdd100k::classes())
        .with_synthetic(|root| synthetic::write_bdd100k(root, &SyntheticConfig::default()))
        .with_submission(Submission::Bdd100k)
    }
}
