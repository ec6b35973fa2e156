//! Benchmarks in forms in circulation that the official archives do not have.

use std::fs;
use std::path::{Path, PathBuf};

use decoupled_seg_datasets::check::check_splits;
use decoupled_seg_datasets::files::{RawMask, write_image, write_index_mask, write_mask};
use decoupled_seg_datasets::{
    Bdd100k, CAMVID_COLORS, CamVid, CityscapesConfig, CustomDataset, Dataset, DatasetError,
    FileDataset, LabelMap, SegmentationDataset, Split,
};
use image::RgbImage;
use rstest::rstest;

use crate::layouts::{HEIGHT, Layout, SIZE, WIDTH, Written};

/// Moves a folder or a file within a root.
fn rename(root: &Path, from: &str, to: &str) {
    let to = root.join(to);
    fs::create_dir_all(to.parent().expect("below the root")).expect("writable");
    fs::rename(root.join(from), to).expect("one file system");
}

/// Gives each file of a folder another name.
fn rename_files(folder: &Path, name: impl Fn(&str) -> String) {
    for entry in fs::read_dir(folder).expect("there") {
        let path = entry.expect("readable").path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let to = path.with_file_name(name(stem.expect("ASCII")));
        fs::rename(&path, to).expect("one file system");
    }
}

fn labels(dataset: &FileDataset) -> Vec<LabelMap> {
    let items = 0..dataset.len();
    items
        .map(|item| dataset.labels(item).expect("readable"))
        .collect()
}

/// The colours of a label map in one of 32, the void where a pixel has no class.
fn colored(labels: &LabelMap) -> RgbImage {
    let color = |label: u8| {
        let colors = CamVid::classes().colors();
        let color = colors.get(usize::from(label)).copied();
        image::Rgb(color.unwrap_or_default())
    };
    RgbImage::from_fn(WIDTH as u32, HEIGHT as u32, |x, y| {
        color(labels.get(x as usize, y as usize))
    })
}

/// CamVid with the masks of the training images written anew, and what they were.
fn camvid(write: impl Fn(&Path, &LabelMap)) -> (Written, Vec<LabelMap>) {
    let written = Layout::CamVid.write(4);
    let whole = labels(&written.open(Split::Train).expect("whole"));
    for (item, labels) in whole.iter().enumerate() {
        write(&written.mask(item), labels);
    }
    (written, whole)
}

fn palette_of_colors() -> Vec<[u8; 3]> {
    CAMVID_COLORS.iter().map(|class| class.color).collect()
}

/// A mask of values with void as 11.
fn with_void(labels: &LabelMap) -> LabelMap {
    let values = labels.data.iter().map(|&label| label.min(11));
    LabelMap::new(labels.size(), values.collect())
}

#[rstest]
#[case::cut(|mask: &Path| {
    let bytes = fs::read(mask).expect("there");
    fs::write(mask, &bytes[..bytes.len() - 20]).expect("writable");
})]
#[case::black(|mask: &Path| write_image(mask, &RgbImage::new(WIDTH as u32, HEIGHT as u32)).expect("writable"))]
#[case::black_and_grey(|mask: &Path| write_mask(mask, &LabelMap::filled(SIZE, 0)).expect("writable"))]
#[case::sky_alone(|mask: &Path| {
    let sky = image::Rgb([128; 3]);
    write_image(mask, &RgbImage::from_pixel(WIDTH as u32, HEIGHT as u32, sky)).expect("writable");
})]
#[case::text(|mask: &Path| fs::write(mask, "no picture").expect("writable"))]
fn a_first_mask_that_says_nothing_does_not_decide_for_all(#[case] spoil: fn(&Path)) {
    let (written, whole) = camvid(|path, labels| {
        write_image(path, &colored(labels)).expect("writable");
    });
    spoil(&written.mask(0));
    let train = written.open(Split::Train).expect("whole");
    for (item, expected) in whole.iter().enumerate().skip(1) {
        assert_eq!(train.labels(item).expect("colours"), *expected);
    }
}

#[test]
fn camvid_in_palettes_is_read_by_what_gives_classes() {
    let odd: Vec<[u8; 3]> = (0..=255)
        .map(|at: u8| [at, at.wrapping_mul(7), 3])
        .collect();
    let tutorial: Vec<[u8; 3]> = [CamVid::classes().colors(), vec![[0; 3]]].concat();
    for palette in [odd, tutorial] {
        let (written, whole) = camvid(|path, labels| {
            write_index_mask(path, &with_void(labels), &palette).expect("writable");
        });
        let train = written.open(Split::Train).expect("whole");
        assert_eq!(labels(&train), whole);
    }
    // The indices are places in the table of 32 colours.
    let (written, whole) = camvid(|path, labels| {
        let picture = colored(labels);
        let place = |color: &image::Rgb<u8>| {
            let place = CAMVID_COLORS
                .iter()
                .position(|class| class.color == color.0);
            place.expect("one of 32") as u8
        };
        let indices = LabelMap::new(SIZE, picture.pixels().map(place).collect());
        write_index_mask(path, &indices, &palette_of_colors()).expect("writable");
    });
    assert_eq!(labels(&written.open(Split::Train).expect("whole")), whole);
}

