//! The metrics on random maps, against the plainest code that follows their definitions.

use decoupled_seg_metrics::{
    AbsentClass, Aggregation, BoundaryCounts, BoundaryFScore, BoundaryIou, BoundaryThreshold,
    ConfusionMatrix, ImageFrame, TrimapIou, boundary_counts,
};
use decoupled_seg_types::{IGNORE_LABEL, Size};
use proptest::prelude::*;

const CLASSES: usize = 4;

/// Labels and predictions of one image. Some of the classes may be absent, and everything may be ignored.
#[derive(Debug, Clone)]
struct Pair {
    size: Size,
    labels: Vec<u8>,
    predictions: Vec<u8>,
}

/// A map of a few rectangles, some of them ignored if `ignored` is set.
fn map(size: Size, ignored: bool) -> impl Strategy<Value = Vec<u8>> {
    let values: Vec<u8> = if ignored {
        vec![0, 1, 2, 3, IGNORE_LABEL]
    } else {
        vec![0, 1, 2, 3]
    };
    let value = proptest::sample::select(values);
    let rectangle = (
        0..size.height,
        0..size.width,
        1..=size.height,
        1..=size.width,
        value.clone(),
    );
    (value, proptest::collection::vec(rectangle, 0..6)).prop_map(move |(background, rectangles)| {
        let mut map = vec![background; size.pixels()];
        for (top, left, height, width, value) in rectangles {
            for y in top..size.height.min(top + height) {
                for x in left..size.width.min(left + width) {
                    map[y * size.width + x] = value;
                }
            }
        }
        map
    })
}

fn pair() -> impl Strategy<Value = Pair> {
    let size = prop_oneof![
        4 => (1..20usize, 1..20usize),
        1 => (Just(1), 1..60usize),
        1 => (1..60usize, Just(1)),
    ];
    size.prop_flat_map(|(height, width)| {
        let size = Size::new(height, width);
        (map(size, true), map(size, false)).prop_map(move |(labels, predictions)| Pair {
            size,
            labels,
            predictions,
        })
    })
}

impl Pair {
    /// The mask of a class: empty where ignored.
    fn mask<'a>(&'a self, map: &'a [u8], class: u8) -> impl Fn(i64, i64) -> bool + 'a {
        let [height, width] = self.size.to_array().map(|side| side as i64);
        move |y, x| {
            (0..height).contains(&y) && (0..width).contains(&x) && {
                let pixel = (y * width + x) as usize;
                self.labels[pixel] != IGNORE_LABEL && map[pixel] == class
            }
        }
    }

    fn pixels(&self) -> impl Iterator<Item = (i64, i64)> + Clone + use<> {
        let [height, width] = self.size.to_array().map(|side| side as i64);
        (0..height).flat_map(move |y| (0..width).map(move |x| (y, x)))
    }

