//! Whole layouts: counts, pairs, names and labels.

use std::fs;

use decoupled_seg_datasets::files::{RawMask, RawValues};
use decoupled_seg_datasets::{
    Annotation, CITYSCAPES_LABELS, CamVid, Cityscapes, CityscapesConfig, Dataset, DatasetError,
    FileDataset, IGNORE_LABEL, Kitti, KittiConfig, MapillaryVersion, MapillaryVistas,
    SegmentationDataset, Size, Split,
};
use decoupled_seg_synthetic::{
    self as synthetic, StreetScenes, StreetScenesConfig, SyntheticConfig,
};
use tempfile::TempDir;

use crate::layouts::{Layout, SIZE, for_all_layouts};

/// The name of a class of the scenes in a layout.
fn renamed(layout: Layout, name: &str) -> &str {
    match (layout, name) {
        (Layout::Mapillary | Layout::CustomFolders | Layout::CustomList, name) => name,
        (Layout::CamVid | Layout::CamVidLists | Layout::CamVidColors, "vegetation") => "tree",
        (Layout::CamVid | Layout::CamVidLists | Layout::CamVidColors, "person") => "pedestrian",
        (Layout::CamVid | Layout::CamVidLists | Layout::CamVidColors, name) => name,
        (_, "sign") => "traffic sign",
        (_, name) => name,
    }
}

/// Reads all items; images and labels must be those of the scenes, by class name.
#[track_caller]
fn assert_scenes(layout: Layout, dataset: &FileDataset, first: usize, len: usize) {
    assert_eq!(dataset.len(), len);
    let scenes = StreetScenes::new(StreetScenesConfig {
        len: 100,
        size: SIZE,
        seed: 1,
    });
    let classes = StreetScenes::classes();
    for index in 0..len {
        let sample = dataset.get(index).expect("a readable item");
        let scene = scenes.scene(first + index);
        let expected = |&label: &u8| {
            if label == IGNORE_LABEL || !dataset.is_labelled() {
                return IGNORE_LABEL;
            }
            let name = renamed(layout, classes.names()[usize::from(label)]);
            let label = dataset.classes().index_of(name);
            label.unwrap_or_else(|| panic!("no class `{name}`"))
        };
        let expected: Vec<u8> = scene.labels.data.iter().map(expected).collect();
        // Coarse labels leave out pixels near a border.
        let coarse = layout == Layout::CityscapesCoarse;
        let fits =
            |(&found, expected): (&u8, u8)| found == expected || coarse && found == IGNORE_LABEL;
        assert_eq!(sample.labels.data.len(), expected.len());
        assert!(
            sample.labels.data.iter().zip(expected).all(fits),
            "{}",
            sample.name
        );
        assert_eq!(dataset.labels(index).expect("readable"), sample.labels);
        assert_eq!(dataset.name(index), sample.name);
        let pixels = sample.image.iter().zip(scene.image.iter());
        let difference: u64 = pixels.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(
            difference as f64 / sample.image.len() as f64 <= 6.0,
            "JPEG is lossy, but the image is the scene's"
        );
    }
}

