//! Images of four bands of 16 bits, from their files to predictions of a file.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use decoupled_seg::DecoupledSegNetConfig;
use decoupled_seg::datasets::augment::{Augmentation, ColorJitter, Normalization};
use decoupled_seg::datasets::files::write_mask;
use decoupled_seg::datasets::{CustomDataset, FileDataset, LabelMap, SegmentationDataset, Size};
use decoupled_seg::engine::{
    Checkpoint, CheckpointStore, EngineError, Evaluator, Predictor, Recipe, Resume, Trained,
    Trainer,
};
use decoupled_seg::metrics::BoundaryThreshold;
use decoupled_seg::{DecoupledSegNet, prelude::SegmentationModel};
use image::{ImageBuffer, Rgba};

const SIZE: Size = Size::new(64, 72);

/// Six pictures in which the fourth band alone tells the class, in a small part of its range.
fn write(root: &Path) -> FileDataset {
    for folder in ["images", "masks"] {
        std::fs::create_dir(root.join(folder)).expect("writable");
    }
    for index in 0..6_u32 {
        let inside = |x: u32, y: u32| {
            let (left, top) = (8 + 7 * index, 6 + 4 * index);
            x >= left && x < left + 24 && y >= top && y < top + 28
        };
        let (height, width) = (SIZE.height as u32, SIZE.width as u32);
        let image = ImageBuffer::from_fn(width, height, |x, y| {
            let noise = (x * 7919 + y * 104_729 + index * 31) % 5000;
            let fourth = if inside(x, y) { 2600 } else { 2000 } + (noise % 90) as u16;
            Rgba([
                (20_000 + noise) as u16,
                30_000,
                (10_000 + 3 * noise) as u16,
                fourth,
            ])
        });
        image
            .save(root.join(format!("images/{index}.png")))
            .expect("writable");
        let labels = (0..height).flat_map(|y| (0..width).map(move |x| u8::from(inside(x, y))));
        let labels = LabelMap::new(SIZE, labels.collect());
        write_mask(root.join(format!("masks/{index}.png")), &labels).expect("writable");
    }
    let description = r#"
        encoding = "grey"
        bands = 4
        [[classes]]
        name = "field"
        color = [0, 0, 0]
        [[classes]]
        name = "crop"
        color = [0, 255, 0]
        [splits.train]
        images = "images"
        labels = "masks"
    "#;
    let file = root.join("dataset.toml");
    std::fs::write(&file, description).expect("writable");
    CustomDataset::open(&file, "train").expect("it is whole")
}

fn recipe() -> Recipe {
    let mut recipe = Recipe::default();
    recipe.batch = 2;
    recipe.epochs = 12;
    recipe.class_uniform = None;
    recipe.augmentation = Augmentation::default().with_flip(0.5);
    recipe.optimizer = recipe.optimizer.with_learning_rate(0.05);
    recipe.validate_every = 0;
    recipe.validation.boundary = vec![BoundaryThreshold::Pixels(1)];
    recipe.targets.edge_radius = 1;
    recipe
}

fn network(channels: usize) -> DecoupledSegNetConfig {
    DecoupledSegNetConfig::tiny(2)
        .plain()
        .with_in_channels(channels)
}

fn train(
    recipe: Recipe,
    channels: usize,
    data: FileDataset,
    run: &Path,
) -> Result<Trained<DecoupledSegNet>, EngineError> {
    let device = Device::default();
    let model = network(channels).init(&device);
    Trainer::new(recipe, model, &device)
        .with_run_folder(run)
        .with_resume(Resume::Never)
        .fit(Arc::new(data), None)
}

#[test]
fn what_one_band_shows_is_learned_and_predicted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = write(folder.path());
    assert_eq!(data.bands(), Some(4));
    let run = folder.path().join("run");

    let trained = train(recipe(), 4, data.clone(), &run).expect("trains");

    // Mean and deviation are those of the images, and the run keeps them.
    let store = CheckpointStore::open(run.join("checkpoints"), recipe().checkpoints);
    // Nothing was validated, so the last weights are the best.
    let last: Checkpoint = store.latest().expect("it was written");
    let normalization: Normalization = last.state().recipe.normalization.clone();
    assert_eq!(normalization.channels(), 4);
    assert!((normalization.mean[1] - 30_000.0 / 65_535.0).abs() < 1e-4);
    assert_eq!(normalization.std[1], 1.0, "a band without a deviation");

    let device = Device::default();
    let mut evaluator = Evaluator::new(recipe().validation, normalization, &device);
    let report = evaluator.evaluate(&trained.model, &data).expect("judged");
    let accuracy = report.scores().pixel_accuracy;
    assert!(accuracy > 0.95, "{accuracy}");

    let mut predictor = Predictor::from_checkpoint(&last, network(4).init(&device), &device)
        .expect("of the same network");
    assert_eq!(predictor.channels(), 4);
    let predicted = predictor
        .predict_path(
            folder.path().join("images/3.png"),
            folder.path().join("out"),
        )
        .expect("written");
    assert!(predicted.failed.is_empty() && predicted.images.len() == 1);
}

#[test]
fn what_does_not_fit_bands_is_refused_before_the_first_step() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = write(folder.path());
    let run = folder.path().join("run");
    let error = train(recipe(), 3, data.clone(), &run).expect_err("three channels");
    let EngineError::Channels { model, dataset } = error else {
        panic!("{error}");
    };
    assert_eq!((model, dataset), (3, 4));

    let mut colours = recipe();
    colours.augmentation.color_jitter = Some(ColorJitter::uniform(0.2));
    let error = train(colours, 4, data, &run).expect_err("colours of bands");
    assert!(error.to_string().contains("color_jitter"), "{error}");
    assert_eq!(network(4).init(&Device::default()).in_channels(), 4);
}
