//! Every reader meets folders that are missing, are empty, are files, or lead in circles.

use std::fs;
use std::path::Path;

use decoupled_seg_datasets::{Dataset, DatasetError};

use crate::layouts::{Layout, for_all_layouts};

/// The only problem of a split without a usable item.
#[track_caller]
fn only(error: &DatasetError) -> &DatasetError {
    let [problem] = error.problems() else {
        panic!("{error:?}")
    };
    problem
}

/// Whether a folder is among the places that were looked at; Mapillary's are below the split's folder.
fn names(looked_for: &str, folder: &Path, root: &Path) -> bool {
    let folder = folder.strip_prefix(root).expect("below the root");
    looked_for.contains(&format!("`{}`", folder.display())) || looked_for.contains("`labels`")
}

for_all_layouts! {
    fn a_missing_root_is_named(layout) {
        let written = layout.write(1);
        // A path through a file is no folder either, whoever asks.
        for root in [written.root().join("no/such/folder"), written.image(0)] {
            for split in [layout.training(), decoupled_seg_datasets::Split::Test] {
                let error = written.open_at(&root, split).expect_err("nothing there");
                let named = match only(&error) {
                    DatasetError::MissingFolder { path, looked_for } => {
                        assert!(looked_for.len() > 10, "{error}");
                        path.starts_with(&root)
                    }
                    DatasetError::NotAFolder { path, link: None } => *path == written.image(0),
                    // A custom data set begins with its description.
                    DatasetError::NoDescription { path, .. } => *path == root.join("dataset.toml"),
                    _ => false,
                };
                assert!(named, "{error:?}");
            }
        }
    }

    fn missing_folders_are_named(layout) {
        for which in [0, 1] {
            let written = layout.write(2);
            let folder = written.folders()[which].clone();
            fs::remove_dir_all(&folder).expect("there");
            let error = written.open(layout.training()).expect_err("half of it is gone");
            if layout.is_list() {
                assert_eq!(error.problems().len(), 2, "each line: {error:?}");
                continue;
            }
            let DatasetError::MissingFolder { path, looked_for } = only(&error) else {
                panic!("{error:?}")
            };
            assert!(path.starts_with(written.root()), "{error}");
            assert!(*path == folder || names(looked_for, &folder, written.root()), "{error}");
        }
    }

    fn empty_folders_and_lists_are_named(layout) {
        let written = layout.write(1);
        let expected = if layout.is_list() {
            fs::write(written.list(), "# nothing\n\n").expect("writable");
            written.list()
        } else {
            let folder = written.image(0).parent().expect("in a folder").to_path_buf();
            fs::remove_dir_all(&folder).expect("there");
            fs::create_dir(&folder).expect("writable");
            folder
        };
        let error = written.open(layout.training()).expect_err("no image");
        // The split is empty, not only its folder, where one folder holds all.
        let DatasetError::Empty { path, looked_for } = only(&error) else {
            panic!("{error:?}")
        };
        assert_eq!(*path, expected);
        assert!(!looked_for.is_empty());
    }

    fn other_files_are_left_out(layout) {
        let written = layout.write(3);
        let whole = written.open(layout.training()).expect("whole").len();
        for path in [written.image(1), written.mask(1)] {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            for other in [format!("._{name}"), "Thumbs.db".into(), ".DS_Store".into(), "notes.txt".into()] {
                fs::write(path.with_file_name(other), "not an image").expect("writable");
            }
            let [image, mask] = layout.suffixes();
            for suffix in [image, mask] {
                let folder = path.with_file_name(format!("folder{suffix}"));
                fs::create_dir_all(folder).expect("writable");
            }
        }
        assert_eq!(written.open(layout.training()).expect("still whole").len(), whole);
    }

    fn a_folder_in_the_place_of_a_mask_is_none(layout) {
        let written = layout.write(layout.enough());
        fs::remove_file(written.mask(1)).expect("there");
        fs::create_dir(written.mask(1)).expect("writable");
        let error = written.open(layout.training()).expect_err("no mask");
        assert!(
            matches!(only(&error), DatasetError::ImageWithoutLabel { image, .. } if *image == written.image(1)),
            "{error}"
        );
    }
}

