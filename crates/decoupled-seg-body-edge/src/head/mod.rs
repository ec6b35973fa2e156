//! From context features to logits: the decoupled head, and the plain decoder that it is compared with.

mod decoupled_head;
mod edge_preservation;
mod plain_decoder;
mod prediction_branch;

pub use decoupled_head::{DecoupledHead, DecoupledHeadConfig};
pub use edge_preservation::{EdgePreservation, EdgePreservationConfig};
pub use plain_decoder::{PlainDecoder, PlainDecoderConfig};
pub use prediction_branch::{PredictionBranch, PredictionBranchConfig};
