//! What a run is made of, as data.

mod bands;
mod batch_norm;
mod checkpoints;
mod class_uniform;
mod class_weights;
mod ema;
mod error;
mod evaluation;
mod from_toml;
mod groups;
mod normalization;
mod optimizer;
mod overlay;
mod precision;
mod presets;
mod protocol;
mod schedule;
mod values;
mod warm_up;

use std::path::Path;

use decoupled_seg_datasets::SegmentationDataset;
use decoupled_seg_datasets::augment::{Augmentation, Blur, Normalization};
use decoupled_seg_losses::{DecoupledLossConfig, TargetsOptions};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use batch_norm::BatchNormMode;
pub use checkpoints::{BestMetric, CheckpointRecipe};
pub use class_uniform::ClassUniformRecipe;
pub use class_weights::{ClassWeightsRecipe, WeightedTerms};
pub use ema::EmaRecipe;
pub use error::RecipeError;
pub use evaluation::EvaluationRecipe;
pub use groups::RateGroup;
pub use optimizer::{AdamRecipe, AdamWRecipe, OptimizerRecipe, SgdRecipe};
pub use overlay::overlay;
pub use precision::Precision;
pub use presets::RecipePreset;
pub use protocol::{Merge, OverlapCount, Protocol, Window};
pub use schedule::{Schedule, SchedulePoint};
pub use warm_up::WarmUpRecipe;

use crate::files;
use values::{refuse_above, refuse_unless_above_zero, refuse_unless_share, refused};

/// Everything that decides what a training run does, but for data and network.
///
/// [`Default`] is the paper's recipe (section 4.1 of Li et al., ECCV 2020,
/// [arXiv:2007.10035](https://arxiv.org/abs/2007.10035)): SGD at 0.01 with momentum 0.9 and weight decay 5e-4, poly decay
/// with power 0.9 per iteration, batches of 8 crops of 832 pixels, scales 0.75 to 2, half of each epoch drawn by class, 175
/// epochs. Others are in [`RecipePreset`].
///
/// Files name only what differs from a preset:
///
/// ```
/// use decoupled_seg_engine::{Recipe, Schedule};
///
/// let recipe = Recipe::from_toml(r#"
///     preset = "paper"
///     batch = 4
///     [optimizer]
///     learning_rate = 0.005
/// "#)?;
/// assert_eq!((recipe.batch, recipe.optimizer.learning_rate()), (4, 0.005));
/// assert_eq!(recipe.schedule, Schedule::Poly { power: 0.9 });
/// # Ok::<(), decoupled_seg_engine::RecipeError>(())
/// ```
///
/// TOML has no word for "none": `none = ["class_uniform", "augmentation.scale"]` takes away what the preset has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Decides the initial weights (as far as the network leaves them to the engine), the order of the images, their
    /// augmentation and dropout.
    pub seed: u64,
    /// Passes over the training images. Paper: 175.
    pub epochs: usize,
    /// Images that go through the network together. Paper: 8.
    pub batch: usize,
    /// Batches whose gradients are averaged before the optimizer steps; the effective batch is `batch * accumulate`.
    /// Norms still see `batch` images.
    pub accumulate: usize,
    /// The optimizer.
    pub optimizer: OptimizerRecipe,
    /// How its rate falls.
    pub schedule: Schedule,
    /// How its rate grows at the start; none: it starts in full. Paper: none.
    #[serde(default)]
    pub warm_up: Option<WarmUpRecipe>,
    /// Parts of the network with a rate of their own (backbone slower, head faster); a parameter that several name
    /// takes the last. Paper: none.
    pub rate_groups: Vec<RateGroup>,
    /// Largest norm of the gradients over the whole network; none: they are taken as they are. Paper: none.
    pub clip_norm: Option<f64>,
    /// What batch norms do.
    pub batch_norm: BatchNormMode,
    /// What the network calculates in. Paper: `f32`.
    #[serde(default)]
    pub precision: Precision,
    /// A moving average of the weights, which is then what is validated; none: the weights themselves. Paper: none.
    pub ema: Option<EmaRecipe>,
    /// Random scale, crop, flip and colours. Paper: scales 0.75 to 2, crops of 832, flip.
    pub augmentation: Augmentation,
    /// Draws part of each epoch by class; none: every image once. Paper: used by its baselines, without figures; the
    /// authors' scripts draw half.
    pub class_uniform: Option<ClassUniformRecipe>,
    /// How pixels become numbers. Mean and standard deviation of ImageNet, as the authors' code. Where the images have
    /// other bands than these have numbers, those of the training images take their place when a run begins.
    pub normalization: Normalization,
    /// The loss. Networks without body and edge are trained with its segmentation and auxiliary terms.
    pub loss: DecoupledLossConfig,
    /// Class weights of the loss from the training labels; they then take the place of those in `loss`. None: those in
    /// `loss`. Paper: none.
    #[serde(default)]
    pub class_weights: Option<ClassWeightsRecipe>,
    /// Which losses `class_weights` weighs.
    #[serde(default)]
    pub weighted_terms: WeightedTerms,
    /// How body and edge targets are made.
    pub targets: TargetsOptions,
    /// Validate every so many epochs, and after the last; 0: never.
    pub validate_every: usize,
    /// How to validate.
    pub validation: EvaluationRecipe,
    /// Stop after so many validations without a better one, by
    /// [`CheckpointRecipe::best_by`]; none: train all epochs. The schedule stays that of all epochs.
    #[serde(default)]
    pub patience: Option<usize>,
    /// When to write checkpoints and which to keep.
    pub checkpoints: CheckpointRecipe,
    /// Read losses back every so many optimizer steps, all in one transfer.
    pub log_every: usize,
    /// Threads that load and augment images; 0: as many as there are cores. The images do not depend on it.
    pub workers: usize,
}

