//! Forms of data sets that users have. Each test writes a tiny data set in a form from a public bug report.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use decoupled_seg_datasets::check::{CheckReport, check_mask_files, check_splits, unseen_classes};
use decoupled_seg_datasets::files::{
    RawMask, read_image, write_image, write_index_mask, write_instances, write_mask,
};
use decoupled_seg_datasets::loader::{Loader, LoaderConfig};
use decoupled_seg_datasets::{
    CAMVID_COLORS, CamVid, CustomDataset, Dataset, DatasetError, InstanceMap, LabelMap,
    ResizedCacheConfig, ResizedTo, SegmentationDataset, Size, Split,
};
use image::codecs::png::PngEncoder;
use image::{ImageBuffer, ImageEncoder, Luma, PixelWithColorType, RgbImage};
use tempfile::TempDir;

const SIZE: Size = Size::new(4, 6);
const CLASSES: &str = "[[classes]]\nname = \"background\"\ncolor = [0, 0, 0]\n\
                       [[classes]]\nname = \"object\"\ncolor = [255, 0, 0]\n";
const FOLDERS: &str = "[splits.train]\nimages = \"images/train\"\nlabels = \"masks/train\"\n\
                       [splits.val]\nimages = \"images/val\"\nlabels = \"masks/val\"\n";

/// Half background, half `object`.
fn halves(object: u8) -> LabelMap {
    let data = (0..SIZE.pixels()).map(|at| if at % 2 == 0 { 0 } else { object });
    LabelMap::new(SIZE, data.collect())
}

/// Writes three training and two validation images, all different, with masks of these labels.
fn written(description: &str, labels: &LabelMap) -> TempDir {
    let root = tempfile::tempdir().expect("a temporary folder");
    for (split, first, count) in [("train", 0, 3), ("val", 3, 2)] {
        for number in 0..count {
            let name = format!("{split}/p{number:02}.png");
            let image = RgbImage::from_pixel(6, 4, image::Rgb([100 + first + number; 3]));
            write_image(root.path().join("images").join(&name), &image).expect("writable");
            write_mask(root.path().join("masks").join(&name), labels).expect("writable");
        }
    }
    fs::write(root.path().join("dataset.toml"), description).expect("writable");
    root
}

fn report(root: &Path) -> CheckReport {
    let open = |split: Split| {
        let path = root.join("dataset.toml");
        (
            split,
            CustomDataset::open_partially(path, split.as_str()).shared(),
        )
    };
    check_splits(
        [Split::Train, Split::Val, Split::Test].map(open).into(),
        |_, _| {},
    )
}

#[track_caller]
fn assert_told(report: &CheckReport, parts: &[&str]) {
    let text = report.to_string();
    for part in parts {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    assert!(!report.is_ok(), "{text}");
}

/// A photo with a tag that turns it by 180 degrees. The mask was drawn on the turned photo.
#[test]
fn turned_photos() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let path = root.path().join("photo.jpg");
    let image = RgbImage::from_fn(32, 16, |x, _| image::Rgb([if x < 16 { 250 } else { 5 }; 3]));
    write_image(&path, &image).expect("writable");
    let mut bytes = fs::read(&path).expect("just written");
    let exif =
        *b"\xFF\xE1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0";
    bytes.splice(2..2, exif);
    fs::write(&path, bytes).expect("writable");
    let shown = read_image(&path).expect("a whole photo");
    assert!(shown.get_pixel(2, 8).0[0] < 60 && shown.get_pixel(29, 8).0[0] > 190);
}

#[test]
fn masks_of_0_and_255() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(255));
    let report = report(root.path());
    let hint = "value 255 is ignored; is it `object`? then set `id = 255`";
    assert_told(&report, &["train, val: no pixel of object", hint]);
    let train = CustomDataset::open(root.path().join("dataset.toml"), "train").expect("whole");
    assert_eq!(unseen_classes(&train, Split::Train).expect("labelled"), [1]);
}

/// Another tool wrote the validation masks. In black and white pictures of three channels it is the same.
#[rstest::rstest]
fn validation_masks_of_0_and_255(#[values(false, true)] as_rgb: bool) {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    for name in ["val/p00", "val/p01"] {
        write_black_and_white(root.path(), name, as_rgb);
    }
    let hint = "value 255 of val is ignored; is it `object`? then save these masks with its id 1";
    let told = ["val: no pixel of object", hint, "\n1 problem\n"];
    assert_told(&report(root.path()), &told);

    // The training masks hold 255 too: there it is ignored on purpose.
    let mixed = LabelMap::new(SIZE, (0..24).map(|at| [0, 1, 255][at % 3]).collect());
    write_mask(root.path().join("masks/train/p00.png"), &mixed).expect("writable");
    let found = report(root.path());
    assert!(found.is_ok(), "{found}");
}

/// A validation split may lack a class.
#[test]
fn a_class_that_no_validation_mask_shows_is_no_problem() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    for name in ["val/p00", "val/p01"] {
        let path = root.path().join(format!("masks/{name}.png"));
        write_mask(path, &LabelMap::filled(SIZE, 0)).expect("writable");
    }
    let found = report(root.path());
    assert!(found.is_ok(), "{found}");
    assert!(found.to_string().contains("val: no pixel of object"));
}

fn write_black_and_white(root: &Path, name: &str, as_rgb: bool) {
    let path = root.join(format!("masks/{name}.png"));
    let labels = halves(255);
    if as_rgb {
        let grey = |x: u32, y: u32| image::Rgb([labels.data[(6 * y + x) as usize]; 3]);
        write_image(path, &RgbImage::from_fn(6, 4, grey)).expect("writable");
    } else {
        write_mask(path, &labels).expect("writable");
    }
}

#[test]
fn black_and_white_masks_of_three_channels_get_the_advice_of_grey_ones() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    for name in ["train/p00", "train/p01", "train/p02", "val/p00", "val/p01"] {
        write_black_and_white(root.path(), name, true);
    }
    let told = [
        "masks: 8-bit RGB (3)",
        "values: 0 (36), 255 (36)",
        "value 255 is ignored; is it `object`? then set `id = 255`",
    ];
    assert_told(&report(root.path()), &told);
}

/// One script of two has `cv2.threshold`.
#[test]
fn some_masks_of_0_and_255_are_noted() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    write_black_and_white(root.path(), "train/p00", false);
    write_black_and_white(root.path(), "train/p01", false);
    let note = "train: 2 masks with 255, which is ignored, and no `object`; 1 mask with `object` and no 255: two conventions?";
    let found = report(root.path());
    assert!(found.is_ok() && found.to_string().contains(note), "{found}");
    // A mask with both shows that 255 is meant to be ignored.
    let mixed = LabelMap::new(SIZE, (0..24).map(|at| [0, 1, 255][at % 3]).collect());
    write_mask(root.path().join("masks/train/p02.png"), &mixed).expect("writable");
    let found = report(root.path());
    assert!(!found.to_string().contains("conventions"), "{found}");
}

#[test]
fn an_id_of_255_needs_ignored_to_be_written() {
    let classes = CLASSES.replace("color = [255, 0, 0]\n", "color = [255, 0, 0]\nid = 255\n");
    let root = written(&format!("{classes}{FOLDERS}"), &halves(255));
    let told = "id 255 is both `object` and ignored; 255 is ignored unless `ignored` is written: write it without 255, as `ignored = []`";
    assert_told(&report(root.path()), &[told]);
    let root = written(&format!("ignored = []\n{classes}{FOLDERS}"), &halves(255));
    let found = report(root.path());
    assert!(found.is_ok(), "{found}");
}

