//! Training, evaluation and prediction from one typed recipe.
//!
//! | to | use |
//! |---|---|
//! | say how to train | [`Recipe`], [`RecipePreset`] |
//! | train, interrupt, resume | [`Trainer`], [`Interrupt`], [`Resume`] |
//! | find checkpoints, load weights | [`CheckpointStore`], [`Checkpoint`], [`load_weights`], [`load_weights_partially`] |
//! | judge a network | [`Evaluator`], [`Protocol`], [`EvaluationReport`] |
//! | predict images | [`Predictor`], [`Submission`] |
//!
//! The engine trains whatever implements [`SegmentationModel`](decoupled_seg_core::SegmentationModel).

mod checkpoint;
mod error;
mod evaluate;
mod files;
mod predict;
mod recipe;
mod train;

pub use checkpoint::{
    BestMetric, BoundaryScore, Checkpoint, CheckpointError, CheckpointRecipe, CheckpointState,
    CheckpointStore, FileDigest, Position, Scores, ShapeMismatch, TensorShape, WeightsReport,
    load_weights, load_weights_partially, save_weights,
};
pub use error::EngineError;
pub use evaluate::{
    EvaluationRecipe, EvaluationReport, Evaluator, Inference, Merge, OverlapCount, Protocol, Tile,
    Timings, Window, tiles,
};
pub use files::FileError;
pub use predict::{Prediction, PredictionKind, Predictor, Submission, find_images};
pub use recipe::{
    RateGroup, Recipe, RecipeError, RecipePreset, Schedule, SchedulePoint, SgdRecipe, TargetsPlace,
    TargetsRecipe,
};
pub use train::{
    BatchNormMode, EmaRecipe, EpochRecord, Interrupt, InterruptError, LogEntry, LossMeans,
    LossTerm, LossTerms, LossValues, Progress, Resume, Stop, Trained, Trainer, read_log,
};
