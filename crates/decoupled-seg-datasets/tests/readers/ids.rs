//! The label that every reader makes of every value of a label file.

use std::collections::BTreeSet;

use decoupled_seg_datasets::files::{write_image, write_mask};
use decoupled_seg_datasets::{
    CAMVID_COLORS, CamVid, ClassTable, DatasetError, FileDataset, IGNORE_LABEL, LabelMap,
    SegmentationDataset, Size, Split,
};
use image::RgbImage;

use crate::layouts::{Layout, Written, for_all_layouts};

/// The train id of each id of Cityscapes, as `labels.py` of the official scripts has them.
const TRAIN_IDS: [u8; 34] = [
    255, 255, 255, 255, 255, 255, 255, 0, 1, 255, 255, 2, 3, 4, 255, 255, 255, 5, 255, 6, 7, 8, 9,
    10, 11, 12, 13, 14, 15, 255, 255, 16, 17, 18,
];

/// The label of each known value.
fn known(layout: Layout) -> Vec<(u8, u8)> {
    let identity = |classes: u8, ignored: u8| -> Vec<(u8, u8)> {
        let classes = (0..classes).map(|class| (class, class));
        classes.chain([(ignored, IGNORE_LABEL)]).collect()
    };
    match layout {
        Layout::CityscapesIds | Layout::CityscapesCoarse | Layout::Kitti => {
            (0..).zip(TRAIN_IDS).collect()
        }
        Layout::CityscapesTrainIds | Layout::Bdd2020 | Layout::Bdd2018 => {
            identity(19, IGNORE_LABEL)
        }
        // Conversions in circulation have void as 255.
        Layout::CamVid | Layout::CamVidLists => {
            [identity(11, 11), vec![(IGNORE_LABEL, IGNORE_LABEL)]].concat()
        }
        Layout::Mapillary => identity(10, 10),
        Layout::CustomFolders | Layout::CustomList => identity(10, IGNORE_LABEL),
        Layout::CamVidColors => Vec::new(),
    }
}

fn opened(written: &Written) -> FileDataset {
    written.open(written.layout.training()).expect("whole")
}

for_all_layouts! {
    fn every_value_is_mapped_or_refused(layout) {
        if layout == Layout::CamVidColors {
            return; // Its masks have no values; see below.
        }
        let written = layout.write(1);
        let known = known(layout);
        let width = known.len();
        write_image(written.image(0), &RgbImage::new(width as u32, 1)).expect("writable");
        let values = known.iter().map(|&(value, _)| value).collect();
        written.write_mask(&written.mask(0), &LabelMap::new(Size::new(1, width), values));
        let dataset = opened(&written);
        let labels = dataset.labels(0).expect("known values").data;
        assert_eq!(labels, known.iter().map(|&(_, label)| label).collect::<Vec<u8>>());
        let classes: BTreeSet<u8> = labels.into_iter().filter(|&label| label != IGNORE_LABEL).collect();
        let all: BTreeSet<u8> = (0..dataset.classes().num_classes() as u8).collect();
        assert_eq!(classes, all, "every class has a value");

        let mut refused = Vec::new();
        for value in 0..=255 {
            let expected = known.iter().find(|(known, _)| *known == value);
            let expected = expected.map(|&(_, label)| label);
            assert_eq!(dataset.masks().ids.get(value.into()), expected, "{value}");
            refused.extend(expected.is_none().then_some(value));
        }
        for value in [refused[0], refused[refused.len() - 1]] {
            written.write_mask(&written.mask(0), &LabelMap::filled(Size::new(1, 7), value));
            let error = dataset.labels(0).expect_err("no class");
            let DatasetError::UnknownLabel { path, label, count, num_classes, .. } = &error else {
                panic!("{error}")
            };
            assert_eq!((*label, *count), (value.into(), 7));
            assert_eq!((path, *num_classes), (&written.mask(0), all.len()));
        }
    }
}