/// Two annotators, or a corrected export that was appended to a list.
#[test]
fn one_picture_with_two_labels() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let copy = |kind: &str| {
        let path = |name: &str| root.path().join(format!("{kind}/train/{name}.png"));
        fs::copy(path("p00"), path("p03")).expect("there");
    };
    // Pictures of one colour are alike anyway.
    let mut image = RgbImage::from_pixel(6, 4, image::Rgb([90; 3]));
    image.put_pixel(2, 1, image::Rgb([200; 3]));
    write_image(root.path().join("images/train/p00.png"), &image).expect("writable");
    copy("images");
    copy("masks");
    let found = report(root.path());
    assert!(found.is_ok(), "{found}");
    assert!(
        found
            .to_string()
            .contains("same picture: train/p00 and train/p03\n"),
        "{found}"
    );

    let labels = LabelMap::new(SIZE, (0..24).map(|at| [0, 1, 255, 0][at % 4]).collect());
    write_mask(root.path().join("masks/train/p03.png"), &labels).expect("writable");
    let found = report(root.path());
    assert_eq!(found.contradictions().count(), 1);
    let told = [
        "same picture: train/p00 and train/p03, but their labels differ on 6 pixels",
        "0 problems, 1 picture with two labels",
    ];
    assert_told(&found, &told);

    // A pixel that one of them ignores is no contradiction.
    let labels = LabelMap::new(SIZE, (0..24).map(|at| [0, 1, 255, 255][at % 4]).collect());
    write_mask(root.path().join("masks/train/p03.png"), &labels).expect("writable");
    let found = report(root.path());
    assert!(found.is_ok(), "{found}");
}

/// A PNG with an orientation tag.
fn tagged_png<P>(tag: u8, picture: &ImageBuffer<P, Vec<u8>>) -> Vec<u8>
where
    P: PixelWithColorType<Subpixel = u8>,
{
    let exif = [
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0",
        &[tag, 0, 0, 0, 0, 0, 0, 0][..],
    ];
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    let tagged = encoder.set_exif_metadata(exif.concat());
    tagged.expect("PNG has it");
    picture.write_with_encoder(encoder).expect("in memory");
    bytes
}

/// Masks that were drawn on the pixels as they are stored.
#[test]
fn masks_of_photos_that_their_tag_turns() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let photo = |tag: u8| {
        let image = RgbImage::from_fn(6, 4, |x, y| image::Rgb([40 * x as u8, 40 * y as u8, 9]));
        let path = root.path().join("images/train/p00.png");
        fs::write(path, tagged_png(tag, &image)).expect("writable");
        report(root.path())
    };
    let note = "turned by their orientation tag: 1 photo; masks must fit the turned pictures";
    let told = [
        note,
        "label of 4x6 (height x width), expected the 6x4 of its image `",
        "p00.png`, which was turned as its orientation tag (EXIF) says; turn the label too",
    ];
    assert_told(&photo(6), &told);
    // Half a turn keeps the size.
    let half = photo(3);
    assert!(half.is_ok() && half.to_string().contains(note), "{half}");
    let straight = photo(1);
    assert!(
        straight.is_ok() && !straight.to_string().contains("turned"),
        "{straight}"
    );
}

/// Of masks that OpenCV wrote, each colour has red and blue exchanged.
#[test]
fn colours_with_red_and_blue_exchanged() {
    let colors = [
        [0, 0, 0],
        [255, 0, 0],
        [200, 10, 30],
        [20, 180, 240],
        [240, 90, 20],
        [9, 8, 7],
    ];
    let class = |(at, color): (usize, &[u8; 3])| {
        format!("[[classes]]\nname = \"c{at}\"\ncolor = {color:?}\n")
    };
    let classes: String = colors.iter().enumerate().map(class).collect();
    let root = written(
        &format!("encoding = \"color\"\n{classes}{FOLDERS}"),
        &halves(1),
    );
    let mask = |number: usize, shown: &[usize], order: fn([u8; 3]) -> [u8; 3]| {
        let color = |x: u32, _| image::Rgb(order(colors[shown[x as usize % shown.len()]]));
        let path = root.path().join(format!("masks/train/p{number:02}.png"));
        write_image(path, &RgbImage::from_fn(6, 4, color)).expect("writable");
    };
    let exchanged = |[red, green, blue]: [u8; 3]| [blue, green, red];
    mask(0, &[0, 1, 2, 3, 4, 5], exchanged);
    mask(1, &[0, 1], exchanged);
    // A colour of no class is not explained by it.
    mask(2, &[0, 1], |[red, green, _]| [green, red, 77]);
    let found = report(root.path()).to_string();
    let likely =
        "(colours of the class table with red and blue exchanged: written by OpenCV, as BGR?)";
    for part in [
        format!("5 other values on 20 pixels {likely}"),
        format!("1 other values on 12 pixels {likely}"),
        "colour [0, 0, 77] on 12 pixels is not in the class table".into(),
    ] {
        assert!(found.contains(&part), "no `{part}` in\n{found}");
    }
    let train = CustomDataset::open(root.path().join("dataset.toml"), "train").expect("whole");
    let error = train.labels(1).expect_err("blue is no class").to_string();
    assert!(error.contains(likely), "{error}");
}

/// Masks of instances, and masks of more classes than are listed: neither is smoothed.
#[test]
fn other_values_that_fill_areas() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let size = Size::new(12, 40);
    let image = RgbImage::from_fn(40, 12, |x, y| image::Rgb([5 * x as u8, 9 * y as u8, 99]));
    write_image(root.path().join("images/train/p00.png"), &image).expect("writable");
    let told = |value: fn(usize) -> u8| {
        let area = |at: usize| if at / 40 < 2 { 0 } else { value(at % 40 / 5) };
        let labels = LabelMap::new(size, (0..size.pixels()).map(area).collect());
        write_mask(root.path().join("masks/train/p00.png"), &labels).expect("writable");
        report(root.path()).to_string()
    };
    let numbers = told(|at| at as u8 + 1);
    let objects =
        "7 other values on 350 pixels (1, 2, 3, ... in whole areas: do the masks number objects?)";
    assert!(numbers.contains(objects), "{numbers}");
    let classes = told(|at| 7 * at as u8 + 1);
    assert!(
        classes.contains("(in whole areas: classes that are not listed?)"),
        "{classes}"
    );
}

#[test]
fn splits_without_labels() {
    let unlabelled = FOLDERS.replace("labels = \"masks/train\"\n", "");
    let root = written(&format!("{CLASSES}{unlabelled}"), &halves(1));
    assert_told(
        &report(root.path()),
        &["train: the train images have no labels", "1 problem"],
    );
    let train = CustomDataset::open(root.path().join("dataset.toml"), "train").expect("whole");
    let error = unseen_classes(&train, Split::Train).expect_err("nothing to learn from");
    assert!(
        matches!(
            error,
            DatasetError::Unlabelled {
                split: Split::Train
            }
        ),
        "{error}"
    );

    let all_ignored = written(&format!("{CLASSES}{FOLDERS}"), &LabelMap::filled(SIZE, 255));
    let told = [
        "train: every pixel of the train labels is ignored",
        "val: every pixel",
    ];
    assert_told(&report(all_ignored.path()), &told);
    let val = CustomDataset::open(all_ignored.path().join("dataset.toml"), "val").expect("whole");
    let error = unseen_classes(&val, Split::Val).expect_err("nothing to measure");
    assert!(
        matches!(error, DatasetError::AllIgnored { split: Split::Val }),
        "{error}"
    );
}

