use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use burn::tensor::Device;
use decoupled_seg_datasets::{Class, ClassTable, SegmentationDataset, Subset};
use decoupled_seg_engine::{
    AdamWRecipe, BatchNormMode, CheckpointStore, ClassWeightsRecipe, EmaRecipe, EngineError,
    Interrupt, LossValues, Recipe, Resume, Schedule, Stop, WarmUpRecipe, WeightedTerms,
};
use decoupled_seg_losses::{ClassWeights, DecoupledLossConfig};
use serde_json::json;
use tempfile::TempDir;

use super::common::*;

/// Every number of a run: the losses of each step as bits, and the weights it ends with.
pub type Run = (Vec<(usize, LossValues)>, Vec<u32>);

pub fn whole_run(recipe: &Recipe, folder: &Path) -> Run {
    let trained = trainer(recipe.clone(), Some(folder))
        .fit(train_set(), Some(&Rectangles::new(2, 24)))
        .expect("trains");
    assert_eq!(trained.stop, Stop::Finished);
    (logged_losses(folder), bits(&trained.model))
}

/// A run that was never stopped, and an empty folder for one that is.
pub struct BesideWhole {
    pub parts: PathBuf,
    pub expected: Run,
    pub _folder: TempDir,
}

impl BesideWhole {
    pub fn new(recipe: &Recipe) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            parts: folder.path().join("parts"),
            expected: whole_run(recipe, &folder.path().join("whole")),
            _folder: folder,
        }
    }
}

/// Interrupts when so many images were read, and takes the run up again until it is done. The process is another one as
/// far as the engine can see: nothing is handed over but the folder.
fn interrupted_run(recipe: &Recipe, folder: &Path, at: &[usize]) -> Run {
    for &reads in at {
        let interrupt = Interrupt::new();
        let mut images = Rectangles::new(12, 24);
        images.interrupt_at = Some((reads, interrupt.clone()));
        let trained = trainer(recipe.clone(), Some(folder))
            .with_resume(Resume::IfPresent)
            .with_interrupt(interrupt)
            .fit(Arc::new(images), Some(&Rectangles::new(2, 24)))
            .expect("stops cleanly");
        assert_eq!(trained.stop, Stop::Interrupted);
    }
    let trained = trainer(recipe.clone(), Some(folder))
        .with_resume(Resume::Must)
        .fit(train_set(), Some(&Rectangles::new(2, 24)))
        .expect("goes on");
    assert_eq!(trained.stop, Stop::Finished);
    (logged_losses(folder), bits(&trained.model))
}

pub fn assert_same(whole: Run, interrupted: Run) {
    assert_eq!(whole.0.len(), interrupted.0.len(), "steps");
    for ((step, a), (other, b)) in whole.0.iter().zip(&interrupted.0) {
        assert_eq!(step, other);
        for ((term, a), (_, b)) in a.iter().zip(b.iter()) {
            assert_eq!(a.to_bits(), b.to_bits(), "step {step}, {term}: {a} and {b}");
        }
    }
    assert!(whole.1 == interrupted.1, "the weights differ");
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_to_the_last_bit() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recipe = recipe();
    let whole = whole_run(&recipe, &folder.path().join("whole"));
    // Within the first epoch, and within a later one.
    let interrupted = interrupted_run(&recipe, &folder.path().join("parts"), &[3, 15]);
    assert_same(whole, interrupted);
}

/// The epoch is saved before its validation, which may take longer than whoever ends the process waits.
#[test]
fn an_interrupt_in_a_validation_keeps_the_epoch() {
    let _turn = alone();
    let recipe = recipe();
    let BesideWhole {
        parts,
        expected,
        _folder,
    } = BesideWhole::new(&recipe);
    let store = CheckpointStore::open(parts.join("checkpoints"), recipe.checkpoints);

    // 2 labels for the check, then 40 images, of which the second asks to stop.
    let interrupt = Interrupt::new();
    let mut images = Rectangles::new(40, 24);
    images.interrupt_at = Some((40 + 2, interrupt.clone()));
    let trained = trainer(recipe.clone(), Some(&parts))
        .with_interrupt(interrupt)
        .fit(train_set(), Some(&images))
        .expect("stops cleanly");
    assert_eq!(trained.stop, Stop::Interrupted);
    assert!(images.reads() < 40 + 10, "{} reads", images.reads());
    let saved = store.latest().expect("before the validation");
    let state = saved.state();
    assert_eq!((state.position.step, state.position.batch), (6, 6));
    assert!(state.scores.is_none() && state.history.is_empty());

    // A kill in the validation leaves the same: it looks as whole from there on.
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut images = Rectangles::new(2, 24);
    images.on_read = Some({
        let (seen, store) = (seen.clone(), store.clone());
        Box::new(move |_| {
            let newest = store.latest().expect("saved");
            seen.lock()
                .expect("one writer")
                .push(newest.state().position.step);
        })
    });
    let trained = trainer(recipe, Some(&parts))
        .with_resume(Resume::Must)
        .fit(train_set(), Some(&images))
        .expect("goes on");
    assert_eq!(trained.stop, Stop::Finished);
    // 2 labels for the check, and 2 images after each epoch.
    assert_eq!(*seen.lock().expect("done"), [6, 6, 6, 6, 12, 12, 18, 18]);
    assert_eq!(trained.history.len(), 3);
    let best = trained.best.expect("validated");
    assert!(best.state().scores.is_some());
    assert_same(expected, (logged_losses(&parts), bits(&trained.model)));
}

