//! Your own data: folders or lists of images and masks, described by a `dataset.toml`. `decoupled-seg train --data
//! path/to/dataset.toml` does it without code; this is where a reader or a recipe of your own goes.
//!
//! ```sh
//! cargo run --release --example custom -- train --synthetic    # writes a small one to look at
//! cargo run --release --example custom -- train --root data/mine
//! ```
//!
//! `--root` is the folder of the `dataset.toml`; see `CustomDataset` for what it says.

use std::process::ExitCode;

use decoupled_seg::datasets::CustomDataset;
use decoupled_seg::engine::RecipePreset;
use decoupled_seg::metrics::BoundaryThreshold;
use decoupled_seg::synthetic::{self, SyntheticConfig};
use decoupled_seg_cli::Project;

fn main() -> ExitCode {
    let recipe = RecipePreset::Paper.recipe();
    let project = Project::new("custom", "data/custom", recipe, |root, split| {
        let description = root.join("dataset.toml");
        CustomDataset::open_partially(description, split.as_str()).shared()
    })
    // The paper's fractions of the diagonal are all one or two pixels on small pictures.
    .with_boundary([1, 2, 3].map(BoundaryThreshold::Pixels))
    .with_synthetic(|root| synthetic::write_custom(root, &SyntheticConfig::default()));
    decoupled_seg_cli::main(&project)
}
