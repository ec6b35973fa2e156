use serde::{Deserialize, Serialize};

/// What the network calculates in while it is trained.
///
/// Weights, optimizer, moving average, checkpoints, losses, batch norms and validation are in `f32` either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// `f32`.
    #[default]
    Full,
    /// Forward and backward pass in `bf16`, from a copy of the weights that is made anew for each batch; their gradients
    /// arrive in `f32`. `bf16` has the range of `f32`, so no loss has to be scaled.
    ///
    /// Networks of one's own need their batch norms to go through [`batch_norm`](decoupled_seg_nn::batch_norm), as all
    /// networks here do: Burn's own refuses an input of another type than its weights.
    Bf16Mixed,
}
