//! Judging a network by a stated protocol.

mod benchmark_report;
mod evaluator;
mod inference;
mod input_image;
mod report;
mod score_cityscapes;
mod tiling;

pub use benchmark_report::{BenchmarkReport, BenchmarkRow};
pub use evaluator::Evaluator;
pub(crate) use evaluator::same_channels;
pub(crate) use inference::answered;
pub use inference::{Inference, Timings};
pub use input_image::InputImage;
pub use report::EvaluationReport;
pub use score_cityscapes::score_cityscapes;
pub use tiling::{Tile, tiles};
