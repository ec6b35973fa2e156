//! A cache gives the same items as resizing does, whatever happens to its folder and to the data.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use decoupled_seg_datasets::augment::{Augmentation, ResizeFilter, resize_image, resize_labels};
use decoupled_seg_datasets::check::ItemCheck;
use decoupled_seg_datasets::files::{write_image, write_mask};
use decoupled_seg_datasets::loader::{Loader, LoaderConfig};
use decoupled_seg_datasets::{
    Cityscapes, ClassTable, Dataset, DatasetError, FileDataset, IGNORE_LABEL, LabelMap,
    ResizedCache, ResizedCacheConfig, ResizedTo, Sample, SegmentationDataset, Size, Split,
};
use decoupled_seg_synthetic::{SyntheticConfig, write_cityscapes};
use image::RgbImage;
use rstest::rstest;
use tempfile::TempDir;

const HALF: ResizedTo = ResizedTo::Scale(0.5);
const WHOLE: Size = Size::new(31, 50);
const HALVED: Size = Size::new(16, 25);

fn cityscapes() -> (TempDir, FileDataset) {
    let root = tempfile::tempdir().expect("a temporary folder");
    let config = SyntheticConfig {
        train: 4,
        val: 1,
        test: 1,
        size: WHOLE,
        seed: 3,
    };
    write_cityscapes(root.path(), &config).expect("writable");
    let train = Cityscapes::open(root.path(), Split::Train).expect("a whole layout");
    (root, train)
}

fn cached(dataset: &FileDataset, folder: &Path, size: ResizedTo) -> ResizedCache<FileDataset> {
    ResizedCacheConfig::new(folder, size).init(dataset.clone())
}

/// An item that is resized without a cache.
fn on_the_fly(dataset: &FileDataset, index: usize, size: Size) -> Sample {
    let sample = dataset.get(index).expect("readable");
    let image = resize_image(&sample.image, size, ResizeFilter::Bicubic);
    Sample::new(sample.name, image, resize_labels(&sample.labels, size))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    files
}

#[rstest]
#[case(HALF, HALVED)]
#[case(ResizedTo::Scale(1.0), WHOLE)]
#[case(ResizedTo::Scale(0.001), Size::square(1))]
#[case(ResizedTo::Exactly(Size::new(20, 64)), Size::new(20, 64))]
fn equals_resizing_on_the_fly(#[case] size: ResizedTo, #[case] pixels: Size) {
    let (root, train) = cityscapes();
    let folder = root.path().join("cache");
    for (made, read) in [(8, 0), (0, 8)] {
        let cache = cached(&train, &folder, size);
        for index in 0..4 {
            let sample = cache.get(index).expect("readable");
            assert_eq!(sample, on_the_fly(&train, index, pixels));
            assert_eq!(cache.name(index), sample.name);
        }
        let state = cache.state();
        assert_eq!((state.made, state.read), (made, read));
        assert!(state.unwritable.is_none(), "{state:?}");
        for index in 0..4 {
            let labels = cache.labels(index).expect("readable");
            assert_eq!(labels, on_the_fly(&train, index, pixels).labels);
            let known = train.labels(index).expect("readable").histogram();
            assert!(
                labels
                    .data
                    .iter()
                    .all(|&label| known[usize::from(label)] > 0)
            );
        }
        assert_eq!(cache.state().read, read + 4);
    }
    assert_eq!(files(&folder).len(), 8);
}

#[test]
fn is_a_whole_data_set() {
    let (root, train) = cityscapes();
    let half = cached(&train, &root.path().join("cache"), HALF);
    assert_eq!((half.len(), half.is_labelled()), (4, true));
    assert_eq!(half.classes(), train.classes());
    assert_eq!(half.check_item(1).size, Some(WHOLE), "the data as they are");

    let objects = half.instances(0).expect("readable").expect("there");
    let whole = train.instances(0).expect("readable").expect("there");
    assert_eq!(objects.size(), HALVED);
    assert!(
        objects
            .data
            .iter()
            .all(|number| whole.data.contains(number))
    );
    let labels = half.labels(0).expect("readable");
    for (&number, &label) in objects.data.iter().zip(&labels.data) {
        let id = if number < 1000 { number } else { number / 1000 };
        if label != IGNORE_LABEL {
            assert_eq!(
                id,
                u16::from(train.classes().id(label)),
                "moved like the labels"
            );
        }
    }

    let print = |size| {
        let cache = cached(&train, &root.path().join("cache"), size);
        cache
            .fingerprint()
            .expect("readable")
            .expect("files have one")
    };
    assert_eq!(print(HALF), print(HALF));
    assert_ne!(print(HALF), print(ResizedTo::Scale(0.25)));
    assert_ne!(
        print(HALF),
        train
            .fingerprint()
            .expect("readable")
            .expect("files have one")
    );

    let text = toml::to_string(half.config()).expect("plain data");
    let read: ResizedCacheConfig = toml::from_str(&text).expect("written by us");
    assert_eq!(&read, half.config());
}

