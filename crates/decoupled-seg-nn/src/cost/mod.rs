//! What a network costs, computed from its configuration: parameters, operations and activations, part by part.
//!
//! Nothing is built and nothing runs: every configuration walks through its module as `forward` does, with the shapes of
//! the maps in place of the maps.

mod counter;
mod counts;
mod network_cost;

pub use counter::{Cost, CostCounter, MapShape, PartCost};
pub use counts::Counts;
pub use network_cost::{NetworkCost, Outputs};
