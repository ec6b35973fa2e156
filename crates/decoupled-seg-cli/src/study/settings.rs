use std::path::{Path, PathBuf};

use decoupled_seg::DecoupledSegNetConfig;
use decoupled_seg::datasets::{ResizedCacheConfig, ResizedTo};
use decoupled_seg::engine::{Recipe, RecipeError, overlay};
use decoupled_seg::network::{DecoderConfig, NetworkPreset};
use decoupled_seg::nn::ConfigError;
use decoupled_seg_study::PlannedRun;
use serde::Deserialize;
use toml::Table;

use crate::projects::Scenes;
use crate::{CliError, Project};

/// What `base` and `changes` of a study file may say.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// The data set, as `--data` names it; that of the program unless given.
    data: Option<String>,
    /// Its folder.
    pub root: Option<PathBuf>,
    /// Another form of it, as `--variant` names it.
    pub variant: Option<String>,
    /// Work on a tiny made-up data set of the same layout instead.
    #[serde(default)]
    pub synthetic: bool,
    /// How many street scenes and how large, for `data = "street_scenes"`.
    scenes: Option<Scenes>,
    /// Train on the images at this scale, made once and kept on disk.
    resized: Option<f64>,
    /// The network.
    #[serde(default)]
    network: NetworkSettings,
    /// What the network starts from: a run, or a file of weights.
    pub start: Option<PathBuf>,
    /// What differs from the recipe of the data set, or from its `preset`.
    #[serde(default)]
    recipe: Table,
    /// Validation pictures to keep for the report.
    #[serde(default = "default_pictures")]
    pub pictures: usize,
}

fn default_pictures() -> usize {
    4
}

/// The network by its name, and what differs from it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NetworkSettings {
    /// As `--network` names it.
    name: String,
    /// Whether it decouples body and edge.
    module: bool,
    /// Whether it has a shape stream (GSCNN) in place of body and edge.
    gated: bool,
    /// Whether the decoder reads low-level features, F_fine in the paper.
    fine: bool,
    /// Whether an auxiliary head predicts from the third stage.
    auxiliary: bool,
    /// Changes of the backbone's configuration.
    backbone: Table,
    /// Changes of the context head's configuration.
    context: Table,
    /// Changes of the decoupled head's configuration; of a shape stream's decoder where there is one.
    head: Table,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            name: "tiny".to_string(),
            module: true,
            gated: false,
            fine: true,
            auxiliary: false,
            backbone: Table::new(),
            context: Table::new(),
            head: Table::new(),
        }
    }
}

impl Settings {
    pub fn of(run: &PlannedRun) -> Result<Self, CliError> {
        let settings: Table = run.settings.clone();
        let settings: Self = settings.try_into().map_err(|source| CliError::Settings {
            variant: run.variant.clone(),
            source: Box::new(source),
        })?;
        if let Some(resized) = settings.resized(Path::new("")) {
            resized.validate()?;
        }
        Ok(settings)
    }

    /// The scale of the training images, if it is not theirs.
    pub fn scale(&self) -> Option<f64> {
        self.resized
    }

    /// How the training images are resized into a folder, if they are.
    pub fn resized(&self, folder: &Path) -> Option<ResizedCacheConfig> {
        let scale = ResizedTo::Scale(self.resized?);
        Some(ResizedCacheConfig::new(folder, scale))
    }

    /// The project that is named, if one is.
    pub fn project(&self) -> Result<Option<Project>, CliError> {
        match (self.data.as_deref(), self.scenes) {
            (Some(Project::STREET_SCENES), Some(scenes)) => {
                Ok(Some(Project::street_scenes_of(scenes)))
            }
            (_, Some(_)) => Err(CliError::NoScenes),
            (Some(data), None) => Project::of(data).map(Some),
            (None, None) => Ok(None),
        }
    }

    pub fn recipe(&self, project: &Project, seed: u64) -> Result<Recipe, RecipeError> {
        let mut recipe = project.recipe.with_changes(json(&self.recipe))?;
        recipe.seed = seed;
        if recipe.validation.boundary.is_empty() {
            recipe.validation.boundary = project.boundary.clone();
        }
        recipe.validate()?;
        Ok(recipe)
    }

    pub fn network(&self, num_classes: usize) -> Result<DecoupledSegNetConfig, CliError> {
        let settings = &self.network;
        let preset: NetworkPreset = settings.name.parse()?;
        let mut network = preset.config(num_classes);
        if !settings.backbone.is_empty() {
            let backbone = overlay(&network.backbone, json(&settings.backbone))?;
            // The other parts take their channels from it.
            let inside = |error: ConfigError| error.inside("backbone");
            backbone.validate().map_err(inside)?;
            network = network.with_backbone(backbone);
        }
        if !settings.context.is_empty() {
            let context = overlay(&network.context, json(&settings.context))?;
            network = network.with_context(context);
        }
        if !settings.fine {
            network = network.with_fine_channels(None);
        }
        if settings.gated {
            network = network.gated();
        }
        match &mut network.decoder {
            DecoderConfig::Decoupled(head) => *head = overlay(head, json(&settings.head))?,
            DecoderConfig::Gated(decoder) => *decoder = overlay(decoder, json(&settings.head))?,
            DecoderConfig::Plain(_) => unreachable!("networks are named with their module"),
        }
        network = network.with_auxiliary(settings.auxiliary);
        let network = match settings.module || settings.gated {
            true => network,
            false => network.plain(),
        };
        network.validate()?;
        Ok(network)
    }
}

