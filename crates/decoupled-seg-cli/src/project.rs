use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs, iter};

use clap::builder::{PossibleValue, PossibleValuesParser};
use decoupled_seg::datasets::{ClassTable, DatasetError, Opened, SegmentationDataset, Split};
use decoupled_seg::engine::{Recipe, Submission};
use decoupled_seg::metrics::BoundaryThreshold;

use crate::CliError;
use crate::args::DataArgs;

/// Opens a split of a data set in a folder.
pub type OpenSplit = Box<dyn Fn(&Path, Split) -> Opened + Send + Sync>;

/// What `--variant` calls the form that is none of the variants.
pub(crate) const DEFAULT: &str = "default";

/// What names a variant.
const FLAG: &str = "--variant";

/// Name of a project for commands on a run: its folder is `--out`.
const WITHOUT_DATA: &str = "run";

type Synthesize = Box<dyn Fn(&Path) -> Result<(), DatasetError> + Send + Sync>;

/// Another form of a project's data: other folds, labels or images.
pub struct Variant {
    /// What `--variant` calls it.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Opens a split of it.
    pub open: OpenSplit,
}

/// A data set and how to train on it.
pub struct Project {
    /// Its name; runs go to `runs/<name>` unless told otherwise.
    pub name: String,
    /// Where its data lie unless told otherwise.
    pub root: PathBuf,
    /// How to train on it.
    pub recipe: Recipe,
    /// Opens a split where `--variant` names nothing else.
    pub open: OpenSplit,
    /// What `--variant` may name.
    pub variants: Vec<Variant>,
    /// Thresholds of the boundary F-score where the recipe names none.
    pub boundary: Vec<BoundaryThreshold>,
    /// Writes a tiny data set of the same layout, in all variants, for `--synthetic`.
    pub synthesize: Option<Synthesize>,
    /// What its benchmark wants, if there is one.
    pub submission: Option<Submission>,
    /// Its classes, where they are known without the data.
    pub classes: Option<ClassTable>,
}

