//! What a training starts from: a run, or a file of weights of any kind.

use std::path::Path;

use decoupled_seg::datasets::ClassTable;
use decoupled_seg::datasets::augment::Normalization;
use decoupled_seg::engine::{Checkpoint, EvaluationRecipe};
use decoupled_seg::network::DecoderConfig;
use decoupled_seg::weights::{LoadPolicy, NetworkDescription, WeightsFile, load};
use decoupled_seg::{DecoupledSegNet, DecoupledSegNetConfig};

use crate::say::{say, tell};
use crate::{CliError, checkpoint};

/// A file of weights to start from, opened.
pub(crate) struct Start {
    file: WeightsFile,
    /// The one that it is part of, which knows its network.
    checkpoint: Option<Checkpoint>,
}

/// How the network of a file was trained.
pub(crate) struct Trained {
    pub classes: Vec<String>,
    pub normalization: Normalization,
    /// Where it is known.
    pub validation: Option<EvaluationRecipe>,
    pub network: DecoupledSegNetConfig,
}

impl Trained {
    /// What a new training does otherwise, behind "was trained with".
    fn differences(
        &self,
        network: &DecoupledSegNetConfig,
        normalization: &Normalization,
        classes: &[&str],
    ) -> Vec<String> {
        let mut differences = Vec::new();
        let pairs = self.classes.iter().zip(classes);
        let other = pairs.clone().position(|(theirs, ours)| theirs != ours);
        if let Some(index) = other.filter(|_| self.classes.len() == classes.len()) {
            differences.push(format!(
                "other classes, or in another order: class {index} is `{}` there and `{}` here, and the classifier is taken as \
                 it is",
                self.classes[index], classes[index]
            ));
        }
        let theirs = &self.normalization;
        if (&theirs.mean, &theirs.std) != (&normalization.mean, &normalization.std) {
            differences.push(format!(
                "channels of mean {:?} and deviation {:?}, and this recipe has {:?} and {:?}; `normalization` sets them",
                theirs.mean, theirs.std, normalization.mean, normalization.std
            ));
        }
        let corners = |network: &DecoupledSegNetConfig| match &network.decoder {
            DecoderConfig::Decoupled(head) => Some(head.body_edge.warp.align_corners),
            _ => None,
        };
        if let (Some(theirs), Some(ours)) = (corners(&self.network), corners(network))
            && theirs != ours
        {
            differences.push(format!(
                "the other corners of the warp: `--align-corners {theirs}` is for it"
            ));
        }
        differences
    }
}

impl Start {
    /// Opens the best weights of a run, those of a checkpoint, or a file.
    pub fn open(path: &Path) -> Result<Self, CliError> {
        let (checkpoint, file) = match path.is_dir() {
            true => {
                let checkpoint = checkpoint_of(path)?;
                let file = checkpoint.weights_path();
                (Some(checkpoint), file)
            }
            false => (checkpoint_of_file(path), path.to_path_buf()),
        };
        Ok(Self {
            file: WeightsFile::open(file)?,
            checkpoint,
        })
    }

    /// A name for it: checkpoints have files of the same names.
    pub fn name(&self) -> String {
        let file = self.file.path().with_extension("");
        match &self.checkpoint {
            Some(checkpoint) => format!("{}-{}", name_of(checkpoint.folder()), name_of(&file)),
            None => name_of(&file),
        }
    }

    /// What a file of `export` tells of its network.
    fn description(&self) -> Result<Option<NetworkDescription>, CliError> {
        NetworkDescription::of(&self.file).map_err(|source| CliError::Description {
            path: self.file.path().to_path_buf(),
            source,
        })
    }

    /// The network with the stem that the file has.
    pub fn fit(&self, network: DecoupledSegNetConfig) -> DecoupledSegNetConfig {
        network.with_stem_of(&self.file)
    }

    /// Loads the whole network; tensors of other parts in the file, such as an auxiliary head, are passed over.
    pub fn load_whole(&self, model: &mut DecoupledSegNet) -> Result<(), CliError> {
        let keys = model.config().official_keys();
        let report = load(model, &keys, &self.file, LoadPolicy::Complete)?;
        let further = report.further_blocks();
        if let Some(first) = further.first() {
            return Err(CliError::DeeperNetwork {
                path: self.file.path().to_path_buf(),
                count: further.len(),
                first: first.to_string(),
            });
        }
        if let Some(fitted) = report.fitted {
            say!("{}: {fitted}", self.file.path().display());
        }
        if !report.prefix.is_empty() {
            tell!(
                "note: the weights taken are those behind `{}`",
                report.prefix
            );
        }
        tell_others(&report.other_prefixes);
        Ok(())
    }

    /// Says which corners the warp is taken to have, where the file has a decoder with body and edge.
    pub fn warn_of_corners(&self, network: &DecoupledSegNetConfig) {
        if let DecoderConfig::Decoupled(head) = &network.decoder
            && self.checkpoint.is_none()
        {
            tell!(
                "note: no file says which corners its warp was trained with; `align_corners` is {} here. Weights that the \
                 authors' code trained on PyTorch 1.3 or later need --align-corners false: the wrong one moves the body by up \
                 to half a pixel of the feature map",
                head.body_edge.warp.align_corners
            );
        }
    }

