use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use decoupled_seg_datasets::augment::Normalization;
use decoupled_seg_datasets::{
    ClassTable, Dataset, DatasetError, LabelMap, Sample, SegmentationDataset, Size,
};
use decoupled_seg_engine::{
    EngineError, EvaluationRecipe, Evaluator, Inference, Merge, Protocol, Window,
};
use decoupled_seg_metrics::{BoundaryThreshold, ConfusionMatrix};
use decoupled_seg_nn::{SegmentationModel, SegmentationOutput};
use image::RgbImage;

use super::common::*;

/// Reads the class off the colours of [`Rectangles`]; nothing to train.
#[derive(Module, Debug)]
struct ByColor {
    /// Sides must be a multiple of this.
    stride: usize,
}

impl SegmentationModel for ByColor {
    fn num_classes(&self) -> usize {
        CLASSES
    }

    fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
        let [_, _, height, width] = images.dims();
        assert!(height % self.stride == 0 && width % self.stride == 0);
        let channel = |c: usize| images.clone().slice([0..images.dims()[0], c..c + 1]);
        // Green ground, red boxes, blue discs.
        let logits = Tensor::cat(vec![channel(1), channel(0), channel(2)], 1);
        SegmentationOutput {
            logits,
            supervision: None,
            boundary_logits: None,
            aux_logits: None,
        }
    }
}

/// Plain values, so that the channels compare.
fn normalization() -> Normalization {
    Normalization::half()
}

fn evaluator(protocol: Protocol) -> Evaluator {
    let recipe = EvaluationRecipe::default()
        .with_protocol(protocol)
        .with_boundary([BoundaryThreshold::Pixels(1)]);
    Evaluator::new(recipe, normalization(), &Device::default())
}

#[test]
fn a_perfect_prediction_scores_one() {
    let data = Rectangles::new(3, 24);
    let report = evaluator(Protocol::default())
        .evaluate(&ByColor { stride: 1 }, &data)
        .expect("evaluates");
    let scores = report.scores();
    assert_eq!((scores.mean_iou, scores.pixel_accuracy), (1.0, 1.0));
    assert_eq!(scores.boundary_f[0].f_score, 1.0);
    assert_eq!(report.images, 3);
    // One pixel of each image is ignored.
    assert_eq!(report.confusion.ignored(), 3);
    let table = report.to_string();
    assert!(table.contains("disc"), "{table}");
    assert_eq!(report.category_iou()[1], ("thing".to_string(), Some(1.0)));
    assert_eq!(report.to_csv().lines().count(), 1 + CLASSES);
    assert_eq!(report.to_json()["mean_iou"], 1.0);
}

#[test]
fn the_report_equals_one_counted_by_hand() {
    let data = Rectangles::new(2, 24);
    let mut by_hand = ConfusionMatrix::new(CLASSES);
    // A network that always says class 0.
    let report = evaluator(Protocol::default())
        .evaluate_with(&Always { class: 0 }, &data, |sample, prediction| {
            assert!(prediction.data.iter().all(|&label| label == 0));
            by_hand
                .update(&sample.labels.data, &prediction.data)
                .expect("known labels");
        })
        .expect("evaluates");
    assert_eq!(report.confusion, by_hand);
    let majority = report.majority_mean_iou();
    assert!(
        (majority - report.scores().mean_iou).abs() < 1e-12,
        "ground is the largest class"
    );
}

/// The same class everywhere.
#[derive(Module, Debug)]
struct Always {
    class: usize,
}

impl SegmentationModel for Always {
    fn num_classes(&self) -> usize {
        CLASSES
    }

    fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
        let [batch, _, height, width] = images.dims();
        let class =
            Tensor::<3, Int>::full([batch, height, width], self.class as i64, &images.device());
        let logits = class.one_hot::<4>(CLASSES).permute([0, 3, 1, 2]).float();
        SegmentationOutput {
            logits,
            supervision: None,
            boundary_logits: None,
            aux_logits: None,
        }
    }
}

#[test]
fn every_protocol_finds_large_rectangles() {
    let data = Rectangles::new(2, 48);
    let sliding = |tile: usize| Window::sliding(tile);
    for protocol in [
        Protocol {
            window: sliding(20),
            tile_batch: 4,
            min_size: 0,
            ..Protocol::default()
        },
        Protocol {
            flip: true,
            merge: Merge::Probabilities,
            ..Protocol::default()
        },
        Protocol {
            window: sliding(32),
            scales: vec![0.75, 1.0, 1.5],
            flip: true,
            ..Protocol::default()
        },
        Protocol::multi_scale(33),
    ] {
        let report = evaluator(protocol.clone())
            .evaluate(&ByColor { stride: 1 }, &data)
            .expect("evaluates");
        let mean_iou = report.scores().mean_iou;
        // Scaling blurs the borders of objects a dozen pixels wide.
        assert!(mean_iou > 0.8, "{protocol:?}: mean IoU {mean_iou}");
    }
}

