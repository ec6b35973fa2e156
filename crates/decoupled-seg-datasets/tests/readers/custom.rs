//! Descriptions of custom data sets.

use std::fs;

use decoupled_seg_datasets::files::MaskEncoding;
use decoupled_seg_datasets::files::write_image;
use decoupled_seg_datasets::{
    CustomDataset, Dataset, DatasetError, IGNORE_LABEL, ListProblem, SegmentationDataset,
};
use image::RgbImage;

use crate::layouts::Layout;

#[test]
fn descriptions_that_contradict_themselves() {
    let written = Layout::CustomFolders.write(4);
    let description = written.root().join("dataset.toml");
    let open = |split| CustomDataset::open(&description, split);
    let text = fs::read_to_string(&description).expect("written");
    let broken = |from: &str, to: &str| {
        fs::write(&description, text.replacen(from, to, 1)).expect("writable");
        open("train").expect_err("a contradiction").to_string()
    };
    assert!(broken("name = \"sidewalk\"", "name = \"road\"").contains("classes `road` and `road`"));
    assert!(
        broken("ignored = [255]", "ignored = [3]").contains("id 3 is both `fence` and ignored")
    );
    assert!(broken("ignored = [255]", "ignored = [300]").contains("only masks of 16 bits"));
    let colors = broken("ignored = [255]", "ignored_colors = [[1, 1, 1]]");
    assert!(
        colors.contains("masks of values have `ignored`"),
        "{colors}"
    );
    let color = "encoding = \"color\"\nignored = [0]";
    let values = broken("encoding = \"grey\"\nignored = [255]", color);
    assert!(values.contains("it is `ignored_colors`"), "{values}");
    let bands = broken("[[classes]]", "bands = 100000\n[[classes]]");
    assert!(bands.contains("expected 1 to 1024"), "{bands}");
    let twice = "[splits.validation]\nimages = \"x\"\n[splits.val]";
    let twice = broken("[splits.val]", twice);
    assert!(
        twice.contains("`splits.val` and `splits.validation` are one split"),
        "{twice}"
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
    let root = tempfile::tempdir().expect("a temporary folder");
    write_image(root.path().join("images/a.png"), &RgbImage::new(2, 1)).expect("writable");
    let mask = RgbImage::from_raw(2, 1, vec![10, 20, 30, 0, 0, 0]).expect("two pixels");
    write_image(root.path().join("masks/a.png"), &mask).expect("writable");
    let text = "encoding = \"color\"\nignored_colors = [[0, 0, 0]]\n[[classes]]\nname = \"a\"\ncolor = [1, 1, 1]\n\
                [[classes]]\nname = \"b\"\ncolor = [10, 20, 30]\n[splits.all]\nimages = \"images\"\nlabels = \"masks\"\n";
    let description = root.path().join("dataset.toml");
    fs::write(&description, text).expect("writable");
    let dataset = CustomDataset::open(&description, "all").expect("whole");
    assert_eq!(dataset.masks().encoding, MaskEncoding::Color);
    assert_eq!(
        dataset.labels(0).expect("known colours").data,
        [1, IGNORE_LABEL]
    );
}

/// A line of a list that is not UTF-8 is reported with its number. The other lines count.
#[test]
fn lists_of_another_encoding() {
    let written = Layout::CustomList.write(3);
    let mut list = fs::read(written.list()).expect("there");
    list.splice(0..0, *b"images/caf\xe9.jpg masks/caf\xe9.png\n");
    fs::write(written.list(), list).expect("writable");
    let opened = CustomDataset::open_partially(written.root().join("dataset.toml"), "train");
    let problems = opened.problems;
    let usable = opened.dataset.expect("the others can be read");
    assert_eq!(usable.len(), 3);
    let DatasetError::List {
        path,
        line,
        problem,
    } = &problems[0]
    else {
        panic!("{problems:?}")
    };
    assert_eq!((problems.len(), path, *line), (1, &written.list(), 1));
    assert_eq!(*problem, ListProblem::NotUtf8);
}
