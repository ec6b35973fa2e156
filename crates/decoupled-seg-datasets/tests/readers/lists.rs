//! Lines of lists: which files they name, and which they do not.

use std::fs;
use std::path::Path;

use decoupled_seg_datasets::files::{Folders, Listing, read_list, read_names};
use tempfile::TempDir;

/// Empty files. What is in them does not matter to a list.
fn with_files(files: &[&str]) -> TempDir {
    let root = tempfile::tempdir().expect("a temporary folder");
    for file in files {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().expect("in a folder")).expect("writable");
        fs::write(path, "").expect("writable");
    }
    root
}

fn listed(root: &Path, list: &str) -> Listing {
    let path = root.join("list.txt");
    fs::write(&path, list).expect("writable");
    read_list(&path, root)
}

/// A list of names of the pictures in `images`, with labels in `masks`.
fn named(root: &Path, list: &str) -> Listing {
    let path = root.join("list.txt");
    fs::write(&path, list).expect("writable");
    let folders = Folders {
        images: &root.join("images"),
        image_suffixes: &[".png"],
        labels: &root.join("masks"),
        label_suffix: ".png",
    };
    read_names(&path, &folders, true)
}

fn told(listing: &Listing) -> Vec<String> {
    listing.problems.iter().map(ToString::to_string).collect()
}

/// The pairs of a listing without problems, below the root.
#[track_caller]
fn pairs(root: &Path, listing: &Listing) -> Vec<String> {
    assert!(listing.problems.is_empty(), "{:?}", told(listing));
    let below = |path: &Path| {
        let path = path.strip_prefix(root).expect("below the root");
        path.to_str().expect("UTF-8").to_string()
    };
    let pair = |image: &Path, labels: Option<&Path>| match labels {
        Some(labels) => format!("{} {}", below(image), below(labels)),
        None => below(image),
    };
    let pairs = listing.pairs.iter();
    pairs
        .map(|it| pair(&it.image, it.labels.as_deref()))
        .collect()
}

const FOUR: [&str; 4] = ["images/a.png", "images/b.png", "masks/a.png", "masks/b.png"];
const A: &str = "images/a.png masks/a.png";
const B: &str = "images/b.png masks/b.png";

#[test]
fn lines_of_two_collections_are_told_apart() {
    let root = with_files(&FOUR);
    let root = root.path();
    let of = |folder: &str, name: &str| {
        format!("{folder}/images/{name}.png,{folder}/masks/{name}.png\n")
    };
    let list = format!("{}{}{}", of("/x/A", "a"), of("/x/B", "a"), of("/x/B", "b"));
    let listing = listed(root, &list);
    assert_eq!(listing.pairs.len(), 1);
    assert_eq!(
        told(&listing)[0],
        format!(
            "`{}`, line 2: no such image: `/x/B/images/a.png`; lines before are found without the folders `x/A`, and this one \
             would be without `x/B`: a file of this name may be another collection's; put the folders there, or write a list \
             for each",
            root.join("list.txt").display()
        )
    );
    assert_eq!(listing.problems.len(), 2, "{listing:?}");
    // Labels of two places.
    let list = "images/a.png,/x/A/masks/a.png\nimages/b.png,/x/B/masks/b.png\n";
    let labels = told(&listed(root, list));
    assert!(
        labels[0].contains("line 2: no such label: `/x/B/masks/b.png`"),
        "{labels:?}"
    );
    assert_eq!(labels.len(), 1);
    // Relative paths too.
    let list = format!("{}{}", of("A", "a"), of("B", "b"));
    assert!(told(&listed(root, &list))[0].contains("without `B`"));
    // A line that is not used decides nothing.
    let list = format!("/x/B/images/a.png,/x/B/masks/c.png\n{}", of("/x/A", "a"));
    assert_eq!(listed(root, &list).pairs.len(), 1);
}

#[test]
fn lists_of_one_machine_are_read() {
    let root = with_files(&FOUR);
    let root = root.path();
    for list in [
        "/x/A/images/a.png /x/A/masks/a.png\n/x/A/images/b.png /x/A/masks/b.png",
        "/x/photos/images/a.png /x/truth/masks/a.png\n/x/photos/images/b.png /x/truth/masks/b.png",
        "C:\\x\\images\\a.png,C:\\x\\masks\\a.png\nC:/x/images/b.png,C:/x/masks/b.png",
        "./data/images/a.png ./data/masks/a.png\ndata/images/b.png data/masks/b.png",
        "images/a.png masks/a.png\n/x/images/b.png /x/masks/b.png",
    ] {
        assert_eq!(pairs(root, &listed(root, list)), [A, B], "{list}");
    }
}

