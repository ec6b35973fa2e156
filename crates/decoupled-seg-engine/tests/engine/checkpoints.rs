use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::module::Module;
use burn::store::{ModuleSnapshot, SafetensorsStore};
use burn::tensor::Device;
use decoupled_seg_engine::{
    Checkpoint, CheckpointRecipe, CheckpointStore, EngineError, Interrupt, Resume,
};
use decoupled_seg_nn::KeyMap;
use decoupled_seg_weights::{LoadPolicy, LoadReport, WeightsError, WeightsFile, load, save};

use super::common::*;

/// A run of two epochs and its folder.
fn run() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 2;
    trainer(recipe, Some(folder.path()))
        .fit(train_set(), None)
        .expect("trains");
    folder
}

fn latest(folder: &Path) -> Checkpoint {
    CheckpointStore::open(folder.join("checkpoints"), CheckpointRecipe::default())
        .latest()
        .expect("a checkpoint")
}

fn net(width: usize, decoupled: bool) -> TinyNet {
    TinyNet::new(width, decoupled, &Device::default())
}

fn save_weights(net: &TinyNet, path: &Path) {
    save(net, &KeyMap::new(), &[], path).expect("writable");
}

fn load_weights(
    net: &mut TinyNet,
    path: &Path,
    policy: LoadPolicy,
) -> Result<LoadReport, WeightsError> {
    load(net, &KeyMap::new(), &WeightsFile::open(path)?, policy)
}

#[test]
fn damaged_files_are_named_with_what_is_wrong() {
    let _turn = alone();
    let folder = run();
    let checkpoint = latest(folder.path());
    let model = checkpoint.model_path();
    let whole = fs::read(&model).expect("written");
    let reopen = |content: &[u8]| {
        fs::write(&model, content).expect("writable");
        Checkpoint::open(checkpoint.folder()).expect_err("damaged")
    };

    let error = reopen(b"");
    assert!(
        matches!(error, EngineError::Truncated { found: 0, .. }),
        "{error:?}"
    );
    let error = reopen(&whole[..whole.len() - 100]);
    let EngineError::Truncated {
        path,
        expected,
        found,
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!((path, *expected - *found), (&model, 100));
    let mut flipped = whole.clone();
    *flipped.last_mut().expect("not empty") ^= 1;
    let error = reopen(&flipped);
    assert!(matches!(error, EngineError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("model.safetensors"), "{error}");

    fs::remove_file(&model).expect("there");
    let error = Checkpoint::open(checkpoint.folder()).expect_err("missing");
    assert!(error.to_string().contains("no such file"), "{error}");
}

#[test]
fn the_state_is_checked_first() {
    let _turn = alone();
    let folder = run();
    let checkpoint = latest(folder.path());
    let state = checkpoint.folder().join("state.json");
    let reopen = |content: &str| {
        fs::write(&state, content).expect("writable");
        Checkpoint::open(checkpoint.folder())
            .expect_err("no state")
            .to_string()
    };
    // A file of this name outside the folder may be read by nobody, or never end.
    let whole = fs::read_to_string(&state).expect("written");
    for outside in ["/dev/zero", "../model.safetensors", "..", ""] {
        let other = whole.replace("\"model.safetensors\"", &format!("\"{outside}\""));
        assert_ne!(other, whole);
        let told = reopen(&other);
        assert!(told.contains("names files outside the folder"), "{told}");
    }
    assert!(reopen("").contains("not the state of a checkpoint: EOF"));
    assert!(reopen("{").contains("not the state of a checkpoint"));
    assert!(reopen("{}").contains("names no format"));
    assert!(reopen("{\"format\": 99}").contains("checkpoint format 99, expected 1"));
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, content: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("writable");
        path
    };
    let open = |path: &Path| {
        Checkpoint::open(path)
            .expect_err("no checkpoint")
            .to_string()
    };
    assert!(open(&file("text", b"hello")).contains("it is a file"));
    assert!(open(folder.path()).contains("there is no `state.json` in it"));
    assert!(open(&folder.path().join("missing")).contains("no such file or folder"));
}

#[test]
fn weights_load_whole_or_not_at_all() {
    let _turn = alone();
    let folder = run();
    let path = latest(folder.path()).model_path();
    load_weights(&mut net(8, true), &path, LoadPolicy::Whole).expect("the same architecture");

    let mismatch = |mut net: TinyNet| {
        let error = load_weights(&mut net, &path, LoadPolicy::Whole).expect_err("another network");
        let WeightsError::Mismatch { mismatch, .. } = error else {
            panic!("{error:?}");
        };
        mismatch
    };
    let narrower = mismatch(net(6, true));
    assert!(narrower.missing.is_empty() && narrower.unexpected.is_empty());
    let first = narrower
        .misshaped
        .iter()
        .find(|tensor| tensor.key == "first.weight")
        .expect("its width differs");
    assert_eq!(first.expected, [6, 3, 3, 3]);
    assert_eq!(first.found, [8, 3, 3, 3]);

    assert_eq!(
        mismatch(net(8, false)).unexpected,
        [
            "heads.body.bias",
            "heads.body.weight",
            "heads.edge.bias",
            "heads.edge.weight"
        ]
    );
}

#[test]
fn a_second_stage_takes_what_fits_of_the_first() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("base.safetensors");
    let base = net(8, false);
    save_weights(&base, &path);

    let mut second = net(8, true);
    let report = load_weights(&mut second, &path, LoadPolicy::Partial).expect("fits in part");
    assert_eq!(report.left_out.missing.len(), 4);
    assert!(report.left_out.unexpected.is_empty() && report.left_out.misshaped.is_empty());
    second
        .first
        .weight
        .val()
        .into_data()
        .assert_eq(&base.first.weight.val().into_data(), true);

    // Of another width only the last bias fits: 3 classes are 3 classes.
    let report = load_weights(&mut net(6, false), &path, LoadPolicy::Partial).expect("a bias fits");
    assert_eq!(report.loaded, ["classify.bias"]);
}

