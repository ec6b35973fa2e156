//! What a network costs, computed from its configuration: parameters, operations and activations, part by part.
//!
//! Nothing is built and nothing runs. [`comparison_table`] puts every network beside the paper's Table 2(a).

mod counts;
mod network_cost;
mod paper;
mod part;
mod walk;

pub use counts::Counts;
pub use network_cost::{NetworkCost, Outputs};
pub use paper::{ComparedNetwork, PaperRow, compared_networks, comparison_table};
pub use part::{MapShape, PartCost};
