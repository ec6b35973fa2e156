use std::collections::BTreeMap;
use std::path::Path;

use decoupled_seg_targets::{TargetsOptions, edge_map};
use image::RgbImage;

use super::files::{write_image, write_index_mask, write_instances, write_mask, write_text};
use super::{Coding, SyntheticConfig};
use crate::files::MaskEncoding;
use crate::{
    CAMVID_COLORS, CITYSCAPES_LABELS, CamVid, ClassTable, CustomDataset, CustomSplit, DatasetError,
    IGNORE, InstanceMap, LabelMap, Sample, Split, StreetScenes,
};

const SPLITS: [Split; 3] = [Split::Train, Split::Val, Split::Test];

/// Values of CamVid for the classes of the scenes; 11 is void.
const CAMVID: Coding = Coding {
    values: [3, 4, 1, 7, 2, 6, 5, 0, 9, 8],
    ignored: 11,
};
/// Train ids of Cityscapes.
const TRAIN_IDS: Coding = Coding {
    values: [0, 1, 2, 4, 5, 7, 8, 10, 11, 13],
    ignored: IGNORE,
};

/// Ids of Cityscapes; ignored pixels become "ego vehicle", which they are.
fn ids() -> Coding {
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

fn coded(sample: &Sample, coding: &Coding) -> LabelMap {
    LabelMap::new(
        sample.width(),
        sample.height(),
        coding.encode(&sample.labels.data),
    )
}

/// Writes the layout that [`CamVid::open`] reads, without lists.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_camvid(root: impl AsRef<Path>, config: &SyntheticConfig) -> Result<(), DatasetError> {
    let root = root.as_ref();
    for split in SPLITS {
        for (number, sample) in config.scenes(split).enumerate() {
            let name = format!("{}.png", camvid_name(split, number));
            write_image(root.join(split.as_str()).join(&name), &sample.image)?;
            write_mask(
                root.join(format!("{split}annot")).join(&name),
                &coded(&sample, &CAMVID),
            )?;
        }
    }
    Ok(())
}

/// Writes the layout that [`CamVid::open_original`] reads: one folder of images and one of colour labels.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_camvid_original(
    root: impl AsRef<Path>,
    config: &SyntheticConfig,
) -> Result<(), DatasetError> {
    let root = root.as_ref();
    let classes = CamVid::classes();
    let void = CAMVID_COLORS
        .iter()
        .find(|class| class.label == IGNORE)
        .expect("the table has void")
        .color;
    for split in SPLITS {
        for (number, sample) in config.scenes(split).enumerate() {
            let name = camvid_name(split, number);
            let labels = coded(&sample, &CAMVID);
            let colors = RgbImage::from_fn(labels.width as u32, labels.height as u32, |x, y| {
                let label = labels.get(x as usize, y as usize);
                image::Rgb(if label == CAMVID.ignored {
                    void
                } else {
                    classes.color(label)
                })
            });
            write_image(
                root.join(format!("701_StillsRaw_full/{name}.png")),
                &sample.image,
            )?;
            write_image(
                root.join(format!("LabeledApproved_full/{name}_L.png")),
                &colors,
            )?;
        }
    }
    Ok(())
}

/// The names of the release at the places where its splits begin.
fn camvid_name(split: Split, number: usize) -> String {
    match split {
        Split::Train | Split::TrainVal => format!("0006R0_f{:05}", 930 + 30 * number),
        Split::Val => format!("0016E5_{:05}", 7959 + 2 * number),
        Split::Test => format!("Seq05VD_f{:05}", 30 * number),
    }
}

const TRAIN_CITIES: [&str; 18] = [
    "aachen",
    "bochum",
    "bremen",
    "cologne",
    "darmstadt",
    "dusseldorf",
    "erfurt",
    "hamburg",
    "hanover",
    "jena",
    "krefeld",
    "monchengladbach",
    "strasbourg",
    "stuttgart",
    "tubingen",
    "ulm",
    "weimar",
    "zurich",
];
const VAL_CITIES: [&str; 3] = ["frankfurt", "lindau", "munster"];
const TEST_CITIES: [&str; 6] = [
    "berlin",
    "bielefeld",
    "bonn",
    "leverkusen",
    "mainz",
    "munich",
];
const EXTRA_CITIES: [&str; 2] = ["augsburg", "wuppertal"];

/// Writes the layout that [`Cityscapes`](crate::Cityscapes) reads, with ids, train ids and connected regions as
/// instances, spread over the cities.
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
            Split::Val => &VAL_CITIES,
            Split::Test => &TEST_CITIES,
            _ => &TRAIN_CITIES,
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

/// Writes `train_extra` with coarse labels (pixels near a border are unlabelled), as many as training images.
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
            .for_each(|(label, _)| *label = IGNORE);
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
        // The labels of the test split are withheld: everything is "out of roi".
        let withheld = LabelMap::filled(sample.width(), sample.height(), 3);
        let (by_id, by_train_id) = if part == "test" {
            (
                withheld,
                LabelMap::filled(sample.width(), sample.height(), IGNORE),
            )
        } else {
            (coded(&sample, &ids()), coded(&sample, &TRAIN_IDS))
        };
        write_mask(labels.join(format!("{name}_{kind}_labelIds.png")), &by_id)?;
        let has_instances = |id: u8| {
            CITYSCAPES_LABELS
                .get(usize::from(id))
                .is_some_and(|label| label.has_instances)
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

/// Writes the layout that [`Kitti`](crate::Kitti) reads: `train + val` images in `training`, `test` in `testing`.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_kitti(root: impl AsRef<Path>, config: &SyntheticConfig) -> Result<(), DatasetError> {
    let root = root.as_ref();
    for (number, sample) in config.scenes(Split::TrainVal).enumerate() {
        let name = format!("{number:06}_10.png");
        write_image(root.join("training/image_2").join(&name), &sample.image)?;
        write_mask(
            root.join("training/semantic").join(&name),
            &coded(&sample, &ids()),
        )?;
    }
    for (number, sample) in config.scenes(Split::Test).enumerate() {
        write_image(
            root.join(format!("testing/image_2/{number:06}_10.png")),
            &sample.image,
        )?;
    }
    Ok(())
}

