//! Every layout, written to disk as the official archives have it, read back and broken.

use std::fs;
use std::path::Path;

use decoupled_seg_datasets::files::{Folders, MaskEncoding, RawMask, RawValues};
use decoupled_seg_datasets::synthetic::{
    self, SyntheticConfig, write_image, write_index_mask, write_mask,
};
use decoupled_seg_datasets::{
    Annotation, Bdd100k, CITYSCAPES_LABELS, CamVid, Cityscapes, CityscapesConfig, CustomDataset,
    Dataset, DatasetError, FileDataset, IGNORE, Kitti, KittiConfig, LabelFiles, LabelMap,
    MapillaryVistas, SegmentationDataset, Split, StreetScenes, StreetScenesConfig,
};
use image::RgbImage;
use tempfile::TempDir;

const CONFIG: SyntheticConfig = SyntheticConfig {
    train: 4,
    val: 3,
    test: 2,
    width: 48,
    height: 32,
    seed: 1,
};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn written(write: impl Fn(&Path, &SyntheticConfig) -> Result<(), DatasetError>) -> TempDir {
    let root = folder();
    write(root.path(), &CONFIG).expect("a writable folder");
    root
}

/// Reads all items; labels must be those of the scenes, by class name.
#[track_caller]
fn assert_scenes(dataset: &FileDataset, first: usize, len: usize, renamed: &[(&str, &str)]) {
    assert_eq!(dataset.len(), len);
    let scenes = StreetScenes::new(StreetScenesConfig {
        len: 100,
        width: CONFIG.width,
        height: CONFIG.height,
        seed: CONFIG.seed,
    });
    let classes = StreetScenes::classes();
    for index in 0..len {
        let sample = dataset.get(index).expect("a readable item");
        let scene = scenes.scene(first + index);
        let expected = scene.labels.data.iter().map(|&label| {
            if label == IGNORE {
                return IGNORE;
            }
            let name = classes.names()[usize::from(label)];
            let name = renamed
                .iter()
                .find(|(from, _)| *from == name)
                .map_or(name, |(_, to)| to);
            dataset
                .classes()
                .index_of(name)
                .unwrap_or_else(|| panic!("no class `{name}`"))
        });
        assert_eq!(
            sample.labels.data,
            expected.collect::<Vec<_>>(),
            "{}",
            sample.name
        );
        assert_eq!(dataset.labels(index).expect("readable"), sample.labels);
        assert_eq!(dataset.name(index), sample.name);
        let difference = sample
            .image
            .iter()
            .zip(scene.image.iter())
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum::<u64>();
        assert!(
            difference as f64 / sample.image.len() as f64 <= 6.0,
            "JPEG is lossy, but the image is the scene's"
        );
    }
}

const CAMVID_NAMES: [(&str, &str); 2] = [("vegetation", "tree"), ("person", "pedestrian")];
const CITYSCAPES_NAMES: [(&str, &str); 1] = [("sign", "traffic sign")];

#[test]
fn camvid() {
    let root = written(|root, config| synthetic::write_camvid(root, config));
    let open = |split| CamVid::open(root.path(), split).expect("a whole layout");
    assert_scenes(&open(Split::Train), 0, 4, &CAMVID_NAMES);
    assert_scenes(&open(Split::Val), 4, 3, &CAMVID_NAMES);
    assert_scenes(&open(Split::Test), 7, 2, &CAMVID_NAMES);
    assert_scenes(&open(Split::TrainVal), 0, 7, &CAMVID_NAMES);
    assert_eq!(open(Split::Train).name(1), "0006R0_f00960");
    assert!(open(Split::Test).is_labelled());
}

#[test]
fn camvid_from_the_lists_of_the_tutorial() {
    let root = written(|root, config| synthetic::write_camvid(root, config));
    let line = |name: &str| {
        format!("/SegNet/CamVid/train/{name}.png /SegNet/CamVid/trainannot/{name}.png\n")
    };
    let list = line("0006R0_f00990") + &line("0006R0_f00930");
    fs::write(root.path().join("train.txt"), list).expect("writable");
    let train = CamVid::open(root.path(), Split::Train).expect("a whole list");
    assert_eq!(
        (train.len(), train.name(0)),
        (2, "0006R0_f00990".to_string()),
        "the list decides, in its order"
    );
}