#[test]
fn one_class() {
    let one = "ignored = [0, 255]\n[[classes]]\nname = \"crack\"\nid = 1\ncolor = [255, 0, 0]\n";
    let root = written(&format!("{one}{FOLDERS}"), &halves(1));
    assert_told(
        &report(root.path()),
        &["one class, `crack`", "list the background"],
    );
}

#[test]
fn masks_of_another_kind() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let mask = root.path().join("masks/train/p00.png");
    write_image(root.path().join("a.jpg"), &RgbImage::new(6, 4)).expect("writable");
    fs::copy(root.path().join("a.jpg"), &mask).expect("writable");
    let train = CustomDataset::open(root.path().join("dataset.toml"), "train").expect("whole");
    let error = train.get(0).expect_err("no PNG").to_string();
    let told = "a JPEG image, expected a PNG mask (JPEG changes label values; save masks as PNG)";
    assert!(error.ends_with(told), "{error}");
}

#[test]
fn images_and_masks_in_one_folder() {
    let split =
        "[splits.train]\nimages = \"train\"\nlabels = \"train\"\nlabel_suffix = \"_mask.png\"\n";
    let root = written(&format!("{CLASSES}{split}"), &halves(1));
    for name in ["a", "b"] {
        let path = |end: &str| root.path().join(format!("train/{name}{end}"));
        write_image(path(".png"), &RgbImage::new(6, 4)).expect("writable");
        write_mask(path("_mask.png"), &halves(1)).expect("writable");
    }
    let train = CustomDataset::open(root.path().join("dataset.toml"), "train").expect("whole");
    assert_eq!((train.len(), train.name(1)), (2, "b".to_string()));
}

#[test]
fn lists_of_names() {
    let split = "[splits.train]\nlist = \"train.txt\"\nimages = \"images/train\"\nlabels = \"masks/train\"\n";
    let root = written(&format!("{CLASSES}{split}"), &halves(1));
    let open = |list: &str| {
        fs::write(root.path().join("train.txt"), list).expect("writable");
        CustomDataset::open(root.path().join("dataset.toml"), "train")
    };
    let train = open("p02\np00.png\n").expect("whole");
    assert_eq!((train.name(0), train.name(1)), ("p02".into(), "p00".into()));
    // Flags of Pascal VOC and of Oxford Pets, and folders that are those of the images.
    let forms = "p00 -1\np01  1\np02 1 12 3\ntrain/p00\nimages/train/p01.png\n./p02.PNG 0\nmasks/train/p00.png\n\
                 /home/a/data/images/train/p01.jpg\ntrain\\p02.png\n";
    let train = open(forms).expect("whole");
    let names: Vec<String> = (0..train.len()).map(|index| train.name(index)).collect();
    assert_eq!(names.concat(), "p00p01p02".repeat(3));
    // Names of other pictures, which are not there.
    for name in [
        "p00 copy",
        "p01 (2)",
        "p01 2",
        "p01 copy 1 2",
        "p00.v2",
        "p00.png.txt",
        "val/p00",
        "val/p00.png",
        "images/val/p00",
        "/home/a/data/val/p00.png",
        "train/more/p00",
        "../train/p00",
        "p00 1.5",
    ] {
        let error = open(&format!("p02\n{name}\n"))
            .expect_err("no such name")
            .to_string();
        assert!(
            error.contains(&format!("line 2: no image `{name}` in")),
            "{error}"
        );
    }
    let error = open("p02\np77\n").expect_err("no such name").to_string();
    assert!(error.contains("line 2: no image `p77` in"), "{error}");
    // Files that are not listed do not matter.
    fs::remove_file(root.path().join("masks/train/p01.png")).expect("there");
    assert_eq!(open("p02\n").expect("whole").len(), 1);
    let error = open("p01\n").expect_err("without label").to_string();
    assert!(error.contains("image without label"), "{error}");
}

#[test]
fn the_report_says_only_what_was_read_and_once() {
    // Labels of another ending.
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    for number in 0..3 {
        let path = |end: &str| root.path().join(format!("masks/train/p{number:02}.{end}"));
        fs::rename(path("png"), path("jpg")).expect("there");
    }
    let report_ = report(root.path());
    let told = [
        "train: nothing of it can be used",
        "no labels of 3 images",
        "there is `",
        "p00.jpg`",
    ];
    assert_told(&report_, &told);
    assert!(
        !report_.to_string().contains("train: 0 images"),
        "{report_}"
    );

    // A typing error in the description concerns all three splits.
    let root = written(&format!("ignore = [255]\n{CLASSES}{FOLDERS}"), &halves(1));
    let report_ = report(root.path());
    assert_told(&report_, &["1 problem"]);
    assert_eq!(
        report_.to_string().matches("unknown field").count(),
        1,
        "{report_}"
    );

    // Masks that cannot be read say nothing about classes.
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    for number in 0..3 {
        let path = root.path().join(format!("masks/train/p{number:02}.png"));
        let one_bit =
            image::codecs::png::PngEncoder::new(fs::File::create(&path).expect("writable"));
        let pixels = [0, 0, 9, 0, 0, 0, 0, 0].repeat(6);
        let color = image::ExtendedColorType::L16;
        image::ImageEncoder::write_image(one_bit, &pixels[..48], 6, 4, color).expect("writable");
    }
    let report_ = report(root.path());
    assert_told(&report_, &["mask stored as 16-bit grey"]);
    assert!(!report_.to_string().contains("no pixel of"), "{report_}");

    // Smoothed masks: one line each.
    let smoothed = LabelMap::new(
        SIZE,
        (0..SIZE.pixels() as u8).map(|at| 10 * (at % 20)).collect(),
    );
    let root = written(&format!("{CLASSES}{FOLDERS}"), &smoothed);
    let report_ = report(root.path());
    assert_told(
        &report_,
        &["19 other values on 22 pixels (smoothed, or saved as JPEG?)"],
    );
    assert!(report_.to_string().lines().count() < 24, "{report_}");
}

#[test]
fn other_names_of_splits() {
    let root = written(
        &format!("{CLASSES}{}", FOLDERS.replace("splits.val", "splits.valid")),
        &halves(1),
    );
    let open = |split| CustomDataset::open(root.path().join("dataset.toml"), split);
    assert_eq!(open("val").expect("whole").len(), 2);
    let error = open("test").expect_err("not there").to_string();
    assert!(
        error.ends_with("dataset.toml`: no split `test`; there are `train`, `valid`"),
        "{error}"
    );
}

