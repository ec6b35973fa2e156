//! Putting one folder in the place of another, so that a kill at any moment leaves one of the two.

use std::fs;
use std::path::{Path, PathBuf};

use super::folder::{STATE, remove_folder};
use crate::EngineError;
use crate::files::{self, at};

/// Prefix of a checkpoint that makes way for another one of its step.
pub(super) const ASIDE: &str = ".old-";

/// Renames `new` to `target`. What is at `target` lies beside it until then, and is removed last.
pub(super) fn replace(new: &Path, target: &Path) -> Result<(), EngineError> {
    let aside = move_aside(target)?;
    if let Err(error) = fs::rename(new, target) {
        if let Some(aside) = &aside {
            // Best effort: the error that matters is the first one. The next start puts back what is left aside.
            let _ = fs::rename(aside, target);
        }
        return Err(at(target, "renaming into place")(error).into());
    }
    files::sync_parent(target)?;
    match aside {
        Some(aside) => remove_folder(&aside),
        None => Ok(()),
    }
}

/// Renames what is at `target`, if anything is. Returns where it lies then.
fn move_aside(target: &Path) -> Result<Option<PathBuf>, EngineError> {
    if !target.exists() {
        return Ok(None);
    }
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let aside = target.with_file_name(format!("{ASIDE}{name}"));
    remove_folder(&aside)?;
    fs::rename(target, &aside).map_err(at(target, "moving aside"))?;
    Ok(Some(aside))
}

/// Ends what a kill in [`replace`] left undone: `aside` goes back to `target`, unless its successor is there already.
pub(super) fn put_back(aside: &Path, target: &Path) -> Result<(), EngineError> {
    // A removal that was cut short has taken the state first.
    if target.exists() || !aside.join(STATE).exists() {
        return remove_folder(aside);
    }
    fs::rename(aside, target).map_err(at(target, "putting back an old checkpoint"))?;
    Ok(files::sync_parent(target)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::CheckpointStore;
    use crate::recipe::CheckpointRecipe;

    fn checkpoint(folder: &Path, state: &str) {
        fs::create_dir(folder).expect("a new folder");
        fs::write(folder.join(STATE), state).expect("writable");
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            let name = entry.expect("readable").file_name();
            name.to_string_lossy().into_owned()
        };
        entries.map(name).collect()
    }

    /// Starts a run over, and returns the state of its only checkpoint.
    fn state_after_a_start(folder: &Path) -> String {
        CheckpointStore::create(folder, CheckpointRecipe::default()).expect("writable");
        assert_eq!(names(folder), ["step-000000006"]);
        fs::read_to_string(folder.join("step-000000006").join(STATE)).expect("whole")
    }

    #[test]
    fn a_kill_at_any_moment_leaves_the_old_or_the_new() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path();
        let (new, target) = (
            folder.join(".tmp-1-step-000000006"),
            folder.join("step-000000006"),
        );

        // Before the first rename, and between the two.
        checkpoint(&target, "old");
        checkpoint(&new, "new");
        assert_eq!(state_after_a_start(folder), "old");
        checkpoint(&new, "new");
        move_aside(&target).expect("renamed");
        assert!(!target.exists());
        assert_eq!(state_after_a_start(folder), "old");

        // Between the second rename and the removal, and within the removal.
        let aside = move_aside(&target).expect("renamed").expect("was there");
        checkpoint(&target, "new");
        assert_eq!(state_after_a_start(folder), "new");
        fs::create_dir(&aside).expect("swept before");
        assert_eq!(state_after_a_start(folder), "new");
    }

    #[test]
    fn the_old_one_is_gone_at_the_end_and_back_after_a_failure() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path();
        let (new, target) = (
            folder.join(".tmp-1-step-000000006"),
            folder.join("step-000000006"),
        );
        let state = || fs::read_to_string(target.join(STATE)).expect("whole");
        checkpoint(&new, "first");
        replace(&new, &target).expect("nothing to replace");
        checkpoint(&new, "second");
        replace(&new, &target).expect("both there");
        assert_eq!((state().as_str(), names(folder).len()), ("second", 1));

        let error = replace(&new, &target).expect_err("nothing to put there");
        assert!(error.to_string().contains("renaming into place"), "{error}");
        assert_eq!((state().as_str(), names(folder).len()), ("second", 1));
    }
}
