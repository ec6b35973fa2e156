//! Readers of the data sets' official layouts. Each opens a [`FileDataset`](crate::FileDataset).

mod bdd100k;
mod camvid;
mod camvid_colors;
mod cityscapes;
mod cityscapes_labels;
mod cityscapes_truth;
mod custom;
mod kitti;
mod mapillary;

pub use bdd100k::Bdd100k;
pub use camvid::CamVid;
pub use camvid_colors::{CAMVID_COLORS, CamVidColor};
pub use cityscapes::{Annotation, Cityscapes, CityscapesConfig, LabelFiles};
pub use cityscapes_truth::CityscapesTruth;
pub use custom::{CustomDataset, CustomSplit};
pub use kitti::{Kitti, KittiConfig};
pub use mapillary::{MapillaryVersion, MapillaryVistas};

use std::path::{Path, PathBuf};

use crate::files::{Listing, list_subfolders, missing_folder};
use crate::hash::Fnv;
use crate::{DatasetError, Split};

/// The first of several folders that exists: archives unpack to one or another of them.
fn first_folder(
    root: &Path,
    candidates: &[&str],
    looked_for: &str,
) -> Result<PathBuf, DatasetError> {
    let folders = candidates.iter().map(|candidate| root.join(candidate));
    folders
        .into_iter()
        .find(|folder| folder.is_dir())
        .ok_or_else(|| {
            let looked_for = format!(
                "{looked_for} in `{}` under `{}`",
                candidates.join("` or `"),
                root.display()
            );
            missing_folder(&root.join(candidates[0]), looked_for)
        })
}

/// As [`first_folder`], for the folders that tell where a layout is. If the root has nothing of it, but one folder below has,
/// the error names that folder: archives unpack into folders of their own.
fn first_of_layout(
    root: &Path,
    candidates: &[&str],
    looked_for: &str,
    layout: &[&str],
) -> Result<PathBuf, DatasetError> {
    let has = |folder: &Path, names: &[&str]| names.iter().any(|name| folder.join(name).is_dir());
    first_folder(root, candidates, looked_for).map_err(|error| match has(root, layout) {
        true => error,
        false => in_folder_below(root, error, |folder| has(folder, candidates)),
    })
}

/// The error with the folder below that has what was looked for, if there is one.
fn in_folder_below(root: &Path, error: DatasetError, has: impl Fn(&Path) -> bool) -> DatasetError {
    match root_below(root, has) {
        Some(root) => DatasetError::RootBelow {
            source: Box::new(error),
            root,
        },
        None => error,
    }
}

/// More folders than this are not looked at: they are items or sequences, not what archives unpack to.
const MOST_FOLDERS: usize = 256;

/// The only folder below a root, one level down or two, that has what was looked for.
fn root_below(root: &Path, has: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let folders_in = |folder: &Path| list_subfolders(folder, "").unwrap_or_default();
    let mut level = folders_in(root);
    for _ in 0..2 {
        level.truncate(MOST_FOLDERS);
        let mut found = level.iter().filter(|folder| has(folder));
        if let Some(first) = found.next() {
            return found.next().is_none().then(|| first.clone());
        }
        level = level.iter().flat_map(|folder| folders_in(folder)).collect();
    }
    None
}

/// Lists the parts of a split, one after the other.
fn list_parts(split: Split, list: impl Fn(Split) -> Result<Listing, DatasetError>) -> Listing {
    let mut listing = Listing::default();
    for &part in split.parts() {
        listing.add(list(part));
    }
    listing
}

/// A place below `places` for a name that a data set's folds do not know. It hangs on nothing but the name: a fold must not
/// change with what else is there, or pictures that were trained on are judged.
fn place_of_name(name: &str, places: usize) -> usize {
    (Fnv::new().bytes(name.as_bytes()).finish() % places as u64) as usize
}
