//! CamVid: 11 classes, 367 training and 101 validation frames of street scenes.
//!
//! ```sh
//! # the data as the SegNet tutorial ships them: train/, trainannot/, val/, valannot/
//! cargo run --release --example camvid -- train --root data/camvid
//! cargo run --release --example camvid -- eval --root data/camvid
//! cargo run --release --example camvid -- predict photo.jpg
//! ```
//!
//! `--synthetic` runs it without the data.

#[path = "../common/mod.rs"]
mod common;

use std::process::ExitCode;
use std::sync::Arc;

use common::Project;
use decoupled_seg::datasets::CamVid;
use decoupled_seg::datasets::augment::{Augmentation, CropSize, RandomScale};
use decoupled_seg::datasets::synthetic::{self, SyntheticConfig};
use decoupled_seg::engine::{Recipe, Schedule, SgdRecipe};
use decoupled_seg::losses::DecoupledLossConfig;

/// From scratch on the 480x360 frames. The paper fine-tunes networks that were trained on Cityscapes, at 960x720, on
/// train and val together; where that recipe has no meaning without such a start, this one says so.
fn recipe() -> Recipe {
    Recipe {
        // The authors fine-tune for 90; from scratch it takes more.
        epochs: 120,
        // As their scripts: 8 GPUs with 2 crops make 16; 8 fits one.
        batch: 8,
        // Section 4.1 of the paper: momentum 0.9, weight decay 5e-4, rate 0.01, poly 0.9 per iteration.
        optimizer: SgdRecipe::default(),
        schedule: Schedule::Poly { power: 0.9 },
        // Section 4.1 scales by 0.75 to 2 and crops 832 pixels, nearly all of a Cityscapes frame's height; 352 is that of
        // these frames.
        augmentation: Augmentation::paper(CropSize {
            width: 448,
            height: 352,
        })
        .with_scale(Some(RandomScale::new(0.75, 2.0))),
        loss: DecoupledLossConfig::new(),
        ..Recipe::default()
    }
}

fn main() -> ExitCode {
    common::main(Project {
        name: "camvid",
        root: "data/camvid",
        recipe: recipe(),
        open: |root, split| Ok(Arc::new(CamVid::open(root, split)?)),
        synthesize: |root| Ok(synthetic::write_camvid(root, &SyntheticConfig::default())?),
        submission: None,
    })
}