    /// How the network was trained, as far as checkpoint or file know it.
    pub fn trained(&self) -> Result<Option<Trained>, CliError> {
        if let Some(checkpoint) = &self.checkpoint {
            let state = checkpoint.state();
            // A run of another program may describe its network in its own words.
            let network = serde_json::from_value(state.network.clone()).ok();
            let network = network.filter(|it: &DecoupledSegNetConfig| it.validate().is_ok());
            let classes = state.classes.names().into_iter();
            return Ok(network.map(|network| Trained {
                classes: classes.map(str::to_string).collect(),
                normalization: state.recipe.normalization.clone(),
                validation: Some(state.recipe.validation.clone()),
                network,
            }));
        }
        Ok(self.description()?.map(|known| Trained {
            classes: known
                .class_names()
                .into_iter()
                .map(str::to_string)
                .collect(),
            normalization: Normalization {
                mean: known.mean,
                std: known.std,
            },
            validation: None,
            network: known.network,
        }))
    }

    /// Warns where the new training treats pictures and classes otherwise than that of the weights: they would begin as if
    /// they had learned less.
    pub fn warn_of_differences(
        &self,
        network: &DecoupledSegNetConfig,
        normalization: &Normalization,
        classes: &ClassTable,
    ) -> Result<(), CliError> {
        let Some(trained) = self.trained()? else {
            return Ok(());
        };
        let path = self.file.path().display();
        for difference in trained.differences(network, normalization, &classes.names()) {
            tell!("warning: {path} was trained with {difference}");
        }
        Ok(())
    }

    /// Puts into the network what fits, and says what was found. `corners` tells whether those of the warp are given.
    pub fn load(&self, model: &mut DecoupledSegNet, corners: bool) -> Result<(), CliError> {
        let report = model.load_pretrained(&self.file)?;
        let warps = |name: &String| name.contains("body_edge");
        if !corners && report.loaded.iter().any(warps) && self.description()?.is_none() {
            self.warn_of_corners(model.config());
        }
        let behind = match report.prefix.as_str() {
            "" => String::new(),
            prefix => format!(", names behind `{prefix}`"),
        };
        say!(
            "{}: a {}{behind}; {} tensors loaded",
            self.file.path().display(),
            self.file.format(),
            report.loaded.len()
        );
        tell_others(&report.other_prefixes);
        for part in &report.parts {
            say!("  {}: {} of {}", part.name, part.loaded, part.tensors);
        }
        if let Some(fitted) = &report.fitted {
            say!("  {fitted}");
        }
        if !report.left_out.is_empty() {
            say!("  {}", report.left_out);
        }
        let further = report.further_blocks();
        if let Some(first) = further.first() {
            tell!(
                "warning: the file has {} tensors of further blocks, such as `{first}`: is it of a deeper network?",
                further.len()
            );
        }
        if let Some(stem) = &report.without_stem {
            tell!(
                "warning: the file has nothing that fits `{stem}`, which reads the images: it begins at random"
            );
        }
        for part in report.parts.iter().filter(|part| part.is_patchy()) {
            tell!(
                "warning: the file has only {} of the {} tensors of `{}`: is it of another network?",
                part.loaded,
                part.tensors,
                part.name
            );
        }
        Ok(())
    }
}

/// Names weights of the file that would have done as well.
fn tell_others(prefixes: &[String]) {
    for prefix in prefixes {
        tell!("warning: the file has as many weights behind `{prefix}`, which are not taken");
    }
}

/// The checkpoint in a folder, or the best one of the run in it.
fn checkpoint_of(folder: &Path) -> Result<Checkpoint, CliError> {
    if folder.join("state.json").exists() {
        return Ok(Checkpoint::open(folder)?);
    }
    checkpoint::best(folder)
}

/// The checkpoint that a file of weights is part of, if it is whole.
fn checkpoint_of_file(file: &Path) -> Option<Checkpoint> {
    // It may be named by a link, or from within.
    let file = file.canonicalize().ok()?;
    let checkpoint = Checkpoint::open(file.parent()?).ok()?;
    let weights = [Some(checkpoint.model_path()), checkpoint.ema_path()];
    weights.contains(&Some(file)).then_some(checkpoint)
}

/// The last part of a path; of `.`, that of where it is.
pub(crate) fn name_of(path: &Path) -> String {
    let here = match path.file_name() {
        Some(_) => path.to_path_buf(),
        None => path.canonicalize().unwrap_or_default(),
    };
    let name = here.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told() {
        let network = |corners: bool| {
            let mut network = DecoupledSegNetConfig::tiny(2);
            if let DecoderConfig::Decoupled(head) = &mut network.decoder {
                head.body_edge.warp.align_corners = corners;
            }
            network
        };
        let trained = Trained {
            classes: ["road", "car"].map(str::to_string).into(),
            normalization: Normalization {
                mean: vec![0.5; 3],
                std: vec![0.25; 3],
            },
            validation: None,
            network: network(false),
        };
        let same = Normalization {
            mean: vec![0.5; 3],
            std: vec![0.25; 3],
        };
        let of = |network, normalization: &Normalization, classes: &[&str]| {
            trained.differences(&network, normalization, classes)
        };
        assert_eq!(of(network(false), &same, &["road", "car"]), [""; 0]);
        // A classifier of other classes is not taken.
        assert_eq!(of(network(false), &same, &["sky", "car", "road"]), [""; 0]);
        let told = of(network(true), &Normalization::default(), &["car", "road"]);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told[0].contains("class 0 is `road` there and `car` here"),
            "{told:?}"
        );
        assert!(told[1].contains("mean [0.5, 0.5, 0.5]"), "{told:?}");
        assert!(told[2].contains("--align-corners false"), "{told:?}");
    }
}
