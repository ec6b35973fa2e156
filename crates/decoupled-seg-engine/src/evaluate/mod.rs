//! Judging a network by a stated protocol.

mod evaluator;
mod inference;
mod protocol;
mod report;
mod tiling;

pub use evaluator::{EvaluationRecipe, Evaluator};
pub use inference::{Inference, Timings};
pub use protocol::{Merge, Protocol, Window};
pub use report::EvaluationReport;
pub use tiling::{OverlapCount, Tile, tiles};