#[test]
fn camvid_original_colours() {
    let root = written(|root, config| synthetic::write_camvid_original(root, config));
    let open = |split| CamVid::open_original(root.path(), split).expect("a whole layout");
    assert_scenes(&open(Split::Train), 0, 4, &CAMVID_NAMES);
    assert_scenes(&open(Split::Val), 4, 3, &CAMVID_NAMES);
    assert_scenes(&open(Split::Test), 7, 2, &CAMVID_NAMES);
}

#[test]
fn cityscapes_in_both_encodings() {
    let root = written(|root, config| synthetic::write_cityscapes(root, config));
    for label_files in [LabelFiles::LabelIds, LabelFiles::LabelTrainIds] {
        let open = |split| {
            let config = CityscapesConfig::new(root.path(), split).with_label_files(label_files);
            config.open().expect("a whole layout")
        };
        assert_scenes(&open(Split::Train), 0, 4, &CITYSCAPES_NAMES);
        assert_scenes(&open(Split::Val), 4, 3, &CITYSCAPES_NAMES);
    }
    let test = Cityscapes::open(root.path(), Split::Test).expect("images are there");
    assert!(!test.is_labelled());
    let sample = test.get(0).expect("readable");
    assert_eq!(sample.name, "berlin_000000_000019_leftImg8bit");
    assert!(sample.labels.data.iter().all(|&label| label == IGNORE));
}

#[test]
fn cityscapes_tells_objects_apart_where_the_files_are_there() {
    let root = written(|root, config| synthetic::write_cityscapes(root, config));
    let dataset = Cityscapes::open(root.path(), Split::Val).expect("a whole layout");
    let truths = Cityscapes::ground_truth(root.path(), Split::Val).expect("a whole layout");
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
                CITYSCAPES_LABELS[usize::from(id)].has_instances
            );
        }
    }
    fs::remove_file(&truths[0].instances).expect("writable");
    let dataset = Cityscapes::open(root.path(), Split::Val).expect("labels suffice");
    assert_eq!(dataset.instances(0).expect("nothing to read"), None);
    assert!(dataset.instances(1).expect("readable").is_some());

    let error = Cityscapes::ground_truth(root.path().join("gtFine"), Split::Val);
    let error = error.expect_err("one folder too deep");
    assert!(
        matches!(error, DatasetError::MissingFolder { .. }),
        "{error:?}"
    );
}

#[test]
fn cityscapes_in_the_folders_of_the_archives() {
    let root = written(|root, config| synthetic::write_cityscapes(root, config));
    for (from, to) in [
        ("leftImg8bit", "leftImg8bit_trainvaltest"),
        ("gtFine", "gtFine_trainvaltest"),
    ] {
        fs::create_dir(root.path().join(to)).expect("writable");
        fs::rename(root.path().join(from), root.path().join(to).join(from)).expect("writable");
    }
    assert_scenes(
        &Cityscapes::open(root.path(), Split::Train).expect("whole"),
        0,
        4,
        &CITYSCAPES_NAMES,
    );
}

#[test]
fn cityscapes_coarse() {
    let root = written(|root, config| synthetic::write_cityscapes_coarse(root, config));
    let config =
        CityscapesConfig::new(root.path(), Split::Train).with_annotation(Annotation::CoarseExtra);
    let coarse = config.open().expect("a whole layout");
    assert_eq!(coarse.len(), 4);
    let labels = coarse.labels(0).expect("readable");
    let ignored = labels.data.iter().filter(|&&label| label == IGNORE).count();
    assert!(ignored > labels.data.len() / 10, "borders are unlabelled");
    assert!(labels.data.contains(&0), "but the road is labelled");
}