#[test]
fn sizes_and_filters_share_a_folder() {
    let (root, train) = cityscapes();
    let folder = root.path().join("cache");
    let get = |cache: ResizedCache<FileDataset>| cache.get(0).expect("readable");
    let half = get(cached(&train, &folder, HALF));
    let bilinear = ResizedCacheConfig::new(&folder, HALF).with_filter(ResizeFilter::Bilinear);
    let bilinear = get(bilinear.init(train.clone()));
    let exact = get(cached(&train, &folder, ResizedTo::Exactly(HALVED)));
    assert_ne!(half.image, bilinear.image);
    assert_eq!(half, exact);
    assert_eq!(files(&folder).len(), 6);
}

#[test]
fn an_old_file_is_never_taken_for_a_new_item() {
    let (root, train) = cityscapes();
    let cache = cached(&train, &root.path().join("cache"), HALF);
    let pair = &train.pairs()[0];
    let mask = pair.labels.as_ref().expect("labelled");
    let first = cache.get(0).expect("readable");

    write_mask(mask, &LabelMap::filled(WHOLE, 26)).expect("writable");
    let changed = cache.get(0).expect("readable");
    assert!(
        changed.labels.data.iter().all(|&label| label == 13),
        "all cars"
    );
    assert_eq!(changed.image, first.image);

    write_image(
        &pair.image,
        &RgbImage::from_pixel(50, 31, image::Rgb([9; 3])),
    )
    .expect("writable");
    assert_eq!(
        cache.get(0).expect("readable").image.get_pixel(0, 0).0,
        [9; 3]
    );
    assert_eq!(cache.state().read, 0);

    // The same length and the same time of writing, as unpacking another release over the old one leaves them.
    let time = fs::metadata(mask)
        .expect("there")
        .modified()
        .expect("known");
    write_mask(mask, &LabelMap::filled(WHOLE, 24)).expect("writable");
    fs::File::options()
        .write(true)
        .open(mask)
        .and_then(|file| file.set_modified(time))
        .expect("our file");
    if cfg!(unix) {
        assert!(
            cache
                .labels(0)
                .expect("readable")
                .data
                .iter()
                .all(|&label| label == 11)
        );
    }

    // Other classes give the same files another meaning.
    let mut classes = train.classes().clone();
    classes.classes[0].name = "carriageway".into();
    let renamed = FileDataset::new(train.pairs().to_vec(), classes, train.masks().clone());
    let renamed = cached(&renamed, &root.path().join("cache"), HALF);
    renamed.get(1).expect("readable");
    assert_eq!((renamed.state().made, renamed.state().read), (2, 0));

    fs::remove_file(mask).expect("there");
    let error = cache.get(0).expect_err("the labels are gone");
    assert!(
        matches!(&error, DatasetError::Io { path, .. } if path == mask),
        "{error}"
    );
}

#[test]
fn broken_files_are_made_anew() {
    let (root, train) = cityscapes();
    let folder = root.path().join("cache");
    let expected = on_the_fly(&train, 0, HALVED);
    let cache = cached(&train, &folder, HALF);
    cache.get(0).expect("readable");
    let written = files(&folder);
    assert_eq!(written.len(), 2);
    for file in &written {
        let whole = fs::read(file).expect("there");
        let mut flipped = whole.clone();
        let middle = whole.len() / 2;
        flipped[middle] ^= 0x55;
        let mut other = Vec::new();
        for size in [Size::new(16, 24), HALVED] {
            let path = root.path().join("other.png");
            write_mask(&path, &LabelMap::filled(size, 77)).expect("writable");
            other.push(fs::read(&path).expect("just written"));
        }
        // The second is a sound picture of the right size. For images the cache cannot tell it from its own.
        let other = &other[..if file.to_string_lossy().contains("labels") {
            2
        } else {
            1
        }];
        let broken = [&whole[..whole.len() - 9], b"", b"text", &flipped];
        for bytes in broken.into_iter().chain(other.iter().map(Vec::as_slice)) {
            fs::write(file, bytes).expect("writable");
            let before = cache.state().made;
            assert_eq!(cache.get(0).expect("made anew"), expected);
            assert_eq!(cache.state().made, before + 2);
            assert_eq!(fs::read(file).expect("there"), whole);
        }
    }
    assert_eq!(files(&folder), written, "nothing is left beside them");
}