#[test]
fn a_palette_that_may_be_read_in_two_ways_is_refused() {
    // Black and the red of buildings are void and buildings, or the indices 0 and 1.
    let (written, _) = camvid(|path, labels| {
        let two = labels.data.iter().map(|&label| u8::from(label > 3));
        let two = LabelMap::new(SIZE, two.collect());
        write_index_mask(path, &two, &[[0; 3], [128, 0, 0]]).expect("writable");
    });
    let train = written.open(Split::Train).expect("listed");
    let error = train.get(0).expect_err("two readings");
    assert!(matches!(error, DatasetError::MaskFormat { .. }), "{error}");
}

#[test]
fn void_of_camvid_may_be_255() {
    let (written, whole) = camvid(|path, labels| write_mask(path, labels).expect("writable"));
    assert!(whole.iter().any(|labels| labels.data.contains(&255)));
    assert_eq!(labels(&written.open(Split::Train).expect("whole")), whole);
}

#[test]
fn coloured_masks_of_camvid_may_be_named_as_their_images() {
    let (written, whole) = camvid(|path, labels| {
        write_image(path, &colored(labels)).expect("writable");
    });
    rename(written.root(), "trainannot", "train_labels");
    assert_eq!(labels(&written.open(Split::Train).expect("whole")), whole);
    let folder = written.root().join("train_labels");
    rename_files(&folder, |stem| format!("{stem}_L.png"));
    assert_eq!(labels(&written.open(Split::Train).expect("whole")), whole);
}

#[test]
fn lists_of_camvid_may_be_of_names() {
    let written = Layout::CamVid.write(4);
    for ending in ["", ".png"] {
        let names = [2, 0].map(|item| {
            let image = written.image(item);
            let stem = image
                .file_stem()
                .and_then(|stem| stem.to_str())
                .expect("ASCII");
            format!("{stem}{ending}\n")
        });
        fs::write(written.list(), names.concat()).expect("writable");
        let train = written.open(Split::Train).expect("whole");
        let images: Vec<PathBuf> = train.pairs().iter().map(|it| it.image.clone()).collect();
        assert_eq!(images, [written.image(2), written.image(0)]);
    }
    fs::write(written.list(), "nothing/of/it\n").expect("writable");
    let error = written.open(Split::Train).expect_err("no image");
    assert!(
        error.to_string().contains("line 1: no such image"),
        "{error}"
    );
}

#[test]
fn camvid_of_another_form_is_told_what_reads_it() {
    let written = Layout::CamVid.write(4);
    for split in ["val", "valannot", "test", "testannot"] {
        fs::remove_dir_all(written.root().join(split)).expect("there");
    }
    rename(written.root(), "train", "images");
    rename(written.root(), "trainannot", "labels");
    let error = written
        .open(Split::Train)
        .expect_err("no split")
        .to_string();
    let told = "`images/` is of another form: write a `dataset.toml` for it";
    assert!(error.contains(told), "{error}");
}

#[test]
fn releases_of_bdd100k_may_be_mixed() {
    // The images of 2020 with labels as in 2018.
    let written = Layout::Bdd2020.write(4);
    let whole = labels(&written.open(Split::Train).expect("whole"));
    rename(written.root(), "labels/sem_seg/masks/train", "labels/train");
    let folder = written.root().join("labels/train");
    rename_files(&folder, |stem| format!("{stem}_train_id.png"));
    let opened = Bdd100k::open(written.root(), Split::Train);
    assert_eq!(labels(&opened.expect("whole")), whole);
    // The folders of 2018 with the names of 2020.
    rename_files(&folder, |stem| {
        format!("{}.png", stem.strip_suffix("_train_id").expect("named so"))
    });
    rename(written.root(), "images/10k/train", "images/train");
    let opened = Bdd100k::open(written.root(), Split::Train);
    assert_eq!(labels(&opened.expect("whole")), whole);
}

#[test]
fn cityscapes_without_cities_says_what_is_there() {
    let written = Layout::CityscapesIds.write(2);
    let folder = written.root().join("leftImg8bit/train");
    for item in 0..2 {
        for file in [written.image(item), written.mask(item)] {
            let split = file.ancestors().nth(2).expect("below the root");
            let name = file.file_name().expect("a file");
            fs::rename(&file, split.join(name)).expect("one file system");
            fs::remove_dir_all(file.parent().expect("a city")).expect("there");
        }
    }
    let error = CityscapesConfig::new(written.root(), Split::Train).open();
    let error = error.expect_err("no city").to_string();
    let begins = format!("`{}`: no images; looked for city folders", folder.display());
    assert!(error.starts_with(&begins), "{error}");
    assert!(
        error.contains("_leftImg8bit.png`: move each file into a folder of its city"),
        "{error}"
    );
}