#[test]
fn camvid_in_other_forms() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let colors = RgbImage::from_fn(32, 1, |x, _| image::Rgb(CAMVID_COLORS[x as usize].color));
    let write = |path: &str, image: &RgbImage| {
        write_image(root.path().join(path), image).expect("writable");
    };
    write("701_StillsRaw_full/0006R0_f00930.png", &colors);
    write("LabeledApproved_full/0006R0_f00930_L.png", &colors);
    let error = CamVid::open(root.path(), Split::Train)
        .expect_err("the other release")
        .to_string();
    assert!(error.contains("`--variant original` reads it"), "{error}");
    let expected: Vec<u8> = CAMVID_COLORS.iter().map(|class| class.label).collect();
    write("train/0006R0_f00930.png", &colors);
    write("train_labels/0006R0_f00930_L.png", &colors);
    let kaggle = CamVid::open(root.path(), Split::Train).expect("whole");
    assert_eq!(kaggle.labels(0).expect("known colours").data, expected);
    write("trainannot/0006R0_f00930.png", &colors);
    let colored = CamVid::open(root.path(), Split::Train).expect("whole");
    assert_eq!(colored.labels(0).expect("known colours").data, expected);
}

#[test]
fn a_data_folder_that_cannot_be_written() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let train = CustomDataset::open(root.path().join("dataset.toml"), "train").expect("whole");
    // A file where the folder should be stops the superuser too.
    fs::write(root.path().join(".decoupled-seg"), "").expect("writable");
    let folder = train.cache_folder().expect("files").join("resized");
    let config = ResizedCacheConfig::new(folder, ResizedTo::Scale(0.5))
        .with_fallback(root.path().join("run"));
    for (made, read) in [(2, 0), (0, 2)] {
        let cache = config.init(train.clone());
        cache.get(0).expect("readable");
        let state = cache.state();
        assert_eq!((state.made, state.read), (made, read), "{state}");
        assert!(state.unwritable.is_none(), "{state}");
    }
}

/// Tools on Windows and macOS take names for equal that differ here, and photos may be of a format that is not read.
#[test]
fn names_that_nearly_fit_are_told() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let images = root.path().join("images/train");
    fs::rename(images.join("p00.png"), images.join("P00.png")).expect("there");
    fs::rename(images.join("p01.png"), images.join("p01.tif")).expect("there");
    let report = report(root.path());
    let there = |path: &str| format!("; there is `{}`", root.path().join(path).display());
    assert_told(
        &report,
        &[
            &there("masks/train/p00.png"),
            &there("images/train/P00.png"),
            &there("images/train/p01.tif"),
        ],
    );
}

#[test]
fn accents_as_macos_writes_them() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let rename = |folder: &str, name: &str| {
        let folder = root.path().join(folder);
        fs::rename(folder.join("p00.png"), folder.join(name)).expect("there");
    };
    rename("images/train", "e\u{301}.png");
    rename("masks/train", "\u{e9}.png");
    let report = report(root.path());
    assert!(report.is_ok(), "{report}");
}

#[test]
fn class_names_that_no_table_can_show() {
    for name in ["", " ", "a\\nb", "\\u001b[31mred"] {
        let classes = CLASSES.replace("object", name);
        let root = written(&format!("{classes}{FOLDERS}"), &halves(1));
        assert_told(
            &report(root.path()),
            &["class 1: the name", "without line breaks"],
        );
    }
}

/// A thousand files with the same mistake are told in a few lines, and hide no other mistake.
#[test]
fn many_problems_fit_on_a_screen() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let image = root.path().join("images/train/p00.png");
    let mut picture = RgbImage::from_pixel(6, 4, image::Rgb([100; 3]));
    picture.put_pixel(2, 2, image::Rgb([9; 3]));
    write_image(&image, &picture).expect("writable");
    for number in 0..1000 {
        let copy = |folder: &str| root.path().join(format!("{folder}/train/q{number:04}.png"));
        fs::copy(&image, copy("images")).expect("writable");
        if number % 2 == 0 {
            fs::copy(root.path().join("masks/train/p00.png"), copy("masks")).expect("writable");
        }
    }
    fs::write(root.path().join("masks/train/stray.png"), "").expect("writable");
    let report = report(root.path());
    assert_told(
        &report,
        &[
            "and 494 more like it",
            "masks/train/stray.png`: label without image",
            "same picture: and 497 more pairs",
        ],
    );
    let lines = report.to_string().lines().count();
    assert!(lines < 40, "{lines} lines\n{report}");
}

/// The table has no row for a class that no split shows, and the splits share the lines for problems.
#[test]
fn three_splits_of_problems_and_many_classes_fit_on_a_screen() {
    let classes: String = (0..40)
        .map(|n| format!("[[classes]]\nname = \"c{n}\"\ncolor = [0, 0, {n}]\n"))
        .collect();
    let test = "[splits.test]\nimages = \"images/test\"\nlabels = \"masks/test\"\n";
    let root = written(&format!("{classes}{FOLDERS}{test}"), &halves(1));
    for folder in ["images", "masks"] {
        for split in ["train", "val", "test"] {
            let folder_of_split = root.path().join(folder).join(split);
            fs::create_dir_all(&folder_of_split).expect("writable");
            for number in 0..30 {
                let path = folder_of_split.join(format!("{folder}_{number:02}.png"));
                fs::write(path, "").expect("writable");
            }
        }
    }
    let report = report(root.path());
    assert_told(
        &report,
        &[
            "class     train %  images       val %  images\n",
            "train, val: no pixel of c2, c3",
            "train: and 27 more like it",
            "val: and 27 more like it",
            "test: nothing of it can be used, see below",
        ],
    );
    let text = report.to_string();
    assert!(!text.contains("\nc39"), "{text}");
    let lines = text.lines().count();
    assert!(lines < 35, "{lines} lines\n{text}");
}

/// The upper halves of 16 bits are read, and cameras of 12 bits leave them nearly empty.
#[test]
fn photos_of_twelve_bits() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    for number in 0..3 {
        let path = root.path().join(format!("images/train/p{number:02}.png"));
        let image =
            ImageBuffer::from_fn(6, 4, |x, y| Luma([600 * x as u16 + 7 * y as u16 + number]));
        image.save(path).expect("writable");
    }
    assert_told(
        &report(root.path()),
        &["no train image has a value above 63"],
    );
    let lit = root.path().join("images/train/p01.png");
    write_image(lit, &RgbImage::from_pixel(6, 4, image::Rgb([64; 3]))).expect("writable");
    let report = report(root.path());
    assert!(report.is_ok(), "{report}");
    // Some of them are no problem, as photos at night are so too.
    let note = "nearly black: 2 images such as `p00`, without a value above 63 of 255";
    assert!(report.to_string().contains(note), "{report}");
}

/// A tag in a mask: its pixels may have been turned already, or not.
#[test]
fn masks_with_an_orientation_tag() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let tagged = |tag: u8| {
        let mask = image::GrayImage::from_raw(6, 4, halves(1).data).expect("24 pixels");
        let path = root.path().join("masks/train/p00.png");
        fs::write(path, tagged_png(tag, &mask)).expect("writable");
        report(root.path())
    };
    assert!(tagged(1).is_ok());
    assert_told(&tagged(6), &["p00.png`: a mask with an orientation tag"]);
}

/// Windows drops spaces and dots at the end of a name; other systems, and archives, keep them.
#[cfg(unix)]
#[test]
fn names_that_end_in_spaces_and_dots() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    for (from, to) in [
        ("images/train/p00.png", "images/train/p00.png "),
        ("masks/train/p01.png", "masks/train/p01.png."),
    ] {
        fs::rename(root.path().join(from), root.path().join(to)).expect("there");
    }
    let report = report(root.path());
    assert!(report.is_ok(), "{report}");
}