    fn boundary(&self, map: &[u8], class: u8) -> Vec<(i64, i64)> {
        let [height, width] = self.size.to_array().map(|side| side as i64);
        let mask = self.mask(map, class);
        let differs = |(y, x): (i64, i64)| {
            [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
                .into_iter()
                .any(|(v, u)| v < height && u < width && mask(y, x) != mask(v, u))
        };
        self.pixels().filter(|&pixel| differs(pixel)).collect()
    }

    fn counts(&self, class: u8, radius: u32) -> BoundaryCounts {
        let labelled = self.boundary(&self.labels, class);
        let predicted = self.boundary(&self.predictions, class);
        let matched = |from: &[(i64, i64)], to: &[(i64, i64)]| {
            let near = |a: &(i64, i64)| {
                to.iter()
                    .any(|b| squared(*a, *b) <= i64::from(radius).pow(2))
            };
            from.iter().filter(|a| near(a)).count() as u64
        };
        BoundaryCounts {
            predicted: predicted.len() as u64,
            predicted_matched: matched(&predicted, &labelled),
            labelled: labelled.len() as u64,
            labelled_matched: matched(&labelled, &predicted),
        }
    }

    /// For each pixel, whether a pixel within `width` is other, by `is_other`. The frame is no contour.
    fn band(&self, width: u32, is_other: impl Fn((i64, i64), (i64, i64)) -> bool) -> Vec<bool> {
        let near = |p| {
            self.pixels()
                .any(|q| squared(p, q) <= i64::from(width).pow(2) && is_other(p, q))
        };
        self.pixels().map(near).collect()
    }

    fn boundary_iou(&self, class: u8, width: u32) -> Option<f64> {
        let inner_band = |map: &[u8]| {
            let mask = self.mask(map, class);
            self.band(width, |p, q| mask(p.0, p.1) && !mask(q.0, q.1))
        };
        let (labelled, predicted) = (inner_band(&self.labels), inner_band(&self.predictions));
        let both = labelled
            .iter()
            .zip(&predicted)
            .filter(|(a, b)| **a && **b)
            .count();
        let any = labelled
            .iter()
            .zip(&predicted)
            .filter(|(a, b)| **a || **b)
            .count();
        (any > 0).then(|| both as f64 / any as f64)
    }

    fn trimap(&self, width: u32) -> ConfusionMatrix {
        let label = |(y, x): (i64, i64)| self.labels[y as usize * self.size.width + x as usize];
        let band = self.band(width, |p, q| label(p) != label(q));
        let kept = |values: &[u8]| -> Vec<u8> {
            values
                .iter()
                .zip(&band)
                .filter(|(_, inside)| **inside)
                .map(|(&value, _)| value)
                .collect()
        };
        let mut matrix = ConfusionMatrix::new(CLASSES);
        matrix
            .update(&kept(&self.labels), &kept(&self.predictions))
            .unwrap();
        matrix
    }

    fn all_metrics(&self) -> Metrics {
        let mut metrics = Metrics::new();
        metrics.update(self);
        metrics
    }
}

fn squared(a: (i64, i64), b: (i64, i64)) -> i64 {
    (a.0 - b.0).pow(2) + (a.1 - b.1).pow(2)
}

#[derive(Debug, Clone, PartialEq)]
struct Metrics {
    confusion: ConfusionMatrix,
    boundary_f: BoundaryFScore,
    boundary_iou: BoundaryIou,
    trimap: TrimapIou,
}

const RADII: [u32; 4] = [0, 1, 3, 6];

impl Metrics {
    fn new() -> Self {
        let thresholds = RADII.map(BoundaryThreshold::Pixels);
        Self {
            confusion: ConfusionMatrix::new(CLASSES),
            boundary_f: BoundaryFScore::new(CLASSES, thresholds),
            boundary_iou: BoundaryIou::new(CLASSES, thresholds),
            trimap: TrimapIou::new(CLASSES, thresholds),
        }
    }

    fn update(
        &mut self,
        Pair {
            size,
            labels,
            predictions,
        }: &Pair,
    ) {
        self.confusion.update(labels, predictions).unwrap();
        self.boundary_f.update(labels, predictions, *size).unwrap();
        self.boundary_iou
            .update(labels, predictions, *size)
            .unwrap();
        self.trimap.update(labels, predictions, *size).unwrap();
    }