#[test]
fn weights_load_on_their_own_with_burn_store() {
    let _turn = alone();
    let folder = run();
    let checkpoint = latest(folder.path());
    let mut by_store = net(8, true);
    let mut store = SafetensorsStore::from_file(checkpoint.model_path());
    by_store.load_from(&mut store).expect("plain safetensors");
    let ours = checkpoint.load(net(8, true)).expect("the same file");
    ours.norm
        .running_mean
        .value()
        .into_data()
        .assert_eq(&by_store.norm.running_mean.value().into_data(), true);
}

/// Burn's running statistics lag one step behind in a network that trains.
#[test]
fn running_statistics_of_the_last_step_are_saved() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("net.safetensors");
    let device = Device::default().autodiff();
    let training = TinyNet::new(4, false, &device);
    use decoupled_seg_nn::SegmentationModel;
    training.forward(burn::tensor::Tensor::ones([2, 3, 8, 8], &device));
    save_weights(&training.valid(), &path);
    let mut loaded = net(4, false);
    load_weights(&mut loaded, &path, LoadPolicy::Whole).expect("the same architecture");
    let saved = loaded.norm.running_mean.value().into_data();
    saved.assert_eq(&training.norm.running_mean.value_sync().into_data(), true);
    let moved = saved.iter::<f32>().any(|value| value != 0.0);
    assert!(moved, "one forward pass moves the running mean");
}

#[test]
fn the_last_ones_and_the_best_are_kept() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 5;
    recipe.checkpoints.keep_last = 1;
    let trained = trainer(recipe, Some(folder.path()))
        .fit(train_set(), Some(&Rectangles::new(2, 24)))
        .expect("trains");
    let best = trained.best.expect("validated");
    let mut names: Vec<PathBuf> = fs::read_dir(folder.path().join("checkpoints"))
        .expect("a folder")
        .map(|entry| entry.expect("readable").path())
        .collect();
    names.sort();
    let last = folder.path().join("checkpoints/step-000000030");
    let mut expected = vec![best.folder().to_path_buf(), last];
    expected.sort();
    expected.dedup();
    assert_eq!(names, expected);
}

/// A validated run of two epochs that keeps all of its checkpoints, and its store.
fn two_scored() -> (tempfile::TempDir, CheckpointStore, [PathBuf; 2]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 2;
    trainer(recipe.clone(), Some(folder.path()))
        .fit(train_set(), Some(&Rectangles::new(2, 24)))
        .expect("trains");
    let checkpoints = folder.path().join("checkpoints");
    let store = CheckpointStore::open(&checkpoints, recipe.checkpoints);
    let folders = ["step-000000006", "step-000000012"].map(|name| checkpoints.join(name));
    set_scores(&folders[0], &[0.5]);
    set_scores(&folders[1], &[0.5, 0.75]);
    (folder, store, folders)
}

/// Sets the mean IoU of a checkpoint's history, and so its own, which is the last.
fn set_scores(checkpoint: &Path, scores: &[f64]) {
    let path = checkpoint.join("state.json");
    let text = fs::read_to_string(&path).expect("written");
    let mut state: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for (epoch, &score) in scores.iter().enumerate() {
        state["history"][epoch]["scores"]["mean_iou"] = score.into();
        state["scores"]["mean_iou"] = score.into();
    }
    fs::write(&path, state.to_string()).expect("writable");
}

fn cut(path: &Path) {
    let bytes = fs::read(path).expect("written");
    fs::write(path, &bytes[..bytes.len() / 2]).expect("writable");
}

