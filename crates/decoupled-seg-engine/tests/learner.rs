//! burn-train's `Learner` on the tiny network, on one device and on two.

#[path = "engine/common.rs"]
mod common;

use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor};
use burn_train::metric::{Metric, MetricMetadata, Numeric};
use burn_train::{ExecutionStrategy, Learner, MultiDeviceOptim, SupervisedTraining};
use common::*;
use decoupled_seg_datasets::loader::LoaderConfig;
use decoupled_seg_engine::learner::{
    LearnerNet, MeanIouInput, MeanIouMetric, RecipeScheduler, SegmentationLoader,
};
use decoupled_seg_engine::{EvaluationRecipe, Evaluator};

fn train(strategy: ExecutionStrategy, devices: usize) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut recipe = recipe();
    recipe.epochs = 20;
    recipe.optimizer.learning_rate = 0.05;
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
        .metrics((MeanIouMetric::new(CLASSES),))
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

#[test]
fn two_devices() {
    let _turn = alone();
    let devices = vec![Device::default().autodiff(), Device::default().autodiff()];
    let strategy = ExecutionStrategy::multi(devices, MultiDeviceOptim::OptimMainDevice);
    let mean_iou = train(strategy, 2);
    assert!(mean_iou > 0.5, "mean IoU {mean_iou}");
}

#[test]
fn the_metric_counts_pixels_not_batches() {
    let device = Device::default();
    let map = |values: [i32; 4]| Tensor::<3, Int>::from_data([[values]], &device);
    let metadata = MetricMetadata {
        progress: burn::data::dataloader::Progress::new(1, 2, None),
        iteration: None,
        lr: None,
    };
    let mut metric = MeanIouMetric::new(2);
    for (labels, predictions) in [([0, 0, 0, 1], [0, 0, 0, 0]), ([1, 1, 1, 255], [1, 1, 1, 0])] {
        metric
            .update(
                &MeanIouInput {
                    labels: map(labels),
                    predictions: map(predictions),
                },
                &metadata,
            )
            .expect("reads back");
    }
    // Class 0: 3 of 4; class 1: 3 of 4.
    assert_eq!(metric.final_value().current(), 75.0);
    metric.clear();
    assert!(metric.running_value().is_none());
}