#[test]
fn so_is_one_with_averages_accumulation_and_clipping() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.accumulate = 2;
    recipe.clip_norm = Some(1.0);
    recipe.ema = Some(EmaRecipe { decay: 0.9 });
    recipe.checkpoints.every_steps = Some(2);
    let whole = whole_run(&recipe, &folder.path().join("whole"));
    let interrupted = interrupted_run(&recipe, &folder.path().join("parts"), &[6]);
    assert_same(whole, interrupted);
}

#[test]
fn so_is_one_with_adam_w_warm_up_and_weights_from_the_data() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    let mut recipe = recipe();
    recipe.optimizer = AdamWRecipe::default().into();
    recipe.schedule = Schedule::Cosine { floor: 0.01 };
    recipe.warm_up = Some(WarmUpRecipe::new(8));
    recipe.class_weights = Some(ClassWeightsRecipe::MedianFrequency);
    recipe.weighted_terms = WeightedTerms::All;
    let expected = whole_run(&recipe, &whole);
    // The labels are read twice before the first step: for classes that are not there, and for the weights.
    let interrupted = interrupted_run(&recipe, &parts, &[27, 30]);
    assert_same(expected, interrupted);

    let [whole, parts] = [whole, parts].map(|run| {
        let written = Recipe::read(run.join("recipe.toml")).expect("written by the run");
        assert_eq!(written.class_weights, recipe.class_weights);
        let DecoupledLossConfig {
            segmentation,
            attention,
            body,
            ..
        } = written.loss;
        assert_eq!(
            attention.class_weights,
            Some(segmentation.class_weights.clone())
        );
        let [ClassWeights::Fixed(body), ClassWeights::Fixed(others)] =
            [body.class_weights, segmentation.class_weights.clone()]
        else {
            panic!("resolved");
        };
        // Most pixels weigh less than 1 before.
        let divisors: Vec<f32> = others.iter().zip(&body).map(|(a, b)| a / b).collect();
        assert!(divisors[0] < 0.9 && divisors.iter().all(|it| (it - divisors[0]).abs() < 1e-5));
        segmentation.class_weights
    });
    let ClassWeights::Fixed(weights) = &whole else {
        panic!("resolved, got {whole:?}");
    };
    // Most is ground; boxes and discs are about as rare as each other.
    assert!(weights[0] < 0.5 && weights[1] > 0.7 && weights[2] > 0.7);
    assert_eq!(whole, parts);
}

#[test]
fn patience_ends_and_survives_an_interrupt() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    // Nothing is learnt, so no validation is better than the first.
    recipe.optimizer = recipe.optimizer.with_learning_rate(1e-20);
    recipe.batch_norm = BatchNormMode::FrozenStatistics;
    (recipe.epochs, recipe.patience) = (10, Some(2));
    let fit = |images: Rectangles, interrupt: Interrupt| {
        trainer(recipe.clone(), Some(folder.path()))
            .with_resume(Resume::IfPresent)
            .with_interrupt(interrupt)
            .fit(Arc::new(images), Some(&Rectangles::new(2, 24)))
            .expect("ends cleanly")
    };
    let interrupt = Interrupt::new();
    let mut images = Rectangles::new(12, 24);
    // 12 labels for the check, 12 images for the first epoch.
    images.interrupt_at = Some((30, interrupt.clone()));
    let trained = fit(images, interrupt);
    assert_eq!(trained.stop, Stop::Interrupted);
    assert!(trained.position.epoch < 3, "{:?}", trained.position);
    for _ in 0..2 {
        let trained = fit(Rectangles::new(12, 24), Interrupt::new());
        assert_eq!(trained.stop, Stop::NoImprovement);
        assert_eq!((trained.history.len(), trained.position.step), (3, 18));
    }
}

