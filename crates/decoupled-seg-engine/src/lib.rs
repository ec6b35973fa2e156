#![doc = include_str!("../README.md")]

mod checkpoint;
mod class_names;
mod error;
mod evaluate;
mod files;
mod own_files;
mod predict;
mod recipe;
mod record;
mod train;

pub use checkpoint::{Checkpoint, CheckpointState, CheckpointStore, FileDigest, TrainingImages};
pub use class_names::check_class_names;
pub use error::EngineError;
pub use evaluate::{
    BenchmarkReport, BenchmarkRow, EvaluationReport, Evaluator, Inference, InputImage, Tile,
    Timings, score_cityscapes, tiles,
};
pub use files::FileError;
pub use predict::{
    FailedPrediction, Inputs, Predicted, Prediction, PredictionKind, Predictor, Protected,
    Submission, Submitted, find_images, write_label_overlays,
};
pub use recipe::{
    AdamRecipe, AdamWRecipe, BatchNormMode, BestMetric, CheckpointRecipe, ClassUniformRecipe,
    ClassWeightsRecipe, EmaRecipe, EvaluationRecipe, Merge, OptimizerRecipe, OverlapCount,
    Precision, Protocol, RateGroup, Recipe, RecipeError, RecipePreset, Schedule, SchedulePoint,
    SgdRecipe, WarmUpRecipe, WeightedTerms, Window, overlay,
};
pub use record::{BoundaryScore, EpochRecord, LossMeans, LossTerm, LossValues, Position, Scores};
pub use train::{Counter, Interrupt, LogEntry, Progress, Resume, Stop, Trained, Trainer, read_log};
