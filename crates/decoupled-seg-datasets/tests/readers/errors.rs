//! Every reader meets an item that is broken in every way.

use decoupled_seg_datasets::{Dataset, DatasetError, FileDataset};

use crate::layouts::{Break, Layout, Written, for_all_layouts};

/// The problems with the training images, and the usable items.
fn open(written: &Written) -> (Vec<DatasetError>, FileDataset) {
    let opened = written.open_partially(written.layout.training());
    match opened.dataset {
        Some(dataset) => (opened.problems, dataset),
        None => panic!("{:?}: {:?}", written.layout, opened.problems),
    }
}

for_all_layouts! {
    fn every_breakage_is_named(layout) {
        let written = layout.write(layout.enough());
        let (problems, whole) = open(&written);
        assert!(problems.is_empty(), "{layout:?} is whole: {problems:?}");
        let restore = written.snapshot(1);
        for what in Break::ALL.into_iter().filter(|what| what.is_possible(layout)) {
            written.break_item(what, 1);
            let (mut problems, usable) = open(&written);
            assert_eq!(problems.len(), usize::from(what.shows_at_once()), "{what:?}: {problems:?}");
            problems.extend((0..usable.len()).filter_map(|index| usable.get(index).err()));
            assert_eq!(problems.len(), 1, "{what:?}: {problems:?}");
            assert!(written.tells(&problems[0], what, 1), "{what:?}: {:?}", problems[0]);
            assert!(problems[0].to_string().contains(&*written.root().to_string_lossy()));
            let spoilt = what.shows_at_once() && what.spoils_the_item();
            assert_eq!(usable.len(), whole.len() - usize::from(spoilt), "{what:?}");
            restore();
        }
    }

    fn several_are_told_at_once(layout) {
        let written = layout.write(layout.enough());
        // The last of Cityscapes' images is of the city of the second.
        let last = layout.enough() - 1;
        let planted = [(Break::NoMask, 0), (Break::NoImage, 1), (Break::NoMask, last), (Break::NoMask, 2)];
        for (what, item) in planted {
            written.break_item(what, item);
        }
        let error = written.open(layout.training()).expect_err("four are broken");
        let problems = error.problems();
        assert_eq!(problems.len(), 4, "{error}");
        for (what, item) in planted {
            assert!(problems.iter().any(|problem| written.tells(problem, what, item)), "{what:?}: {error}");
        }
        assert!(error.to_string().starts_with("4 problems: "), "{error}");
        assert!(error.to_string().ends_with("; and 1 more"), "{error}");
    }
}

#[cfg(unix)]
for_all_layouts! {
    fn files_without_rights_are_named(layout) {
        use std::fs;
        use std::os::unix::fs::PermissionsExt;

        let written = layout.write(3);
        let mask = written.mask(1);
        fs::set_permissions(&mask, fs::Permissions::from_mode(0o000)).expect("our file");
        if fs::read(&mask).is_ok() {
            return; // The superuser reads everything; `UnreadableMask` is for him.
        }
        let (_, usable) = open(&written);
        let error = usable.get(1).expect_err("no right to read");
        assert!(matches!(&error, DatasetError::Io { path, .. } if *path == mask), "{error}");
    }
}