#[test]
fn each_session_writes_its_events() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 1;
    for patience in [None, Some(1)] {
        // Patience is no other run; nothing is left to train.
        recipe.patience = patience;
        trainer(recipe.clone(), Some(folder.path()))
            .with_resume(Resume::IfPresent)
            .with_tensorboard(true)
            .fit(train_set(), Some(&Rectangles::new(2, 24)))
            .expect("trains");
    }
    let files = std::fs::read_dir(folder.path().join("tensorboard")).expect("a folder");
    let mut files: Vec<_> = files.map(|file| file.expect("readable").path()).collect();
    files.sort();
    let [first, second] = &files[..] else {
        panic!("a file a session, got {files:?}");
    };
    let tags = [
        "loss/total",
        "loss/edge",
        "train/learning_rate",
        "validation/mean_iou",
    ];
    let count = |file: &Path, tag: &str| {
        let bytes = std::fs::read(file).expect("readable");
        bytes
            .windows(tag.len())
            .filter(|part| *part == tag.as_bytes())
            .count()
    };
    assert_eq!(tags.map(|tag| count(first, tag)), [6, 6, 6, 1]);
    assert_eq!(tags.map(|tag| count(second, tag)), [0; 4]);
}

#[test]
fn the_newest_whole_checkpoint_is_taken() {
    let _turn = alone();
    let recipe = recipe();
    let BesideWhole {
        parts,
        expected,
        _folder,
    } = BesideWhole::new(&recipe);
    let mut first_two = recipe.clone();
    first_two.checkpoints.keep_last = 3;
    whole_run(&first_two, &parts);

    // The last epoch's checkpoint is damaged and a half-written one lies beside it, as after a power cut.
    let store = CheckpointStore::open(parts.join("checkpoints"), recipe.checkpoints);
    let newest = store.latest().expect("three epochs");
    let file = newest.model_path();
    let bytes = std::fs::read(&file).expect("just written");
    std::fs::write(&file, &bytes[..bytes.len() / 2]).expect("writable");
    std::fs::create_dir(parts.join("checkpoints/.tmp-1-step-000000099")).expect("writable");

    let trained = trainer(recipe, Some(&parts))
        .with_resume(Resume::Must)
        .fit(train_set(), Some(&Rectangles::new(2, 24)))
        .expect("goes on from the second epoch");
    assert_eq!(trained.history.len(), 3);
    assert_same(expected, (logged_losses(&parts), bits(&trained.model)));
    assert!(!parts.join("checkpoints/.tmp-1-step-000000099").exists());
}

#[test]
fn another_recipe_or_a_finished_folder_is_refused() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 1;
    let fit = |recipe: &Recipe, resume: Resume| {
        trainer(recipe.clone(), Some(folder.path()))
            .with_resume(resume)
            .fit(train_set(), None)
    };
    let error = fit(&recipe, Resume::Must).expect_err("nothing to resume");
    assert!(error.to_string().contains("no whole checkpoint"), "{error}");
    fit(&recipe, Resume::IfPresent).expect("starts anew");
    let error = fit(&recipe, Resume::Never).expect_err("there is a run");
    assert!(matches!(error, EngineError::RunExists { .. }), "{error:?}");

    let mut other = recipe.clone();
    other.optimizer = other.optimizer.with_learning_rate(0.5);
    other.log_every = 1;
    let error = fit(&other, Resume::Must).expect_err("another rate");
    assert!(
        error
            .to_string()
            .contains("the recipe of the run to resume differs in optimizer;"),
        "{error}"
    );
    // How often to log does not make it another run; there is nothing left to do.
    other.optimizer = recipe.optimizer;
    let trained = fit(&other, Resume::Must).expect("the same run");
    assert_eq!((trained.stop, trained.position.step), (Stop::Finished, 6));
}

/// The weights of the two fit each other all the same.
#[test]
fn another_network_is_refused() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 1;
    let fit = |network: serde_json::Value| {
        trainer(recipe.clone(), Some(folder.path()))
            .with_network(network)
            .with_resume(Resume::IfPresent)
            .fit(train_set(), None)
    };
    let network = |corners: bool| json!({ "width": 8, "warp": { "align_corners": corners } });
    fit(network(true)).expect("a new run");
    let error = fit(network(false)).expect_err("other corners");
    assert!(
        matches!(error, EngineError::OtherNetwork { .. }),
        "{error:?}"
    );
    let told = "network.warp.align_corners is true in the run to resume, false in this network; ";
    assert!(error.to_string().contains(told), "{error}");
    fit(network(true)).expect("the same run");
}