#[test]
fn every_colour_of_camvid_is_mapped() {
    let written = Layout::CamVidColors.write(1);
    write_image(written.image(0), &RgbImage::new(32, 1)).expect("writable");
    let color = |x: u32, _| image::Rgb(CAMVID_COLORS[x as usize].color);
    write_image(written.mask(0), &RgbImage::from_fn(32, 1, color)).expect("writable");
    let dataset = opened(&written);
    let labels = dataset.labels(0).expect("known colours").data;
    // SegNet's 11 classes, by the names of `label_colors.txt`.
    let groups: [(&str, &[&str]); 11] = [
        ("sky", &["Sky"]),
        (
            "building",
            &["Archway", "Bridge", "Building", "Tunnel", "Wall"],
        ),
        ("pole", &["Column_Pole", "TrafficCone"]),
        ("road", &["LaneMkgsDriv", "LaneMkgsNonDriv", "Road"]),
        ("sidewalk", &["ParkingBlock", "RoadShoulder", "Sidewalk"]),
        ("tree", &["Tree", "VegetationMisc"]),
        ("sign", &["Misc_Text", "SignSymbol", "TrafficLight"]),
        ("fence", &["Fence"]),
        (
            "car",
            &["Car", "OtherMoving", "SUVPickupTruck", "Train", "Truck_Bus"],
        ),
        (
            "pedestrian",
            &["Animal", "CartLuggagePram", "Child", "Pedestrian"],
        ),
        ("bicyclist", &["Bicyclist", "MotorcycleScooter"]),
    ];
    let classes = CamVid::classes();
    for (class, label) in CAMVID_COLORS.iter().zip(labels) {
        let group = groups.iter().find(|(_, names)| names.contains(&class.name));
        let expected = group.map_or(Some(IGNORE_LABEL), |(name, _)| classes.index_of(name));
        assert_eq!(Some(label), expected, "{}", class.name);
    }
    assert_eq!(
        groups.iter().map(|(_, names)| names.len()).sum::<usize>(),
        31
    );
}

/// Ids of a custom table need not be class indices.
#[test]
fn every_id_of_a_custom_table_is_mapped() {
    use decoupled_seg_datasets::files::{IdMap, MaskEncoding, MaskReader};
    use decoupled_seg_datasets::{Class, CustomDataset, CustomSplit};

    let ids = [200, 3, 0, 77];
    let class = |id: u8| Class::new(format!("class {id}"), [id; 3]).with_id(id);
    let splits = CustomSplit {
        images: Some("images".into()),
        labels: Some("masks".into()),
        ..CustomSplit::default()
    };
    let description = CustomDataset {
        encoding: MaskEncoding::Grey,
        ignored: vec![254, 9],
        ignored_colors: Vec::new(),
        bands: None,
        classes: ids.map(class).into(),
        splits: [("all".to_string(), splits)].into(),
    };
    let root = tempfile::tempdir().expect("a temporary folder");
    write_image(root.path().join("images/a.png"), &RgbImage::new(6, 1)).expect("writable");
    let labels = LabelMap::new(Size::new(1, 6), vec![200, 3, 0, 77, 254, 9]);
    write_mask(root.path().join("masks/a.png"), &labels).expect("writable");
    let dataset = description.open_split(root.path(), "all").expect("whole");
    let labels = dataset.labels(0).expect("known ids");
    assert_eq!(labels.data, [0, 1, 2, 3, IGNORE_LABEL, IGNORE_LABEL]);

    let table = ClassTable::new(ids.map(class).into());
    let known = (0..).zip(ids).map(|(index, id)| (id, index));
    let map = IdMap::new(known.chain([(254, IGNORE_LABEL), (9, IGNORE_LABEL)]));
    let reader = MaskReader::new(MaskEncoding::Grey, map, table.num_classes());
    for id in 0..=255_u16 {
        let expected = (0..).zip(ids).find(|(_, known)| u16::from(*known) == id);
        let expected = expected.map(|(index, _)| index);
        let expected = expected.or([254, 9].contains(&id).then_some(IGNORE_LABEL));
        assert_eq!(reader.ids.get(id), expected, "{id}");
        assert_eq!(dataset.masks().ids.get(id), expected, "{id}");
    }
}

/// The license plate has no id of its own, and the test split no labels.
#[test]
fn what_has_no_labels_is_ignored() {
    let written = Layout::CityscapesIds.write(1);
    let test = written.open(Split::Test).expect("whole");
    assert!(!test.is_labelled());
    let labels = test.labels(0).expect("readable");
    assert!(labels.data.iter().all(|&label| label == IGNORE_LABEL));
}