#[test]
fn cityscapes_folds_exchange_cities() {
    let many = SyntheticConfig {
        train: 36,
        val: 3,
        test: 0,
        width: 16,
        height: 16,
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

#[test]
fn every_id_of_the_table_is_mapped() {
    let root = folder();
    let city = "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png";
    write_image(root.path().join(city), &RgbImage::new(34, 1)).expect("writable");
    let labels = LabelMap::new(34, 1, (0..34).collect());
    let path = root
        .path()
        .join("gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png");
    write_mask(&path, &labels).expect("writable");
    let read = Cityscapes::open(root.path(), Split::Train)
        .expect("whole")
        .labels(0)
        .expect("known ids");
    for label in CITYSCAPES_LABELS.iter().filter(|label| label.id >= 0) {
        assert_eq!(
            read.data[label.id as usize], label.train_id,
            "{}",
            label.name
        );
    }
    write_mask(&path, &LabelMap::new(34, 1, vec![34; 34])).expect("writable");
    let error = Cityscapes::open(root.path(), Split::Train)
        .expect("whole")
        .labels(0)
        .expect_err("no such id");
    assert!(
        matches!(
            error,
            DatasetError::UnknownLabel {
                label: 34,
                count: 34,
                num_classes: 19,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn kitti() {
    let root = written(|root, config| synthetic::write_kitti(root, config));
    assert_scenes(
        &Kitti::open(root.path(), Split::TrainVal).expect("whole"),
        0,
        7,
        &CITYSCAPES_NAMES,
    );
    // Of the first seven images, 1 and 5 validate in fold 0, 0 in fold 1, 3 and 6 in fold 2.
    for (fold, validation) in [
        (0, vec!["000001_10", "000005_10"]),
        (1, vec!["000000_10"]),
        (2, vec!["000003_10", "000006_10"]),
    ] {
        let names = |split| {
            let dataset = KittiConfig::new(root.path(), split)
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
    let test = Kitti::open(root.path(), Split::Test).expect("whole");
    assert_eq!((test.len(), test.is_labelled()), (2, false));
}

#[test]
fn bdd100k_in_both_layouts() {
    for root in [
        written(|root, config| synthetic::write_bdd100k(root, config)),
        written(|root, config| synthetic::write_bdd100k_2018(root, config)),
    ] {
        let open = |split| Bdd100k::open(root.path(), split).expect("a whole layout");
        assert_scenes(&open(Split::Train), 0, 4, &CITYSCAPES_NAMES);
        assert_scenes(&open(Split::Val), 4, 3, &CITYSCAPES_NAMES);
        assert_eq!(
            (open(Split::Test).len(), open(Split::Test).is_labelled()),
            (2, false)
        );
    }
}

#[test]
fn mapillary() {
    let root = written(|root, config| synthetic::write_mapillary(root, config));
    let train = MapillaryVistas::open(root.path(), Split::Train).expect("a whole layout");
    assert_scenes(&train, 0, 4, &[]);
    assert_eq!(
        train.classes().classes[9].category.as_deref(),
        Some("scene")
    );
    // The newer download has a folder for each version.
    for part in ["training", "validation"] {
        let nested = root.path().join(part).join("v1.2");
        fs::create_dir(&nested).expect("writable");
        fs::rename(root.path().join(part).join("labels"), nested.join("labels")).expect("writable");
    }
    fs::rename(
        root.path().join("config.json"),
        root.path().join("config_v1.2.json"),
    )
    .expect("writable");
    assert_scenes(
        &MapillaryVistas::open(root.path(), Split::Val).expect("whole"),
        4,
        3,
        &[],
    );
    assert!(matches!(
        MapillaryVistas::open_v2(root.path(), Split::Val),
        Err(DatasetError::MissingFolder { looked_for, .. }) if looked_for.contains("config_v2.0.json")
    ));
}

#[test]
fn custom() {
    let root = written(|root, config| synthetic::write_custom(root, config));
    let description = root.path().join("dataset.toml");
    let open = |split| CustomDataset::open(&description, split);
    assert_scenes(&open("train").expect("folders"), 0, 4, &[]);
    assert_scenes(&open("val").expect("a list"), 4, 3, &[]);
    assert!(
        matches!(open("test"), Err(DatasetError::UnknownSplit { split, .. }) if split == "test")
    );

    let text = fs::read_to_string(&description).expect("written");
    let broken = |from: &str, to: &str| {
        fs::write(&description, text.replacen(from, to, 1)).expect("writable");
        open("train").expect_err("a contradiction").to_string()
    };
    assert!(broken("name = \"sidewalk\"", "name = \"road\"").contains("classes `road` and `road`"));
    assert!(
        broken("ignored = [255]", "ignored = [3]").contains("id 3 is both `fence` and ignored")
    );
    assert!(broken("[[classes]]", "[[clases]]").contains("unknown field"));
    assert!(broken("encoding = \"grey\"", "encoding = \"gray\"").contains("unknown variant"));
    fs::write(
        &description,
        text.replacen("encoding = \"grey\"", "encoding = \"palette_index\"", 1),
    )
    .expect("writable");
    let error = open("train")
        .expect("folders")
        .get(0)
        .expect_err("grey is no palette");
    assert!(matches!(error, DatasetError::MaskFormat { .. }), "{error}");
}

#[test]
fn colour_coded_custom_masks() {
    let root = folder();
    write_image(root.path().join("images/a.png"), &RgbImage::new(2, 1)).expect("writable");
    let mask = RgbImage::from_raw(2, 1, vec![10, 20, 30, 0, 0, 0]).expect("two pixels");
    write_image(root.path().join("masks/a.png"), &mask).expect("writable");
    let text = "encoding = \"color\"\nignored_colors = [[0, 0, 0]]\n[[classes]]\nname = \"a\"\ncolor = [1, 1, 1]\n\
                [[classes]]\nname = \"b\"\ncolor = [10, 20, 30]\n[splits.all]\nimages = \"images\"\nlabels = \"masks\"\n";
    let description = root.path().join("dataset.toml");
    fs::write(&description, text).expect("writable");
    let dataset = CustomDataset::open(&description, "all").expect("whole");
    assert_eq!(dataset.masks().encoding, MaskEncoding::Color);
    assert_eq!(dataset.labels(0).expect("known colours").data, [1, IGNORE]);
}

/// A CamVid folder with one thing broken.
fn broken(break_it: impl Fn(&Path)) -> DatasetError {
    let root = written(|root, config| synthetic::write_camvid(root, config));
    break_it(root.path());
    match CamVid::open(root.path(), Split::Train) {
        Err(error) => error,
        Ok(dataset) => (0..dataset.len())
            .find_map(|index| dataset.get(index).err())
            .expect("something is broken"),
    }
}

const IMAGE: &str = "train/0006R0_f00960.png";
const MASK: &str = "trainannot/0006R0_f00960.png";

#[test]
fn missing_things_are_named() {
    let error = CamVid::open("/no/such/folder", Split::Train).expect_err("nothing there");
    assert_eq!(
        error.to_string(),
        "`/no/such/folder`: no such folder; looked for the CamVid folder with `train/` and `trainannot/`"
    );
    let error = broken(|root| fs::remove_dir_all(root.join("trainannot")).expect("there"));
    assert!(
        matches!(&error, DatasetError::MissingFolder { path, .. } if path.ends_with("trainannot")),
        "{error}"
    );
    let error = broken(|root| fs::remove_file(root.join(MASK)).expect("there"));
    let DatasetError::ImageWithoutLabel { images, looked_for } = &error else {
        panic!("{error}")
    };
    assert!(
        images.len() == 1 && images[0].ends_with(IMAGE) && looked_for.ends_with(MASK),
        "{error}"
    );
    let error = broken(|root| fs::remove_file(root.join(IMAGE)).expect("there"));
    let DatasetError::LabelWithoutImage { labels, looked_for } = &error else {
        panic!("{error}")
    };
    assert!(
        labels.len() == 1 && labels[0].ends_with(MASK) && looked_for.ends_with(IMAGE),
        "{error}"
    );
    let error = broken(|root| {
        fs::remove_dir_all(root.join("train")).expect("there");
        fs::create_dir(root.join("train")).expect("writable");
    });
    assert!(matches!(error, DatasetError::Empty { .. }), "{error}");
    let error = broken(|root| {
        drop(fs::copy(
            root.join(IMAGE),
            root.join(IMAGE).with_extension("jpg"),
        ))
    });
    assert!(
        matches!(error, DatasetError::AmbiguousImage { .. }),
        "{error}"
    );
    for error in [
        Cityscapes::open("/no/such", Split::Train).expect_err("nothing"),
        Kitti::open("/no/such", Split::Train).expect_err("nothing"),
        Bdd100k::open("/no/such", Split::Train).expect_err("nothing"),
        MapillaryVistas::open("/no/such", Split::Train).expect_err("nothing"),
        CamVid::open_original("/no/such", Split::Train).expect_err("nothing"),
    ] {
        assert!(
            matches!(error, DatasetError::MissingFolder { .. }),
            "{error}"
        );
    }
}

#[test]
fn broken_files_are_named() {
    let overwrite = |name: &'static str, bytes: Vec<u8>| {
        move |root: &Path| fs::write(root.join(name), &bytes).expect("writable")
    };
    let error = broken(overwrite(MASK, Vec::new()));
    assert!(
        matches!(&error, DatasetError::EmptyFile { path, .. } if path.ends_with(MASK)),
        "{error}"
    );
    let error = broken(overwrite(IMAGE, Vec::new()));
    assert!(
        matches!(&error, DatasetError::EmptyFile { path, .. } if path.ends_with(IMAGE)),
        "{error}"
    );
    for name in [IMAGE, MASK] {
        let error = broken(|root| {
            let bytes = fs::read(root.join(name)).expect("there");
            fs::write(root.join(name), &bytes[..bytes.len() / 2]).expect("writable");
        });
        assert!(
            matches!(&error, DatasetError::Truncated { path, .. } if path.ends_with(name)),
            "{error}"
        );
    }
    let error = broken(overwrite(IMAGE, b"no image at all".to_vec()));
    assert!(
        matches!(&error, DatasetError::Decode { path, .. } if path.ends_with(IMAGE)),
        "{error}"
    );
    let error =
        broken(|root| write_mask(root.join(MASK), &LabelMap::filled(47, 32, 0)).expect("writable"));
    let DatasetError::SizeMismatch {
        image_size: [48, 32],
        label_size: [47, 32],
        ..
    } = error
    else {
        panic!("{error}")
    };
    let error = broken(|root| {
        write_mask(root.join(MASK), &LabelMap::filled(48, 32, 12)).expect("writable")
    });
    let DatasetError::UnknownLabel {
        label: 12,
        count: 1536,
        num_classes: 11,
        ..
    } = error
    else {
        panic!("{error}")
    };
    let error = broken(|root| {
        write_index_mask(
            root.join(MASK),
            &LabelMap::filled(48, 32, 1),
            &[[0; 3], [9; 3]],
        )
        .expect("writable");
    });
    assert!(
        error
            .to_string()
            .contains("mask stored as 8-bit palette, expected 8-bit grey"),
        "{error}"
    );
    let error =
        broken(|root| write_image(root.join(MASK), &RgbImage::new(48, 32)).expect("writable"));
    assert!(
        error.to_string().contains("mask stored as 8-bit RGB"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn odd_names_links_and_rights() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    let name = OsStr::from_bytes(b"caf\xe9.png");
    let error = broken(|root| {
        fs::write(root.join("train").join(name), "x").expect("the file system allows it")
    });
    assert!(matches!(error, DatasetError::NonUtf8Name { .. }), "{error}");

    let error =
        broken(|root| symlink("loop.png", root.join("train/loop.png")).expect("links are allowed"));
    assert!(
        matches!(&error, DatasetError::Io { path, .. } if path.ends_with("train/loop.png")),
        "{error}"
    );
    // A link to a folder above: nothing is searched below it, so it cannot lead in circles.
    let root = written(|root, config| synthetic::write_camvid(root, config));
    symlink(root.path(), root.path().join("train/up.png")).expect("links are allowed");
    assert_eq!(
        CamVid::open(root.path(), Split::Train)
            .expect("still whole")
            .len(),
        4
    );
}

#[cfg(unix)]
#[test]
fn unreadable_files_are_named() {
    use std::os::unix::fs::PermissionsExt;

    let root = written(|root, config| synthetic::write_camvid(root, config));
    let mask = root.path().join(MASK);
    fs::set_permissions(&mask, fs::Permissions::from_mode(0o000)).expect("our file");
    if fs::read(&mask).is_ok() {
        return; // The superuser reads everything.
    }
    let dataset = CamVid::open(root.path(), Split::Train).expect("names are readable");
    let error = dataset.get(1).expect_err("no right to read");
    assert!(
        matches!(&error, DatasetError::Io { path, .. } if *path == mask),
        "{error}"
    );
}

#[test]
fn hidden_and_other_files_are_left_out() {
    let root = written(|root, config| synthetic::write_camvid(root, config));
    for name in [
        "train/._0006R0_f00960.png",
        "train/Thumbs.db",
        "trainannot/.DS_Store",
        "train/notes.txt",
    ] {
        fs::write(root.path().join(name), "not an image").expect("writable");
    }
    fs::create_dir(root.path().join("train/more.png")).expect("writable");
    assert_eq!(
        CamVid::open(root.path(), Split::Train)
            .expect("still whole")
            .len(),
        4
    );
}

#[test]
fn names_are_paired_whatever_the_case_of_the_extension() {
    let root = folder();
    write_image(root.path().join("images/a.png"), &RgbImage::new(2, 1)).expect("writable");
    fs::rename(
        root.path().join("images/a.png"),
        root.path().join("images/a.PNG"),
    )
    .expect("writable");
    write_mask(root.path().join("masks/a.png"), &LabelMap::filled(2, 1, 0)).expect("writable");
    let folders = Folders {
        images: &root.path().join("images"),
        image_suffixes: &[".png"],
        labels: &root.path().join("masks"),
        label_suffix: ".png",
    };
    assert_eq!(folders.pairs().expect("a pair").len(), 1);
}

#[test]
fn masks_keep_what_the_file_says() {
    let root = folder();
    let path = root.path().join("mask.png");
    let labels = LabelMap::new(3, 1, vec![2, 0, 1]);
    write_index_mask(&path, &labels, &[[0; 3], [255, 0, 0], [0, 255, 0]]).expect("writable");
    let raw = RawMask::read(&path).expect("a palette");
    assert_eq!(raw.format.to_string(), "8-bit palette");
    assert_eq!(raw.palette, [[0; 3], [255, 0, 0], [0, 255, 0]]);
}

/// Class shares in percent of all pixels, as counted by hand on the SegNet release; void last.
#[test]
fn the_real_camvid() {
    let Some(root) = std::env::var_os("DECOUPLED_SEG_CAMVID") else {
        return;
    };
    let golden = [
        (
            Split::Train,
            367,
            [
                16.9, 23.3, 0.98, 31.7, 4.5, 9.7, 1.17, 1.13, 5.9, 0.64, 0.29, 4.0,
            ],
        ),
        (
            Split::Val,
            101,
            [
                9.2, 26.0, 0.56, 29.0, 8.7, 16.3, 0.89, 3.08, 1.8, 0.65, 2.22, 1.7,
            ],
        ),
    ];
    for (split, len, shares) in golden {
        let dataset = CamVid::open(&root, split).expect("the release");
        assert_eq!(dataset.len(), len);
        let mut counts = [0_u64; 256];
        for index in 0..len {
            let labels = dataset.labels(index).expect("readable");
            counts
                .iter_mut()
                .zip(labels.histogram())
                .for_each(|(sum, count)| *sum += count);
        }
        let total = counts.iter().sum::<u64>() as f64;
        for (class, share) in shares.into_iter().enumerate() {
            let count = counts[if class == 11 {
                usize::from(IGNORE)
            } else {
                class
            }];
            let found = 100.0 * count as f64 / total;
            // A unit of the last digit given.
            let unit = if share < 1.2 || class == 7 || class == 10 {
                0.01
            } else {
                0.1
            };
            assert!(
                (found - share).abs() < unit,
                "{split}, class {class}: {found} %, expected {share} %"
            );
        }
    }
}
