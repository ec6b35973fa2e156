//! BDD100K: the 19 classes of Cityscapes, 7000 training and 1000 validation images of 1280x720.
//!
//! ```sh
//! # the 10k semantic segmentation set, in either of its folder layouts
//! cargo run --release --features cuda --example bdd100k -- train --root data/bdd100k --network fcn-resnet50 \
//!     --from runs/cityscapes
//! ```
//!
//! `--synthetic` runs it without the data.

use std::process::ExitCode;
use std::sync::Arc;

use decoupled_seg::cli::{self, Project};
use decoupled_seg::datasets::Bdd100k;
use decoupled_seg::datasets::synthetic::{self, SyntheticConfig};
use decoupled_seg::engine::{RecipePreset, Submission};

fn main() -> ExitCode {
    // The authors' script for the wide ResNet-38, which starts from a Cityscapes network (`--from`).
    let recipe = RecipePreset::Bdd100k.recipe();
    let project = Project::new("bdd100k", "data/bdd100k", recipe, |root, split| {
        Ok(Arc::new(Bdd100k::open(root, split)?))
    })
    .with_synthetic(|root| synthetic::write_bdd100k(root, &SyntheticConfig::default()))
    .with_submission(Submission::Bdd100k);
    cli::main(&project)
}
