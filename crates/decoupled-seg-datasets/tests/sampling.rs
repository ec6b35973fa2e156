//! The promises of class-uniform sampling over whole epochs, from labels to batches.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use decoupled_seg_datasets::augment::Augmentation;
use decoupled_seg_datasets::loader::{Batch, Loader, LoaderConfig, Pick, Sampling};
use decoupled_seg_datasets::sampling::{CentroidIndex, ClassUniform, ClassUniformConfig};
use decoupled_seg_datasets::{
    Bdd100k, CamVid, Cityscapes, Class, ClassTable, CustomDataset, Dataset, DatasetError,
    FileDataset, Kitti, LabelMap, MapillaryVersion, MapillaryVistas, Point, Sample,
    SegmentationDataset, Size, Split,
};
use decoupled_seg_synthetic::{
    self as synthetic, StreetScenes, StreetScenesConfig, SyntheticConfig,
};
use image::RgbImage;
use rstest::rstest;

const TILE: usize = 32;

fn scenes(len: usize) -> StreetScenes {
    StreetScenes::new(StreetScenesConfig {
        len,
        size: Size::new(64, 96),
        seed: 0,
    })
}

fn index(scenes: &StreetScenes) -> Arc<CentroidIndex> {
    Arc::new(CentroidIndex::build(scenes, TILE, |_, _| {}).expect("scenes are always readable"))
}

fn sampler(index: &Arc<CentroidIndex>, fraction: f64) -> ClassUniform {
    let config = ClassUniformConfig {
        fraction,
        ..ClassUniformConfig::default()
    };
    ClassUniform::new(Arc::clone(index), config)
}

/// The number of crops that were drawn for each class; `None` if it is not `crops` for each. A pick does not tell its
/// class. So if several classes share a centroid, the crop counts for the first of them that is still short of `crops`.
fn by_class(index: &CentroidIndex, picks: &[Pick], crops: usize) -> Option<Vec<usize>> {
    let mut drawn: HashMap<(u32, u32, u32), usize> = HashMap::new();
    for pick in picks {
        if let Some(Point { y, x }) = pick.centroid {
            *drawn
                .entry((pick.index as u32, x as u32, y as u32))
                .or_default() += 1;
        }
    }
    let owners = |key: &(u32, u32, u32)| -> Vec<usize> {
        let holds = |class: &usize| {
            let centroids = &index.classes[*class];
            centroids.iter().any(|c| (c.index, c.x, c.y) == *key)
        };
        (0..index.classes.len()).filter(holds).collect()
    };
    let mut counts = vec![0; index.classes.len()];
    let mut keys: Vec<_> = drawn
        .into_iter()
        .map(|(key, count)| (owners(&key), count))
        .collect();
    keys.sort();
    keys.sort_by_key(|(owners, _)| owners.len());
    for (owners, count) in keys {
        for _ in 0..count {
            let class = owners.iter().find(|&&class| counts[class] < crops)?;
            counts[*class] += 1;
        }
    }
    Some(counts)
}

/// 240 scenes that show all 10 classes, some in every tile and some in few tiles.
#[rstest]
fn every_class_gets_the_share_that_was_asked_for(#[values(0.0, 0.25, 0.5, 1.0)] fraction: f64) {
    let scenes = scenes(240);
    let index = index(&scenes);
    let sampler = sampler(&index, fraction);
    let per_class = 240.0 * fraction / 10.0;
    for epoch in 0..3 {
        let picks = sampler.epoch(7, epoch);
        assert_eq!(picks.len(), 240);
        let plain = picks.iter().filter(|pick| pick.centroid.is_none()).count();
        assert_eq!(plain, 240 - 10 * per_class as usize);
        let counts =
            by_class(&index, &picks, per_class as usize).expect("every pick has a class to be of");
        assert_eq!(counts, vec![per_class as usize; 10]);
    }
}

#[test]
fn every_tile_of_a_class_is_as_likely_as_any_other() {
    let scenes = scenes(20);
    let index = index(&scenes);
    let sampler = sampler(&index, 0.5);
    assert_eq!(sampler.crops_per_class(), 1);
    let epochs = 2000;
    let mut drawn: HashMap<(usize, Point), f64> = HashMap::new();
    for epoch in 0..epochs {
        for pick in sampler.epoch(1, epoch) {
            if let Some(centroid) = pick.centroid {
                *drawn.entry((pick.index, centroid)).or_default() += 1.0;
            }
        }
    }
    // The expected number at a place is the sum over the classes with a centroid there.
    let mut expected: HashMap<(usize, Point), f64> = HashMap::new();
    for centroids in &index.classes {
        for centroid in centroids {
            let place = (
                centroid.index as usize,
                Point {
                    y: centroid.y as usize,
                    x: centroid.x as usize,
                },
            );
            *expected.entry(place).or_default() += epochs as f64 / centroids.len() as f64;
        }
    }
    assert_eq!(
        drawn.len(),
        expected.len(),
        "every tile of every class has its turn"
    );
    for (place, expected) in expected {
        // Draws in turn vary less than independent draws. The bound is 5 standard deviations of independent draws.
        let off = (drawn[&place] - expected).abs();
        assert!(
            off <= 5.0 * expected.sqrt(),
            "{place:?}: {} of {expected}",
            drawn[&place]
        );
    }
}