fn json(table: &Table) -> serde_json::Value {
    serde_json::to_value(table).expect("TOML is JSON but for dates, which serialise as tables")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use decoupled_seg::cost::Outputs;
    use decoupled_seg::types::Size;
    use decoupled_seg_study::{Study, StudyFile};

    use super::*;

    fn network(text: &str) -> Result<DecoupledSegNetConfig, CliError> {
        let settings: Settings = toml::from_str(&format!("[network]\n{text}")).expect("known keys");
        settings.network(5)
    }

    #[test]
    fn networks_are_changed_by_their_configurations_names() {
        let macs = |text: &str| {
            let network = network(text).expect("a network");
            let cost = network.cost(Size::square(64), Outputs::Segmentation);
            cost.total().conv_macs
        };
        let whole = macs("");
        for smaller in [
            "module = false",
            "fine = false",
            "backbone = { resnet = { width = 4 } }",
            "head = { body_edge = { downsampling = \"bilinear\" } }",
        ] {
            assert!(macs(smaller) < whole, "{smaller}");
        }
        let gated = macs("gated = true");
        assert!(gated > macs("gated = true\nhead = { shape = { channels = 4 } }"));
        assert!(macs("module = false") < gated);
        let conv = macs("head = { body_edge = { downsampling = \"conv\" } }");
        assert!(conv > whole);
    }

    #[test]
    fn the_studies_that_are_shipped_can_be_trained() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../studies");
        let pattern = format!("{}/**/*.toml", root.display());
        let files: Vec<_> = glob::glob(&pattern).expect("a pattern").collect();
        assert!(files.len() >= 22, "{} studies", files.len());
        for file in files {
            let file = file.expect("readable");
            let name = file.display();
            let study = StudyFile::read(&file).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let study = Study::new(study, Path::new("no such folder")).expect("a study");
            let plan = study.plan().expect("nothing is there");
            let mut kinds = HashSet::new();
            for (run, _) in plan.runs.iter().filter(|(run, _)| run.seed == 1) {
                let variant = format!("{name}, {}", run.variant);
                let settings =
                    Settings::of(run).unwrap_or_else(|error| panic!("{variant}: {error}"));
                let project = settings.project().expect("a known data set");
                let project = project.expect("a data set");
                let recipe = settings
                    .recipe(&project, run.seed)
                    .unwrap_or_else(|error| panic!("{variant}: {error}"));
                assert!(!recipe.validation.boundary.is_empty(), "{variant}");
                let network = settings
                    .network(11)
                    .unwrap_or_else(|error| panic!("{variant}: {error}"));
                // Panics where the parts do not fit, or the pictures are too small.
                let size = recipe.augmentation.crop.unwrap_or(Size::new(64, 96));
                network.cost(size, Outputs::All);
                let recipe = serde_json::to_value(&recipe).expect("plain data");
                let kind = format!("{recipe} {network} {:?}", settings.start);
                assert!(kinds.insert(kind), "{variant} is another variant's twin");
            }
        }
    }

    #[test]
    fn images_are_resized_to_what_is_possible() {
        let of = |scale: &str| {
            let text = format!(
                "title = 't'\nbaseline = 'a'\nseeds = [1]\nbase = {{ resized = {scale} }}\n[[variants]]\nname = 'a'\n"
            );
            let file = StudyFile::parse(&text).expect("a study");
            let plan = Study::new(file, Path::new("no such folder")).expect("a study");
            let plan = plan.plan().expect("nothing is there");
            Settings::of(&plan.runs[0].0)
        };
        for scale in ["0.0", "-1.0", "nan", "inf", "1e300"] {
            let error = of(scale).expect_err(scale).to_string();
            assert!(
                error.starts_with("images cannot be resized to a scale of "),
                "{error}"
            );
        }
        let settings = of("0.5").expect("half the size");
        let resized = settings.resized(Path::new("half")).expect("resized");
        assert_eq!(resized.size, ResizedTo::Scale(0.5));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("name = \"resnet\"", "no network is named `resnet`"),
            ("head = { width = 3 }", "unknown key `width`"),
            ("gated = true\nhead = { width = 3 }", "unknown key `width`"),
            (
                "head = { body_edge = { downsampling = \"cubic\" } }",
                "unknown variant `cubic`",
            ),
            (
                "backbone = { resnet = { width = 4611686018427387904 } }",
                "`backbone.resnet.width` is 4611686018427387904",
            ),
            (
                "context = { fcn = { channels = [64, 0] } }",
                "`context.fcn.channels` is [64, 0]",
            ),
            (
                "context = { fcn = { channels = [32, 32] } }",
                "`context.fcn.channels[0]` is 32, expected 64",
            ),
            (
                "head = { body_edge = { padding = 2 } }",
                "`decoder.decoupled.body_edge.padding` is 2, expected 0 to 1",
            ),
            (
                "gated = true\nhead = { canny = { sigma = 0.0 } }",
                "`decoder.gated.canny.sigma` is 0",
            ),
        ] {
            let error = network(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
