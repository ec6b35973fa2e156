//! Your own data: folders or lists of images and masks, described by a `dataset.toml`, without code.
//!
//! ```sh
//! cargo run --release --example custom -- train --synthetic    # writes a small one to look at
//! cargo run --release --example custom -- train --root data/mine
//! ```
//!
//! `--root` is the folder of the `dataset.toml`; see `CustomDataset` for what it says.

#[path = "../common/mod.rs"]
mod common;

use std::process::ExitCode;
use std::sync::Arc;

use common::Project;
use decoupled_seg::datasets::synthetic::{self, SyntheticConfig};
use decoupled_seg::datasets::{CustomDataset, Split};
use decoupled_seg::engine::RecipePreset;

fn main() -> ExitCode {
    common::main(Project {
        name: "custom",
        root: "data/custom",
        recipe: RecipePreset::Paper.recipe(),
        open: |root, split| {
            let name = match split {
                Split::Train | Split::TrainVal => "train",
                Split::Val => "val",
                Split::Test => "test",
            };
            Ok(Arc::new(CustomDataset::open(
                root.join("dataset.toml"),
                name,
            )?))
        },
        synthesize: |root| Ok(synthetic::write_custom(root, &SyntheticConfig::default())?),
        submission: None,
    })
}