/// A checkpoint knows by which pictures it was chosen. Others are allowed when a run goes on.
#[test]
fn checkpoints_know_their_judges() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 1;
    let fit = |judges: usize, labels: u64| {
        let mut judges = Rectangles::new(judges, 24);
        judges.fingerprint = Some(labels);
        trainer(recipe.clone(), Some(folder.path()))
            .with_resume(Resume::IfPresent)
            .fit(train_set(), Some(&judges))
            .expect("trains");
        let store = CheckpointStore::open(folder.path().join("checkpoints"), recipe.checkpoints);
        let newest = store.latest().expect("a checkpoint");
        let state = newest.state();
        let images = state.validation.expect("validated").count;
        (images, state.validation_labels)
    };
    assert_eq!(fit(2, 5), (2, Some(5)));
    assert_eq!(fit(3, 6), (2, Some(5)), "nothing was left to train");
}

/// Epochs would have another length, and the schedule with them.
#[test]
fn other_images_are_refused() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recipe = recipe();
    let fit = |images: Arc<dyn SegmentationDataset>, interrupt: Interrupt| {
        trainer(recipe.clone(), Some(folder.path()))
            .with_resume(Resume::IfPresent)
            .with_interrupt(interrupt)
            .fit(images, None)
    };
    let refused = |images: Arc<dyn SegmentationDataset>, told: &str| {
        let error = fit(images, Interrupt::new()).expect_err("other images");
        assert!(error.to_string().contains(told), "{error}");
    };
    let begin = |reads: usize| {
        let interrupt = Interrupt::new();
        let mut images = Rectangles::new(12, 24);
        images.interrupt_at = Some((reads, interrupt.clone()));
        let trained = fit(Arc::new(images), interrupt).expect("stops cleanly");
        assert_eq!(trained.stop, Stop::Interrupted);
        trained.position.step
    };
    // 12 labels for the check, then batches of 2 images; within the first epoch, of 6 steps.
    let step = begin(12 + 11);
    assert!((2..=6).contains(&step), "{step}");
    for len in [2, 13, 14] {
        let told = format!("trained on 12 images, and these are {len}; give it the same images");
        refused(Arc::new(Rectangles::new(len, 24)), &told);
    }
    // As many, but not the same.
    let others = Subset::by_name(Rectangles::new(13, 24), |name| name != "rectangles_0");
    refused(
        Arc::new(others),
        "trained on 12 images, and these are 12 others; ",
    );

    // Checkpoints of before did not say which images. Their position does.
    let store = CheckpointStore::open(folder.path().join("checkpoints"), recipe.checkpoints);
    let forget = || {
        let path = store.latest().expect("saved").folder().join("state.json");
        let text = std::fs::read_to_string(&path).expect("written");
        let mut state: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let images = state.as_object_mut().expect("a table").remove("images");
        assert_eq!(images.expect("noted")["count"], 12);
        std::fs::write(&path, state.to_string()).expect("writable");
    };
    forget();
    refused(Arc::new(Rectangles::new(2, 24)), "epochs of 1 steps");
    // Within the second epoch.
    let step = begin(12 + 12);
    assert!((7..=12).contains(&step), "{step}");
    forget();
    refused(Arc::new(Rectangles::new(14, 24)), "epochs of 7 steps");
    let trained = fit(train_set(), Interrupt::new()).expect("the same run");
    assert_eq!((trained.history.len(), trained.position.step), (3, 18));
}

/// The network's outputs stand for the classes of the run, whatever the data call them.
#[test]
fn other_classes_are_refused() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 1;
    let fit = |classes: ClassTable| {
        let mut images = Rectangles::new(12, 24);
        images.classes = classes;
        trainer(recipe.clone(), Some(folder.path()))
            .with_resume(Resume::IfPresent)
            .fit(Arc::new(images), None)
    };
    fit(classes()).expect("a new run");
    let turned = ["box", "ground", "disc"].map(|name| Class::new(name, [0; 3]));
    let error = fit(ClassTable::new(turned.into())).expect_err("in another order");
    let told = "class 0 is `ground` in the training, `box` in the data";
    assert!(error.to_string().contains(told), "{error}");
    fit(classes()).expect("the same run");
}