#[test]
fn tiles_that_tell_the_same_give_the_whole_image() {
    let data = Rectangles::new(1, 50);
    let image = data.sample(0).image;
    let merged = |protocol: Protocol| {
        Inference::new(protocol, normalization(), &Device::default())
            .merged(&ByColor { stride: 1 }, &image)
            .try_into_vec_as::<f32>()
            .expect("f32")
    };
    let whole = merged(Protocol::default());
    for (tile, tile_batch) in [(20, 1), (20, 3), (33, 2)] {
        let tiled = merged(Protocol {
            window: Window::sliding(tile),
            tile_batch,
            min_size: 0,
            ..Protocol::default()
        });
        for (a, b) in whole.iter().zip(&tiled) {
            assert!((a - b).abs() < 1e-6, "tile {tile}: {a} and {b}");
        }
    }
}

#[test]
fn sides_are_padded_for_networks_that_need_it() {
    let data = Rectangles::new(1, 27);
    for stride in [8, 32] {
        let protocol = Protocol {
            pad_to_multiple: stride,
            ..Protocol::default()
        };
        let report = evaluator(protocol)
            .evaluate(&ByColor { stride }, &data)
            .expect("padded");
        assert_eq!(report.scores().pixel_accuracy, 1.0);
    }
}

#[test]
fn time_is_told_apart_if_asked_for() {
    let data = Rectangles::new(2, 24);
    let report = evaluator(Protocol::default())
        .timed()
        .evaluate(&ByColor { stride: 1 }, &data)
        .expect("evaluates");
    let timings = report.timings;
    assert!(timings.network > std::time::Duration::ZERO);
    assert!(timings.network + timings.resizing <= timings.total);
}

/// A data set whose third image cannot be read, or whose labels are out of range.
struct Faulty {
    inner: Rectangles,
    unreadable: bool,
}

impl Dataset<Sample, DatasetError> for Faulty {
    fn get(&self, index: usize) -> Result<Sample, DatasetError> {
        let mut sample = self.inner.get(index)?;
        if index < 2 {
            return Ok(sample);
        }
        if self.unreadable {
            return Err(DatasetError::EmptyFile {
                path: "third.png".into(),
                expected: "PNG or JPEG image",
            });
        }
        sample.labels = LabelMap::filled(Size::square(24), 9);
        Ok(sample)
    }

    fn len(&self) -> usize {
        self.inner.len()
    }
}

impl SegmentationDataset for Faulty {
    fn classes(&self) -> &ClassTable {
        self.inner.classes()
    }

    fn name(&self, index: usize) -> String {
        self.inner.name(index)
    }
}

#[test]
fn errors_name_the_image() {
    let evaluate = |unreadable: bool| {
        let data = Faulty {
            inner: Rectangles::new(40, 24),
            unreadable,
        };
        evaluator(Protocol::default())
            .evaluate(&ByColor { stride: 1 }, &data)
            .expect_err("the third image is faulty")
    };
    let error = evaluate(true);
    assert!(matches!(error, EngineError::Dataset(_)), "{error:?}");
    assert!(error.to_string().contains("third.png"), "{error}");
    let error = evaluate(false);
    assert_eq!(
        error.to_string(),
        "`rectangles_2`: label 9 at pixel 0, expected a class below 3 or 255 (ignored): map the values of the data set to \
         classes first"
    );
    let error = evaluator(Protocol::default())
        .evaluate(&ByColor { stride: 1 }, &Rectangles::new(0, 24))
        .expect_err("no images");
    assert!(matches!(error, EngineError::NoImages), "{error:?}");
}

#[test]
#[should_panic(expected = "protocol.scales: [], expected at least one factor above 0")]
fn a_protocol_without_scales_is_refused() {
    evaluator(Protocol {
        scales: Vec::new(),
        ..Protocol::default()
    });
}

#[test]
fn a_small_image_is_enlarged_for_the_network_only() {
    let image = RgbImage::from_pixel(5, 3, image::Rgb([250, 10, 10]));
    let protocol = Protocol {
        min_size: 64,
        ..Protocol::default()
    };
    let labels = Inference::new(protocol, normalization(), &Device::default())
        .labels(&ByColor { stride: 64 }, &image);
    assert_eq!(labels, LabelMap::filled(Size::new(3, 5), 1));
}
