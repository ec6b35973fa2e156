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

use crate::files::{Listing, missing_folder};
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