/// Fields that a resumed run may change without becoming another run.
const FREE_FIELDS: [&str; 6] = [
    "validate_every",
    "validation",
    "patience",
    "checkpoints",
    "log_every",
    "workers",
];

/// TOML has no larger integers.
const MAX_INTEGER: (usize, &str) = (i64::MAX as usize, "below 2^63");
/// Threads that load images; a system starts some ten thousand.
const MAX_WORKERS: (usize, &str) = (1024, "at most 1024");
/// How far targets look around a pixel. Kernels and memory grow with the square.
const MAX_REACH: (usize, &str) = (128, "at most 128 pixels");
/// Largest factor of the random scale.
const MAX_SCALE: f64 = 20.0;
/// Largest deviation of a blur, in pixels.
const MAX_SIGMA: f64 = 100.0;

impl Default for Recipe {
    /// [`RecipePreset::Paper`].
    fn default() -> Self {
        RecipePreset::Paper.recipe()
    }
}

impl Recipe {
    /// Reads a recipe from TOML: an optional `preset`, what differs from it, and `none`, a list of the keys to take away.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is no TOML, names a key that no recipe has, or a value that cannot be trained with.
    pub fn from_toml(text: &str) -> Result<Self, RecipeError> {
        Self::from_value(from_toml::value(text)?)
    }

