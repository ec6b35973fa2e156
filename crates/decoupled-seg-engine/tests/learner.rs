//! burn-train's `Learner` on the tiny network, on one device and on two.

#[path = "engine/common.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod common;

use std::sync::Arc;

use burn::tensor::distributed::{DistributedConfig, ReduceOperation};
use burn::tensor::{Device, Int, Tensor};
use burn_train::metric::{Metric, MetricMetadata, Numeric};
use burn_train::{ExecutionStrategy, Learner, MultiDeviceOptim, SupervisedTraining};
use common::*;
use decoupled_seg_datasets::loader::LoaderConfig;
use decoupled_seg_engine::learner::{
    LearnerNet, RecipeScheduler, SegmentationLoader, SegmentationMetric, SegmentationMetricInput,
};
use decoupled_seg_engine::{EvaluationRecipe, Evaluator};
use decoupled_seg_metrics::BoundaryThreshold;
use rstest::rstest;

fn train(strategy: ExecutionStrategy, devices: usize) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    // As many optimizer steps whatever the number of devices, whose threads add up in any order: 0.65 and more in 30 runs.
    recipe.epochs = 60 * devices;
    recipe.optimizer.learning_rate = 0.01;
    let device = Device::default().autodiff();
    device.seed(recipe.seed);
    let net =
        LearnerNet::new(TinyNet::new(8, true, &device), &recipe).with_gradients_shared_by(devices);

    let config = LoaderConfig::training(recipe.batch, recipe.seed, recipe.augmentation.clone())
        .with_workers(1);
    let train = SegmentationLoader::new(train_set(), config);
    let valid = SegmentationLoader::new(Arc::new(Rectangles::new(4, 24)), LoaderConfig::default());
    let scheduler = RecipeScheduler::new(recipe.clone(), 6 / devices);
    let learner = Learner::new(net, recipe.optimizer.init(), scheduler);
    let result = SupervisedTraining::new(folder.path(), Arc::new(train), Arc::new(valid))
        .metrics((
            SegmentationMetric::mean_iou(CLASSES),
            SegmentationMetric::pixel_accuracy(CLASSES),
            SegmentationMetric::boundary_f(CLASSES, BoundaryThreshold::Pixels(1)),
        ))
        .with_application_logger(None)
        .with_training_strategy(strategy.into())
        .num_epochs(recipe.epochs)
        .launch(learner);
    assert!(result.error.is_none(), "{:?}", result.error);

    let plain = Device::default();
    let mut evaluator = Evaluator::new(EvaluationRecipe::default(), recipe.normalization, &plain);
    evaluator
        .evaluate(&result.model.net, &Rectangles::new(4, 24))
        .expect("evaluates")
        .scores()
        .mean_iou
}

#[test]
fn one_device() {
    let _turn = alone();
    let mean_iou = train(ExecutionStrategy::single(Device::default().autodiff()), 1);
    assert!(mean_iou > 0.5, "mean IoU {mean_iou}");
}

#[rstest]
#[case(MultiDeviceOptim::OptimMainDevice)]
#[case(MultiDeviceOptim::OptimSharded)]
fn two_devices(#[case] optim: MultiDeviceOptim) {
    let _turn = alone();
    let devices = vec![Device::default().autodiff(), Device::default().autodiff()];
    let mean_iou = train(ExecutionStrategy::multi(devices, optim), 2);
    assert!(mean_iou > 0.5, "mean IoU {mean_iou}");
}

/// Burn 0.22 reduces gradients between CUDA devices only, and says so.
#[test]
#[should_panic(expected = "Distributed operations are not supported for device Flex")]
fn data_parallel_training_is_not_for_cpus() {
    let devices = vec![Device::default().autodiff(), Device::default().autodiff()];
    let config = DistributedConfig {
        all_reduce_op: ReduceOperation::Mean,
    };
    let _strategy = ExecutionStrategy::ddp(devices, config);
}

/// Two batches of one image each.
fn after_two_batches(mut metric: SegmentationMetric) -> SegmentationMetric {
    let device = Device::default();
    let map = |values: [i32; 4]| Tensor::<3, Int>::from_data([[values]], &device);
    let metadata = MetricMetadata {
        progress: burn::data::dataloader::Progress::new(1, 2, None),
        iteration: None,
        lr: None,
    };
    for (labels, predictions) in [([0, 0, 0, 1], [0, 0, 0, 0]), ([1, 1, 1, 255], [1, 1, 1, 0])] {
        let item = SegmentationMetricInput {
            labels: map(labels),
            predictions: map(predictions),
        };
        metric.update(&item, &metadata).expect("reads back");
    }
    metric
}

#[test]
fn metrics_count_pixels_not_batches() {
    // Class 0: 3 of 4; class 1: 3 of 4. Pixels: 6 of 7.
    for (metric, golden) in [
        (SegmentationMetric::mean_iou(2), 75.0),
        (SegmentationMetric::frequency_weighted_iou(2), 75.0),
        (SegmentationMetric::pixel_accuracy(2), 600.0 / 7.0),
        (SegmentationMetric::class_accuracy(2), 87.5),
    ] {
        let mut metric = after_two_batches(metric);
        let found = metric.final_value().current();
        assert!((found - golden).abs() < 1e-9, "{}: {found}", metric.name());
        metric.clear();
        assert!(metric.running_value().is_none());
    }
}

#[test]
fn boundary_metrics_see_each_image() {
    let near = BoundaryThreshold::Pixels(1);
    // The border of the first image is missed. In the second one class 1 ends where the labels do, in both maps; class 0 is
    // in neither: 0 for class 0, half for class 1.
    let missed = after_two_batches(SegmentationMetric::boundary_f(2, near));
    assert_eq!(missed.final_value().current(), 25.0);
    // In the bands lie a pixel of class 0, found, and two of class 1, of which one is taken for 0.
    let band = after_two_batches(SegmentationMetric::trimap_iou(2, near));
    assert_eq!(band.final_value().current(), 50.0);
    // Class 0: 1 pixel of 1 and 4 that are the inner bands. Class 1: 0 of 1.
    let inner = after_two_batches(SegmentationMetric::boundary_iou(2, near));
    assert_eq!(inner.name().as_str(), "Boundary IoU 1 px");
    assert!(inner.final_value().current() < 50.0);
}