#[test]
fn no_image_is_its_own_label() {
    let root = with_files(&FOUR);
    let root = root.path();
    for line in [
        "masks/a.png,masks/a.png",
        "masks/a.png ./masks/a.png",
        "masks/a.png images/../masks/a.png",
    ] {
        let listing = listed(root, &format!("{A}\n{line}\n"));
        let told = told(&listing);
        assert_eq!(listing.pairs.len(), 1);
        assert!(
            told[0].ends_with(" is both the image and its label; name the file of the label"),
            "{told:?}"
        );
        assert!(told[0].contains("line 2: `"), "{told:?}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(root.join("masks"), root.join("same")).expect("allowed");
        let told = told(&listed(root, "masks/a.png same/a.png"));
        assert!(told[0].contains("both the image and its label"), "{told:?}");
    }
}

#[test]
fn names_may_begin_with_a_hash() {
    let root = with_files(&[
        "#1.png",
        "a.png",
        "images/#1.png",
        "images/a.png",
        "masks/#1.png",
        "masks/a.png",
    ]);
    let root = root.path();
    // What is left of a comment without its folders is none of it.
    let list = "# images and masks\n#1.png masks/#1.png\n#2.png masks/#1.png\n#images/a.png masks/a.png\n#a.png,a.png\n\
                images/a.png masks/a.png\n#\n";
    assert_eq!(pairs(root, &listed(root, list)), ["#1.png masks/#1.png", A]);
    let told = told(&listed(root, "#1.png masks/#2.png"));
    assert!(told[0].contains("image without label"), "{told:?}");
    let list = "# names\na\n#1\n#2\n#a\n";
    assert_eq!(
        pairs(root, &named(root, list)),
        [A, "images/#1.png masks/#1.png"]
    );
}

#[test]
fn names_may_hold_commas() {
    let (image, mask) = ("images/48.85,2.35.png", "masks/48.85,2.35.png");
    let root = with_files(&[image, mask, "images/a.png", "masks/a.png"]);
    let root = root.path();
    let both = format!("{image} {mask}");
    for line in [
        format!("\"{image}\",\"{mask}\""),
        format!("\"/x/{image}\",\"/x/{mask}\""),
        format!("\"{image}\" \"{mask}\""),
        both.clone(),
        format!("{image},{mask}"),
        format!("{image}; {mask}"),
        format!("7,\"{image}\",\"{mask}\""),
    ] {
        assert_eq!(pairs(root, &listed(root, &line)), [&*both], "{line}");
    }
    let one = format!("{image},masks/a.png");
    assert_eq!(
        pairs(root, &listed(root, &one)),
        [format!("{image} masks/a.png")]
    );
    let alone = format!("{image}\nimages/a.png\n");
    assert_eq!(pairs(root, &listed(root, &alone)), [image, "images/a.png"]);
}

#[test]
fn tables_of_spreadsheets_are_lists() {
    let root = with_files(&FOUR);
    let root = root.path();
    let lines = "images/a.png,masks/a.png\nimages/b.png,masks/b.png\n";
    let numbered = "0,images/a.png,masks/a.png\n17,images/b.png,masks/b.png\n";
    for (heading, lines) in [
        ("image,mask", lines),
        ("# made by hand\n\nImage_Path;Label_Path", lines),
        (",image,mask", numbered),
        ("\"Unnamed: 0\",img,seg", numbered),
        ("# no heading", numbered),
    ] {
        let list = format!("{heading}\n{lines}");
        assert_eq!(pairs(root, &listed(root, &list)), [A, B], "{heading}");
    }
    assert_eq!(pairs(root, &named(root, "filename\na\nb\n")), [A, B]);
    // Elsewhere than in the first line it is a name, and so is a word that no heading has.
    for list in [
        format!("{lines}image,mask\n"),
        format!("images,cats\n{lines}"),
    ] {
        let listing = listed(root, &list);
        assert_eq!(
            (listing.pairs.len(), listing.problems.len()),
            (2, 1),
            "{list}"
        );
    }
    assert_eq!(told(&named(root, "a\nfilename\n")).len(), 1);
    // Nothing but numbers is passed over.
    let told = told(&listed(
        root,
        "x,images/a.png,masks/a.png\n0,images/c.png,masks/a.png\n",
    ));
    assert!(
        told[0].contains("found `masks/a.png` behind them"),
        "{told:?}"
    );
    assert!(
        told[1].contains("no such image: `") && told[1].contains("images/c.png"),
        "{told:?}"
    );
}

/// A picture may be called as a column is.
#[test]
fn a_file_is_no_heading() {
    let files = ["image", "mask", "images/image.png", "masks/image.png"];
    let root = with_files(&files);
    let root = root.path();
    assert_eq!(pairs(root, &listed(root, "image,mask\n")), ["image mask"]);
    let both = "images/image.png masks/image.png";
    assert_eq!(pairs(root, &named(root, "image\n")), [both]);
}

#[test]
fn names_that_are_paths_or_in_capitals_are_told() {
    let root = with_files(&FOUR);
    let root = root.path();
    let (list, images) = (root.join("list.txt"), root.join("images"));
    let (list, images) = (list.display(), images.display());
    assert_eq!(
        told(&named(root, "a\nimages/a.png masks/a.png\nB\nc\n")),
        [
            format!(
                "`{list}`, line 2: no image `images/a.png masks/a.png` in `{images}`; these are paths of an image and its \
                 label: leave out `images` and `labels`, which stand beside `list`"
            ),
            format!("`{list}`, line 3: no image `B` in `{images}`; there is `{images}/b.png`"),
            format!("`{list}`, line 4: no image `c` in `{images}`"),
        ]
    );
}
