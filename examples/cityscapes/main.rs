//! Cityscapes: 19 classes, 2975 training and 500 validation images of 2048x1024.
//!
//! ```sh
//! # leftImg8bit/ and gtFine/ as unpacked from the official archives
//! cargo run --release --features cuda --example cityscapes -- train --root data/cityscapes --network fcn-resnet50
//! # the two stages of the authors' scripts
//! cargo run --release --features cuda --example cityscapes -- train --root data/cityscapes --network fcn-resnet50 --plain \
//!     --preset cityscapes_base --out runs/base
//! cargo run --release --features cuda --example cityscapes -- train --root data/cityscapes --network fcn-resnet50 --start runs/base \
//!     --preset cityscapes_decoupled --out runs/decoupled
//! # the authors' wide ResNet-38: 7 rare classes from the coarse annotation too
//! cargo run --release --features cuda --example cityscapes -- train --root data/cityscapes --network deeplabv3plus-wide-resnet38 \
//!     --variant fold2+coarse --preset cityscapes_wide --out runs/wide
//! # every figure of the benchmark's own program, from the files that `submit` writes of the official validation images
//! cargo run --release --features cuda --example cityscapes -- submit --root data/cityscapes --split val --out runs/cityscapes
//! cargo run --release --example cityscapes -- score --root data/cityscapes --predictions runs/cityscapes/submission
//! ```
//!
//! `train --help` lists the variants. `--synthetic` runs it without the data.

use std::process::ExitCode;

use decoupled_seg_cli::Project;

fn main() -> ExitCode {
    // Its recipe, with the sources of the values, stands in `Project::cityscapes`. Another one: `project.recipe.epochs = 60;`.
    let project = Project::cityscapes();
    decoupled_seg_cli::main(&project)
}
