use std::path::Path;

use super::camvid::CamVid;
use crate::files::{Folders, Listing, MaskEncoding, MaskReader, missing_folder};
use crate::{ClassTable, DatasetError, FileDataset, IGNORE_LABEL, Opened, Split};

/// A class of the original CamVid labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CamVidColor {
    /// The colour in the label files.
    pub color: [u8; 3],
    /// The name in `label_colors.txt`.
    pub name: &'static str,
    /// Index among the 11 trained classes, or [`IGNORE_LABEL`].
    pub label: u8,
}

const fn class(color: [u8; 3], name: &'static str, label: u8) -> CamVidColor {
    CamVidColor { color, name, label }
}

/// The 32 classes of the original labels, and their classes in the 11-class benchmark.
pub const CAMVID_COLORS: [CamVidColor; 32] = [
    class([64, 128, 64], "Animal", 9),
    class([192, 0, 128], "Archway", 1),
    class([0, 128, 192], "Bicyclist", 10),
    class([0, 128, 64], "Bridge", 1),
    class([128, 0, 0], "Building", 1),
    class([64, 0, 128], "Car", 8),
    class([64, 0, 192], "CartLuggagePram", 9),
    class([192, 128, 64], "Child", 9),
    class([192, 192, 128], "Column_Pole", 2),
    class([64, 64, 128], "Fence", 7),
    class([128, 0, 192], "LaneMkgsDriv", 3),
    class([192, 0, 64], "LaneMkgsNonDriv", 3),
    class([128, 128, 64], "Misc_Text", 6),
    class([192, 0, 192], "MotorcycleScooter", 10),
    class([128, 64, 64], "OtherMoving", 8),
    class([64, 192, 128], "ParkingBlock", 4),
    class([64, 64, 0], "Pedestrian", 9),
    class([128, 64, 128], "Road", 3),
    class([128, 128, 192], "RoadShoulder", 4),
    class([0, 0, 192], "Sidewalk", 4),
    class([192, 128, 128], "SignSymbol", 6),
    class([128, 128, 128], "Sky", 0),
    class([64, 128, 192], "SUVPickupTruck", 8),
    class([0, 0, 64], "TrafficCone", 2),
    class([0, 64, 64], "TrafficLight", 6),
    class([192, 64, 128], "Train", 8),
    class([128, 128, 0], "Tree", 5),
    class([192, 128, 192], "Truck_Bus", 8),
    class([64, 0, 64], "Tunnel", 1),
    class([192, 192, 0], "VegetationMisc", 5),
    class([0, 0, 0], "Void", IGNORE_LABEL),
    class([64, 192, 0], "Wall", 1),
];

pub(super) const IMAGES: &str = "701_StillsRaw_full";
const LABELS: &str = "LabeledApproved_full";

impl CamVid {
    /// Opens a split of the original release: 701 frames of 960x720 with labels in 32 colours, mapped to the 11
    /// classes.
    ///
    /// ```text
    /// root/701_StillsRaw_full/{frame}.png
    /// root/LabeledApproved_full/{frame}_L.png
    /// ```
    ///
    /// The release has no splits, so the splits are those of the SegNet tutorial (367, 101 and 233 frames). The name of
    /// a frame tells its split.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open); [`DatasetError::UnknownFrame`] for a frame whose name tells no split.
    pub fn open_original(
        root: impl AsRef<Path>,
        split: Split,
    ) -> Result<FileDataset, DatasetError> {
        Self::open_original_partially(root, split).whole()
    }

    /// As [`open_original`](Self::open_original), but also returns the usable items of a split with problems.
    pub fn open_original_partially(root: impl AsRef<Path>, split: Split) -> Opened<FileDataset> {
        let root = root.as_ref();
        let mut listing = Listing::default();
        listing.add(list(root, split));
        let classes = Self::classes();
        let masks = color_masks(&classes);
        FileDataset::of_listing(listing, root, classes, masks)
    }
}

/// A reader of the 32 colours.
pub(super) fn color_masks(classes: &ClassTable) -> MaskReader {
    let colors = CAMVID_COLORS.iter();
    MaskReader {
        encoding: MaskEncoding::Color,
        colors: colors.map(|class| (class.color, class.label)).collect(),
        ..MaskReader::colors(classes, &[])
    }
}

fn list(root: &Path, split: Split) -> Result<Listing, DatasetError> {
    if !root.is_dir() {
        let looked_for = format!("the CamVid folder with `{IMAGES}/` and `{LABELS}/`");
        return Err(missing_folder(root, looked_for));
    }
    let (images, labels) = (root.join(IMAGES), root.join(LABELS));
    let folders = Folders {
        images: &images,
        image_suffixes: &[".png"],
        labels: &labels,
        label_suffix: "_L.png",
    };
    let Listing { pairs, problems } = folders.pairs();
    let mut chosen = Listing {
        pairs: Vec::new(),
        problems,
    };
    for pair in pairs {
        match split_of(&pair.name) {
            Some(part) if split.parts().contains(&part) => chosen.pairs.push(pair),
            Some(_) => {}
            None => chosen.problems.push(DatasetError::UnknownFrame {
                path: pair.image,
                expected: "0001TP, 0006R0, 0016E5 or Seq05VD",
            }),
        }
    }
    if chosen.pairs.is_empty() && chosen.problems.is_empty() {
        chosen.problems.push(DatasetError::Empty {
            path: images,
            looked_for: format!("frames of the split `{split}`"),
        });
    }
    Ok(chosen)
}

/// The split of a frame in the SegNet tutorial.
fn split_of(name: &str) -> Option<Split> {
    let (sequence, frame) = name.split_once('_')?;
    let number: u32 = frame.trim_start_matches('f').parse().ok()?;
    match sequence {
        "0006R0" => Some(Split::Train),
        "0001TP" => Some(if number <= 8520 {
            Split::Train
        } else {
            Split::Test
        }),
        // Odd numbers come from a stretch of 14 seconds that is labelled at 15 frames a second, and validate. Even
        // numbers are labelled at 1 frame a second, and train.
        "0016E5" => Some(if number % 2 == 1 {
            Split::Val
        } else {
            Split::Train
        }),
        "Seq05VD" => Some(Split::Test),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn colours_differ_and_every_class_is_met() {
        let colors: BTreeSet<[u8; 3]> = CAMVID_COLORS.iter().map(|class| class.color).collect();
        assert_eq!(colors.len(), 32);
        let labels: BTreeSet<u8> = CAMVID_COLORS.iter().map(|class| class.label).collect();
        assert_eq!(
            labels.into_iter().collect::<Vec<_>>(),
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, IGNORE_LABEL]
        );
        for (index, color) in (0..).zip(CamVid::classes().colors()) {
            let class = CAMVID_COLORS
                .iter()
                .find(|class| class.color == color)
                .expect("a colour of the release");
            assert_eq!(class.label, index, "{}", class.name);
        }
    }

    #[test]
    fn names_tell_the_split() {
        for (name, split) in [
            ("0001TP_006690", Split::Train),
            ("0001TP_008550", Split::Test),
            ("0006R0_f00930", Split::Train),
            ("0016E5_00390", Split::Train),
            ("0016E5_07959", Split::Val),
            ("Seq05VD_f00000", Split::Test),
        ] {
            assert_eq!(split_of(name), Some(split), "{name}");
        }
        assert_eq!(split_of("holiday_001"), None);
        assert_eq!(split_of("0001TP"), None);
    }
}