#[test]
fn images_that_all_end_otherwise_are_named() {
    let written = Layout::CityscapesIds.write(1);
    let image = written.image(0);
    fs::rename(&image, image.with_extension("jpg")).expect("one file system");
    let error = written.open(Split::Train).expect_err("no PNG").to_string();
    let told = "_leftImg8bit.jpg`: convert the images, or say how their names end (`image_suffix` in a `dataset.toml`)";
    assert!(
        error.contains("looked for image files `*_leftImg8bit.png`; there is `"),
        "{error}"
    );
    assert!(error.ends_with(told), "{error}");
}

#[cfg(unix)]
#[test]
fn links_to_nothing_are_told_as_such() {
    use std::os::unix::fs::symlink;

    let written = Layout::CustomFolders.write(4);
    for (item, target, told) in [
        (
            0,
            "../../.git/annex/objects/Xk/3f/a.jpg",
            "fetch it with `git annex get`",
        ),
        (
            1,
            "../elsewhere.jpg",
            "put the file there, or take the link away",
        ),
    ] {
        fs::remove_file(written.image(item)).expect("there");
        symlink(target, written.image(item)).expect("links are allowed");
        let opened = written.open_partially(Split::Train);
        let told = format!(
            "`{}`: a link to `{target}`, which is not there; {told}",
            written.image(item).display()
        );
        assert_eq!(opened.problems[item].to_string(), told);
    }
    // A folder that is one.
    let camvid = Layout::CamVid.write(1);
    fs::remove_dir_all(camvid.root().join("train")).expect("there");
    symlink("elsewhere", camvid.root().join("train")).expect("links are allowed");
    let error = camvid
        .open(Split::Train)
        .expect_err("nothing there")
        .to_string();
    assert!(
        error.contains("train` is a link to `elsewhere`, which is not there"),
        "{error}"
    );
}

#[test]
fn files_that_are_no_pictures_any_more_are_named() {
    let written = Layout::CamVid.write(2);
    let png = fs::read(written.mask(0)).expect("there");
    let replaced = |from: &[u8], to: &[u8]| [to, &png[from.len()..]].concat();
    let text = String::from_utf8_lossy(&png).into_owned().into_bytes();
    for (bytes, told) in [
        (
            replaced(b"\x89PNG\r\n", b"\x89PNG\n"),
            "a PNG whose line ends were converted",
        ),
        (
            replaced(b"\x89PNG\r\n", b"\x89PNG\r\r\n"),
            "a PNG whose line ends were converted",
        ),
        (text, "a PNG that was read and saved as text"),
        (vec![0; 5000], "zeros only"),
        (b"  \n".to_vec(), "white space only"),
    ] {
        fs::write(written.mask(0), &bytes).expect("writable");
        fs::write(written.image(0), &bytes).expect("writable");
        for error in [
            RawMask::read(written.mask(0)).expect_err("no mask"),
            decoupled_seg_datasets::files::read_image(written.image(0)).expect_err("no image"),
        ] {
            assert!(error.to_string().contains(&format!("`: {told}")), "{error}");
        }
    }
}

/// What `check` says of a description at a path, in the lines of problems.
fn told_of_description(path: &Path) -> Vec<String> {
    let open = |split: Split| {
        let opened = CustomDataset::open_partially(path, split.as_str());
        (split, opened.shared())
    };
    let splits = [Split::Train, Split::Val, Split::Test].map(open);
    let report = check_splits(splits.into(), |_, _| {});
    assert!(!report.is_ok());
    report.to_string().lines().map(str::to_string).collect()
}

#[test]
fn a_description_that_is_not_there_is_told_once() {
    let written = Layout::CustomFolders.write(1);
    let outer = tempfile::tempdir().expect("a temporary folder");
    let file = written.root().join("dataset.toml");
    let folder = written.root().display();
    let expected = "; expected a folder that holds `dataset.toml`, the description of a data set";
    let mut cases = vec![
        (outer.path().join("dataset.toml"), String::new()),
        (
            file.join("dataset.toml"),
            format!("; there is `{folder}/dataset.toml`"),
        ),
    ];
    #[cfg(unix)]
    {
        let link = outer.path().join("set/dataset.toml");
        fs::create_dir(outer.path().join("set")).expect("writable");
        std::os::unix::fs::symlink("nothing", &link).expect("links are allowed");
        cases.push((link, String::new()));
    }
    for (path, there) in cases {
        let lines = told_of_description(&path);
        let [unusable, problem, count] = &lines[..] else {
            panic!("{lines:?}")
        };
        assert_eq!(unusable, "train: nothing of it can be used, see below");
        assert!(
            problem.starts_with(&format!("train: `{}`: ", path.display())),
            "{problem}"
        );
        assert!(
            problem.ends_with(&format!("{expected}{there}")),
            "{problem}"
        );
        assert_eq!(count, "1 problem");
    }
}
