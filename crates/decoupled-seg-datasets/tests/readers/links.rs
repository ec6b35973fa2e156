//! Folders that came as files.

use std::fs;

use decoupled_seg_datasets::{CamVid, DatasetError, Split};

#[test]
fn the_text_of_a_link_is_told_from_another_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("data");
    fs::create_dir_all(&root).expect("writable");
    fs::create_dir_all(folder.path().join("elsewhere/train")).expect("writable");
    let fails = |text: &str| {
        fs::write(root.join("train"), text).expect("writable");
        CamVid::open(&root, Split::Train)
            .expect_err("no folder")
            .to_string()
    };

    let link = fails("../elsewhere/train");
    assert!(
        link.contains("train` is a file, expected a folder"),
        "{link}"
    );
    assert!(
        link.contains("symbolic link to `../elsewhere/train`"),
        "{link}"
    );
    let other = fails("notes on the data\n");
    assert!(other.contains("is a file, expected a folder"), "{other}");
    assert!(!other.contains("symbolic link"), "{other}");
}

#[test]
fn a_file_on_the_way_to_a_folder_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("data");
    fs::write(&file, "").expect("writable");
    let error = CamVid::open(file.join("camvid"), Split::Train).expect_err("no folder");
    let named = error.problems().iter().any(
        |problem| matches!(problem, DatasetError::NotAFolder { path, link: None } if *path == file),
    );
    assert!(named, "{error:?}");
}