#[cfg(unix)]
for_all_layouts! {
    /// Archives that were unpacked into folders of their own, one or two levels down.
    fn a_root_in_a_folder_below_is_named(layout) {
        if matches!(layout, Layout::CamVidColors | Layout::CamVidLists) {
            return; // The folders of another variant; lists that are not there.
        }
        use std::os::unix::fs::symlink;

        let written = layout.write(2);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("data");
        for inner in ["camera/bags", "camera/logs"] {
            fs::create_dir_all(root.join(inner)).expect("writable");
        }
        for inner in ["set", "twice/set"] {
            let place = root.join(inner);
            fs::create_dir_all(place.parent().expect("below")).expect("writable");
            fs::rename(written.root(), &place).expect("one file system");
            let told = written.open_at(&root, layout.training()).expect_err("one above").to_string();
            let expected = match layout {
                Layout::CustomFolders | Layout::CustomList => {
                    format!("; there is `{}/dataset.toml`", place.display())
                }
                _ => format!("; `{}` has it: take that as `--root`", place.display()),
            };
            assert!(told.ends_with(&expected), "{told}");
            written.open_at(&place, layout.training()).expect("whole");
            // Two of them, and nobody can say which one is meant.
            let other = place.with_file_name("other");
            symlink(&place, &other).expect("links are allowed");
            let told = written.open_at(&root, layout.training()).expect_err("two").to_string();
            assert!(!told.contains("has it") && !told.contains("there is"), "{told}");
            fs::remove_file(other).expect("ours");
            fs::rename(&place, written.root()).expect("back");
        }
    }

    /// A link to itself is an error. A link to a folder above is harmless, because readers do not search below it.
    fn folders_that_lead_in_circles(layout) {
        use std::os::unix::fs::symlink;

        let written = layout.write(3);
        let whole = written.open(layout.training()).expect("whole").len();
        let [images, _] = written.folders();
        let [image_suffix, mask_suffix] = layout.suffixes();
        for (path, suffix) in [(written.image(1), image_suffix), (written.mask(1), mask_suffix)] {
            let link = path.with_file_name(format!("up{suffix}"));
            symlink(written.root(), link).expect("links are allowed");
        }
        assert_eq!(written.open(layout.training()).expect("still whole").len(), whole);

        fs::remove_dir_all(&images).expect("there");
        symlink(&images, &images).expect("links are allowed");
        let error = written.open(layout.training()).expect_err("leads nowhere");
        if layout.is_list() {
            assert_eq!(error.problems().len(), 3, "each line: {error:?}");
            return;
        }
        let named = match only(&error) {
            DatasetError::MissingFolder { path, looked_for } => {
                *path == images || names(looked_for, &images, written.root())
            }
            DatasetError::Io { path, .. } => *path == images,
            _ => false,
        };
        assert!(named, "{error:?}");
    }
}

/// Cities with labels alone, and names of cities that are not UTF-8.
#[test]
fn cities_are_paired_too() {
    let written = Layout::CityscapesIds.write(20);
    let images = written.image(2);
    fs::remove_dir_all(images.parent().expect("a city")).expect("there");
    let error = written.open(Layout::CityscapesIds.training());
    let error = error.expect_err("bremen has labels, but no images");
    assert!(
        matches!(only(&error), DatasetError::MissingFolder { path, .. } if path.ends_with("leftImg8bit/train/bremen")),
        "{error}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn names_of_cities_are_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let written = Layout::CityscapesIds.write(2);
    let [images, _] = written.folders();
    let city = images.join(OsStr::from_bytes(b"k\xf6ln"));
    fs::create_dir(&city).expect("the file system allows it");
    let error = written.open(Layout::CityscapesIds.training());
    let error = error.expect_err("not UTF-8");
    assert!(
        matches!(only(&error), DatasetError::NonUtf8Name { path } if *path == city),
        "{error}"
    );
}

#[test]
fn messages_name_what_was_looked_for() {
    use decoupled_seg_datasets::{
        Bdd100k, CamVid, Cityscapes, MapillaryVersion, MapillaryVistas, Split,
    };
    let root = Path::new("/no/such");
    let message = |error: DatasetError| error.to_string();
    assert_eq!(
        message(CamVid::open(root, Split::Train).expect_err("nothing")),
        "`/no/such`: no such folder; looked for the CamVid folder with `train/` and `trainannot/`"
    );
    assert_eq!(
        message(Cityscapes::open(root, Split::Val).expect_err("nothing")),
        "`/no/such/leftImg8bit/val`: no such folder; looked for the images of Cityscapes in `leftImg8bit/val` or \
         `leftImg8bit_trainvaltest/leftImg8bit/val` under `/no/such`"
    );
    for part in ["images/10k/train", "images/train", "seg/images/train"] {
        let error = Bdd100k::open(root, Split::Train).expect_err("nothing");
        assert!(message(error).contains(part), "{part}");
    }
    let error =
        MapillaryVistas::open(root, Split::Train, MapillaryVersion::V12).expect_err("nothing");
    assert!(message(error).contains("the class table `config_v1.2.json` or `config.json`"));
}
