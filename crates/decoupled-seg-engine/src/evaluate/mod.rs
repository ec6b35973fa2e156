//! Judging a network by a stated protocol.

mod benchmark_report;
mod evaluator;
mod inference;
mod protocol;
mod report;
mod score_cityscapes;
mod tiling;

pub use benchmark_report::{BenchmarkReport, BenchmarkRow};
pub use evaluator::{EvaluationRecipe, Evaluator};
pub use inference::{Inference, Timings};
pub use protocol::{Merge, Protocol, Window};
pub use report::EvaluationReport;
pub use score_cityscapes::{ScoreError, score_cityscapes};
pub use tiling::{OverlapCount, Tile, tiles};