    /// Reads a recipe from JSON, as [`from_toml`](Self::from_toml).
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml).
    pub fn from_json(text: &str) -> Result<Self, RecipeError> {
        // Editors of Windows begin a file with a mark. The reader of TOML passes over it.
        let text = text.trim_start_matches('\u{feff}');
        let value = serde_json::from_str(text).map_err(RecipeError::value_of(""))?;
        Self::from_value(value)
    }

    /// Reads a recipe from a `.toml` or `.json` file.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml), with the file's name; and if it cannot be read.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, RecipeError> {
        let path = path.as_ref();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let read = match extension {
            Some("toml") => Self::from_toml,
            Some("json") => Self::from_json,
            _ => {
                return Err(RecipeError::Extension {
                    path: path.to_path_buf(),
                });
            }
        };
        let text = String::from_utf8(files::read(path)?).map_err(|source| RecipeError::Text {
            path: path.to_path_buf(),
            source,
        })?;
        read(&text).map_err(|error| error.in_file(path))
    }

    /// Writes all fields to a `.toml` or `.json` file.
    ///
    /// # Errors
    ///
    /// Returns an error if the recipe is not valid, the file cannot be written or ends in something else.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), RecipeError> {
        self.validate()?;
        let path = path.as_ref();
        let text = match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => self.to_toml(),
            Some("json") => serde_json::to_string_pretty(self).expect("recipes are plain data"),
            _ => {
                return Err(RecipeError::Extension {
                    path: path.to_path_buf(),
                });
            }
        };
        Ok(files::write_atomic(path, text.as_bytes())?)
    }

    /// All fields as TOML.
    ///
    /// # Panics
    ///
    /// Panics on a seed that TOML cannot hold, which is not [valid](Self::validate) either.
    pub fn to_toml(&self) -> String {
        let text = toml::to_string_pretty(self).expect("recipes are plain data");
        let none = overlay::emptied(self, &Self::default());
        if none.is_empty() {
            return text;
        }
        // Ahead of the tables, or it would belong to the last one.
        format!("none = {none:?}\n{text}")
    }

    /// The recipe with one value replaced: `recipe.with("optimizer.learning_rate", "0.005")?`. The value is TOML, or `null`
    /// for none; what is neither is taken as a string.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such key, or the value is of the wrong kind or not finite.
    pub fn with(&self, key: &str, value: &str) -> Result<Self, RecipeError> {
        let value = match value {
            "null" => Value::Null,
            text => match from_toml::value(&format!("value = {text}")) {
                Ok(mut table) => table["value"].take(),
                Err(RecipeError::NotFinite { found, .. }) => {
                    return Err(RecipeError::NotFinite {
                        path: None,
                        key: key.to_string(),
                        found,
                    });
                }
                Err(_) => Value::String(text.to_string()),
            },
        };
        let recipe = overlay::overlay(self, overlay::nested(key, value))?;
        recipe.validate()?;
        Ok(recipe)
    }

    /// The learning rate at a point of the run: of the optimizer, by schedule and warm-up.
    pub fn learning_rate(&self, point: SchedulePoint) -> f64 {
        let warm_up = self.warm_up.map_or(1.0, |it| it.factor(point.step));
        self.optimizer.learning_rate() * self.schedule.factor(point) * warm_up
    }

    fn from_value(value: Value) -> Result<Self, RecipeError> {
        Self::default().with_changes(value)
    }

    /// The recipe with what a file would change: any of its keys, at any depth; a `preset` to start from instead of this
    /// recipe; `none`, a list of keys to take away.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml).
    pub fn with_changes(&self, mut changes: Value) -> Result<Self, RecipeError> {
        let mut take = |key: &str| changes.as_object_mut()?.remove(key);
        let base = match take("preset") {
            None => self.clone(),
            Some(name) => serde_json::from_value::<RecipePreset>(name)
                .map_err(RecipeError::value_of("preset"))?
                .recipe(),
        };
        let none: Vec<String> = match take("none") {
            None => Vec::new(),
            Some(keys) => serde_json::from_value(keys).map_err(RecipeError::value_of("none"))?,
        };
        let base = none.iter().try_fold(base, |base, key| {
            overlay::overlay(&base, overlay::nested(key, Value::Null))
        })?;
        let recipe = overlay::overlay(&base, changes)?;
        recipe.validate()?;
        Ok(recipe)
    }

    /// Checks the values that no type can.
    ///
    /// # Errors
    ///
    /// Returns an error that names the field.
    pub fn validate(&self) -> Result<(), RecipeError> {
        let at_least_one = [
            ("epochs", self.epochs),
            ("batch", self.batch),
            ("accumulate", self.accumulate),
            ("log_every", self.log_every),
            ("checkpoints.keep_last", self.checkpoints.keep_last),
            ("patience", self.patience.unwrap_or(1)),
            (
                "validation.max_images",
                self.validation.max_images.unwrap_or(1),
            ),
            (
                "checkpoints.every_steps",
                self.checkpoints.every_steps.unwrap_or(1),
            ),
        ];
        for (field, value) in at_least_one {
            if value == 0 {
                return Err(refused(field, 0.0, "at least 1"));
            }
            refuse_above(field, value, MAX_INTEGER)?;
        }
        if i64::try_from(self.seed).is_err() {
            return Err(RecipeError::Value {
                field: "seed",
                found: self.seed.to_string(),
                // TOML has no larger integers.
                expected: "below 2^63",
            });
        }
        refuse_above("validate_every", self.validate_every, MAX_INTEGER)?;
        refuse_above("workers", self.workers, MAX_WORKERS)?;
        self.optimizer.validate()?;
        self.schedule.validate()?;
        if let Some(class_weights) = self.class_weights {
            class_weights.validate()?;
        }
        if let Some(norm) = self.clip_norm {
            refuse_unless_above_zero("clip_norm", norm)?;
        }
        if let Some(ema) = self.ema {
            refuse_unless_share("ema.decay", ema.decay)?;
        }
        if let Some(warm_up) = self.warm_up
            && !(warm_up.start > 0.0 && warm_up.start <= 1.0)
        {
            let expected = "above 0 and at most 1";
            return Err(refused("warm_up.start", warm_up.start, expected));
        }
        if let Some(class_uniform) = &self.class_uniform {
            if class_uniform.tile == 0 {
                return Err(refused("class_uniform.tile", 0.0, "at least 1"));
            }
            let fraction = class_uniform.draw.fraction;
            if !(0.0..=1.0).contains(&fraction) {
                let expected = "at least 0 and at most 1";
                return Err(refused("class_uniform.draw.fraction", fraction, expected));
            }
        }
        for group in &self.rate_groups {
            if group.prefix.is_empty() {
                return Err(RecipeError::Value {
                    field: "rate_groups.prefix",
                    found: "\"\"".to_string(),
                    expected: "the start of a parameter's name",
                });
            }
            if !(group.factor >= 0.0 && group.factor.is_finite()) {
                return Err(refused("rate_groups.factor", group.factor, "at least 0"));
            }
        }
        normalization::validate(&self.normalization)?;
        self.validate_reach()?;
        let augmentation = self.augmentation.validate();
        augmentation.map_err(|error| RecipeError::Augmentation(Box::new(error)))?;
        self.loss.validate().map_err(RecipeError::Loss)?;
        self.targets.validate().map_err(RecipeError::Targets)?;
        self.validation.protocol.validate()
    }

    /// Refuses pixels and factors that are a slip, of which the first picture would take all memory.
    fn validate_reach(&self) -> Result<(), RecipeError> {
        for (field, pixels) in [
            ("targets.edge_radius", self.targets.edge_radius),
            ("targets.border", self.targets.border),
        ] {
            refuse_above(field, pixels, MAX_REACH)?;
        }
        if let Some(scale) = self.augmentation.scale.filter(|it| it.max > MAX_SCALE) {
            return Err(RecipeError::Value {
                field: "augmentation.scale",
                found: format!("{} to {}", scale.min, scale.max),
                expected: "factors of 20 at most: 0.5 is half the size, 2 is twice the size",
            });
        }
        if let Some(Blur::Gaussian(blur)) = self.augmentation.blur
            && blur.max_sigma > MAX_SIGMA
        {
            let expected = "at most 100 pixels";
            return Err(refused(
                "augmentation.blur.gaussian.max_sigma",
                blur.max_sigma,
                expected,
            ));
        }
        Ok(())
    }

    /// Optimizer steps of the whole run.
    pub(crate) fn total_steps(&self, steps_per_epoch: usize) -> Result<usize, RecipeError> {
        let total = self.epochs.checked_mul(steps_per_epoch);
        total.ok_or_else(|| RecipeError::Value {
            field: "epochs",
            found: format!("{} epochs of {steps_per_epoch} steps", self.epochs),
            expected: "fewer steps than can be counted",
        })
    }

    /// Checks what depends on the data set.
    pub(crate) fn validate_for(
        &self,
        dataset: &dyn SegmentationDataset,
    ) -> Result<(), RecipeError> {
        normalization::validate_for(&self.normalization, dataset)?;
        let classes = dataset.classes().num_classes();
        let loss = self.loss.validate_for(classes);
        loss.map_err(RecipeError::Loss)?;
        let targets = self.targets.validate_for(classes);
        targets.map_err(RecipeError::Targets)?;
        let extra = self
            .class_uniform
            .as_ref()
            .and_then(|it| it.draw.extra_from);
        if let Some(first) = extra.filter(|&first| first > dataset.len()) {
            return Err(RecipeError::Value {
                field: "class_uniform.draw.extra_from",
                found: format!("{first} of {} images", dataset.len()),
                expected: "at most the number of images",
            });
        }
        Ok(())
    }

    /// The fields in which a run to resume was made differently; those that do not change what is computed are left
    /// out.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let fields = |recipe: &Self| -> Map<String, Value> {
            let text = serde_json::to_string(recipe).expect("recipes are plain data");
            serde_json::from_str(&text).expect("just written")
        };
        let exact = |recipe: &Self| -> Map<String, Value> {
            match serde_json::to_value(recipe).expect("recipes are plain data") {
                Value::Object(fields) => fields,
                other => unreachable!("a recipe is an object, not {other}"),
            }
        };
        // `other` was read from a file, and serde_json reads some numbers of 17 digits not quite as they were written.
        let (ours, read_back, theirs) = (exact(self), fields(self), exact(other));
        let is_same = |key: &String| {
            let found = theirs.get(key);
            ours.get(key) == found || read_back.get(key) == found
        };
        let mut fields: Vec<String> = ours
            .keys()
            .chain(theirs.keys())
            .filter(|key| !FREE_FIELDS.contains(&key.as_str()))
            .filter(|key| !is_same(key))
            .cloned()
            .collect();
        fields.sort();
        fields.dedup();
        fields
    }
}