/// A pipe never ends, and a folder is no photo.
#[cfg(unix)]
#[test]
fn photos_that_are_no_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pipe = folder.path().join("pipe.png");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("POSIX has it").success());
    for (path, found) in [
        (pipe.as_path(), "a pipe, a socket or a device"),
        (Path::new("/dev/zero"), "a pipe, a socket or a device"),
        (folder.path(), "a folder"),
    ] {
        let error = read_image(path).expect_err("no photo").to_string();
        let told = format!(
            "`{}` is {found}, expected a PNG or JPEG image",
            path.display()
        );
        assert_eq!(error, told);
    }
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let photo = root.path().join("images/train/p00.png");
    fs::remove_file(&photo).expect("there");
    fs::rename(&pipe, &photo).expect("on one disk");
    assert_told(&report(root.path()), &["p00.png` is a pipe", "1 problem"]);
}

/// Somebody tidies up, or a cable comes loose, between two epochs.
#[test]
fn files_that_change_during_a_training_are_named() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let train = CustomDataset::open(root.path().join("dataset.toml"), "train").expect("whole");
    let loader = Loader::new(Arc::new(train), LoaderConfig::default());
    let told = |epoch| -> Vec<Option<String>> {
        let batches = loader.epoch(epoch);
        batches
            .map(|batch| batch.err().map(|error| error.to_string()))
            .collect()
    };
    assert_eq!(told(0), [None, None, None]);

    fs::remove_file(root.path().join("images/train/p00.png")).expect("there");
    let larger = RgbImage::new(12, 8);
    write_image(root.path().join("images/train/p01.png"), &larger).expect("writable");
    let mask = root.path().join("masks/train/p02.png");
    let bytes = fs::read(&mask).expect("there");
    fs::write(&mask, &bytes[..bytes.len() / 2]).expect("writable");

    let told = told(1);
    let parts = [
        "images/train/p00.png`",
        "masks/train/p01.png`: label of 4x6",
        "masks/train/p02.png`: truncated",
    ];
    for (told, part) in told.iter().zip(parts) {
        let told = told.as_deref().unwrap_or_default();
        assert!(told.contains(part), "no `{part}` in `{told}`");
    }
}

/// Gives the three training files of a folder other names.
fn rename_all(root: &Path, folder: &str, to: impl Fn(usize) -> String) {
    for number in 0..3 {
        let from = root.join(format!("{folder}/p{number:02}.png"));
        fs::rename(from, root.join(folder).join(to(number))).expect("there");
    }
}

/// Masks of retinas come as `21_manual1.gif` (lseventeen/FR-UNet#17).
#[test]
fn labels_of_another_name_and_format_are_shown() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    rename_all(root.path(), "masks/train", |n| {
        format!("p{n:02}_manual1.gif")
    });
    assert_told(
        &report(root.path()),
        &[
            "no labels of 3 images",
            "there is `",
            "p00_manual1.gif`",
            "1 problem",
        ],
    );
}

/// `mask_1.png` for `img_1.png`: paired by their order elsewhere, which goes wrong in silence when one is missing.
#[test]
fn labels_with_names_of_their_own_are_told_once() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    rename_all(root.path(), "masks/train", |n| format!("mask_p{n:02}.png"));
    let told = [
        "none of 3 labels is named as one of 3 images: there is `mask_p00.png`, expected such as `p00.png`",
        "1 problem",
    ];
    assert_told(&report(root.path()), &told);
}

/// Both folders of a split are one, and nothing tells images from labels.
#[test]
fn one_folder_of_files_that_all_end_as_labels() {
    let one = FOLDERS.replace("masks/train", "images/train");
    let root = written(&format!("{CLASSES}{one}"), &halves(1));
    let told = [
        "all 3 files end in `.png` as labels do",
        "label_suffix = \"_mask.png\"",
    ];
    assert_told(&report(root.path()), &told);
}

/// One folder for each sequence or city.
#[test]
fn folders_below_are_named() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    fs::create_dir(root.path().join("images/train/berlin")).expect("writable");
    rename_all(root.path(), "images/train", |n| {
        format!("berlin/p{n:02}.png")
    });
    let told = [
        "no images; looked for image files",
        "not in folders below such as `",
        "berlin`",
    ];
    assert_told(&report(root.path()), &told);
}

/// What Jupyter, macOS, Windows and storage systems leave in folders (open-mmlab/mmsegmentation#849,
/// mist-medical/MIST#33, ronshnapp/MyPTV#62).
#[test]
fn leftovers_of_other_programs_are_no_pictures() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    for kind in ["images", "masks"] {
        let folder = root.path().join(kind).join("train");
        let hidden = folder.join(".ipynb_checkpoints");
        fs::create_dir(&hidden).expect("writable");
        fs::copy(folder.join("p00.png"), hidden.join("p00-checkpoint.png")).expect("writable");
        for name in ["._p00.png", ".DS_Store", "Thumbs.db", "desktop.ini"] {
            fs::write(folder.join(name), b"\0\x05\x16\x07").expect("writable");
        }
    }
    let report = report(root.path());
    assert!(report.is_ok(), "{report}");
    assert_eq!(report.splits[0].items, 3);
}

/// macOS writes `e` and an accent where the list, written elsewhere, has `é`; other systems tell the two apart.
#[test]
fn a_list_finds_names_in_both_forms_of_unicode() {
    let lists = FOLDERS.replace(
        "images = \"images/train\"\nlabels = \"masks/train\"",
        "list = \"train.txt\"",
    );
    let root = written(&format!("{CLASSES}{lists}"), &halves(1));
    for kind in ["images", "masks"] {
        let folder = root.path().join(kind).join("train");
        fs::rename(folder.join("p00.png"), folder.join("cafe\u{301}.png")).expect("there");
    }
    let pairs = "data/images/train/caf\u{e9}.png\tdata/masks/train/caf\u{e9}.png\n\
                 images\\train\\p01.png\tmasks\\train\\p01.png\n";
    fs::write(root.path().join("train.txt"), pairs).expect("writable");
    let train = CustomDataset::open(root.path().join("dataset.toml"), "train").expect("whole");
    assert_eq!(train.name(0), "cafe\u{301}");
    assert_eq!(train.len(), 2);

    // Capitals are told, not guessed: `A.png` and `a.png` can be two pictures.
    let pairs =
        "Images/Train/P01.png\tmasks/train/p01.png\nimages/train/p02.png\tmasks/train/P02.PNG\n";
    fs::write(root.path().join("train.txt"), pairs).expect("writable");
    let report = report(root.path());
    let told = [
        "Images/Train/P01.png`; there is `",
        "images/train/p01.png`",
        "P02.PNG`; there is `",
    ];
    assert_told(&report, &told);

    // Names without folders.
    let names = FOLDERS.replacen("labels", "list = \"names.txt\"\nlabels", 1);
    fs::write(root.path().join("names.txt"), "caf\u{e9}\np01\n").expect("writable");
    fs::write(
        root.path().join("dataset.toml"),
        format!("{CLASSES}{names}"),
    )
    .expect("writable");
    let train = CustomDataset::open(root.path().join("dataset.toml"), "train").expect("whole");
    assert_eq!(train.len(), 2);
}

