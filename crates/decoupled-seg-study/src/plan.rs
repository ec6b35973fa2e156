use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::{Fold, RunResult};

/// All runs of a study, variant by variant, and what the disk has of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Each with its state.
    pub runs: Vec<(PlannedRun, RunState)>,
    /// Folders of runs that the study no longer has: their settings were changed. They may be deleted.
    pub outdated: Vec<PathBuf>,
}

impl Plan {
    /// The runs that have no result.
    pub fn missing(&self) -> impl Iterator<Item = &PlannedRun> {
        self.runs
            .iter()
            .filter(|(_, state)| !matches!(state, RunState::Done(_)))
            .map(|(run, _)| run)
    }
}

/// What the disk has of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum RunState {
    /// Nothing.
    Missing,
    /// It was begun and stopped.
    Started,
    /// Its result.
    Done(Box<RunResult>),
}

/// One training: a variant, a seed, a fold.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRun {
    /// Name of the variant.
    pub variant: String,
    /// Seed of the training.
    pub seed: u64,
    /// The part of the data that judges.
    pub fold: Option<Fold>,
    /// The base with the variant's changes.
    pub settings: Table,
    /// What decides beside the file; see [`Study::with_context`](crate::Study::with_context).
    pub context: Table,
    /// Folder of the run. Its name ends in a digest of all of the above but the variant's name: a changed variant is
    /// another run.
    pub folder: PathBuf,
}

impl PlannedRun {
    pub(crate) fn new(
        variant: &str,
        seed: u64,
        fold: Option<&Fold>,
        settings: Table,
        context: Table,
        runs: &Path,
    ) -> Self {
        let mut run = Self {
            variant: variant.to_string(),
            seed,
            fold: fold.cloned(),
            settings,
            context,
            folder: PathBuf::new(),
        };
        let digest = crate::digest::digest(&Value::Table(run.identity()));
        let fold = fold.map_or(String::new(), |fold| format!("-{}", fold.name));
        run.folder = runs.join(format!("{variant}-seed{seed}{fold}-{digest}"));
        run
    }

    /// Everything that decides how the run ends.
    pub(crate) fn identity(&self) -> Table {
        let mut identity = Table::new();
        // TOML has 64 bits with a sign.
        identity.insert("seed".into(), Value::String(self.seed.to_string()));
        if let Some(fold) = &self.fold {
            identity.insert("validate".into(), Value::String(fold.validate.clone()));
        }
        identity.insert("settings".into(), Value::Table(self.settings.clone()));
        if !self.context.is_empty() {
            identity.insert("context".into(), Value::Table(self.context.clone()));
        }
        identity
    }

    /// Name of the run: that of its folder.
    pub fn name(&self) -> String {
        self.folder
            .file_name()
            .map_or(String::new(), |name| name.to_string_lossy().into_owned())
    }
}