#[test]
fn a_seed_fixes_the_batches_whatever_the_number_of_workers() {
    let scenes = Arc::new(scenes(24));
    let batches = |seed: u64, epoch: u64, workers: usize| -> Vec<Batch> {
        // The index is made anew each time, in parallel.
        let sampling = Arc::new(sampler(&index(&scenes), 1.0));
        let augmentation = Augmentation::paper(Size::square(TILE));
        let config = LoaderConfig::training(4, seed, augmentation).with_workers(workers);
        let loader = Loader::with_sampling(Arc::clone(&scenes) as _, sampling, config);
        loader
            .epoch(epoch)
            .map(|batch| batch.expect("readable"))
            .collect()
    };
    let first = batches(3, 1, 1);
    assert_eq!(first.len(), 6);
    assert_eq!(batches(3, 1, 3), first);
    assert_ne!(batches(3, 2, 1), first);
    assert_ne!(batches(4, 1, 1), first);
}

/// 40 images of class 0, of which the first has a spot of class 1.
struct Spot(ClassTable);

impl Dataset<Sample, DatasetError> for Spot {
    fn get(&self, index: usize) -> Result<Sample, DatasetError> {
        let spot =
            |x: usize, y: usize| index == 0 && (40..46).contains(&x) && (20..26).contains(&y);
        let labels = (0..64 * 64)
            .map(|i| u8::from(spot(i % 64, i / 64)))
            .collect();
        let labels = LabelMap::new(Size::square(64), labels);
        Ok(Sample::new(self.name(index), RgbImage::new(64, 64), labels))
    }

    fn len(&self) -> usize {
        40
    }
}

impl SegmentationDataset for Spot {
    fn classes(&self) -> &ClassTable {
        &self.0
    }

    fn name(&self, index: usize) -> String {
        index.to_string()
    }
}

#[test]
fn crops_show_the_class_that_they_were_drawn_for() {
    let classes = vec![Class::new("ground", [0; 3]), Class::new("spot", [255; 3])];
    let dataset = Arc::new(Spot(ClassTable::new(classes)));
    let index = CentroidIndex::build(&*dataset, 64, |_, _| {}).expect("always readable");
    let index = Arc::new(index);
    let shown = |fraction: f64| -> usize {
        let augmentation = Augmentation::default().with_crop(Some(Size::square(16)));
        let config = LoaderConfig::training(1, 0, augmentation);
        let sampling = Arc::new(sampler(&index, fraction));
        let loader = Loader::with_sampling(Arc::clone(&dataset) as _, sampling, config);
        let shows = |batch: &Batch| batch.labels.contains(&1);
        let batches = loader.epoch(0).map(|batch| batch.expect("readable"));
        batches.filter(shows).count()
    };
    assert!(shown(0.0) <= 1);
    assert!(
        (20..=21).contains(&shown(1.0)),
        "half of the epoch is the one spot"
    );
}

#[test]
fn every_reader_keeps_its_caches_beside_its_data() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = SyntheticConfig {
        train: 24,
        val: 1,
        test: 1,
        size: Size::square(16),
        seed: 0,
    };
    type Write = fn(&Path, &SyntheticConfig) -> Result<(), DatasetError>;
    type Open = fn(&Path) -> Result<FileDataset, DatasetError>;
    let readers: [(Write, Open); 7] = [
        (
            |root, config| synthetic::write_camvid(root, config),
            |root| CamVid::open(root, Split::Train),
        ),
        (
            |root, config| synthetic::write_camvid_original(root, config),
            |root| CamVid::open_original(root, Split::Train),
        ),
        (
            |root, config| synthetic::write_cityscapes(root, config),
            |root| Cityscapes::open(root, Split::Train),
        ),
        (
            |root, config| synthetic::write_kitti(root, config),
            |root| Kitti::open(root, Split::Train),
        ),
        (
            |root, config| synthetic::write_bdd100k(root, config),
            |root| Bdd100k::open(root, Split::Train),
        ),
        (
            |root, config| synthetic::write_mapillary(root, config),
            |root| MapillaryVistas::open(root, Split::Train, MapillaryVersion::V12),
        ),
        (
            |root, config| synthetic::write_custom(root, config),
            |root| CustomDataset::open(root.join("dataset.toml"), "train"),
        ),
    ];
    for (number, (write, open)) in readers.into_iter().enumerate() {
        let root = folder.path().join(number.to_string());
        write(&root, &config).expect("writable");
        let dataset = open(&root).expect("a whole layout");
        assert_eq!(
            dataset.cache_folder(),
            Some(root.join(".decoupled-seg")),
            "{number}"
        );
        // Through the pointer that trainers take, and with extra items behind it.
        let len = dataset.len();
        let both = dataset.clone().chain_extra(dataset);
        let both: Arc<dyn SegmentationDataset> = Arc::new(both);
        assert_eq!((both.len(), both.extra_from()), (2 * len, Some(len)));
        assert_eq!(
            both.cache_folder(),
            Some(root.join(".decoupled-seg")),
            "{number}"
        );
    }
}

#[test]
fn an_index_finds_each_class_where_it_is() {
    let scenes = StreetScenes::new(StreetScenesConfig {
        len: 12,
        size: Size::new(64, 96),
        seed: 0,
    });
    let last = AtomicUsize::new(0);
    let index = CentroidIndex::build(&scenes, 32, |done, total| {
        assert_eq!(total, 12);
        last.fetch_max(done, Ordering::Relaxed);
    });
    let index = index.expect("scenes are always readable");
    assert_eq!(last.into_inner(), 12);
    assert_eq!((index.items, index.classes.len()), (12, 10));
    for (class, centroids) in (0_u8..).zip(&index.classes) {
        assert!(!centroids.is_empty(), "class {class}");
        assert!(centroids.is_sorted_by_key(|centroid| centroid.index));
        for centroid in centroids {
            let labels = scenes.scene(centroid.index as usize).labels;
            let (left, top) = (centroid.x as usize / 32 * 32, centroid.y as usize / 32 * 32);
            assert!((top..top + 32).any(|y| labels.row(y)[left..left + 32].contains(&class)));
        }
    }
}