/// ADE20K and many tools count classes from 1.
#[test]
fn masks_that_count_from_one() {
    let labels = LabelMap::new(SIZE, (0..24).map(|at| 1 + at % 2).collect());
    let root = written(&format!("{CLASSES}{FOLDERS}"), &labels);
    assert_told(
        &report(root.path()),
        &["do they count from 1? then give the classes `id = 1` to `id = 2`"],
    );
}

#[test]
fn descriptions_of_other_tools_and_systems() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let told = |name: &str, text: &str| {
        let path = root.path().join(name);
        fs::write(&path, text).expect("writable");
        CustomDataset::open(&path, "train")
            .expect_err("no description")
            .to_string()
    };
    let yaml = told("data.yaml", "train: images/train\nnc: 2\n");
    assert!(
        yaml.ends_with("expected a `dataset.toml`, see the chapter on your own data"),
        "{yaml}"
    );
    let windows = format!("{CLASSES}{FOLDERS}").replace("images/train", "C:\\data\\train");
    let windows = told("windows.toml", &windows);
    assert!(
        windows.ends_with("write paths with `/`, or in 'single quotes'"),
        "{windows}"
    );
    let home = format!("{CLASSES}{FOLDERS}").replace("images/train", "~/images/train");
    let home = told("home.toml", &home);
    assert!(
        home.ends_with("`~` stands for nothing here, write the whole path"),
        "{home}"
    );
}

/// Moves the third training image and its mask elsewhere, both under `train`.
fn moved(root: &Path, image: &str, mask: &str) {
    for (kind, to) in [("images", image), ("masks", mask)] {
        let folder = root.join(kind).join("train");
        let to = folder.join(to);
        fs::create_dir_all(to.parent().expect("in a folder")).expect("writable");
        fs::rename(folder.join("p02.png"), to).expect("there");
    }
}

/// Half of the pictures in a folder below, or of a format that is not read: the other half looks like a whole data set.
#[test]
fn pictures_with_labels_that_are_left_out_are_told() {
    let description = format!("{CLASSES}{FOLDERS}");
    for (image, mask, told) in [
        (
            "more/p02.png",
            "more/p02.png",
            "left out: 1 images such as `p02.png`; put them beside",
        ),
        (
            "a/b/p02.jpg",
            "a/b/p02.gif",
            "left out: 1 images such as `p02.jpg`; put them beside",
        ),
        (
            "p02.avif",
            "p02.gif",
            "left out: 1 images such as `p02.avif`, expected names that end in `.png`",
        ),
        (
            "p02.HEIC",
            "p02.json",
            "left out: 1 images such as `p02.HEIC`, expected",
        ),
    ] {
        let root = written(&description, &halves(1));
        moved(root.path(), image, mask);
        let report = report(root.path());
        assert_told(&report, &["train: 2 images", told, "1 problem"]);
        let error = CustomDataset::open(root.path().join("dataset.toml"), "train");
        error.expect_err("a third of the images is missing");
    }

    // One folder for both.
    let one = "[splits.train]\nimages = \"all\"\nlabels = \"all\"\nlabel_suffix = \"_mask.png\"\n";
    let root = written(&format!("{CLASSES}{one}"), &halves(1));
    for (name, end) in [("a", "png"), ("b", "avif"), ("more/c", "png")] {
        let path = |end: &str| root.path().join(format!("all/{name}{end}"));
        write_image(path(".png"), &RgbImage::new(6, 4)).expect("writable");
        write_mask(path("_mask.png"), &halves(1)).expect("writable");
        if end != "png" {
            fs::rename(path(".png"), path(".avif")).expect("there");
            fs::rename(path("_mask.png"), path("_mask.gif")).expect("there");
        }
    }
    let report = report(root.path());
    let told = ["such as `b.avif`", "all/more`: below", "such as `c.png`"];
    assert_told(&report, &told);
    assert_eq!(report.splits[0].problem_count(), 2, "{report}");
}

#[test]
fn pictures_without_labels_that_are_left_out_are_told() {
    let test = "[splits.test]\nimages = \"images/test\"\n";
    let root = written(&format!("{CLASSES}{FOLDERS}{test}"), &halves(1));
    let folder = root.path().join("images/test");
    fs::create_dir_all(folder.join("more")).expect("writable");
    for (number, name) in (0..).zip(["a.png", "b.png", "more/c.png"]) {
        let image = RgbImage::from_pixel(6, 4, image::Rgb([200 + number; 3]));
        write_image(folder.join(name), &image).expect("writable");
    }
    fs::rename(folder.join("b.png"), folder.join("b.avif")).expect("there");
    let told = ["such as `b.avif`", "images/test/more`: below", "2 problems"];
    assert_told(&report(root.path()), &told);
    // Who chooses an ending has chosen.
    fs::remove_dir_all(folder.join("more")).expect("there");
    let test = format!("{test}image_suffix = \".png\"\n");
    fs::write(
        root.path().join("dataset.toml"),
        format!("{CLASSES}{FOLDERS}{test}"),
    )
    .expect("there");
    let report = report(root.path());
    assert!(report.is_ok(), "{report}");
}

/// Copies, thumbnails, pictures set aside and the folders of other splits are left out on purpose.
#[test]
fn pictures_that_are_left_out_on_purpose_are_not_told() {
    let test = "[splits.test]\nimages = \"images/train/test\"\nlabels = \"masks/train/test\"\n\
                [splits.more]\nlist = \"more.txt\"\n[splits.plain]\nimages = \"plain\"\n";
    let root = written(&format!("{CLASSES}{FOLDERS}{test}"), &halves(1));
    let copy = |from: &str, to: &str| {
        let to = root.path().join(to);
        fs::create_dir_all(to.parent().expect("in a folder")).expect("writable");
        fs::copy(root.path().join(from), to).expect("writable");
    };
    let (image, mask) = ("images/train/p00.png", "masks/train/p00.png");
    for to in [
        "images/train/thumbs/p00.png",
        "images/train/p00.avif",
        "images/train/p00.NEF",
        "images/train/overview.gif",
        "images/train/rejected/blurred.png",
        "images/train/.ipynb_checkpoints/p77.png",
        "images/train/@eaDir/p77.png",
        "images/train/README.md",
        "images/train/test/p88.png",
        "images/train/by_list/p99.png",
        "plain/p00.png",
        "plain/thumbs/p00_small.jpg",
    ] {
        copy(image, to);
    }
    for to in [
        "masks/train/thumbs/p00.png",
        "masks/train/p00.gif",
        "masks/train/p00_color.png.txt",
        "masks/train/.ipynb_checkpoints/p77.png",
        "masks/train/@eaDir/p77.png",
        "masks/train/test/p88.png",
        "masks/train/by_list/p99.png",
        "masks/train/color/p01.png",
    ] {
        copy(mask, to);
    }
    let list = "images/train/by_list/p99.png\tmasks/train/by_list/p99.png\n";
    fs::write(root.path().join("more.txt"), list).expect("writable");
    #[cfg(unix)]
    std::os::unix::fs::symlink(root.path(), root.path().join("images/train/up")).expect("allowed");
    let open = |split| CustomDataset::open(root.path().join("dataset.toml"), split);
    for (split, images) in [("train", 3), ("test", 1), ("more", 1), ("plain", 1)] {
        let opened = open(split);
        let dataset = opened.unwrap_or_else(|error| panic!("{split}: {error}"));
        assert_eq!(dataset.len(), images, "{split}");
    }
}

