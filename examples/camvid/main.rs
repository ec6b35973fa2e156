//! CamVid: 11 classes, 367 training and 101 validation frames of street scenes.
//!
//! ```sh
//! # the data as the SegNet tutorial ships them: train/, trainannot/, val/, valannot/
//! cargo run --release --example camvid -- train --root data/camvid
//! cargo run --release --example camvid -- eval --root data/camvid
//! cargo run --release --example camvid -- predict photo.jpg
//! # the original release, 960x720: 701_StillsRaw_full/, LabeledApproved_full/; with the authors' recipe
//! cargo run --release --features cuda --example camvid -- train --root data/camvid --variant original \
//!     --network fcn-resnet50 --preset camvid --start runs/cityscapes --out runs/original
//! ```
//!
//! `--synthetic` runs it without the data.

use std::process::ExitCode;

use decoupled_seg_cli::Project;

fn main() -> ExitCode {
    // Its recipe, with the sources of the values, stands in `Project::camvid`. Another one: `project.recipe.epochs = 60;`.
    let project = Project::camvid();
    decoupled_seg_cli::main(&project)
}
