//! How many images a second does the loader give? Peer: `benches/peers/datasets.py loader`.
//!
//! Reads a Cityscapes layout of 24 images of 2048x1024 (written on the first run to the folder of the variable
//! `DECOUPLED_SEG_BENCH_DATA`, by default `target/bench-data`), and CamVid where `DECOUPLED_SEG_CAMVID` points at it.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use decoupled_seg_datasets::augment::{
    Augmentation, ResizeFilter, gaussian_blur, resize_image, resize_labels,
};
use decoupled_seg_datasets::loader::{Loader, LoaderConfig};
use decoupled_seg_datasets::{
    CamVid, Cityscapes, Dataset, FileDataset, ResizedCacheConfig, ResizedTo, Size, Split,
};
use decoupled_seg_synthetic::{
    StreetScenes, StreetScenesConfig, SyntheticConfig, write_cityscapes,
};

fn data() -> PathBuf {
    // Benches run in their package's folder, the peer in that of the workspace.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = std::env::var_os("DECOUPLED_SEG_BENCH_DATA")
        .map_or_else(|| workspace.join("target/bench-data"), PathBuf::from);
    let root = root.join("cityscapes");
    if !root.is_dir() {
        let config = SyntheticConfig {
            train: 24,
            val: 0,
            test: 0,
            size: Size::new(1024, 2048),
            seed: 0,
        };
        write_cityscapes(&root, &config).expect("a writable folder");
    }
    root
}

fn epochs(criterion: &mut Criterion, name: &str, dataset: FileDataset, crop: usize) {
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(20));
    group.throughput(Throughput::Elements(dataset.len() as u64));
    let dataset = Arc::new(dataset);
    let crop = Size::square(crop);
    let settings = [
        ("paper", Augmentation::paper(crop)),
        ("official", Augmentation::official(crop)),
    ];
    for (setting, augmentation) in settings {
        let config = LoaderConfig::training(4, 0, augmentation).with_workers(2);
        let loader = Loader::new(
            dataset.clone(),
            LoaderConfig {
                drop_last: false,
                ..config
            },
        );
        let mut epoch = 0;
        group.bench_function(format!("{setting}/crop{}", crop.width), |bencher| {
            bencher.iter(|| {
                epoch += 1;
                for batch in loader.epoch(epoch) {
                    black_box(batch.expect("readable"));
                }
            });
        });
    }
    group.finish();
}

fn loader(criterion: &mut Criterion) {
    let cityscapes = Cityscapes::open(data(), Split::Train).expect("written before");
    epochs(criterion, "loader/cityscapes_2048x1024", cityscapes, 832);
    if let Some(root) = std::env::var_os("DECOUPLED_SEG_CAMVID") {
        let camvid = CamVid::open(Path::new(&root), Split::Train).expect("the release");
        let first: Vec<usize> = (0..100.min(camvid.len())).collect();
        epochs(
            criterion,
            "loader/camvid_480x360",
            camvid.select(&first),
            360,
        );
    }
}

fn parts(criterion: &mut Criterion) {
    let dataset = Cityscapes::open(data(), Split::Train).expect("written before");
    let sample = dataset.get(0).expect("readable");
    criterion.bench_function("read/2048x1024", |bencher| {
        bencher.iter(|| dataset.get(black_box(0)))
    });
    let folder = data().with_file_name("cityscapes_half");
    let half = ResizedCacheConfig::new(folder, ResizedTo::Scale(0.5)).init(dataset.clone());
    let resized = |index: usize| {
        let sample = dataset.get(index).expect("readable");
        (
            resize_image(&sample.image, Size::new(512, 1024), ResizeFilter::Bicubic),
            resize_labels(&sample.labels, Size::new(512, 1024)),
        )
    };
    let mut group = criterion.benchmark_group("half_of_2048x1024");
    group.throughput(Throughput::Elements(1));
    let mut index = 0;
    group.bench_function("decoded_and_resized", |bencher| {
        bencher.iter(|| {
            index = (index + 1) % dataset.len();
            resized(index)
        });
    });
    group.bench_function("cached", |bencher| {
        bencher.iter(|| {
            index = (index + 1) % dataset.len();
            half.get(index).expect("readable")
        });
    });
    group.finish();
    assert!(half.state().unwritable.is_none(), "{:?}", half.state());
    criterion.bench_function("resize/bicubic/2048x1024_to_2560x1280", |bencher| {
        bencher.iter(|| {
            resize_image(
                black_box(&sample.image),
                Size::new(1280, 2560),
                ResizeFilter::Bicubic,
            )
        });
    });
    let crop = Augmentation::paper(Size::square(832)).apply(
        sample,
        &mut decoupled_seg_datasets::augment::sample_rng(0, 0, 0, 0),
    );
    criterion.bench_function("blur/sigma0.7/832x832", |bencher| {
        bencher.iter(|| gaussian_blur(black_box(&crop.image), 0.7))
    });
    criterion.bench_function("normalize/832x832", |bencher| {
        let normalization = decoupled_seg_datasets::augment::Normalization::default();
        bencher.iter(|| normalization.apply(black_box(&crop.image)));
    });
    criterion.bench_function("jitter/832x832", |bencher| {
        let jitter = decoupled_seg_datasets::augment::ColorJitter::uniform(0.25);
        let mut rng = decoupled_seg_datasets::augment::sample_rng(0, 0, 0, 0);
        bencher.iter(|| {
            let mut image = crop.image.clone();
            jitter.apply(&mut image, &mut rng);
            image
        });
    });
    for (height, width) in [(64, 96), (256, 384), (1024, 2048)] {
        let scenes = StreetScenes::new(StreetScenesConfig {
            len: 100,
            size: Size::new(height, width),
            seed: 0,
        });
        let mut index = 0;
        criterion.bench_function(&format!("street_scenes/{width}x{height}"), |bencher| {
            bencher.iter(|| {
                index = (index + 1) % 100;
                scenes.scene(index)
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = parts, loader
}
criterion_main!(benches);
