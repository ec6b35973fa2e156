//! Training in bf16 with f32 weights, through every kind of network.

use std::sync::{Arc, Mutex};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Tensor};
use decoupled_seg::datasets::augment::{Augmentation, CropSize};
use decoupled_seg::datasets::{StreetScenes, StreetScenesConfig};
use decoupled_seg::engine::{Precision, Progress, Recipe, RecipePreset, Trainer};
use decoupled_seg::prelude::*;
use rstest::rstest;

/// bf16 has eight bits: a relative error of 1/256 a number. Dozens of layers made up to 0.9 % of it here.
const TOLERANCE: f32 = 0.03;

/// The seed is for the whole process, and the tests share it.
static SEEDING: Mutex<()> = Mutex::new(());

fn recipe(precision: Precision) -> Recipe {
    Recipe {
        precision,
        epochs: 1,
        batch: 2,
        augmentation: Augmentation::default().with_crop(Some(CropSize::square(64))),
        class_uniform: None,
        validate_every: 0,
        workers: 1,
        ..RecipePreset::Paper.recipe()
    }
}

/// Loss of the first step, and the network after it.
fn one_step(config: &DecoupledSegNetConfig, precision: Precision) -> (f32, DecoupledSegNet) {
    let _alone = SEEDING
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let device = Device::default();
    device.seed(3);
    let scenes = StreetScenes::new(StreetScenesConfig {
        len: 2,
        width: 64,
        height: 64,
        seed: 7,
    });
    let trained = Trainer::new(recipe(precision), config.init(&device), &device)
        .with_progress(Progress::Silent)
        .fit(Arc::new(scenes), None)
        .expect("trains");
    (trained.history[0].loss.total, trained.model)
}

struct Types(Vec<DType>);

impl ModuleVisitor for Types {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().dtype());
    }
}

#[rstest]
#[case::tiny(DecoupledSegNetConfig::tiny(10))]
#[case::tiny_plain(DecoupledSegNetConfig::tiny(10).with_decoder(DecoderConfig::Plain))]
#[case::fcn(DecoupledSegNetConfig::fcn_resnet50(10))]
#[case::pspnet(DecoupledSegNetConfig::pspnet_resnet50(10))]
#[case::deeplab(DecoupledSegNetConfig::deeplabv3plus_resnet50(10))]
fn the_loss_is_nearly_the_same(#[case] config: DecoupledSegNetConfig) {
    let (full, _) = one_step(&config, Precision::Full);
    let (mixed, network) = one_step(&config, Precision::Bf16Mixed);
    assert!(
        (mixed - full).abs() <= TOLERANCE * full,
        "{mixed} in bf16, {full} in f32"
    );
    let mut types = Types(Vec::new());
    network.visit(&mut types);
    assert!(types.0.iter().all(|dtype| *dtype == DType::F32));
}
