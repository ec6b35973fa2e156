//! Pairs and masks by themselves.

use std::fs;

use decoupled_seg_datasets::files::{Folders, RawMask};
use decoupled_seg_datasets::files::{write_image, write_index_mask, write_mask};
use decoupled_seg_datasets::{LabelMap, Size};
use image::RgbImage;

#[test]
fn names_are_paired_whatever_the_case_of_the_extension() {
    let root = tempfile::tempdir().expect("a temporary folder");
    write_image(root.path().join("images/a.png"), &RgbImage::new(2, 1)).expect("writable");
    fs::rename(
        root.path().join("images/a.png"),
        root.path().join("images/a.PNG"),
    )
    .expect("writable");
    write_mask(
        root.path().join("masks/a.png"),
        &LabelMap::filled(Size::new(1, 2), 0),
    )
    .expect("writable");
    let folders = Folders {
        images: &root.path().join("images"),
        image_suffixes: &[".png"],
        labels: &root.path().join("masks"),
        label_suffix: ".png",
    };
    let listing = folders.pairs();
    assert_eq!((listing.pairs.len(), listing.problems.len()), (1, 0));
}

#[test]
fn masks_keep_what_the_file_says() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let path = root.path().join("mask.png");
    let labels = LabelMap::new(Size::new(1, 3), vec![2, 0, 1]);
    write_index_mask(&path, &labels, &[[0; 3], [255, 0, 0], [0, 255, 0]]).expect("writable");
    let raw = RawMask::read(&path).expect("a palette");
    assert_eq!(raw.format.to_string(), "8-bit palette");
    assert_eq!(raw.palette, [[0; 3], [255, 0, 0], [0, 255, 0]]);
}
