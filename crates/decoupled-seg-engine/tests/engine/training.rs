use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use decoupled_seg_datasets::augment::Augmentation;
use decoupled_seg_datasets::files::{IdMap, MaskEncoding, MaskReader, Pair};
use decoupled_seg_datasets::files::{write_image, write_mask};
use decoupled_seg_datasets::{
    Class, ClassTable, FileDataset, IGNORE_LABEL, SegmentationDataset, Size,
};
use decoupled_seg_engine::{
    BatchNormMode, CheckpointStore, ClassUniformRecipe, EmaRecipe, EngineError, EvaluationRecipe,
    Evaluator, LossTerm, Precision, RateGroup, Recipe, Resume, SgdRecipe, Stop, Trained, Trainer,
};
use decoupled_seg_metrics::BoundaryThreshold;
use decoupled_seg_nn::{SegmentationModel, SegmentationOutput};
use rstest::rstest;

use super::common::*;

#[rstest]
#[case(Precision::Full)]
#[case(Precision::Bf16Mixed)]
fn two_images_are_overfitted(#[case] precision: Precision) {
    let _turn = alone();
    let mut recipe = recipe();
    recipe.precision = precision;
    recipe.augmentation = Augmentation::default();
    recipe.epochs = 200;
    recipe.optimizer = recipe.optimizer.with_learning_rate(0.05);
    recipe.validate_every = 0;
    let images = Arc::new(Rectangles::new(2, 24));
    let trained = trainer(recipe.clone(), None)
        .fit(images.clone(), None)
        .expect("trains");
    assert_eq!(trained.stop, Stop::Finished);
    assert_eq!(trained.position.step, 200);

    let device = Device::default();
    let mut evaluator = Evaluator::new(EvaluationRecipe::default(), recipe.normalization, &device);
    let report = evaluator
        .evaluate(&trained.model, &*images)
        .expect("evaluates");
    let accuracy = report.scores().pixel_accuracy;
    assert!(accuracy > 0.95, "pixel accuracy {accuracy}");
}

#[test]
fn a_run_writes_log_curves_and_the_best_checkpoint() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.validation = EvaluationRecipe::default().with_boundary([BoundaryThreshold::Pixels(2)]);
    let validation = Rectangles::new(3, 24);
    let trained = trainer(recipe, Some(folder.path()))
        .fit(train_set(), Some(&validation))
        .expect("trains");

    // 12 images, batches of 2, 3 epochs.
    let losses = logged_losses(folder.path());
    assert_eq!(losses.len(), 18);
    for (step, loss) in &losses {
        for term in [
            LossTerm::Segmentation,
            LossTerm::Body,
            LossTerm::Edge,
            LossTerm::Attention,
        ] {
            let value = loss.get(term).expect("a decoupled network has all four");
            assert!(value.is_finite(), "step {step}: {term} is {value}");
        }
    }
    assert_eq!(trained.history.len(), 3);
    let best_iou = trained
        .history
        .iter()
        .filter_map(|record| record.scores.as_ref())
        .map(|scores| scores.mean_iou)
        .fold(0.0, f64::max);
    let best = trained.best.expect("validated");
    let scores = best
        .state()
        .scores
        .as_ref()
        .expect("the best was validated");
    assert_eq!(scores.mean_iou, best_iou);
    assert_eq!(scores.boundary_f.len(), 1);
    for name in ["recipe.toml", "losses.svg", "scores.svg"] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
    let read = Recipe::read(folder.path().join("recipe.toml")).expect("written by the run");
    assert_eq!(read, best.state().recipe);
}

#[test]
fn a_plain_network_has_the_segmentation_term_only() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let device = Device::default().autodiff();
    let mut recipe = recipe();
    recipe.epochs = 1;
    Trainer::new(recipe, TinyNet::new(4, false, &device), &device)
        .with_run_folder(folder.path())
        .fit(train_set(), None)
        .expect("trains");
    for (_, loss) in logged_losses(folder.path()) {
        assert_eq!(loss.segmentation, loss.total);
        assert_eq!(loss.body, None);
    }
}

