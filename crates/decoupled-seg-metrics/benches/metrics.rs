//! Every metric on one pair of 1024x2048 maps of 19 classes, the maps that `benches/peers/metrics.py` makes too.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use decoupled_seg_metrics::{
    Aggregation, BoundaryFScore, BoundaryIou, BoundaryThreshold, ConfusionMatrix, TrimapIou,
};
use decoupled_seg_types::Size;

const SIZE: Size = Size::new(1024, 2048);
const CLASSES: usize = 19;

/// Sum of `(index + 1) * value` over each map. The script prints the same sums, which shows that the inputs are equal.
const CHECKSUMS: [u64; 2] = [26_294_533_441_797, 16_202_037_009_725];

/// Mean boundary F, boundary IoU and trimap IoU at 12 pixels as the script computes them with scikit-image and scipy: the
/// results are the same.
const MEANS_AT_12: [f64; 3] = [
    0.766_603_494_725_844_5,
    0.412_094_739_386_599_6,
    0.469_457_265_921_526_7,
];

/// A linear congruential generator (Knuth's constants).
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, bound: u64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound) as i64
    }
}

/// Paints `count` ellipses of random place, size and class.
fn paint_ellipses(map: &mut [u8], rng: &mut Lcg, count: usize) {
    let [height, width] = SIZE.to_array().map(|side| side as i64);
    for _ in 0..count {
        let (cy, cx) = (rng.below(height as u64), rng.below(width as u64));
        let (ry, rx) = (4 + rng.below(60), 4 + rng.below(120));
        let class = rng.below(CLASSES as u64) as u8;
        for y in (cy - ry).max(0)..(cy + ry + 1).min(height) {
            for x in (cx - rx).max(0)..(cx + rx + 1).min(width) {
                let (dy, dx) = (y - cy, x - cx);
                if dx * dx * ry * ry + dy * dy * rx * rx <= rx * rx * ry * ry {
                    map[(y * width + x) as usize] = class;
                }
            }
        }
    }
}

/// A scene of three bands and 400 ellipses with ignored boxes, and a prediction of it: moved by (2, -3), with 100 errors.
fn street_pair() -> (Vec<u8>, Vec<u8>) {
    let Size { height, width } = SIZE;
    let mut rng = Lcg(2020);
    let band = |y: usize| [10, 2, 0][y * 3 / height];
    let mut labels: Vec<u8> = (0..height * width)
        .map(|pixel| band(pixel / width))
        .collect();
    paint_ellipses(&mut labels, &mut rng, 400);
    let moved = |pixel: usize| {
        let (y, x) = (pixel / width, pixel % width);
        labels[(y + height - 2) % height * width + (x + 3) % width]
    };
    let mut predictions: Vec<u8> = (0..height * width).map(moved).collect();
    paint_ellipses(&mut predictions, &mut rng, 100);
    for _ in 0..12 {
        let (top, left) = (
            rng.below(height as u64) as usize,
            rng.below(width as u64) as usize,
        );
        for y in top..height.min(top + 40) {
            labels[y * width + left..y * width + width.min(left + 90)].fill(255);
        }
    }
    (labels, predictions)
}

/// The worst input: almost every pixel is on the boundary of several classes.
fn noise_pair() -> (Vec<u8>, Vec<u8>) {
    let mut rng = Lcg(7);
    let mut map = || {
        (0..SIZE.pixels())
            .map(|_| rng.below(CLASSES as u64) as u8)
            .collect()
    };
    (map(), map())
}

fn checksum(map: &[u8]) -> u64 {
    let terms = map
        .iter()
        .zip(1u64..)
        .map(|(&value, place)| place.wrapping_mul(value.into()));
    terms.fold(0, u64::wrapping_add)
}

fn pixels(radii: &[u32]) -> Vec<BoundaryThreshold> {
    radii
        .iter()
        .map(|&radius| BoundaryThreshold::Pixels(radius))
        .collect()
}

