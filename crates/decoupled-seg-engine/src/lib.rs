//! Training, evaluation and prediction from one typed recipe.
//!
//! | to | use |
//! |---|---|
//! | say how to train | [`Recipe`], [`RecipePreset`] |
//! | train, interrupt, resume | [`Trainer`], [`Interrupt`], [`Resume`] |
//! | find checkpoints, load their weights | [`CheckpointStore`], [`Checkpoint`] |
//! | judge a network | [`Evaluator`], [`Protocol`], [`EvaluationReport`] |
//! | score pictures of predictions | [`score_cityscapes`], [`BenchmarkReport`] |
//! | predict images | [`Predictor`], [`Submission`] |
//!
//! The engine trains whatever implements [`SegmentationModel`], a network of your own among others:
//!
//! ```
//! use std::sync::Arc;
//!
//! use burn::module::Module;
//! use burn::nn::PaddingConfig2d;
//! use burn::nn::conv::{Conv2d, Conv2dConfig};
//! use burn::tensor::{Device, Tensor};
//! use decoupled_seg_nn::{SegmentationModel, SegmentationOutput};
//! use decoupled_seg_datasets::augment::Augmentation;
//! use decoupled_seg_datasets::{SegmentationDataset, Size};
//! use decoupled_seg_synthetic::{StreetScenes, StreetScenesConfig};
//! use decoupled_seg_engine::{EvaluationRecipe, Evaluator, Predictor, Recipe, Trainer};
//!
//! #[derive(Module, Debug)]
//! struct OneConv {
//!     conv: Conv2d,
//!     num_classes: usize,
//! }
//!
//! impl SegmentationModel for OneConv {
//!     fn num_classes(&self) -> usize {
//!         self.num_classes
//!     }
//!
//!     fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
//!         SegmentationOutput {
//!             logits: self.conv.forward(images),
//!             supervision: None,
//!             aux_logits: None,
//!         }
//!     }
//! }
//!
//! let scenes = |seed| StreetScenes::new(StreetScenesConfig { len: 4, size: Size::new(48, 64), seed });
//! let (train, val) = (Arc::new(scenes(0)), scenes(1));
//! let classes = val.classes().clone();
//!
//! let device = Device::default();
//! let conv = Conv2dConfig::new([3, classes.num_classes()], [3, 3])
//!     .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
//!     .init(&device);
//! let model = OneConv { conv, num_classes: classes.num_classes() };
//!
//! let recipe = Recipe {
//!     epochs: 2,
//!     batch: 2,
//!     augmentation: Augmentation::paper(Size::square(32)),
//!     ..Recipe::default()
//! };
//! let normalization = recipe.normalization;
//! let trained = Trainer::new(recipe, model, &device).fit(train, Some(&val))?;
//! assert_eq!((trained.history.len(), trained.position.step), (2, 4));
//!
//! let mut evaluator = Evaluator::new(EvaluationRecipe::default(), normalization, &device);
//! let report = evaluator.evaluate(&trained.model, &val)?;
//! assert_eq!(Some(report.scores()), trained.history[1].scores);
//!
//! let mut predictor = Predictor::new(trained.model, classes, normalization, &device);
//! let prediction = predictor.predict(&image::RgbImage::new(50, 30));
//! assert_eq!((prediction.labels.width, prediction.labels.height), (50, 30));
//! # Ok::<(), decoupled_seg_engine::EngineError>(())
//! ```
//!
//! [`SegmentationModel`]: decoupled_seg_nn::SegmentationModel

mod checkpoint;
mod error;
mod evaluate;
mod files;
mod predict;
mod recipe;
mod record;
mod train;

pub use checkpoint::{Checkpoint, CheckpointState, CheckpointStore, FileDigest};
pub use error::EngineError;
pub use evaluate::{
    BenchmarkReport, BenchmarkRow, EvaluationReport, Evaluator, Inference, Tile, Timings,
    score_cityscapes, tiles,
};
pub use files::FileError;
pub use predict::{
    FailedPrediction, Predicted, Prediction, PredictionKind, Predictor, Protected, Submission,
    Submitted, find_images, write_label_overlays,
};
pub use recipe::{
    AdamRecipe, AdamWRecipe, BatchNormMode, BestMetric, CheckpointRecipe, ClassUniformRecipe,
    ClassWeightsRecipe, EmaRecipe, EvaluationRecipe, Merge, OptimizerRecipe, OverlapCount,
    Precision, Protocol, RateGroup, Recipe, RecipeError, RecipePreset, Schedule, SchedulePoint,
    SgdRecipe, WarmUpRecipe, Window, overlay,
};
pub use record::{BoundaryScore, EpochRecord, LossMeans, LossTerm, LossValues, Position, Scores};
pub use train::{Counter, Interrupt, LogEntry, Progress, Resume, Stop, Trained, Trainer, read_log};
