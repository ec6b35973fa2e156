//! BDD100K: the 19 classes of Cityscapes, 7000 training and 1000 validation images of 1280x720.
//!
//! ```sh
//! # the 10k semantic segmentation set, in either of its folder layouts
//! cargo run --release --features cuda --example bdd100k -- train --root data/bdd100k --from runs/cityscapes
//! ```
//!
//! `--synthetic` runs it without the data.

#[path = "../common/mod.rs"]
mod common;

use std::process::ExitCode;
use std::sync::Arc;

use common::Project;
use decoupled_seg::datasets::Bdd100k;
use decoupled_seg::datasets::synthetic::{self, SyntheticConfig};
use decoupled_seg::engine::{RecipePreset, Submission};

fn main() -> ExitCode {
    common::main(Project {
        name: "bdd100k",
        root: "data/bdd100k",
        // The authors' script for the wide ResNet-38, which starts from a Cityscapes network (`--from`).
        recipe: RecipePreset::Bdd100k.recipe(),
        open: |root, split| Ok(Arc::new(Bdd100k::open(root, split)?)),
        synthesize: |root| Ok(synthetic::write_bdd100k(root, &SyntheticConfig::default())?),
        submission: Some(Submission::Bdd100k),
    })
}