#[test]
fn a_recipe_with_notes_in_the_folder_is_kept() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 1;
    let path = folder.path().join("recipe.toml");
    let notes = format!("# my notes of Friday\n{}", recipe.to_toml());
    std::fs::write(&path, &notes).expect("writable");
    for resume in [Resume::Never, Resume::Must] {
        trainer(recipe.clone(), Some(folder.path()))
            .with_resume(resume)
            .fit(train_set(), None)
            .expect("trains");
        assert_eq!(Recipe::read(&path).expect("written"), recipe);
        let kept = std::fs::read_to_string(folder.path().join("recipe.before-1.toml"));
        assert_eq!(kept.expect("kept"), notes);
        assert!(!folder.path().join("recipe.before-2.toml").exists());
    }
}

/// Two processes in one folder would remove each other's checkpoints. A file that is opened twice stands for them.
#[test]
fn a_folder_in_use_is_refused() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 1;
    let fit = |resume: Resume| {
        trainer(recipe.clone(), Some(folder.path()))
            .with_resume(resume)
            .fit(train_set(), None)
    };
    let other = std::fs::File::create(folder.path().join("run.lock")).expect("writable");
    other.lock().expect("nobody else has it");
    for resume in [Resume::Never, Resume::IfPresent] {
        let error = fit(resume).expect_err("in use");
        assert!(matches!(error, EngineError::RunInUse { .. }), "{error:?}");
        assert!(!folder.path().join("recipe.toml").exists());
    }
    drop(other);
    fit(Resume::Never).expect("free again");
    fit(Resume::Must).expect("given back by the run before");
}

/// Looking through the data may take minutes. A run that begins in that time finds the folder taken.
#[test]
fn the_folder_is_taken_before_the_data_are_looked_at() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 1;
    let told = Arc::new(Mutex::new(None));
    let mut images = Rectangles::new(12, 24);
    images.on_read = Some({
        let (recipe, run, told) = (recipe.clone(), folder.path().to_path_buf(), told.clone());
        Box::new(move |reads| {
            if reads == 1 {
                let other = trainer(recipe.clone(), Some(&run)).fit(train_set(), None);
                *told.lock().expect("one writer") = other.err();
            }
        })
    });
    trainer(recipe, Some(folder.path()))
        .fit(Arc::new(images), None)
        .expect("it came first");
    let error = told.lock().expect("one writer").take();
    assert!(
        matches!(error, Some(EngineError::RunInUse { .. })),
        "{error:?}"
    );
}

/// A kill while a checkpoint is replaced leaves it aside. It may be the only one.
#[test]
fn a_checkpoint_left_aside_is_gone_on_from() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 1;
    whole_run(&recipe, folder.path());
    let checkpoints = folder.path().join("checkpoints");
    let name = "step-000000006";
    std::fs::rename(
        checkpoints.join(name),
        checkpoints.join(format!(".old-{name}")),
    )
    .expect("the only checkpoint");
    let trained = trainer(recipe, Some(folder.path()))
        .with_resume(Resume::Must)
        .fit(train_set(), None)
        .expect("put back");
    assert_eq!((trained.position.step, trained.history.len()), (6, 1));
    assert!(checkpoints.join(name).exists());
}

#[test]
fn a_folder_to_go_on_in_is_not_made() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("a_slip");
    let error = trainer(recipe(), Some(&run))
        .with_resume(Resume::Must)
        .fit(train_set(), None)
        .expect_err("nothing to resume");
    assert!(
        matches!(error, EngineError::NoCheckpoint { .. }),
        "{error:?}"
    );
    assert!(!run.exists());
}

#[test]
fn the_device_of_the_network_need_not_record_gradients() {
    let _turn = alone();
    let mut recipe = recipe();
    recipe.epochs = 1;
    let plain = Device::default();
    let recording = plain.clone().autodiff();
    let [without, with] = [plain, recording].map(|device| {
        device.seed(11);
        let net = TinyNet::new(4, true, &device);
        // Weights are drawn when they are first looked at.
        let before = bits(&net);
        let trained = decoupled_seg_engine::Trainer::new(recipe.clone(), net, &device)
            .fit(train_set(), None)
            .expect("trains all the same");
        assert_eq!((trained.stop, trained.position.step), (Stop::Finished, 6));
        let after = bits(&trained.model);
        assert_ne!(before, after, "the weights are trained");
        (trained.history[0].loss, after)
    });
    assert_eq!(without, with, "the device does not change the training");
}