#[test]
fn accumulated_batches_average_their_gradients() {
    let _turn = alone();
    // Without norms, dropout and mining the gradient of four images is the mean of those of two and two.
    let run = |batch: usize, accumulate: usize| {
        let mut recipe = recipe();
        recipe.batch = batch;
        recipe.accumulate = accumulate;
        recipe.epochs = 2;
        recipe.batch_norm = BatchNormMode::FrozenStatistics;
        recipe.optimizer = SgdRecipe {
            learning_rate: recipe.optimizer.learning_rate(),
            momentum: 0.0,
            ..SgdRecipe::default()
        }
        .into();
        let device = Device::default().autodiff();
        let mut net = TinyNet::new(4, false, &device);
        net.dropout.prob = 0.0;
        let trained = Trainer::new(recipe, net, &device)
            .fit(train_set(), None)
            .expect("trains");
        assert_eq!(trained.position.step, 2 * 12 / (batch * accumulate));
        weights(&trained.model)
    };
    // The labels hold one ignored pixel in up to 256 a crop, so the means weigh images almost, not exactly, alike.
    for (whole, parts) in run(4, 1).iter().zip(run(2, 2)) {
        assert!((whole - parts).abs() < 1e-3, "{whole} and {parts}");
    }
}

fn weights(net: &TinyNet) -> Vec<f32> {
    let first: Tensor<1> = net.first.weight.val().flatten(0, 3);
    let last: Tensor<1> = net.classify.weight.val().flatten(0, 3);
    Tensor::cat(vec![first, last], 0)
        .try_into_vec_as()
        .expect("converted to f32")
}

#[test]
fn a_rate_of_zero_leaves_a_group_alone() {
    let _turn = alone();
    let device = Device::default().autodiff();
    let mut recipe = recipe();
    recipe.epochs = 1;
    recipe.rate_groups = vec![RateGroup::new("first", 0.0)];
    let net = TinyNet::new(4, true, &device);
    let values = |tensor: Tensor<4>| tensor.try_into_vec_as::<f32>().expect("f32");
    let before = (
        values(net.first.weight.val()),
        values(net.classify.weight.val()),
    );
    let trained = Trainer::new(recipe, net, &device)
        .fit(train_set(), None)
        .expect("trains");
    assert_eq!(values(trained.model.first.weight.val()), before.0);
    assert_ne!(values(trained.model.classify.weight.val()), before.1);
}

#[test]
fn the_average_is_what_is_validated_and_kept() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 1;
    recipe.ema = Some(EmaRecipe { decay: 0.9 });
    let checkpoints = recipe.checkpoints;
    let trained = trainer(recipe, Some(folder.path()))
        .fit(train_set(), None)
        .expect("trains");
    let store = CheckpointStore::open(folder.path().join("checkpoints"), checkpoints);
    let latest = store.latest().expect("one epoch");
    let fresh = || TinyNet::new(8, true, &Device::default());
    let average = latest.load(fresh()).expect("same architecture");
    let last = latest
        .load_for_training(fresh())
        .expect("same architecture");
    assert_eq!(weights(&average), weights(&trained.model));
    assert_ne!(weights(&average), weights(&last));
}

/// A network whose body loss is not a number from the third step on.
#[derive(burn::module::Module, Debug)]
struct Breaks {
    net: TinyNet,
}

impl SegmentationModel for Breaks {
    fn num_classes(&self) -> usize {
        self.net.num_classes
    }

    fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static STEPS: AtomicUsize = AtomicUsize::new(0);
        let mut output = self.net.forward(images);
        if STEPS.fetch_add(1, Ordering::Relaxed) >= 8 {
            let supervision = output.supervision.as_mut().expect("a decoupled network");
            supervision.body_logits = supervision.body_logits.clone().mul_scalar(f32::NAN);
        }
        output
    }
}

#[test]
fn a_loss_that_is_not_finite_names_step_term_and_checkpoint() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let device = Device::default().autodiff();
    let net = Breaks {
        net: TinyNet::new(4, true, &device),
    };
    let error = Trainer::new(recipe(), net, &device)
        .with_run_folder(folder.path())
        .fit(train_set(), None)
        .expect_err("the ninth forward pass breaks");
    let EngineError::NotFinite {
        step,
        term,
        value,
        last_checkpoint,
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!((*step, *term), (9, LossTerm::Body));
    assert!(value.is_nan());
    // Written at the end of the first epoch, after six steps.
    let checkpoint = last_checkpoint.as_ref().expect("one epoch was done");
    assert!(checkpoint.ends_with("step-000000006"), "{checkpoint:?}");
    assert!(
        error
            .to_string()
            .starts_with("step 9: the body loss is NaN; the last good")
    );
}