#[cfg(test)]
mod tests {
    use decoupled_seg_datasets::{CamVid, Size, Split};
    use decoupled_seg_synthetic::{SyntheticConfig, write_camvid};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("epochs = 0", "epochs: 0, expected at least 1")]
    #[case(
        "[optimizer]\nmomentum = 1.0",
        "optimizer.momentum: 1, expected at least 0 and below 1"
    )]
    #[case(
        "[optimizer]\nlearning_rate = -1.0",
        "optimizer.learning_rate: -1, expected above 0"
    )]
    #[case("[optimizer]\nrate = 1.0", "unknown key `optimizer.rate`")]
    #[case(
        "[loss]\nedge = { balanced = true }",
        "unknown key `loss.edge.balanced`"
    )]
    #[case("preset = \"imagenet\"", "preset: unknown variant `imagenet`")]
    #[case("none = [\"class_uniforms\"]", "unknown key `class_uniforms`")]
    #[case("none = \"ema\"", "none: invalid type: string \"ema\"")]
    #[case("none = [\"batch\"]", "invalid type: null")]
    #[case("clip_norm = nan", "clip_norm: NaN, expected a finite number")]
    #[case(
        "[optimizer]\nlearning_rate = inf",
        "optimizer.learning_rate: inf, expected a finite number"
    )]
    #[case(
        "[augmentation]\nscale = { min = 2.0, max = 1.0 }",
        "augmentation: scale is 2 to 1, expected positive factors in order"
    )]
    #[case(
        "[augmentation]\ncrop = { width = 0, height = 64 }",
        "augmentation: crop is 64x0 (height x width), expected a size with pixels"
    )]
    #[case(
        "[augmentation]\ncrop = { width = 99999, height = 99999 }",
        "augmentation: crop is 99999x99999 (height x width), expected 2^26 pixels at most"
    )]
    #[case(
        "[validation.protocol]\nscales = [1.0, 1e9]",
        "protocol.scales: [1.0, 1000000000.0], expected factors of 16 at most"
    )]
    #[case(
        "[augmentation]\nflip = 2.0",
        "augmentation: flip is 2, expected a share of 0 to 1"
    )]
    #[case(
        "[augmentation.blur.gaussian]\nmin_sigma = 2.0\nmax_sigma = 1.0\nprobability = 1.0",
        "augmentation: blur.gaussian is from sigma 2 to 1, expected sigmas from 0 on, in order"
    )]
    #[case(
        "[loss]\nedge_weight = -1.0",
        "loss: edge_weight must be finite and not below 0, got -1"
    )]
    #[case(
        "[targets]\nedge_radius = 0",
        "targets: edge_radius is 0, which makes no pixel an edge; set 1 or more"
    )]
    #[case(
        "[normalization]\nmean = [123.7, 116.3, 103.5]",
        "normalization.mean: [123.7, 116.3, 103.5], expected means of images from 0 to 1; divide those of 0 to 255 by 255"
    )]
    #[case(
        "[normalization]\nstd = [58.4, 57.1, 57.4]",
        "normalization.std: [58.4, 57.1, 57.4], expected deviations above 0 of images from 0 to 1; divide those of"
    )]
    #[case(
        "[normalization]\nstd = [0.2, 0.0, 0.2]",
        "normalization.std: [0.2, 0.0, 0.2], expected deviations above 0"
    )]
    #[case(
        "[normalization]\nstd = [0.2, -0.1, 0.2]",
        "normalization.std: [0.2, -0.1, 0.2], expected deviations above 0"
    )]
    #[case(
        "[normalization]\nstd = [0.2]",
        "normalization: 3 means and 1 deviations, expected one of each a channel; set `mean` and `std` together"
    )]
    #[case(
        "[normalization]\nmean = []\nstd = []",
        "normalization: 0 means and 0 deviations, expected one of each a channel; set `mean` and `std` together"
    )]
    #[case(
        "[loss.segmentation]\nclass_weights = { fixed = [0.0, 0.0] }",
        "loss: all class weights are 0, so that nothing is learnt; give a class a weight above 0"
    )]
    #[case(
        "[validation]\nmax_images = 0",
        "validation.max_images: 0, expected at least 1"
    )]
    #[case(
        "[validation.protocol]\npad_to_multiple = 8193",
        "protocol.pad_to_multiple: 8193, expected at most 8192"
    )]
    #[case(
        "[validation.protocol]\nmin_size = 8193",
        "protocol.min_size: 8193, expected at most 8192 pixels"
    )]
    #[case(
        "[targets]\nedge_radius = 129",
        "targets.edge_radius: 129, expected at most 128 pixels"
    )]
    #[case(
        "[targets]\nborder = 129",
        "targets.border: 129, expected at most 128 pixels"
    )]
    #[case(
        "[augmentation]\nscale = { min = 50.0, max = 200.0 }",
        "augmentation.scale: 50 to 200, expected factors of 20 at most: 0.5 is half the size"
    )]
    #[case(
        "[augmentation.blur.gaussian]\nmin_sigma = 1.0\nmax_sigma = 1e9\nprobability = 1.0",
        "augmentation.blur.gaussian.max_sigma: 1000000000, expected at most 100 pixels"
    )]
    #[case(
        "schedule = { kind = \"poly\", power = -1.0 }",
        "schedule.power: -1, expected at least 0"
    )]
    #[case(
        "schedule = { kind = \"cosine\", floor = 2.0 }",
        "schedule.floor: 2, expected at least 0 and at most 1"
    )]
    #[case(
        "[validation.protocol]\nscales = [1.0, 1e-9]",
        "protocol.scales: [1.0, 1e-9], expected factors of 1/64 at least"
    )]
    #[case("workers = 1025", "workers: 1025, expected at most 1024")]
    #[case(
        "epochs = \"many\"",
        "epochs: invalid type: string \"many\", expected a whole number"
    )]
    #[case(
        "[augmentation]\ncrop = 64",
        "augmentation.crop: invalid type: integer `64`, expected two numbers: { height = 64, width = 64 }"
    )]
    #[case(
        "class_weights = \"balanced\"",
        "class_weights: invalid type: string \"balanced\", expected a table with `kind`"
    )]
    #[case(
        "[optimizer]\nlearning_rate = \"fast\"",
        "optimizer.learning_rate: invalid type: string \"fast\", expected a number"
    )]
    #[case(
        "[optimizer]\nkind = \"adam\"\nepsilon = true",
        "optimizer.epsilon: invalid type: boolean `true`, expected a number"
    )]
    #[case(
        "[schedule]\nkind = \"poly_per_epoch\"\npower = 0.9\nepoch_offset = -1",
        "schedule.epoch_offset: invalid value: integer `-1`, expected a whole number"
    )]
    #[case(
        "schedule = { kind = \"poly_per_epoch\" }",
        "schedule: missing field `power`"
    )]
    #[case(
        "schedule = { kind = \"polly\" }",
        "schedule.kind: unknown variant `polly`"
    )]
    #[case(
        "optimizer = \"adam\"",
        "optimizer: \"adam\", expected a table with `kind`"
    )]
    #[case("epochs = ", "string values must be quoted")]
    fn mistakes_are_named(#[case] text: &str, #[case] expected: &str) {
        let error = Recipe::from_toml(text).expect_err("a mistake").to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_does_not_suit_the_data_is_named() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let size = SyntheticConfig {
            train: 2,
            val: 0,
            test: 0,
            size: Size::new(16, 16),
            seed: 0,
        };
        write_camvid(root.path(), &size).expect("writable");
        let dataset = CamVid::open(root.path(), Split::Train).expect("just written");
        let message = |text: &str| {
            let recipe = Recipe::from_toml(text).expect("valid for some data set");
            recipe
                .validate_for(&dataset)
                .map_err(|error| error.to_string())
        };
        assert_eq!(message(""), Ok(()));
        for (text, expected) in [
            (
                "[normalization]\nmean = [0.5]\nstd = [0.5]",
                "normalization: numbers for 1 channels, expected those of red, green and blue",
            ),
            (
                "[targets]\nstrict_classes = [3, 11]",
                "targets: strict class 11, but there are 11 classes; name indices below that",
            ),
            (
                "[loss.segmentation]\nclass_weights = { fixed = [1.0, 2.0] }",
                "loss: 2 class weights, but there are 11 classes; give one a class, in their order",
            ),
            (
                "[class_uniform.draw]\nextra_from = 3",
                "class_uniform.draw.extra_from: 3 of 2 images, expected at most the number of images",
            ),
        ] {
            assert_eq!(message(text), Err(expected.to_string()));
        }
    }

    #[test]
    fn what_is_none_stays_none_in_toml() {
        let recipe = Recipe {
            class_uniform: None,
            augmentation: Augmentation::default(),
            ..Recipe::default()
        };
        assert!(recipe.augmentation.scale.is_none() && recipe.augmentation.crop.is_none());
        let text = recipe.to_toml();
        assert_eq!(Recipe::from_toml(&text).expect("written by us"), recipe);
        let text =
            "preset = \"cityscapes_wide\"\nnone = [\"class_uniform\", \"augmentation.blur\"]";
        let recipe = Recipe::from_toml(text).expect("valid");
        let mut expected = RecipePreset::CityscapesWide.recipe();
        expected.class_uniform = None;
        expected.augmentation.blur = None;
        assert_eq!(recipe, expected);
    }

    #[test]
    fn what_recipes_did_not_have_before_need_not_be_there() {
        let mut old = serde_json::to_value(Recipe::default()).expect("plain data");
        let mut remove = |path: &[&str], key: &str| {
            let table = path.iter().fold(&mut old, |value, key| &mut value[*key]);
            let removed = table.as_object_mut().expect("a table").remove(key);
            removed.expect("it is there now");
        };
        let keys = [
            "warm_up",
            "class_weights",
            "weighted_terms",
            "patience",
            "precision",
        ];
        for key in keys {
            remove(&[], key);
        }
        remove(&["optimizer"], "kind");
        for key in ["dice", "focal", "lovasz", "gated"] {
            remove(&["loss"], key);
        }
        remove(&["loss", "attention"], "class_weights");
        // As checkpoints are read, which lay their recipe over no other.
        let read: Recipe = serde_json::from_value(old).expect("an old recipe");
        assert_eq!(read, Recipe::default());
    }

    #[test]
    fn files_are_named_in_errors() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("recipe.json");
        std::fs::write(&path, "{\"batches\": 3}").expect("writable");
        let error = Recipe::read(&path).expect_err("an unknown key").to_string();
        assert!(
            error.contains("recipe.json`: unknown key `batches`"),
            "{error}"
        );
        let error = Recipe::read(folder.path().join("recipe.yaml")).expect_err("no YAML");
        assert!(matches!(error, RecipeError::Extension { .. }), "{error:?}");
        let error = Recipe::read(folder.path().join("missing.toml")).expect_err("missing");
        assert!(matches!(error, RecipeError::File(_)), "{error:?}");
    }

    #[test]
    fn parts_of_nested_configs_can_be_named() {
        let recipe =
            Recipe::from_toml("[loss.edge]\nactivation = \"double_sigmoid\"").expect("valid");
        let mut expected = Recipe::default();
        expected.loss.edge.activation = decoupled_seg_losses::EdgeActivation::DoubleSigmoid;
        assert_eq!(recipe, expected);
    }

    #[test]
    fn single_values_are_replaced() {
        let recipe = Recipe::default();
        let changed = recipe
            .with("optimizer.learning_rate", "0.005")
            .expect("a key");
        assert_eq!(changed.optimizer.learning_rate(), 0.005);
        let changed = recipe
            .with("batch_norm", "frozen_statistics")
            .expect("a key");
        assert_eq!(changed.batch_norm, BatchNormMode::FrozenStatistics);
        let clipped = recipe.with("clip_norm", "2.5").expect("a key");
        assert_eq!(clipped.clip_norm, Some(2.5));
        // JSON has no NaN; as `null` it would switch clipping off.
        let error = clipped.with("clip_norm", "nan").expect_err("no number");
        assert_eq!(
            error.to_string(),
            "clip_norm: NaN, expected a finite number"
        );
        let unclipped = clipped.with("clip_norm", "null").expect("a key");
        assert_eq!(unclipped, recipe);
        recipe.with("optimizer.rate", "1").expect_err("no such key");
    }

    #[test]
    fn a_recipe_is_the_one_that_was_written() {
        let rates = (1..2_000).map(|i| f64::from(i) * 1e-4 / 3.0);
        for rate in rates.chain([1e-30]) {
            let recipe = Recipe::default();
            let recipe = Recipe {
                optimizer: recipe.optimizer.with_learning_rate(rate),
                ..recipe
            };
            let text = serde_json::to_string(&recipe).expect("plain data");
            let read: Recipe = serde_json::from_str(&text).expect("just written");
            assert_eq!(recipe.differences(&read), [""; 0], "{rate:e}");
        }
    }

    #[test]
    fn only_what_changes_the_numbers_makes_another_run() {
        let recipe = Recipe::default();
        let mut other = recipe.clone();
        other.log_every += 1;
        other.workers += 1;
        assert!(recipe.differences(&other).is_empty());
        other.batch += 1;
        other.clip_norm = Some(1.0);
        assert_eq!(recipe.differences(&other), ["batch", "clip_norm"]);
    }
}
