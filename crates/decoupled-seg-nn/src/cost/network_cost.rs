use std::fmt;

use decoupled_seg_types::Size;

use super::{Counts, PartCost};

/// Which outputs of a decoupled network are counted. A plain network has one only, and an auxiliary head counts as a
/// branch of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outputs {
    /// Segmentation, body and edge: a training step's forward pass.
    All,
    /// The segmentation: inference.
    Segmentation,
}

/// What a network costs for one image, part by part. Made by a [`CostCounter`](super::CostCounter).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkCost {
    /// Size of the image.
    pub image_size: Size,
    /// The parts, in the order in which they run.
    pub parts: Vec<PartCost>,
}

impl NetworkCost {
    /// All parts together.
    pub fn total(&self) -> Counts {
        self.parts.iter().map(|part| part.counts).sum()
    }

    /// A part by its name.
    pub fn part(&self, name: &str) -> Option<&PartCost> {
        self.parts.iter().find(|part| part.name == name)
    }
}

/// A table with one row for each part, counts in millions.
impl fmt::Display for NetworkCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<18} {:>12} {:>12} {:>12} {:>16}",
            "part", "parameters", "MACs", "f32 MB kept", "output"
        )?;
        let mut row = |name: &str, counts: &Counts, output: &str| {
            writeln!(
                f,
                "{name:<18} {:>11.3}M {:>11.1}M {:>12.1} {output:>16}",
                millions(counts.parameters),
                millions(counts.conv_macs),
                millions(counts.activation_bytes(4)),
            )
        };
        for part in &self.parts {
            row(&part.name, &part.counts, &part.output.to_string())?;
        }
        row("total", &self.total(), "")
    }
}

fn millions(count: u64) -> f64 {
    count as f64 / 1e6
}