fn check_results(labels: &[u8], predictions: &[u8]) {
    let widths = pixels(&[12]);
    let mut boundary_f = BoundaryFScore::new(CLASSES, widths.as_slice());
    let mut boundary_iou = BoundaryIou::new(CLASSES, widths.as_slice());
    let mut trimap = TrimapIou::new(CLASSES, widths.as_slice());
    boundary_f.update(labels, predictions, SIZE).unwrap();
    boundary_iou.update(labels, predictions, SIZE).unwrap();
    trimap.update(labels, predictions, SIZE).unwrap();
    let means = [
        boundary_f.mean_scores(Aggregation::PerImage)[0].map(|score| score.f),
        boundary_iou.mean_iou(Aggregation::Pooled)[0],
        trimap.mean_iou()[0],
    ];
    for (mean, golden) in means.into_iter().zip(MEANS_AT_12) {
        let mean = mean.expect("the maps have boundaries");
        assert!(
            (mean - golden).abs() < 1e-12,
            "mean {mean}, expected {golden}"
        );
    }
}

fn metrics(criterion: &mut Criterion) {
    let (labels, predictions) = street_pair();
    assert_eq!([&labels, &predictions].map(|map| checksum(map)), CHECKSUMS);
    let mut group = criterion.benchmark_group("metrics");
    group.sample_size(20);
    check_results(&labels, &predictions);

    let confusion = |labels: &[u8], predictions: &[u8]| {
        let mut matrix = ConfusionMatrix::new(CLASSES);
        matrix
            .update(black_box(labels), black_box(predictions))
            .unwrap();
        matrix
    };
    group.bench_function("confusion/19x1024x2048", |bencher| {
        bencher.iter(|| confusion(&labels, &predictions));
    });

    let boundary_f = |labels: &[u8], predictions: &[u8], thresholds: &[BoundaryThreshold]| {
        let mut metric = BoundaryFScore::new(CLASSES, thresholds);
        metric
            .update(black_box(labels), black_box(predictions), SIZE)
            .unwrap();
        metric
    };
    for radius in [3, 12, 100, 300] {
        let thresholds = pixels(&[radius]);
        group.bench_function(format!("boundary_f/19x1024x2048/r{radius}"), |bencher| {
            bencher.iter(|| boundary_f(&labels, &predictions, &thresholds));
        });
    }
    group.bench_function("boundary_f/19x1024x2048/paper", |bencher| {
        bencher.iter(|| boundary_f(&labels, &predictions, &BoundaryThreshold::PAPER));
    });

    for radius in [3, 12] {
        let thresholds = pixels(&[radius]);
        group.bench_function(format!("boundary_iou/19x1024x2048/r{radius}"), |bencher| {
            bencher.iter(|| {
                let mut metric = BoundaryIou::new(CLASSES, thresholds.as_slice());
                metric
                    .update(black_box(&labels), black_box(&predictions), SIZE)
                    .unwrap();
                metric
            });
        });
        group.bench_function(format!("trimap_iou/19x1024x2048/r{radius}"), |bencher| {
            bencher.iter(|| {
                let mut metric = TrimapIou::new(CLASSES, thresholds.as_slice());
                metric
                    .update(black_box(&labels), black_box(&predictions), SIZE)
                    .unwrap();
                metric
            });
        });
    }

    let (labels, predictions) = noise_pair();
    group.bench_function("confusion/noise/19x1024x2048", |bencher| {
        bencher.iter(|| confusion(&labels, &predictions));
    });
    for radius in [3, 12, 300] {
        let thresholds = pixels(&[radius]);
        group.bench_function(
            format!("boundary_f/noise/19x1024x2048/r{radius}"),
            |bencher| {
                bencher.iter(|| boundary_f(&labels, &predictions, &thresholds));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, metrics);
criterion_main!(benches);