    fn merge(&mut self, other: &Self) {
        self.confusion.merge(&other.confusion);
        self.boundary_f.merge(&other.boundary_f);
        self.boundary_iou.merge(&other.boundary_iou);
        self.trimap.merge(&other.trimap);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn boundary_counts_follow_the_definition(pair in pair(), radius in 0u32..40) {
        let Pair { size, labels, predictions } = &pair;
        let counts = boundary_counts(CLASSES, labels, predictions, *size, &[radius]).unwrap();
        for (class, counts) in counts[0].iter().enumerate() {
            prop_assert_eq!(*counts, pair.counts(class as u8, radius));
        }
    }

    #[test]
    fn boundary_iou_follows_the_definition(pair in pair(), width in 0u32..12) {
        let mut metric = BoundaryIou::new(CLASSES, [BoundaryThreshold::Pixels(width)]);
        metric.update(&pair.labels, &pair.predictions, pair.size).unwrap();
        let expected: Vec<_> = (0..CLASSES as u8).map(|class| pair.boundary_iou(class, width)).collect();
        prop_assert_eq!(&metric.iou(Aggregation::Pooled)[0], &expected);
        prop_assert_eq!(&metric.iou(Aggregation::PerImage)[0], &expected);
    }

    #[test]
    fn trimap_follows_the_definition(pair in pair(), width in 0u32..12) {
        let mut metric = TrimapIou::new(CLASSES, [BoundaryThreshold::Pixels(width)]);
        metric.update(&pair.labels, &pair.predictions, pair.size).unwrap();
        let expected = pair.trimap(width);
        prop_assert_eq!(metric.matrices()[0].counts(), expected.counts());
    }

    #[test]
    fn ignored_pixels_move_nothing(pair in pair(), noise in proptest::collection::vec(any::<u8>(), 400)) {
        let mut changed = pair.clone();
        let predictions = changed.predictions.iter_mut().zip(&pair.labels);
        for ((prediction, _), &noise) in predictions.filter(|(_, label)| **label == IGNORE_LABEL).zip(&noise) {
            *prediction = noise;
        }
        prop_assert_eq!(pair.all_metrics(), changed.all_metrics());
    }

    #[test]
    fn permuting_classes_permutes_the_scores(pair in pair(), order in Just([0u8, 1, 2, 3]).prop_shuffle()) {
        let renamed = |map: &[u8]| -> Vec<u8> {
            map.iter().map(|&value| order.get(usize::from(value)).copied().unwrap_or(value)).collect()
        };
        let permuted = Pair {
            size: pair.size,
            labels: renamed(&pair.labels),
            predictions: renamed(&pair.predictions),
        };
        let (before, after) = (pair.all_metrics(), permuted.all_metrics());
        let place = |class: usize| usize::from(order[class]);
        let [f_before, f_after] = [&before, &after].map(|metrics| metrics.boundary_f.pooled_counts());
        let [band_before, band_after] =
            [&before, &after].map(|metrics| metrics.boundary_iou.iou(Aggregation::Pooled));
        for class in 0..CLASSES {
            for other in 0..CLASSES {
                let [from, to] = [place(class), place(other)];
                prop_assert_eq!(before.confusion.get(class, other), after.confusion.get(from, to));
                for (before, after) in before.trimap.matrices().iter().zip(after.trimap.matrices()) {
                    prop_assert_eq!(before.get(class, other), after.get(from, to));
                }
            }
            for radius in 0..RADII.len() {
                prop_assert_eq!(f_before[radius][class], f_after[radius][place(class)]);
                prop_assert_eq!(band_before[radius][class], band_after[radius][place(class)]);
            }
        }
    }

    #[test]
    fn a_perfect_prediction_scores_one(pair in pair()) {
        let Pair { size, labels, .. } = pair;
        let perfect = Pair { size, predictions: labels.clone(), labels }.all_metrics();
        let is_one = |score: &Option<f64>| score.is_none_or(|score| score == 1.0);
        prop_assert!(perfect.confusion.iou().iter().all(is_one));
        prop_assert!(perfect.boundary_iou.iou(Aggregation::Pooled).iter().flatten().all(is_one));
        prop_assert!(perfect.trimap.mean_iou().iter().all(is_one));
        for absent in [AbsentClass::Skip, AbsentClass::Perfect] {
            let boundary_f = perfect.boundary_f.clone().with_absent_class(absent);
            for aggregation in [Aggregation::PerImage, Aggregation::Pooled] {
                let scores = boundary_f.class_scores(aggregation);
                prop_assert!(scores.iter().flatten().flatten().all(|score| score.f == 1.0));
                if absent == AbsentClass::Perfect {
                    prop_assert!(scores.iter().flatten().all(Option::is_some));
                }
            }
        }
    }

    #[test]
    fn scores_grow_with_the_radius(pair in pair()) {
        let radii: Vec<u32> = (0..30).collect();
        let Pair { size, labels, predictions } = &pair;
        let counts = boundary_counts(CLASSES, labels, predictions, *size, &radii).unwrap();
        for (smaller, larger) in counts.iter().zip(&counts[1..]) {
            for (smaller, larger) in smaller.iter().zip(larger) {
                let [smaller, larger] = [smaller, larger].map(|c| c.score(AbsentClass::Perfect).unwrap());
                prop_assert!(smaller.precision <= larger.precision);
                prop_assert!(smaller.recall <= larger.recall);
                prop_assert!(smaller.f <= larger.f);
            }
        }
    }

    #[test]
    fn merging_equals_one_pass(pairs in proptest::collection::vec(pair(), 0..5), split in 0usize..5) {
        let mut one_pass = Metrics::new();
        let mut parts = [Metrics::new(), Metrics::new()];
        for (index, pair) in pairs.iter().enumerate() {
            one_pass.update(pair);
            parts[usize::from(index >= split)].update(pair);
        }
        let [mut merged, second] = parts;
        merged.merge(&second);
        prop_assert_eq!(&merged.confusion, &one_pass.confusion);
        prop_assert_eq!(&merged.trimap, &one_pass.trimap);
        prop_assert_eq!(merged.boundary_f.pooled_counts(), one_pass.boundary_f.pooled_counts());
        prop_assert_eq!(merged.boundary_f.images(), one_pass.boundary_f.images());
        let iou = |metrics: &Metrics| metrics.boundary_iou.iou(Aggregation::Pooled);
        prop_assert_eq!(iou(&merged), iou(&one_pass));
        // Sums of quotients may round differently in another order.
        let per_image = |metrics: &Metrics| {
            let f = metrics.boundary_f.class_scores(Aggregation::PerImage);
            let f: Vec<_> = f.into_iter().flatten().map(|score| score.map(|score| score.f)).collect();
            [f, metrics.boundary_iou.iou(Aggregation::PerImage).concat()].concat()
        };
        for (merged, one_pass) in per_image(&merged).into_iter().zip(per_image(&one_pass)) {
            match (merged, one_pass) {
                (Some(merged), Some(one_pass)) => prop_assert!((merged - one_pass).abs() < 1e-12),
                (merged, one_pass) => prop_assert_eq!(merged, one_pass),
            }
        }
    }

    #[test]
    fn with_the_frame_as_contour_bands_only_grow(pair in pair(), width in 1u32..6) {
        let widths = [BoundaryThreshold::Pixels(width)];
        let mut open = TrimapIou::new(CLASSES, widths);
        let mut framed = open.clone().with_frame(ImageFrame::Contour);
        for metric in [&mut open, &mut framed] {
            metric.update(&pair.labels, &pair.predictions, pair.size).unwrap();
        }
        let counts = open.matrices()[0].counts().iter().zip(framed.matrices()[0].counts());
        prop_assert!(counts.clone().all(|(open, framed)| open <= framed));
        // A map of a single row is a band all over.
        if pair.size.height == 1 {
            let valid = pair.labels.iter().filter(|&&label| label != IGNORE_LABEL).count() as u64;
            prop_assert_eq!(framed.matrices()[0].total(), valid);
        }
    }
}

/// Degenerate inputs, which random maps meet too rarely.
#[test]
fn degenerate_images() {
    let one_class = Pair {
        size: Size::new(5, 7),
        labels: vec![2; 35],
        predictions: vec![2; 35],
    };
    let all_ignored = Pair {
        size: Size::new(5, 7),
        labels: vec![255; 35],
        predictions: vec![200; 35],
    };
    let one_pixel = Pair {
        size: Size::new(1, 1),
        labels: vec![3],
        predictions: vec![1],
    };
    let no_pixel = Pair {
        size: Size::new(0, 0),
        labels: vec![],
        predictions: vec![],
    };
    let no_column = Pair {
        size: Size::new(4, 0),
        labels: vec![],
        predictions: vec![],
    };
    for (pair, mean_iou) in [
        (&one_class, Some(1.0)),
        (&all_ignored, None),
        (&one_pixel, Some(0.0)),
        (&no_pixel, None),
        (&no_column, None),
    ] {
        let metrics = pair.all_metrics();
        assert_eq!(metrics.confusion.mean_iou(), mean_iou, "{pair:?}");
        // None of them has a border between two classes.
        let boundary_f = metrics.boundary_f.mean_scores(Aggregation::PerImage);
        assert!(boundary_f.iter().all(Option::is_none), "{pair:?}");
        let boundary_iou = metrics.boundary_iou.mean_iou(Aggregation::Pooled);
        assert!(boundary_iou.iter().all(Option::is_none), "{pair:?}");
        assert!(
            metrics.trimap.mean_iou().iter().all(Option::is_none),
            "{pair:?}"
        );
        let perfect = metrics.boundary_f.with_absent_class(AbsentClass::Perfect);
        let means = perfect.mean_scores(Aggregation::PerImage);
        assert!(
            means
                .iter()
                .all(|score| score.is_some_and(|score| score.f == 1.0))
        );
    }
}
