//! KITTI semantics: the 19 classes of Cityscapes, 200 labelled images of about 1242x375, 21 of them for validation.
//!
//! ```sh
//! # training/image_2, training/semantic and testing/image_2 of the official archive
//! cargo run --release --features cuda --example kitti -- train --root data/kitti --network fcn-resnet50 \
//!     --from runs/cityscapes
//! cargo run --release --features cuda --example kitti -- submit --root data/kitti --to submission
//! ```
//!
//! Fold 2 validates, as in the authors' scripts; `--variant fold0` and `fold1` take the others. `--synthetic` runs it
//! without the data.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use decoupled_seg::cli::{self, Project};
use decoupled_seg::datasets::synthetic::{self, SyntheticConfig};
use decoupled_seg::datasets::{DatasetError, KittiConfig, SegmentationDataset, Split};
use decoupled_seg::engine::{RecipePreset, Submission};

fn fold(
    number: usize,
) -> impl Fn(&Path, Split) -> Result<Arc<dyn SegmentationDataset>, DatasetError> {
    move |root, split| {
        Ok(Arc::new(
            KittiConfig::new(root, split).with_fold(number).open()?,
        ))
    }
}

fn main() -> ExitCode {
    // The authors' scripts: a low rate, since they start from a Cityscapes network (`--from`).
    let recipe = RecipePreset::Kitti.recipe();
    let project = Project::new("kitti", "data/kitti", recipe, fold(2))
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
        .with_submission(Submission::Kitti);
    cli::main(&project)
}
