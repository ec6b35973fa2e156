//! The recipe of the authors' scripts: the network without the module first, then the module from its weights.

use std::sync::Arc;

use burn::tensor::Device;
use decoupled_seg::datasets::Size;
use decoupled_seg::datasets::augment::Augmentation;
use decoupled_seg::engine::{
    CheckpointRecipe, CheckpointStore, LossTerm, Progress, Recipe, RecipePreset, Trainer,
};
use decoupled_seg::nn::KeyMap;
use decoupled_seg::prelude::*;
use decoupled_seg::synthetic::{StreetScenes, StreetScenesConfig};
use decoupled_seg::weights::{LoadPolicy, WeightsFile, load};

fn recipe(stage: RecipePreset, epochs: usize) -> Recipe {
    Recipe {
        epochs,
        batch: 2,
        augmentation: Augmentation::default().with_crop(Some(Size::square(64))),
        class_uniform: None,
        validate_every: 0,
        workers: 1,
        ..stage.recipe()
    }
}

#[test]
fn the_module_starts_from_the_plain_network() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let device = Device::default();
    device.seed(5);
    let scenes = Arc::new(StreetScenes::new(StreetScenesConfig {
        len: 4,
        size: Size::new(64, 64),
        seed: 7,
    }));
    let config = DecoupledSegNetConfig::tiny(10);
    let plain = config.clone().plain();

    let first = recipe(RecipePreset::CityscapesBase, 2);
    Trainer::new(first.clone(), plain.init(&device), &device)
        .with_run_folder(folder.path())
        .with_progress(Progress::Silent)
        .fit(scenes.clone(), None)
        .expect("trains");
    let store = CheckpointStore::open(
        folder.path().join("checkpoints"),
        CheckpointRecipe::default(),
    );
    let weights = store.latest().expect("a finished run").model_path();

    let mut model = config.init(&device);
    let file = WeightsFile::open(&weights).expect("whole weights");
    let report = load(&mut model, &KeyMap::new(), &file, LoadPolicy::Partial).expect("fits");
    let is_backbone = |name: &str| name.starts_with("backbone");
    let loaded = report.loaded.iter().filter(|name| is_backbone(name));
    assert!(loaded.count() > 50, "{report:?}");
    let missing = &report.left_out.missing;
    assert!(!missing.iter().any(|name| is_backbone(name)), "{report:?}");
    assert!(!missing.is_empty(), "the module is new");

    let second = recipe(RecipePreset::CityscapesDecoupled, 8);
    assert!(second.optimizer.learning_rate() < first.optimizer.learning_rate());
    let trained = Trainer::new(second, model, &device)
        .with_progress(Progress::Silent)
        .fit(scenes, None)
        .expect("trains");
    let [start, end] = [&trained.history[0], &trained.history[7]].map(|record| &record.loss);
    for term in [
        LossTerm::Segmentation,
        LossTerm::Body,
        LossTerm::Edge,
        LossTerm::Attention,
    ] {
        let [start, end] = [start, end].map(|terms| terms.get(term).expect("a decoupled network"));
        // Every term is learned, by a fifth or more of its value; one lucky batch takes 3 % off one of them.
        assert!(*end < 0.85 * start, "{term}: {start} to {end}");
    }
}
