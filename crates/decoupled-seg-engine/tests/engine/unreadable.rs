//! What is kept of a run when there is nothing new to save: a file cannot be read, or the run is stopped between two epochs.

use std::path::Path;
use std::sync::Arc;

use decoupled_seg_engine::{
    Checkpoint, CheckpointStore, EngineError, Interrupt, Recipe, Resume, Stop,
};

use super::common::*;
use super::resume::{BesideWhole, assert_same, whole_run};

/// Reads of labels before the first step: one an image, for classes that are not there, and one for the size of the first.
const CHECKED: usize = 12 + 1;
/// Images of an epoch.
const EPOCH: usize = 12;

/// Trains until a file cannot be read, which is so after this many reads.
fn fit_until_unreadable(recipe: &Recipe, folder: &Path, resume: Resume, readable: usize) {
    let mut images = Rectangles::new(12, 24);
    images.readable = readable;
    let error = trainer(recipe.clone(), Some(folder))
        .with_resume(resume)
        .fit(Arc::new(images), Some(&Rectangles::new(2, 24)))
        .expect_err("a file cannot be read");
    assert!(matches!(error, EngineError::Dataset(_)), "{error:?}");
}

fn store(recipe: &Recipe, folder: &Path) -> CheckpointStore {
    CheckpointStore::open(folder.join("checkpoints"), recipe.checkpoints)
}

fn is_scored(checkpoint: &Checkpoint) -> bool {
    checkpoint.state().scores.is_some()
}

#[test]
fn a_scored_checkpoint_outlives_files_that_cannot_be_read() {
    let _turn = alone();
    let recipe = recipe();
    let BesideWhole {
        parts,
        expected,
        _folder,
    } = BesideWhole::new(&recipe);

    // The first epoch is whole, the first batch of the second is not.
    fit_until_unreadable(&recipe, &parts, Resume::Never, CHECKED + EPOCH);
    // Twice taken up while the file is still broken.
    for _ in 0..2 {
        let store = store(&recipe, &parts);
        for kept in [store.latest(), store.best()] {
            let kept = kept.expect("the end of the first epoch");
            assert_eq!((kept.state().position.step, is_scored(&kept)), (6, true));
        }
        fit_until_unreadable(&recipe, &parts, Resume::Must, CHECKED);
    }
    assert_same(expected, resumed(&recipe, &parts));
}

#[test]
fn what_was_trained_before_the_file_is_saved() {
    let _turn = alone();
    let recipe = recipe();
    let BesideWhole {
        parts,
        expected,
        _folder,
    } = BesideWhole::new(&recipe);
    fit_until_unreadable(&recipe, &parts, Resume::Never, CHECKED + EPOCH + 6);
    let kept = store(&recipe, &parts).latest().expect("saved");
    assert_eq!((kept.state().position.step, is_scored(&kept)), (9, false));
    assert_same(expected, resumed(&recipe, &parts));
}

#[test]
fn a_run_that_has_not_begun_can_be_started_again() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recipe = recipe();
    for _ in 0..2 {
        fit_until_unreadable(&recipe, folder.path(), Resume::Never, CHECKED);
    }
    let (losses, _) = whole_run(&recipe, folder.path());
    assert_eq!(losses.len(), 18);
}

/// The unscored checkpoint of the interrupt makes way for the scored one of the same step.
#[test]
fn an_interrupt_on_the_last_step_of_an_epoch_is_taken_up() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    let mut recipe = recipe();
    // An epoch is one step, so its first step is its last one.
    recipe.batch = 12;
    let expected = whole_run(&recipe, &whole);

    // The second time, no step is taken: nothing is saved, and nothing lost.
    for request_before_the_start in [false, true] {
        let interrupt = Interrupt::new();
        let mut images = Rectangles::new(12, 24);
        match request_before_the_start {
            false => images.interrupt_at = Some((CHECKED + 1, interrupt.clone())),
            true => interrupt.request(),
        }
        let trained = trainer(recipe.clone(), Some(&parts))
            .with_resume(Resume::IfPresent)
            .with_interrupt(interrupt)
            .fit(Arc::new(images), Some(&Rectangles::new(2, 24)))
            .expect("stops cleanly");
        assert_eq!(trained.stop, Stop::Interrupted);
        let kept = store(&recipe, &parts).latest().expect("saved");
        let position = kept.state().position;
        assert_eq!((position.step, position.batch, position.epoch), (1, 1, 0));
    }
    assert_same(expected, resumed(&recipe, &parts));
    let names = ["step-000000001", "step-000000002", "step-000000003"];
    let kept = names.map(|name| parts.join("checkpoints").join(name));
    let scored = kept.iter().filter(|path| path.exists());
    for path in scored {
        assert!(
            is_scored(&Checkpoint::open(path).expect("whole")),
            "{path:?}"
        );
    }
}

/// Takes the run up with files that can be read, to its end.
fn resumed(recipe: &Recipe, folder: &Path) -> super::resume::Run {
    let trained = trainer(recipe.clone(), Some(folder))
        .with_resume(Resume::Must)
        .fit(train_set(), Some(&Rectangles::new(2, 24)))
        .expect("goes on");
    assert_eq!(trained.stop, Stop::Finished);
    (logged_losses(folder), bits(&trained.model))
}
