//! KITTI semantics: the 19 classes of Cityscapes, 200 labelled images of about 1242x375, 21 of them for validation.
//!
//! ```sh
//! # training/image_2, training/semantic and testing/image_2 of the official archive
//! cargo run --release --features cuda --example kitti -- train --root data/kitti --from runs/cityscapes
//! cargo run --release --features cuda --example kitti -- submit --root data/kitti --to submission
//! ```
//!
//! `--synthetic` runs it without the data.

#[path = "../common/mod.rs"]
mod common;

use std::process::ExitCode;
use std::sync::Arc;

use common::Project;
use decoupled_seg::datasets::Kitti;
use decoupled_seg::datasets::synthetic::{self, SyntheticConfig};
use decoupled_seg::engine::{RecipePreset, Submission};

fn main() -> ExitCode {
    common::main(Project {
        name: "kitti",
        root: "data/kitti",
        // The authors' scripts: a low rate, since they start from a Cityscapes network (`--from`).
        recipe: RecipePreset::Kitti.recipe(),
        open: |root, split| Ok(Arc::new(Kitti::open(root, split)?)),
        // KITTI's folds are lists of indices into 200 images.
        synthesize: |root| {
            Ok(synthetic::write_kitti(
                root,
                &SyntheticConfig {
                    train: 200,
                    ..SyntheticConfig::default()
                },
            )?)
        },
        submission: Some(Submission::Kitti),
    })
}
