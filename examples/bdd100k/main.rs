//! BDD100K: the 19 classes of Cityscapes, 7000 training and 1000 validation images of 1280x720.
//!
//! ```sh
//! # the 10k semantic segmentation set, in either of its folder layouts
//! cargo run --release --features cuda --example bdd100k -- train --root data/bdd100k --network fcn-resnet50 \
//!     --start runs/cityscapes
//! ```
//!
//! `--synthetic` runs it without the data.

use std::process::ExitCode;

use decoupled_seg_cli::Project;

fn main() -> ExitCode {
    // Its recipe, with the sources of the values, stands in `Project::bdd100k`. Another one: `project.recipe.epochs = 60;`.
    let project = Project::bdd100k();
    decoupled_seg_cli::main(&project)
}