#[test]
fn works_where_nothing_can_be_written() {
    let (root, train) = cityscapes();
    // A file where the folder should be stops the superuser too.
    let blocked = root.path().join("blocked");
    fs::write(&blocked, "").expect("writable");
    let cache = cached(&train, &blocked, HALF);
    for _ in 0..2 {
        assert_eq!(
            cache.get(2).expect("readable"),
            on_the_fly(&train, 2, HALVED)
        );
    }
    let state = cache.state();
    assert_eq!((state.made, state.read), (4, 0));
    let error = state.unwritable.expect("told");
    assert!(
        matches!(&*error, DatasetError::Io { path, .. } if path.starts_with(&blocked)),
        "{error}"
    );
}

/// A disk may be full, or a file somebody else's, where a folder looked as if it could be written.
#[test]
fn a_file_that_cannot_be_written_goes_to_the_second_folder() {
    let (root, dataset) = cityscapes();
    let (first, second) = (root.path().join("first"), root.path().join("second"));
    let config = ResizedCacheConfig::new(&first, HALF).with_fallback(&second);
    config.init(dataset.clone()).get(0).expect("readable");
    // Folders in the place of the files.
    for file in files(&first) {
        fs::remove_file(&file).expect("written");
        fs::create_dir(&file).expect("writable");
    }
    for (made, read) in [(2, 0), (0, 2)] {
        let cache = config.init(dataset.clone());
        cache.get(0).expect("readable");
        let state = cache.state();
        assert!(state.unwritable.is_none(), "{state}");
        assert_eq!((state.made, state.read), (made, read), "{state}");
    }
}

#[test]
fn many_loaders_share_a_folder() {
    let (root, train) = cityscapes();
    let folder = root.path().join("cache");
    let expected: Vec<Sample> = (0..4)
        .map(|index| on_the_fly(&train, index, HALVED))
        .collect();
    std::thread::scope(|scope| {
        for start in 0..8 {
            let (train, folder, expected) = (&train, &folder, &expected);
            scope.spawn(move || {
                let cache = cached(train, folder, HALF);
                for round in 0..12 {
                    let index = (start + round) % 4;
                    assert_eq!(cache.get(index).expect("readable"), expected[index]);
                }
                assert!(cache.state().unwritable.is_none());
            });
        }
    });
    assert_eq!(files(&folder).len(), 8);

    let loader = |dataset: Arc<dyn SegmentationDataset>| {
        let config = LoaderConfig::training(2, 0, Augmentation::default()).with_workers(3);
        let batches = Loader::new(dataset, config).epoch(1);
        let images = batches.map(|batch| batch.expect("readable").images);
        images.collect::<Vec<_>>()
    };
    let cache: Arc<dyn SegmentationDataset> = Arc::new(cached(&train, &folder, HALF));
    assert_eq!(loader(cache.clone()), loader(cache));
}

/// A data set that cannot tell whether an item changed.
struct Keyless(FileDataset);

impl Dataset<Sample, DatasetError> for Keyless {
    fn get(&self, index: usize) -> Result<Sample, DatasetError> {
        self.0.get(index)
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl SegmentationDataset for Keyless {
    fn classes(&self) -> &ClassTable {
        self.0.classes()
    }

    fn name(&self, index: usize) -> String {
        self.0.name(index)
    }

    fn check_item(&self, index: usize) -> ItemCheck {
        self.0.check_item(index)
    }
}

#[test]
fn nothing_is_kept_of_what_has_no_key() {
    let (root, train) = cityscapes();
    let folder = root.path().join("cache");
    let cache = ResizedCacheConfig::new(&folder, HALF).init(Keyless(train.clone()));
    for _ in 0..2 {
        assert_eq!(
            cache.get(0).expect("readable"),
            on_the_fly(&train, 0, HALVED)
        );
    }
    assert_eq!(cache.state().read, 0);
    assert!(!folder.exists());
}

#[rstest]
#[case(ResizedTo::Scale(0.0), "a scale of 0")]
#[case(ResizedTo::Scale(f64::NAN), "a scale of NaN")]
#[case(ResizedTo::Scale(1e6), "a scale of 1000000")]
#[case(ResizedTo::Exactly(Size::new(0, 4)), "a size of 0x4")]
#[case(ResizedTo::Exactly(Size::new(1 << 40, 1 << 40)), "a size of 1099511627776x1099511627776")]
fn refuses_a_size_without_pixels(#[case] size: ResizedTo, #[case] message: &str) {
    let (root, train) = cityscapes();
    let config = ResizedCacheConfig::new(root.path(), size);
    let panic = std::panic::catch_unwind(|| config.init(train)).expect_err("refused");
    let found = panic.downcast_ref::<String>().expect("a message");
    let expected = "expected a scale of 1/1024 to 16, or a size of 1 to 67108864 pixels";
    assert_eq!(
        *found,
        format!("images cannot be resized to {message}, {expected}")
    );
}