#[test]
fn mistakes_are_found_before_the_first_step() {
    let _turn = alone();
    let fit = |recipe: Recipe| {
        trainer(recipe, None)
            .fit(train_set(), None)
            .expect_err("cannot be trained")
    };
    let error = fit(Recipe {
        batch: 13,
        ..recipe()
    });
    assert_eq!(
        error.to_string(),
        "12 images do not fill a batch of 13; make `batch` or `accumulate` smaller"
    );
    let error = fit(Recipe {
        batch: usize::MAX / 2,
        accumulate: 4,
        ..recipe()
    });
    assert!(
        matches!(error, EngineError::TooFewImages { .. }),
        "{error:?}"
    );
    let error = fit(Recipe {
        epochs: usize::MAX / 4,
        ..recipe()
    });
    assert!(error.to_string().contains("epochs of 6 steps"), "{error}");
    let error = fit(Recipe {
        patience: Some(usize::MAX),
        ..recipe()
    });
    assert!(error.to_string().contains("expected below 2^63"), "{error}");
    let error = fit(Recipe {
        epochs: 0,
        ..recipe()
    });
    assert_eq!(error.to_string(), "epochs: 0, expected at least 1");
    let error = fit(Recipe {
        rate_groups: vec![RateGroup::new("neck", 2.0)],
        ..recipe()
    });
    assert!(error.to_string().contains("\"neck\" names no parameter"));

    let mut one_class = Rectangles::new(12, 24);
    one_class.classes = ClassTable::new(vec![Class::new("crack", [255, 0, 0])]);
    let device = Device::default().autodiff();
    let mut net = TinyNet::new(4, true, &device);
    net.num_classes = 1;
    let error = Trainer::new(recipe(), net, &device)
        .fit(Arc::new(one_class), None)
        .expect_err("one class");
    assert!(matches!(error, EngineError::OneClass { .. }), "{error:?}");
    assert!(error.to_string().contains("background"), "{error}");

    let mut net = TinyNet::new(4, true, &device);
    net.num_classes = 4;
    let error = Trainer::new(recipe(), net, &device)
        .fit(train_set(), None)
        .expect_err("one class too many");
    assert_eq!(
        error.to_string(),
        "the network predicts 4 classes, the data set has 3"
    );
}

#[test]
fn a_loss_that_weighs_nothing_is_refused() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let device = Device::default().autodiff();
    let mut recipe = recipe();
    recipe.epochs = 1;
    recipe.loss.segmentation_weight = 0.0;
    let fit = |recipe: &Recipe, decoupled: bool, folder: Option<&Path>| {
        let trainer = Trainer::new(recipe.clone(), TinyNet::new(4, decoupled, &device), &device);
        let trainer = match folder {
            Some(folder) => trainer.with_run_folder(folder),
            None => trainer,
        };
        trainer.fit(train_set(), None)
    };
    // Body and edge are learnt.
    fit(&recipe, true, None).expect("trains");
    let error = fit(&recipe, false, Some(folder.path())).expect_err("one term, of no weight");
    assert!(matches!(error, EngineError::NothingToLearn), "{error:?}");
    // Nothing was trained, so that a right recipe may follow.
    recipe.loss.segmentation_weight = 1.0;
    fit(&recipe, false, Some(folder.path())).expect("trains");
}

