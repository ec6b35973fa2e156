use std::path::Path;

use decoupled_seg::datasets::{
    Annotation, Cityscapes, CityscapesConfig, DatasetError, LabelFiles, Opened, Split,
};
use decoupled_seg::engine::{RecipePreset, Submission};
use decoupled_seg::synthetic::{self, SyntheticConfig};

use crate::Project;

fn fold(number: usize) -> impl Fn(&Path, Split) -> Opened {
    move |root, split| {
        let config = CityscapesConfig::new(root, split).with_fold(number);
        config.open_partially().shared()
    }
}

/// Training images of a fold and the 20,000 coarse ones as extra items; the fold's images validate.
fn fold_and_coarse(number: usize) -> impl Fn(&Path, Split) -> Opened {
    move |root, split| {
        let config = CityscapesConfig::new(root, split).with_fold(number);
        if split != Split::Train {
            return config.open_partially().shared();
        }
        let coarse = config.clone().with_annotation(Annotation::CoarseExtra);
        let both = config
            .open()
            .and_then(|fine| Ok(fine.chain_extra(coarse.open()?)));
        Opened::from(both).shared()
    }
}

fn train_ids(root: &Path, split: Split) -> Opened {
    let config = CityscapesConfig::new(root, split).with_label_files(LabelFiles::LabelTrainIds);
    config.open_partially().shared()
}

fn coarse(root: &Path, split: Split) -> Opened {
    let annotation = match split {
        Split::Train => Annotation::CoarseExtra,
        _ => Annotation::Fine,
    };
    let config = CityscapesConfig::new(root, split).with_annotation(annotation);
    config.open_partially().shared()
}

fn synthesize(root: &Path) -> Result<(), DatasetError> {
    synthetic::write_cityscapes(root, &SyntheticConfig::default())?;
    // Other scenes: a picture is in one list only.
    let extra = SyntheticConfig {
        seed: 1,
        ..SyntheticConfig::default()
    };
    synthetic::write_cityscapes_coarse(root, &extra)
}

impl Project {
    /// Cityscapes: 19 classes, 2975 training and 500 validation images of 2048x1024.
    ///
    /// The recipe is that of section 4.1 of the paper; the authors' scripts are `--preset cityscapes_base`, `_decoupled`
    /// and `_wide`.
    pub fn cityscapes() -> Self {
        let recipe = RecipePreset::Paper.recipe();
        Self::new("cityscapes", "data/cityscapes", recipe, fold(0))
            .with_classes(Cityscapes::classes())
            .with_variant(
                "train-ids",
                "*_labelTrainIds.png, as the official scripts make them",
                train_ids,
            )
            .with_variant(
                "coarse",
                "trains on the 20,000 coarsely labelled images of train_extra",
                coarse,
            )
            .with_variant(
                "fine+coarse",
                "trains on the fine ones, and on coarse ones for the classes that the recipe names",
                fold_and_coarse(0),
            )
            .with_variant(
                "fold1",
                "other cities validate; the official validation cities are trained on",
                fold(1),
            )
            .with_variant("fold2", "the same, with a third choice of cities", fold(2))
            .with_variant(
                "fold2+coarse",
                "fold2 with coarse images, as the authors' wide ResNet-38",
                fold_and_coarse(2),
            )
            .with_synthetic(synthesize)
            .with_submission(Submission::Cityscapes)
    }
}