for_all_layouts! {
    fn counts_pairs_and_labels(layout) {
        // Two coarsely labelled cities of one image each, in the order of their names.
        let train = if layout == Layout::CityscapesCoarse { 2 } else { 4 };
        let written = layout.write(train);
        let open = |split| written.open(split).expect("a whole layout");
        let training = open(layout.training());
        if layout == Layout::Kitti {
            assert_scenes(layout, &training, 0, 7);
            assert_eq!(open(Split::Train).len() + open(Split::Val).len(), 7);
        } else {
            assert_scenes(layout, &training, 0, train);
        }
        for item in 0..train {
            let pair = &training.pairs()[item];
            assert_eq!(pair.image, written.image(item));
            assert_eq!(pair.labels.as_deref(), Some(&*written.mask(item)));
        }
        assert!(training.is_labelled());
        // The coarse annotation has one split, and KITTI's validation is a part of the training images.
        if !matches!(layout, Layout::Kitti | Layout::CityscapesCoarse) {
            assert_scenes(layout, &open(Split::Val), 4, 3);
        }
        match layout {
            // Their folds put the validation cities first.
            Layout::CityscapesIds | Layout::CityscapesTrainIds => {
                assert_eq!(open(Split::TrainVal).len(), 7);
            }
            Layout::Kitti | Layout::CityscapesCoarse | Layout::CustomFolders | Layout::CustomList => {}
            _ => assert_scenes(layout, &open(Split::TrainVal), 0, 7),
        }
        match layout {
            Layout::CityscapesCoarse => {}
            Layout::CustomFolders | Layout::CustomList => {
                let error = written.open(Split::Test).expect_err("not described");
                assert!(matches!(error, DatasetError::UnknownSplit { split, .. } if split == "test"));
            }
            _ => {
                let camvid = matches!(layout, Layout::CamVid | Layout::CamVidLists | Layout::CamVidColors);
                assert_eq!(open(Split::Test).is_labelled(), camvid, "benchmarks keep theirs");
                assert_scenes(layout, &open(Split::Test), 7, 2);
            }
        }
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn a_list_decides_in_its_order() {
    let written = Layout::CamVid.write(4);
    let line = |name: &str| {
        format!("/SegNet/CamVid/train/{name}.png /SegNet/CamVid/trainannot/{name}.png\n")
    };
    let list = line("0006R0_f00990") + &line("0006R0_f00930");
    fs::write(written.root().join("train.txt"), list).expect("writable");
    let train = CamVid::open(written.root(), Split::Train).expect("a whole list");
    assert_eq!(
        (train.len(), train.name(0)),
        (2, "0006R0_f00990".to_string()),
        "the list decides, in its order"
    );
}

#[test]
fn cityscapes_tells_objects_apart_where_the_files_are_there() {
    let written = Layout::CityscapesIds.write(4);
    let dataset = Cityscapes::open(written.root(), Split::Val).expect("a whole layout");
    let truths = Cityscapes::ground_truth(written.root(), Split::Val).expect("a whole layout");
    assert_eq!(truths.len(), dataset.len());
    for (index, truth) in truths.iter().enumerate() {
        assert!(dataset.name(index).starts_with(&truth.name));
        let labels = RawMask::read(&truth.labels).expect("readable");
        let instances = dataset.instances(index).expect("readable");
        let instances = instances.expect("the file is there");
        let RawValues::Bytes(ids) = labels.values else {
            panic!("{}", labels.format);
        };
        for (&id, &number) in ids.iter().zip(&instances.data) {
            let label = if number < 1000 { number } else { number / 1000 };
            assert_eq!(label, u16::from(id));
            assert_eq!(
                number >= 1000,
                CITYSCAPES_LABELS[usize::from(id)].has_instances()
            );
        }
    }
    fs::remove_file(&truths[0].instances).expect("writable");
    let dataset = Cityscapes::open(written.root(), Split::Val).expect("labels suffice");
    assert_eq!(dataset.instances(0).expect("nothing to read"), None);
    assert!(dataset.instances(1).expect("readable").is_some());

    let error = Cityscapes::ground_truth(written.root().join("gtFine"), Split::Val);
    let error = error.expect_err("one folder too deep");
    assert!(
        matches!(error, DatasetError::MissingFolder { .. }),
        "{error:?}"
    );
}

#[test]
fn cityscapes_in_the_folders_of_the_archives() {
    let written = Layout::CityscapesIds.write(4);
    for (from, to) in [
        ("leftImg8bit", "leftImg8bit_trainvaltest"),
        ("gtFine", "gtFine_trainvaltest"),
    ] {
        fs::create_dir(written.root().join(to)).expect("writable");
        fs::rename(
            written.root().join(from),
            written.root().join(to).join(from),
        )
        .expect("writable");
    }
    let train = Cityscapes::open(written.root(), Split::Train).expect("whole");
    assert_scenes(Layout::CityscapesIds, &train, 0, 4);
}

#[test]
fn coarse_labels_leave_out_borders() {
    let written = Layout::CityscapesCoarse.write(4);
    let config = CityscapesConfig::new(written.root(), Split::Train)
        .with_annotation(Annotation::CoarseExtra);
    let coarse = config.open().expect("a whole layout");
    assert_eq!(coarse.len(), 4);
    let labels = coarse.labels(0).expect("readable");
    let ignored = labels
        .data
        .iter()
        .filter(|&&label| label == IGNORE_LABEL)
        .count();
    assert!(ignored > labels.data.len() / 10, "borders are unlabelled");
    assert!(labels.data.contains(&0), "but the road is labelled");
}

#[test]
fn cityscapes_folds_exchange_cities() {
    let many = SyntheticConfig {
        train: 36,
        val: 3,
        test: 0,
        size: Size::square(16),
        seed: 0,
    };
    let root = folder();
    synthetic::write_cityscapes(root.path(), &many).expect("writable");
    let cities = |fold, split| {
        let dataset = CityscapesConfig::new(root.path(), split)
            .with_fold(fold)
            .open()
            .expect("a whole layout");
        let city = |pair: &decoupled_seg_datasets::files::Pair| {
            pair.name.split('_').next().map(str::to_string)
        };
        let mut cities: Vec<String> = dataset.pairs().iter().filter_map(city).collect();
        cities.sort();
        cities.dedup();
        cities
    };
    assert_eq!(cities(0, Split::Val), ["frankfurt", "lindau", "munster"]);
    assert_eq!(cities(1, Split::Val), ["darmstadt", "dusseldorf", "erfurt"]);
    assert_eq!(
        cities(2, Split::Val),
        ["monchengladbach", "strasbourg", "stuttgart"]
    );
    for fold in 0..3 {
        let (train, val) = (cities(fold, Split::Train), cities(fold, Split::Val));
        assert_eq!(train.len(), 18);
        assert!(val.iter().all(|city| !train.contains(city)));
        assert_eq!(cities(fold, Split::TrainVal).len(), 21);
    }
}

/// What belongs where must not hang on what else is there: one lost file would move pictures that were trained on into
/// the part that is judged.
#[test]
fn folds_do_not_move_when_something_is_missing() {
    let names = |open: &dyn Fn(Split) -> Result<FileDataset, DatasetError>| {
        [Split::Train, Split::Val].map(|split| {
            let dataset = open(split).expect("whole");
            let pairs = dataset.pairs().iter();
            pairs.map(|pair| pair.name.clone()).collect::<Vec<_>>()
        })
    };
    let without = |[train, val]: [Vec<String>; 2], lost: &str| {
        [train, val].map(|mut names| {
            names.retain(|name| !name.starts_with(lost));
            names
        })
    };

    let written = Layout::Kitti.write(20);
    let kitti = |fold| {
        let open = |split| {
            KittiConfig::new(written.root(), split)
                .with_fold(fold)
                .open()
        };
        names(&open)
    };
    let before = [0, 1, 2].map(kitti);
    fs::remove_file(written.image(2)).expect("there");
    fs::remove_file(written.mask(2)).expect("there");
    let after = before.map(|parts| without(parts, "000002_10"));
    assert_eq!([0, 1, 2].map(kitti), after);

    let written = Layout::CityscapesIds.write(36);
    let cityscapes = |fold| {
        let open = |split| {
            let config = CityscapesConfig::new(written.root(), split);
            config.with_fold(fold).open()
        };
        names(&open)
    };
    let before = [1, 2].map(cityscapes);
    for file in [written.image(0), written.mask(0)] {
        let city = file.parent().expect("in a city");
        assert!(city.ends_with("aachen"));
        fs::remove_dir_all(city).expect("there");
    }
    let after = before.map(|parts| without(parts, "aachen"));
    assert_eq!([1, 2].map(cityscapes), after);
}

#[test]
fn folds_of_kitti() {
    let written = Layout::Kitti.write(4);
    // Of the first seven images, 1 and 5 validate in fold 0, 0 in fold 1, 3 and 6 in fold 2.
    for (fold, validation) in [
        (0, vec!["000001_10", "000005_10"]),
        (1, vec!["000000_10"]),
        (2, vec!["000003_10", "000006_10"]),
    ] {
        let names = |split| {
            let dataset = KittiConfig::new(written.root(), split)
                .with_fold(fold)
                .open()
                .expect("whole");
            (0..dataset.len())
                .map(|index| dataset.name(index))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Split::Val), validation);
        assert_eq!(names(Split::Train).len(), 7 - validation.len());
    }
    let test = Kitti::open(written.root(), Split::Test).expect("whole");
    assert_eq!((test.len(), test.is_labelled()), (2, false));
}

#[test]
fn versions_of_mapillary() {
    use MapillaryVersion::V12;
    let written = Layout::Mapillary.write(4);
    let train = MapillaryVistas::open(written.root(), Split::Train, V12).expect("a whole layout");
    assert_eq!(
        train.classes().classes[9].category.as_deref(),
        Some("scene")
    );
    // The newer download has a folder for each version.
    for part in ["training", "validation"] {
        let nested = written.root().join(part).join("v1.2");
        fs::create_dir(&nested).expect("writable");
        fs::rename(
            written.root().join(part).join("labels"),
            nested.join("labels"),
        )
        .expect("writable");
    }
    fs::rename(
        written.root().join("config.json"),
        written.root().join("config_v1.2.json"),
    )
    .expect("writable");
    let val = MapillaryVistas::open(written.root(), Split::Val, V12).expect("whole");
    assert_scenes(Layout::Mapillary, &val, 4, 3);
    assert!(matches!(
        MapillaryVistas::open(written.root(), Split::Val, MapillaryVersion::V20),
        Err(DatasetError::MissingFile { looked_for, .. }) if looked_for.contains("config_v2.0.json")
    ));
}
