use serde::{Deserialize, Serialize};

/// What batch norms do while training.
///
/// Burn has no batch norm that shares its statistics between devices. With one or two crops a device, train from a
/// network whose statistics are good and freeze them, or use gradient accumulation on one device; statistics of one
/// crop are noise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchNormMode {
    /// Normalise by the batch and update the running statistics.
    #[default]
    Train,
    /// Normalise by the running statistics and leave them; scale and shift are trained.
    FrozenStatistics,
    /// Leave scale and shift too.
    Frozen,
}
