use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use decoupled_seg::engine::{FileError, Submission, score_cityscapes};
use decoupled_seg_types::write_atomic;
use serde_json::Value;

use crate::args::SplitName;
use crate::say::say;
use crate::{CliError, Project};

#[derive(Args)]
pub(crate) struct ScoreArgs {
    /// Folder of the data set.
    #[arg(long)]
    root: Option<PathBuf>,
    /// The images that were predicted.
    #[arg(long, value_enum, default_value = "val")]
    split: SplitName,
    /// Folder of the predictions: one `{city}_{sequence}_{frame}*.png` with label ids an image, in sub-folders or not.
    #[arg(long)]
    predictions: PathBuf,
    /// Also write the scores to this file, as fractions.
    #[arg(long)]
    json: Option<PathBuf>,
}

pub(crate) fn run(project: &Project, args: &ScoreArgs) -> Result<(), CliError> {
    if project.submission != Some(Submission::Cityscapes) {
        return Err(CliError::NotCityscapes);
    }
    if let Some(path) = &args.json
        && !is_free_or_scores(path)
    {
        return Err(CliError::OverNoScores { path: path.clone() });
    }
    let root = args.root.as_ref().unwrap_or(&project.root);
    let report = score_cityscapes(root, args.split.into(), &args.predictions)?;
    say!("{report}\n{} images", report.images);
    if let Some(path) = &args.json {
        let text = serde_json::to_vec_pretty(&report).expect("scores are plain data");
        write_atomic(path, |file| file.write_all(&text))
            .map_err(|source| FileError::new(path, "writing the scores", source))?;
    }
    Ok(())
}

/// Whether nothing is there, or what an earlier command wrote. A device takes anything.
fn is_free_or_scores(path: &Path) -> bool {
    if !path.is_file() {
        return true;
    }
    let there = fs::read(path).unwrap_or_default();
    let there: Option<Value> = serde_json::from_slice(&there).ok();
    there.is_some_and(|scores| scores.get("class_mean").is_some())
}
