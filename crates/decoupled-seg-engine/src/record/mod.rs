//! What a run measures, as its log and its checkpoints keep it.

mod epoch;
mod losses;
mod scores;

pub use decoupled_seg_losses::{LossTerm, LossValues};
pub use epoch::{EpochRecord, Position};
pub use losses::LossMeans;
pub use scores::{BoundaryScore, Scores};