/// Optimisers, and programs that count colours anew, give each file a palette of its own: the pictures stay, the indices are
/// shuffled.
#[test]
fn palettes_that_contradict_each_other() {
    const BLACK: [u8; 3] = [0; 3];
    const RED: [u8; 3] = [255, 0, 0];
    let index = format!("encoding = \"palette_index\"\n{CLASSES}{FOLDERS}");
    let either = index.replace("palette_index", "grey_or_palette_index");
    let swapped = LabelMap::new(SIZE, halves(1).data.iter().map(|label| 1 - label).collect());
    let with_palettes = |description: &str| {
        let root = written(description, &halves(1));
        for name in ["train/p00", "train/p01", "train/p02", "val/p00", "val/p01"] {
            let mask = root.path().join(format!("masks/{name}.png"));
            write_index_mask(mask, &halves(1), &[BLACK, RED]).expect("writable");
        }
        root
    };
    let open = |root: &TempDir, split| {
        CustomDataset::open(root.path().join("dataset.toml"), split).expect("whole")
    };
    for description in [&index, &either] {
        let root = with_palettes(description);
        let report_ = report(root.path());
        assert!(report_.is_ok(), "{report_}");
        assert_eq!(
            unseen_classes(&open(&root, "train"), Split::Train).expect("one palette"),
            Vec::<u8>::new()
        );

        // Cut off behind the last colour, and with a colour that no pixel has.
        let mask = |name: &str| root.path().join("masks").join(name);
        write_index_mask(mask("train/p01.png"), &LabelMap::filled(SIZE, 0), &[BLACK])
            .expect("writable");
        write_index_mask(mask("train/p02.png"), &halves(1), &[BLACK, RED, [9; 3]])
            .expect("writable");
        let report_ = report(root.path());
        assert!(report_.is_ok(), "{report_}");
        check_mask_files(&[&open(&root, "train")]).expect("no contradiction");

        write_index_mask(mask("train/p02.png"), &swapped, &[RED, BLACK]).expect("writable");
        let first = mask("train/p00.png");
        let told = format!(
            "p02.png`: palette index 0 is the colour [255, 0, 0], expected [0, 0, 0] as in `{}`",
            first.display()
        );
        assert_told(
            &report(root.path()),
            &[&told, "encoding = \"color\"", "1 problem"],
        );
        let error = check_mask_files(&[&open(&root, "train")]).expect_err("two meanings");
        assert!(error.to_string().contains(&told), "{error}");
    }
    // All of a split may agree, and differ from what is learned.
    let root = with_palettes(&index);
    for name in ["p00", "p01"] {
        let mask = root.path().join(format!("masks/val/{name}.png"));
        write_index_mask(mask, &swapped, &[RED, BLACK]).expect("writable");
    }
    assert_told(
        &report(root.path()),
        &["val/p00: ", "val/p01: ", "2 problems"],
    );
    let splits = ["train", "val"].map(|split| open(&root, split));
    let error = check_mask_files(&[&splits[0], &splits[1]]).expect_err("two meanings");
    assert!(error.to_string().contains("val/p00.png"), "{error}");
    check_mask_files(&[&splits[1]]).expect("one meaning");
    // By their colours, all mean the same.
    fs::write(
        root.path().join("dataset.toml"),
        index.replace("palette_index", "color"),
    )
    .expect("writable");
    let report_ = report(root.path());
    assert!(report_.is_ok(), "{report_}");
    // A mask without palette, and one whose greys come in another order.
    let root = written(&either, &halves(1));
    let greys = [[1; 3], BLACK];
    write_index_mask(root.path().join("masks/train/p02.png"), &swapped, &greys).expect("writable");
    assert_told(
        &report(root.path()),
        &[
            "p02.png`: the colour [1, 1, 1] is the value 0, expected 1 as in `",
            "1 problem",
        ],
    );
}

/// A mask of 1 bit, in which some pixels are white.
fn write_one_bit(path: &Path) {
    let file = fs::File::create(path).expect("writable");
    let mut encoder = png::Encoder::new(file, 6, 4);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&[0b1010_1000; 4]).expect("4 rows");
}

/// An optimiser saves 0 and 255 with 1 bit, and white is then read as the class 1.
#[test]
fn masks_of_one_bit_among_others() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let masks = |names: &[&str]| {
        for name in names {
            write_one_bit(&root.path().join("masks").join(name));
        }
    };
    masks(&["train/p00.png", "train/p01.png"]);
    let told = [
        "train/p00: `",
        "p01.png`: white in a mask of 1 bit is the class 1 or the ignored 255",
        "2 problems",
    ];
    assert_told(&report(root.path()), &told);
    let train = CustomDataset::open(root.path().join("dataset.toml"), "train").expect("whole");
    let error = check_mask_files(&[&train]).expect_err("doubtful");
    assert!(
        matches!(error, DatasetError::DoubtfulWhite { .. }),
        "{error}"
    );

    // All with 1 bit, and where white cannot be ignored.
    masks(&["train/p02.png", "val/p00.png", "val/p01.png"]);
    let report_ = report(root.path());
    assert!(report_.is_ok(), "{report_}");
    check_mask_files(&[&train]).expect("all are alike");
    for ignored in ["ignored = []\n", "ignored = [254]\n"] {
        let root = written(&format!("{ignored}{CLASSES}{FOLDERS}"), &halves(1));
        write_one_bit(&root.path().join("masks/train/p00.png"));
        let report = report(root.path());
        assert!(report.is_ok(), "{report}");
    }
}

/// Training goes on without a validation split that nobody described. One whose files are missing is a mistake.
#[test]
fn a_split_that_nobody_described_is_no_problem() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let path = root.path().join("dataset.toml");
    let text = fs::read_to_string(&path).expect("written");
    let (train, _) = text.split_once("[splits.val]").expect("behind train");
    fs::write(&path, train).expect("writable");
    let found = report(root.path());
    assert!(found.is_ok(), "{found}");
    assert!(found.missing.iter().any(|(split, _)| split == "val"));
    fs::write(&path, text).expect("writable");
    fs::remove_dir_all(root.path().join("images/val")).expect("there");
    assert_told(&report(root.path()), &["images/val"]);
}

/// An eraser makes pixels transparent and leaves their colours.
#[test]
fn erased_colours_are_refused() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let path = root.path().join("mask.png");
    let read = |pixels: [[u8; 4]; 2]| {
        let mut mask = image::RgbaImage::new(2, 1);
        for (at, pixel) in (0..).zip(pixels) {
            mask.put_pixel(at, 0, image::Rgba(pixel));
        }
        mask.save(&path).expect("writable");
        RawMask::read(&path)
    };
    let (seen, nothing) = ([200, 0, 0, 255], [0, 0, 0, 0]);
    let erased = [200, 0, 0, 0];
    read([seen, nothing]).expect("never drawn");
    read([seen, seen]).expect("opaque");
    read([erased, erased]).expect("a channel that nobody looked at");
    let error = read([seen, erased]).expect_err("erased").to_string();
    assert!(
        error.contains("1 transparent pixels have a colour"),
        "{error}"
    );
    assert!(error.contains("[200, 0, 0]"), "{error}");
}

