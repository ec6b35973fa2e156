//! KITTI semantics: the 19 classes of Cityscapes, 200 labelled images of about 1242x375, 21 of them for validation.
//!
//! ```sh
//! # training/image_2, training/semantic and testing/image_2 of the official archive
//! cargo run --release --features cuda --example kitti -- train --root data/kitti --network fcn-resnet50 \
//!     --start runs/cityscapes
//! cargo run --release --features cuda --example kitti -- submit --root data/kitti --to submission
//! ```
//!
//! Fold 2 validates, as in the authors' scripts; `--variant fold0` and `fold1` take the others. `--synthetic` runs it
//! without the data.

use std::process::ExitCode;

use decoupled_seg_cli::Project;

fn main() -> ExitCode {
    // Its recipe, with the sources of the values, stands in `Project::kitti`. Another one: `project.recipe.epochs = 60;`.
    let project = Project::kitti();
    decoupled_seg_cli::main(&project)
}
