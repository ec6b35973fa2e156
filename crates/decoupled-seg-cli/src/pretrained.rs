//! Weights by name: what there is, and where it lies.

use std::path::{Path, PathBuf};

use decoupled_seg::engine::Progress;
use decoupled_seg_pretrained::{PretrainedWeights, TABLE, default_cache_folder, fetch};
use decoupled_seg_types::TextTable;

use crate::CliError;
use crate::say::say;

const MEGABYTE: u64 = 1_000_000;

/// Prints what can be fetched.
pub(crate) fn list() {
    let header = ["name", "MB", "licence", "trained by"];
    let table = TABLE.iter().fold(TextTable::new(header), |table, weights| {
        let megabytes = format!("{:.1}", weights.bytes as f64 / MEGABYTE as f64);
        table.with_row([weights.name, &megabytes, weights.licence, weights.origin])
    });
    say!("{table}");
    for weights in &TABLE {
        say!("{}: {}", weights.name, weights.url);
        say!("  SHA-256 {}", weights.sha256);
        if !weights.remark.is_empty() {
            say!("  {}", weights.remark);
        }
    }
}

/// The file of the weights `name`, from the cache or its address.
pub(crate) fn get(name: &str, folder: Option<&Path>) -> Result<PathBuf, CliError> {
    let weights = PretrainedWeights::find(name)?;
    let folder = match folder {
        Some(folder) => folder.to_path_buf(),
        None => default_cache_folder()?,
    };
    let megabytes = |bytes: u64| (bytes / MEGABYTE) as usize;
    let counter = Progress::Auto.count("megabytes", megabytes(weights.bytes));
    let path = fetch(weights, &folder, &mut |progress| {
        counter.at(megabytes(progress.received));
    })?;
    counter.finish();
    Ok(path)
}