/// 65535 is the void of masks of 16 bits.
#[test]
fn large_values_are_ignored_in_masks_of_16_bits() {
    let description = format!("encoding = \"grey16\"\nignored = [65535]\n{CLASSES}{FOLDERS}");
    let root = written(&description, &halves(1));
    for name in ["train/p00", "train/p01", "train/p02", "val/p00", "val/p01"] {
        let values = (0..SIZE.pixels()).map(|at| [0, 1, 65535][at % 3]);
        let mask = InstanceMap::new(SIZE, values.collect());
        write_instances(root.path().join(format!("masks/{name}.png")), &mask).expect("writable");
    }
    let report = report(root.path());
    assert!(report.is_ok(), "{report}");
    let train = CustomDataset::open(root.path().join("dataset.toml"), "train").expect("whole");
    let labels = train.labels(0).expect("known values");
    assert_eq!(labels.data[..3], [0, 1, 255]);
}

/// Tiles without data are alike, and no picture of two splits.
#[test]
fn pictures_of_one_colour_are_no_duplicates() {
    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let image = |name: &str, change: u8| {
        let mut image = RgbImage::from_pixel(6, 4, image::Rgb([9; 3]));
        image.put_pixel(0, 0, image::Rgb([9 + change; 3]));
        write_image(root.path().join(format!("images/{name}.png")), &image).expect("writable");
    };
    image("train/p00", 0);
    image("val/p00", 0);
    let found = report(root.path());
    assert!(found.is_ok(), "{found}");
    image("train/p00", 90);
    image("val/p00", 90);
    assert_eq!(report(root.path()).duplicates.len(), 1);
}

/// Writes images and masks into one folder, under these names, and opens them as the training split.
fn in_one_folder(names: &[(&str, &str)], settings: &str) -> (TempDir, CheckReport) {
    let one = format!("[splits.train]\nimages = \"one\"\nlabels = \"one\"\n{settings}");
    let root = written(&format!("{CLASSES}{one}"), &halves(1));
    for (number, (image, mask)) in (0..).zip(names) {
        let picture = RgbImage::from_pixel(6, 4, image::Rgb([100 + number; 3]));
        write_image(root.path().join("one").join(image), &picture).expect("writable");
        write_mask(root.path().join("one").join(mask), &halves(1)).expect("writable");
    }
    let report = report(root.path());
    (root, report)
}

/// labelme and makesense.ai: the photo `p0.jpg`, and its mask `p0.png` beside it.
#[test]
fn photos_and_masks_of_one_name_in_one_folder() {
    let names = [("p0.jpg", "p0.png"), ("p1.jpeg", "p1.png")];
    let (root, report) = in_one_folder(&names, "");
    assert!(report.is_ok(), "{report}");
    assert_eq!(report.splits[0].items, 2);
    let one = root.path().join("one");
    fs::copy(one.join("p0.jpg"), one.join("p0.jpeg")).expect("writable");
    fs::copy(one.join("p0.png"), one.join("p2.png")).expect("writable");
    let told = [
        "p0.jpeg` and `",
        "p0.jpg`: two images of the same name",
        "p2.png`: label without image",
        "2 problems",
    ];
    assert_told(&self::report(root.path()), &told);
}

/// Photos of people with and without masks on their faces.
#[test]
fn images_whose_names_end_as_labels_do() {
    let names = [
        ("no_mask.png", "no_mask_mask.png"),
        ("with_mask.png", "with_mask_mask.png"),
        ("plain.png", "plain_mask.png"),
    ];
    let (root, report) = in_one_folder(&names, "label_suffix = \"_mask.png\"\n");
    assert!(report.is_ok(), "{report}");
    assert_eq!(report.splits[0].items, 3);
    // Without its own label it is one, whose image is not there.
    fs::remove_file(root.path().join("one/no_mask_mask.png")).expect("there");
    let told = ["no_mask.png`: label without image", "1 problem"];
    assert_told(&self::report(root.path()), &told);
}

/// One folder, written in two ways: its pictures are not their own labels.
#[test]
fn a_folder_named_twice_is_one() {
    let split = "[splits.train]\nimages = \"masks/train\"\nlabels = \"images/../masks/train\"\n";
    let root = written(&format!("{CLASSES}{split}"), &halves(1));
    let told = ["all 3 files end in `.png` as labels do"];
    assert_told(&report(root.path()), &told);
}

#[cfg(unix)]
#[test]
fn linked_folders_below_are_told_as_folders_are() {
    use std::os::unix::fs::symlink;

    let root = written(&format!("{CLASSES}{FOLDERS}"), &halves(1));
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    for kind in ["images", "masks"] {
        let (from, to) = (
            root.path().join(kind).join("train"),
            elsewhere.path().join(kind),
        );
        fs::create_dir_all(to.join("deeper")).expect("writable");
        fs::rename(from.join("p02.png"), to.join("q.png")).expect("there");
        fs::copy(to.join("q.png"), to.join("deeper/r.png")).expect("writable");
        symlink(&to, from.join("more")).expect("allowed");
        // These lead back, and are not followed.
        for (target, link) in [
            (&to, to.join("again")),
            (&from, to.join("back")),
            (&from, from.join("here")),
        ] {
            symlink(target, link).expect("allowed");
        }
        symlink(root.path(), from.join("up")).expect("allowed");
    }
    let told = [
        "images/train/more`: below the folder of the split, and left out: 1 images such as `q.png`",
        "images/train/more/deeper`: below the folder of the split, and left out: 1 images such as `r.png`",
        "2 problems",
    ];
    assert_told(&report(root.path()), &told);
    // The images of another split are not left out.
    let more = format!(
        "{CLASSES}{FOLDERS}[splits.more]\nimages = \"{0}/images\"\nlabels = \"{0}/masks\"\n\
         [splits.deeper]\nimages = \"{0}/images/deeper\"\nlabels = \"{0}/masks/deeper\"\n",
        elsewhere.path().display()
    );
    fs::write(root.path().join("dataset.toml"), more).expect("writable");
    let report = report(root.path());
    assert!(report.is_ok(), "{report}");
}

#[test]
fn descriptions_with_backslashes() {
    let list = "[splits.test]\nlist = 'lists\\test.txt'\n";
    let windows = format!("{CLASSES}{FOLDERS}{list}")
        .replace("\"images/train\"", "'images\\train'")
        .replace("\"masks/train\"", "'.\\masks\\train'");
    let root = written(&windows, &halves(1));
    fs::create_dir(root.path().join("lists")).expect("writable");
    let line = "images/train/p00.png masks/train/p00.png\n";
    fs::write(root.path().join("lists/test.txt"), line).expect("writable");
    for (split, images) in [("train", 3), ("test", 1)] {
        let opened = CustomDataset::open(root.path().join("dataset.toml"), split);
        let dataset = opened.unwrap_or_else(|error| panic!("{split}: {error}"));
        assert_eq!(dataset.len(), images, "{split}");
    }
    let tabs = format!("{CLASSES}{FOLDERS}").replace("images/train", "images\\train");
    fs::write(root.path().join("dataset.toml"), tabs).expect("writable");
    let told = [
        "\"images\\train\" is not there, and has a control character: in double quotes, `\\t` is a tab; write paths with `/`, \
         or in 'single quotes'",
    ];
    assert_told(&report(root.path()), &told);
}