impl Project {
    /// A project with one form of its data, no benchmark, and the boundary thresholds of the paper.
    pub fn new(
        name: impl Into<String>,
        root: impl Into<PathBuf>,
        recipe: Recipe,
        open: impl Fn(&Path, Split) -> Opened + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            root: root.into(),
            recipe,
            open: Box::new(open),
            variants: Vec::new(),
            boundary: BoundaryThreshold::PAPER.into(),
            synthesize: None,
            submission: None,
            classes: None,
        }
    }

    /// For commands on a run that need no data: its folder is `--out`.
    pub(crate) fn without_data() -> Self {
        Self::new(WITHOUT_DATA, "", Recipe::default(), |_, _| Opened {
            dataset: None,
            problems: Vec::new(),
        })
    }

    /// Whether it is [`without_data`](Self::without_data).
    pub(crate) fn is_without_data(&self) -> bool {
        self.name == WITHOUT_DATA && self.root.as_os_str().is_empty()
    }

    /// Adds a form of the data that `--variant` may name.
    ///
    /// # Panics
    ///
    /// Panics if there is one of this name, or it is `default`.
    pub fn with_variant(
        mut self,
        name: &'static str,
        about: &'static str,
        open: impl Fn(&Path, Split) -> Opened + Send + Sync + 'static,
    ) -> Self {
        assert!(
            name != DEFAULT && self.variants.iter().all(|variant| variant.name != name),
            "two variants `{name}`"
        );
        self.variants.push(Variant {
            name,
            about,
            open: Box::new(open),
        });
        self
    }

    /// Sets [`boundary`](Self::boundary).
    pub fn with_boundary(mut self, thresholds: impl Into<Vec<BoundaryThreshold>>) -> Self {
        self.boundary = thresholds.into();
        self
    }

    /// Sets [`synthesize`](Self::synthesize).
    pub fn with_synthetic(
        mut self,
        synthesize: impl Fn(&Path) -> Result<(), DatasetError> + Send + Sync + 'static,
    ) -> Self {
        self.synthesize = Some(Box::new(synthesize));
        self
    }

    /// Sets [`submission`](Self::submission).
    pub fn with_submission(mut self, submission: Submission) -> Self {
        self.submission = Some(submission);
        self
    }

    /// Sets [`classes`](Self::classes).
    pub fn with_classes(mut self, classes: ClassTable) -> Self {
        self.classes = Some(classes);
        self
    }

    /// The classes, from the data where they are not known without.
    pub(crate) fn class_table(&self) -> Result<ClassTable, CliError> {
        if let Some(classes) = &self.classes {
            return Ok(classes.clone());
        }
        let opened =
            [Split::Val, Split::Train, Split::Test].map(|split| (self.open)(&self.root, split));
        let dataset = opened.into_iter().find_map(|opened| opened.dataset);
        let dataset = dataset.ok_or(CliError::NoClasses)?;
        Ok(dataset.classes().clone())
    }

    /// The folder of the run.
    pub(crate) fn out(&self, out: Option<&Path>) -> PathBuf {
        match out {
            Some(out) => out.to_path_buf(),
            None => Path::new("runs").join(&self.name),
        }
    }

    /// The folder of the data; made up first, if need be.
    fn root(&self, args: &DataArgs) -> Result<PathBuf, CliError> {
        if !args.synthetic {
            return Ok(args.root.clone().unwrap_or_else(|| self.root.clone()));
        }
        let Some(synthesize) = &self.synthesize else {
            return Err(CliError::NoSynthetic {
                project: self.name.clone(),
            });
        };
        let root = self.out(args.out.as_deref()).join("synthetic");
        if !root.exists() {
            // In one move, or a killed program would leave half a data set for ever.
            let unfinished = root.with_file_name(format!(".tmp-{}-synthetic", std::process::id()));
            synthesize(&unfinished)?;
            fs::rename(&unfinished, &root).map_err(|source| CliError::Io {
                path: root.clone(),
                source,
            })?;
        }
        Ok(root)
    }

    /// What opens the splits that the arguments name.
    pub(crate) fn opener(&self, args: &DataArgs) -> Result<impl Fn(Split) -> Opened, CliError> {
        let open = match args.variant.as_deref() {
            None | Some(DEFAULT) => &self.open,
            Some(name) => self.variant(name)?,
        };
        let root = self.root(args)?;
        Ok(move |split| open(&root, split))
    }

    /// Opens a split as the arguments say.
    pub(crate) fn split(
        &self,
        args: &DataArgs,
        split: Split,
    ) -> Result<Arc<dyn SegmentationDataset>, CliError> {
        let opened = self.opener(args)?(split);
        let is_unread = opened.dataset.is_none();
        opened.whole().map_err(|source| {
            // A broken file is not in every fold, which says nothing for these.
            let is_told = !is_unread || source.to_string().contains(FLAG);
            let variant = match is_told {
                true => None,
                false => self.variant_of(args, split),
            };
            match variant {
                Some(variant) => CliError::OtherVariant { variant, source },
                None => source.into(),
            }
        })
    }

    /// The variant that reads data which are not read without one.
    pub(crate) fn variant_of(&self, args: &DataArgs, split: Split) -> Option<&'static str> {
        if args.variant.is_some() {
            return None;
        }
        let root = self.root(args).ok()?;
        let reads = |variant: &&Variant| {
            let opened = (variant.open)(&root, split);
            opened.dataset.is_some() && opened.problems.is_empty()
        };
        Some(self.variants.iter().find(reads)?.name)
    }

    fn variant(&self, name: &str) -> Result<&OpenSplit, CliError> {
        let found = self.variants.iter().find(|variant| variant.name == name);
        match found {
            Some(variant) => Ok(&variant.open),
            None => Err(CliError::UnknownVariant {
                project: self.name.clone(),
                found: name.to_string(),
                expected: self.variants.iter().map(|it| it.name).collect(),
            }),
        }
    }

    /// Puts what is the project's own into the help.
    pub(crate) fn describe(&self, mut command: clap::Command) -> clap::Command {
        for sub in ["check", "train", "eval", "submit"] {
            command = command.mut_subcommand(sub, |sub| {
                sub.mut_arg("variant", |arg| {
                    if self.variants.is_empty() {
                        return arg.hide(true);
                    }
                    let value = |name, about| PossibleValue::new(name).help(about);
                    let default = value(DEFAULT, "none of the others");
                    let others = self.variants.iter().map(|it| value(it.name, it.about));
                    arg.value_parser(PossibleValuesParser::new(iter::once(default).chain(others)))
                })
            });
        }
        command
    }
}

impl fmt::Debug for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variants: Vec<&str> = self.variants.iter().map(|it| it.name).collect();
        f.debug_struct("Project")
            .field("name", &self.name)
            .field("root", &self.root)
            .field("recipe", &self.recipe)
            .field("variants", &variants)
            .field("boundary", &self.boundary)
            .field("submission", &self.submission)
            .finish_non_exhaustive()
    }
}
