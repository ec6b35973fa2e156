use std::path::Path;

use decoupled_seg::datasets::{Kitti, KittiConfig, Opened, Split};
use decoupled_seg::engine::{RecipePreset, Submission};
use decoupled_seg::synthetic::{self, SyntheticConfig};

use crate::Project;

fn fold(number: usize) -> impl Fn(&Path, Split) -> Opened {
    move |root, split| {
        let config = KittiConfig::new(root, split).with_fold(number);
        config.open_partially().shared()
    }
}

impl Project {
    /// KITTI semantics: the 19 classes of Cityscapes, 200 labelled images of about 1242x375, 21 of them for validation.
    ///
    /// Fold 2 validates, as in the authors' scripts. The recipe is theirs: a low rate, since they start from a
    /// Cityscapes network.
    pub fn kitti() -> Self {
        Self::new("kitti", "data/kitti", RecipePreset::Kitti.recipe(), fold(2))
            .with_classes(Kitti::classes())
            .with_variant(
                "fold0",
                "the first 21 validation images of the authors' lists",
                fold(0),
            )
            .with_variant("fold1", "the second", fold(1))
            // The folds are lists of indices into 200 images.
            .with_synthetic(|root| {
                let config = SyntheticConfig {
                    train: 200,
                    ..SyntheticConfig::default()
                };
                synthetic::write_kitti(root, &config)
            })
            .with_submission(Submission::Kitti)
    }
}