/// Writes the layout of 2020 that [`Bdd100k`](crate::Bdd100k) reads (`images/10k`, `labels/sem_seg/masks`).
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_bdd100k(root: impl AsRef<Path>, config: &SyntheticConfig) -> Result<(), DatasetError> {
    write_bdd(
        root.as_ref(),
        config,
        "images/10k",
        "labels/sem_seg/masks",
        ".png",
    )
}

/// Writes the layout of 2018 that [`Bdd100k`](crate::Bdd100k) reads (`seg/images`, `seg/labels`).
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_bdd100k_2018(
    root: impl AsRef<Path>,
    config: &SyntheticConfig,
) -> Result<(), DatasetError> {
    write_bdd(
        root.as_ref(),
        config,
        "seg/images",
        "seg/labels",
        "_train_id.png",
    )
}

fn write_bdd(
    root: &Path,
    config: &SyntheticConfig,
    images: &str,
    labels: &str,
    suffix: &str,
) -> Result<(), DatasetError> {
    for split in SPLITS {
        for (number, sample) in config.scenes(split).enumerate() {
            let name = format!(
                "{number:08x}-{:08x}",
                number.wrapping_mul(0x9E37_79B1) & 0xFFFF_FFFF
            );
            write_image(
                root.join(format!("{images}/{split}/{name}.jpg")),
                &sample.image,
            )?;
            if split != Split::Test {
                let path = root.join(format!("{labels}/{split}/{name}{suffix}"));
                write_mask(path, &coded(&sample, &TRAIN_IDS))?;
            }
        }
    }
    Ok(())
}

/// Writes the layout of version 1.2 that [`MapillaryVistas`](crate::MapillaryVistas) reads, with the 10 classes of
/// the scenes in place of the 65 of the release.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_mapillary(
    root: impl AsRef<Path>,
    config: &SyntheticConfig,
) -> Result<(), DatasetError> {
    let root = root.as_ref();
    let classes = StreetScenes::classes();
    let label = |name: &str, color: [u8; 3]| {
        serde_json::json!({
            "color": color, "instances": false, "readable": name, "name": format!("scene--{name}"), "evaluate": true,
        })
    };
    let mut labels: Vec<_> = classes
        .classes
        .iter()
        .map(|class| label(&class.name, class.color))
        .collect();
    labels.push(label("Unlabeled", [0, 0, 0]));
    let text = serde_json::json!({ "labels": labels, "version": 1.1, "mapping": "public", "folder_structure": {} });
    write_text(&root.join("config.json"), &text.to_string())?;
    let mut palette = classes.colors();
    palette.push([0, 0, 0]);
    let coding = Coding {
        values: std::array::from_fn(|label| label as u8),
        ignored: 10,
    };
    for (split, folder) in [
        (Split::Train, "training"),
        (Split::Val, "validation"),
        (Split::Test, "testing"),
    ] {
        for (number, sample) in config.scenes(split).enumerate() {
            let name = format!("{folder}_{number:05}");
            write_image(
                root.join(format!("{folder}/images/{name}.jpg")),
                &sample.image,
            )?;
            if split != Split::Test {
                let path = root.join(format!("{folder}/labels/{name}.png"));
                write_index_mask(path, &coded(&sample, &coding), &palette)?;
            }
        }
    }
    Ok(())
}

/// Writes folders for training and a list for validation, and `dataset.toml` that describes them, as
/// [`CustomDataset::open`] reads.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_custom(root: impl AsRef<Path>, config: &SyntheticConfig) -> Result<(), DatasetError> {
    let root = root.as_ref();
    let mut list = String::from("# image label\n");
    for split in [Split::Train, Split::Val] {
        for (number, sample) in config.scenes(split).enumerate() {
            let (image, mask) = (
                format!("images/{split}/{number:04}.jpg"),
                format!("masks/{split}/{number:04}.png"),
            );
            write_image(root.join(&image), &sample.image)?;
            write_mask(root.join(&mask), &sample.labels)?;
            if split == Split::Val {
                list += &format!("{image} {mask}\n");
            }
        }
    }
    write_text(&root.join("val.txt"), &list)?;
    let ClassTable { classes } = StreetScenes::classes();
    let folders = CustomSplit {
        images: Some("images/train".into()),
        labels: Some("masks/train".into()),
        ..CustomSplit::default()
    };
    let listed = CustomSplit {
        list: Some("val.txt".into()),
        ..CustomSplit::default()
    };
    let description = CustomDataset {
        encoding: MaskEncoding::Grey,
        ignored: vec![IGNORE],
        ignored_colors: Vec::new(),
        classes,
        splits: BTreeMap::from([("train".to_string(), folders), ("val".to_string(), listed)]),
    };
    let text = toml::to_string(&description).expect("a description is plain data");
    write_text(&root.join("dataset.toml"), &text)
}