/// Losses stay finite while the variance that validation divides by overflows.
#[test]
fn running_statistics_that_overflow_are_told_as_a_divergence() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let device = Device::default().autodiff();
    let mut net = TinyNet::new(4, true, &device);
    net.first.weight = net.first.weight.map(|weight| weight.mul_scalar(1e25));
    let error = Trainer::new(recipe(), net, &device)
        .with_run_folder(folder.path())
        .fit(train_set(), None)
        .expect_err("diverged");
    let EngineError::Diverged {
        step, parameter, ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!((*step, parameter.as_str()), (6, "norm.running_var"));
    let message = error.to_string();
    for part in ["diverged", "no checkpoint", "--lr", "clip_norm"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn class_uniform_epochs_are_another_draw() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.class_uniform = Some(ClassUniformRecipe::new(12));
    recipe.checkpoints.every_steps = Some(1);
    let run = |name: &str, recipe: &Recipe| {
        trainer(recipe.clone(), Some(&folder.path().join(name)))
            .with_resume(Resume::IfPresent)
            .fit(train_set(), None)
            .expect("trains");
        logged_losses(&folder.path().join(name))
    };
    let uniform = run("uniform", &recipe);
    assert_eq!(uniform.len(), 18);
    assert_eq!(uniform, run("again", &recipe));
    recipe.class_uniform = None;
    assert_ne!(uniform, run("each_once", &recipe));
}

/// `Rectangles` as files.
fn on_disk(root: &Path) -> Arc<dyn SegmentationDataset> {
    let rectangles = train_set();
    let pair = |index| {
        let sample = rectangles.sample(index);
        let place = |kind: &str| root.join(format!("{kind}/{index:02}.png"));
        write_image(place("images"), &sample.image).expect("writable");
        write_mask(place("masks"), &sample.labels).expect("writable");
        Pair::new(place("images"), Some(place("masks"))).expect("a UTF-8 name")
    };
    let pairs = (0..rectangles.len).map(pair).collect();
    let masks = MaskReader::new(
        MaskEncoding::Grey,
        IdMap::identity(CLASSES, &[IGNORE_LABEL]),
        CLASSES,
    );
    Arc::new(FileDataset::new(pairs, classes(), masks).with_root(root))
}

#[test]
fn the_class_index_lies_beside_the_data_or_where_it_can() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dataset = on_disk(&folder.path().join("data"));
    let beside = dataset.cache_folder().expect("files of one folder");
    let mut recipe = recipe();
    recipe.epochs = 1;
    recipe.class_uniform = Some(ClassUniformRecipe::new(12));
    let indices = |folder: &Path| {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return 0;
        };
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("readable").file_name();
        let is_index = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("centroids_");
        entries.map(name).filter(is_index).count()
    };
    let run = |name: &str, cache: Option<&Path>| {
        let run = folder.path().join(name);
        let mut trainer = trainer(recipe.clone(), Some(&run));
        if let Some(cache) = cache {
            trainer = trainer.with_cache_folder(cache);
        }
        trainer.fit(dataset.clone(), None).expect("trains");
        (indices(&run), indices(&beside), logged_losses(&run))
    };

    let given = folder.path().join("given");
    let (in_run, in_data, first) = run("given_run", Some(&given));
    assert_eq!((indices(&given), in_run, in_data), (1, 0, 0));

    // A file in the place of the folder: as good as read-only.
    std::fs::write(&beside, "").expect("writable");
    let (in_run, _, losses) = run("read_only", None);
    assert_eq!((in_run, &losses), (1, &first));
    std::fs::remove_file(&beside).expect("just written");

    let (in_run, in_data, losses) = run("beside", None);
    assert_eq!((in_run, in_data, &losses), (0, 1, &first));
    let (_, in_data, losses) = run("read_back", None);
    assert_eq!((in_data, &losses), (1, &first));
}

/// A network that says what it needs, and panics without it.
#[derive(burn::module::Module, Debug)]
struct Demanding {
    net: TinyNet,
}

impl SegmentationModel for Demanding {
    fn num_classes(&self) -> usize {
        self.net.num_classes()
    }

    fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
        let [_, _, height, width] = images.dims();
        assert!(
            height.min(width) >= self.min_image_side(),
            "{height}x{width}"
        );
        self.net.forward(images)
    }

    fn min_training_batch(&self, images: Size) -> usize {
        3 + usize::from(images.height == 29)
    }

    fn min_image_side(&self) -> usize {
        28
    }
}

fn fit_demanding(recipe: Recipe) -> Result<Trained<Demanding>, EngineError> {
    let device = Device::default().autodiff();
    let net = TinyNet::new(8, true, &device);
    Trainer::new(recipe, Demanding { net }, &device).fit(train_set(), Some(&Rectangles::new(2, 24)))
}

#[test]
fn what_the_network_cannot_take_is_refused_before_the_first_step() {
    let _turn = alone();
    let mut recipe = recipe();
    recipe.epochs = 1;
    for (height, expected) in [(28, 3), (29, 4)] {
        recipe.augmentation = Augmentation::default().with_crop(Some(Size::new(height, 32)));
        let error = fit_demanding(recipe.clone()).expect_err("batches of 2");
        let few =
            matches!(error, EngineError::SmallBatch { batch: 2, least, .. } if least == expected);
        assert!(few, "{error:?}");
    }

    recipe.batch_norm = BatchNormMode::FrozenStatistics;
    for crop in [Some(Size::new(16, 40)), None] {
        // Without a crop, images are the 24x24 pixels of their files.
        recipe.augmentation = Augmentation::default().with_crop(crop);
        let error = fit_demanding(recipe.clone()).expect_err("small images");
        let small = matches!(error, EngineError::SmallImages { least: 28, .. });
        assert!(small, "{error:?}");
    }

    recipe.augmentation = Augmentation::default().with_crop(Some(Size::square(28)));
    fit_demanding(recipe).expect("validated on images padded to what the network needs");
}
