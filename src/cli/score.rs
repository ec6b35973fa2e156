use std::path::PathBuf;

use clap::Args;
use decoupled_seg_engine::{Submission, score_cityscapes, write_atomic};

use super::args::SplitName;
use super::{CliError, Project};

#[derive(Args)]
pub(super) struct ScoreArgs {
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

pub(super) fn run(project: &Project, args: &ScoreArgs) -> Result<(), CliError> {
    if project.submission != Some(Submission::Cityscapes) {
        return Err(CliError::NotCityscapes);
    }
    let root = args.root.as_ref().unwrap_or(&project.root);
    let report = score_cityscapes(root, args.split.into(), &args.predictions)?;
    println!("{report}\n{} images", report.images);
    if let Some(path) = &args.json {
        let text = serde_json::to_vec_pretty(&report).expect("scores are plain data");
        write_atomic(path, &text)?;
    }
    Ok(())
}