#[test]
fn a_best_checkpoint_that_cannot_be_read_is_named() {
    let _turn = alone();
    let (_folder, store, [first, second]) = two_scored();
    assert_eq!(store.best().expect("whole").folder(), second);

    // Nothing knows what the newest one scored.
    let state = second.join("state.json");
    let whole = fs::read(&state).expect("written");
    cut(&state);
    let error = store.best().expect_err("may be the best").to_string();
    assert!(
        error.contains("step-000000012/state.json` is not the state"),
        "{error}"
    );
    fs::write(&state, whole).expect("writable");

    // The newest one knows what the first scored: less, then more.
    cut(&first.join("state.json"));
    assert_eq!(
        store.best().expect("the first is no better").folder(),
        second
    );
    set_scores(&second, &[0.875, 0.75]);
    let error = store.best().expect_err("the first is the best").to_string();
    assert!(
        error.contains("step-000000006/state.json` is not the state"),
        "{error}"
    );
}

/// A copy without it judges and predicts. To go on, an older checkpoint is taken, and said why.
#[test]
fn the_optimizer_may_be_missing_where_weights_are_enough() {
    let _turn = alone();
    let (_folder, store, [first, second]) = two_scored();
    let (checkpoint, passed_over) = store.resumable().expect("whole");
    assert_eq!((checkpoint.folder(), passed_over.len()), (&*second, 0));

    fs::remove_file(second.join("optimizer.bpk")).expect("written");
    for kept in [store.latest(), store.best()] {
        let kept = kept.expect("its weights are there");
        assert_eq!(kept.folder(), second);
        kept.load(net(8, true)).expect("the same network");
    }
    let (checkpoint, passed_over) = store.resumable().expect("the first");
    assert_eq!(checkpoint.folder(), first);
    let [error] = &passed_over[..] else {
        panic!("{passed_over:?}");
    };
    assert!(
        matches!(error, EngineError::NoOptimizer { .. }),
        "{error:?}"
    );
    let told = "step-000000012/optimizer.bpk`: no such file, which a run needs to go on";
    assert!(error.to_string().contains(told), "{error}");

    // Cut, it is damaged, as any other file.
    cut(&first.join("optimizer.bpk"));
    let error = store
        .resumable()
        .expect_err("none has an optimizer")
        .to_string();
    assert!(error.contains("no whole checkpoint; skipped: "), "{error}");
    assert!(
        error.contains(told) && error.contains("truncated"),
        "{error}"
    );
}

/// A damaged checkpoint of a later step must not count as the last one: the whole ones would be removed for it.
#[test]
fn damage_pushes_no_whole_checkpoint_out() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.checkpoints.keep_last = 1;
    recipe.checkpoints.every_steps = Some(1);
    let interrupt = Interrupt::new();
    let mut images = Rectangles::new(12, 24);
    images.interrupt_at = Some((12 + 9, interrupt.clone()));
    trainer(recipe.clone(), Some(folder.path()))
        .with_interrupt(interrupt)
        .fit(Arc::new(images), Some(&Rectangles::new(2, 24)))
        .expect("stops cleanly");
    let damaged = folder.path().join("checkpoints/step-000000099");
    fs::create_dir(&damaged).expect("writable");
    fs::write(damaged.join("state.json"), "{").expect("writable");
    trainer(recipe, Some(folder.path()))
        .with_resume(Resume::Must)
        .fit(train_set(), Some(&Rectangles::new(2, 24)))
        .expect("goes on");
    assert_eq!(latest(folder.path()).state().position.step, 18);
    assert!(damaged.exists(), "nobody's to remove");
}

#[test]
fn a_checkpoint_that_cannot_be_written_keeps_the_last_one() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 1;
    trainer(recipe.clone(), Some(folder.path()))
        .fit(train_set(), None)
        .expect("trains");
    let before = latest(folder.path());

    // A file where the next checkpoint's folder has to go.
    let process = std::process::id();
    let blocked = folder
        .path()
        .join(format!("checkpoints/.tmp-{process}-step-000000012"));
    fs::write(&blocked, b"in the way").expect("writable");
    let state = before.folder().join("state.json");
    let text = fs::read_to_string(&state).expect("written");
    fs::write(&state, text.replace("\"epochs\": 1", "\"epochs\": 2")).expect("writable");
    recipe.epochs = 2;
    let error = trainer(recipe, Some(folder.path()))
        .with_resume(decoupled_seg_engine::Resume::Must)
        .fit(train_set(), None)
        .expect_err("the folder is taken");
    assert!(error.to_string().contains("step-000000012"), "{error}");
    let after = latest(folder.path());
    assert_eq!(after.folder(), before.folder());
}
