//! Reports of runs that no study made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use decoupled_seg::DecoupledSegNetConfig;
use decoupled_seg::cost::Outputs;
use decoupled_seg::engine::{CheckpointState, FileDigest, Protocol};
use decoupled_seg::types::Size;
use decoupled_seg_study::{ReportedRun, RunResult, StudyReport, VariantReport};

use super::comparable::{Kind, Run, warnings};
use super::results;
use crate::{CliError, checkpoint, remembered};

/// The report of run folders, by the validation of their best checkpoints, which is what `eval` finds.
pub(super) fn report(folders: &[PathBuf]) -> Result<StudyReport, CliError> {
    // What a run is apart from its seed, and the variant.
    let mut variants: Vec<(Kind, VariantReport)> = Vec::new();
    let mut runs = Vec::new();
    // Sizes and checksums of the files of those that were read.
    let mut files: Vec<BTreeMap<String, FileDigest>> = Vec::new();
    for folder in folders {
        let best = checkpoint::best(folder)?;
        if let Some(first) = files.iter().position(|files| *files == best.state().files) {
            return Err(CliError::SameRun {
                first: folders[first].clone(),
                second: folder.clone(),
            });
        }
        files.push(best.state().files.clone());
        // The last checkpoint has the whole history.
        let last = checkpoint::newest(folder)?;
        let state = best.state();
        let run = ReportedRun {
            seed: state.recipe.seed,
            fold: None,
            result: result(state, last.state()),
        };
        let scale = remembered::scale_of(folder)?;
        let kind = Kind::of(state, scale);
        runs.push(Run {
            folder: folder.display().to_string(),
            state: state.clone(),
            scale,
        });
        match variants.iter_mut().find(|(other, _)| other.is_as(&kind)) {
            Some((_, variant)) => variant.runs.push(run),
            None => variants.push((kind, VariantReport::new(name(folder), vec![run]))),
        }
    }
    let variants = variants.into_iter().map(|(_, variant)| variant);
    let mut report = StudyReport::of_variants("Runs", variants.collect());
    report.warnings = warnings(&runs);
    Ok(report)
}

fn result(best: &CheckpointState, last: &CheckpointState) -> RunResult {
    let network: Option<DecoupledSegNetConfig> = serde_json::from_value(best.network.clone()).ok();
    let network = network.filter(|network| network.validate().is_ok());
    let size = best.recipe.augmentation.crop.unwrap_or(Size::square(512));
    // A crop is as large as what the network sees, whatever the scale.
    let protocol = Protocol {
        min_size: best.recipe.validation.protocol.min_size,
        ..Protocol::default()
    };
    let cost = network.map(|network| {
        let any = Size::square(network.min_image_side());
        let parameters = network.cost(any, Outputs::All).total().parameters;
        (parameters, results::macs(&network, size, &protocol))
    });
    let result = match &best.scores {
        Some(scores) => results::of_scores(scores, &best.classes.names(), &last.history),
        None => results::of_history(&last.history),
    };
    RunResult {
        parameters: cost.map(|(parameters, _)| parameters),
        macs: cost.map(|(_, macs)| macs),
        ..result
    }
}

fn name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or(folder.as_os_str());
    name.to_string_lossy().into_owned()
}
