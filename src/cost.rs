//! What a network costs, computed from its configuration ([`DecoupledSegNetConfig::cost`]), and all networks beside the
//! paper's Table 2(a).

use std::fmt::Write;

pub use decoupled_seg_nn::cost::{
    Cost, CostCounter, Counts, MapShape, NetworkCost, Outputs, PartCost,
};

#[cfg(doc)]
use crate::network::DecoupledSegNetConfig;
use crate::network::NETWORKS;
use crate::nn::Size;

/// A Markdown table of all networks beside the paper's Table 2(a), in billions of operations for one image, as papers
/// count them ([`Counts::published_total`]). It shows the plain network and what the module adds to it, at inference
/// and in training.
pub fn comparison_table(image_size: Size, num_classes: usize) -> String {
    let mut table = String::from(
        "| network | parameters plain / decoupled (M) | plain | + module, inference | + module, training | paper plain | paper + |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for network in NETWORKS {
        let decoupled = network.config(num_classes);
        let plain = decoupled.clone().plain();
        let plain = plain.cost(image_size, Outputs::All).total();
        let inference = decoupled.cost(image_size, Outputs::Segmentation).total();
        let training = decoupled.cost(image_size, Outputs::All).total();
        let baseline = plain.published_total();
        let added = |total: u64| billions(total - baseline);
        let share = added(inference.published_total()) / billions(baseline);
        let paper = match network.paper {
            Some(row) => format!("{:.1} | +{:.1}", row.baseline, row.added),
            None => "- | -".to_string(),
        };
        let parameters = [plain, training].map(|counts| counts.parameters as f64 / 1e6);
        writeln!(
            table,
            "| {} | {:.3} / {:.3} | {:.2} | +{:.2} ({:.1} %) | +{:.2} | {paper} |",
            network.title,
            parameters[0],
            parameters[1],
            billions(baseline),
            added(inference.published_total()),
            100.0 * share,
            added(training.published_total()),
        )
        .expect("writing to a string does not fail");
    }
    table
}

fn billions(count: u64) -> f64 {
    count as f64 / 1e9
}
