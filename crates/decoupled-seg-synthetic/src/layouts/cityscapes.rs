use std::path::Path;

use decoupled_seg_datasets::files::{write_image, write_instances, write_mask};
use decoupled_seg_datasets::{
    CITYSCAPES_LABELS, DatasetError, IGNORE_LABEL, InstanceMap, LabelMap, Sample, Split,
};
use decoupled_seg_targets::{TargetsOptions, edge_map};
use decoupled_seg_types::{CITYSCAPES_TRAIN_CITIES, CITYSCAPES_VAL_CITIES};

use super::{Coding, SPLITS, SyntheticConfig};
use crate::StreetScenes;

/// Train ids of Cityscapes.
pub(super) const TRAIN_IDS: Coding = Coding {
    values: [0, 1, 2, 4, 5, 7, 8, 10, 11, 13],
    ignored: IGNORE_LABEL,
};

/// Ids of Cityscapes. Ignored pixels become "ego vehicle", because they show the camera's own car.
pub(super) fn ids() -> Coding {
    let id = |train_id: u8| {
        let label = CITYSCAPES_LABELS
            .iter()
            .find(|label| label.train_id == train_id);
        label.expect("a train id of the table").id as u8
    };
    Coding {
        values: TRAIN_IDS.values.map(id),
        ignored: 1,
    }
}

const TEST_CITIES: [&str; 6] = [
    "berlin",
    "bielefeld",
    "bonn",
    "leverkusen",
    "mainz",
    "munich",
];
const EXTRA_CITIES: [&str; 2] = ["augsburg", "wuppertal"];

/// Writes the layout that [`Cityscapes`](decoupled_seg_datasets::Cityscapes) reads, with ids, train ids and connected
/// regions as instances, spread over the cities.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_cityscapes(
    root: impl AsRef<Path>,
    config: &SyntheticConfig,
) -> Result<(), DatasetError> {
    for split in SPLITS {
        let cities: &[&str] = match split {
            Split::Val => &CITYSCAPES_VAL_CITIES,
            Split::Test => &TEST_CITIES,
            _ => &CITYSCAPES_TRAIN_CITIES,
        };
        write_cities(
            root.as_ref(),
            config.scenes(split),
            split.as_str(),
            cities,
            "gtFine",
        )?;
    }
    Ok(())
}

/// Writes `train_extra` with as many images as the training split. Its labels are coarse: pixels near a border are
/// unlabelled.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_cityscapes_coarse(
    root: impl AsRef<Path>,
    config: &SyntheticConfig,
) -> Result<(), DatasetError> {
    let classes = StreetScenes::classes().num_classes();
    let scenes = config.scenes(Split::Train).map(|mut sample| {
        let options = TargetsOptions {
            edge_radius: 3,
            ..TargetsOptions::default()
        };
        let edges = edge_map(&sample.labels, classes, &options);
        let labels = sample.labels.data.iter_mut().zip(edges);
        labels
            .filter(|(_, edge)| *edge == 1)
            .for_each(|(label, _)| *label = IGNORE_LABEL);
        sample
    });
    write_cities(
        root.as_ref(),
        scenes,
        "train_extra",
        &EXTRA_CITIES,
        "gtCoarse",
    )
}

fn write_cities(
    root: &Path,
    scenes: impl Iterator<Item = Sample>,
    part: &str,
    cities: &[&str],
    kind: &str,
) -> Result<(), DatasetError> {
    for (number, sample) in scenes.enumerate() {
        let city = cities[number % cities.len()];
        let name = format!("{city}_{:06}_{:06}", number / cities.len(), 19);
        write_image(
            root.join(format!("leftImg8bit/{part}/{city}/{name}_leftImg8bit.png")),
            &sample.image,
        )?;
        let labels = root.join(format!("{kind}/{part}/{city}"));
        // The benchmark withholds the labels of the test split: every pixel is "out of roi".
        let withheld = LabelMap::filled(sample.size(), 3);
        let (by_id, by_train_id) = if part == "test" {
            (withheld, LabelMap::filled(sample.size(), IGNORE_LABEL))
        } else {
            (
                ids().encode(&sample.labels),
                TRAIN_IDS.encode(&sample.labels),
            )
        };
        write_mask(labels.join(format!("{name}_{kind}_labelIds.png")), &by_id)?;
        let has_instances = |id: u8| {
            CITYSCAPES_LABELS
                .get(usize::from(id))
                .is_some_and(|label| label.has_instances())
        };
        write_instances(
            labels.join(format!("{name}_{kind}_instanceIds.png")),
            &InstanceMap::of_regions(&by_id, has_instances),
        )?;
        write_mask(
            labels.join(format!("{name}_{kind}_labelTrainIds.png")),
            &by_train_id,
        )?;
    }
    Ok(())
}
