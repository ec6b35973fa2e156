//! Cityscapes: 19 classes, 2975 training and 500 validation images of 2048x1024.
//!
//! ```sh
//! # leftImg8bit/ and gtFine/ as unpacked from the official archives
//! cargo run --release --features cuda --example cityscapes -- train --root data/cityscapes --network fcn-resnet50 --plain --out runs/base
//! cargo run --release --features cuda --example cityscapes -- train --root data/cityscapes --network fcn-resnet50 --from runs/base
//! # every figure of the benchmark's own program, from the files that `submit` writes
//! cargo run --release --features cuda --example cityscapes -- submit --root data/cityscapes --split val --out runs/cityscapes
//! cargo run --release --example cityscapes -- score --root data/cityscapes --predictions runs/cityscapes/submission
//! ```
//!
//! `--synthetic` runs it without the data.

#[path = "../common/mod.rs"]
mod common;

use std::process::ExitCode;
use std::sync::Arc;

use common::Project;
use decoupled_seg::datasets::Cityscapes;
use decoupled_seg::datasets::synthetic::{self, SyntheticConfig};
use decoupled_seg::engine::{RecipePreset, Submission};

fn main() -> ExitCode {
    common::main(Project {
        name: "cityscapes",
        root: "data/cityscapes",
        // Section 4.1 of the paper. `--recipe` with `preset = "cityscapes_base"` and `"cityscapes_decoupled"` are the two
        // stages of the authors' scripts.
        recipe: RecipePreset::Paper.recipe(),
        open: |root, split| Ok(Arc::new(Cityscapes::open(root, split)?)),
        synthesize: |root| {
            Ok(synthetic::write_cityscapes(
                root,
                &SyntheticConfig::default(),
            )?)
        },
        submission: Some(Submission::Cityscapes),
    })
}
