use std::fmt;

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

/// What a network costs for one image, part by part.
///
/// # Example
///
/// ```
/// use decoupled_seg::DecoupledSegNetConfig;
/// use decoupled_seg::cost::Outputs;
///
/// let config = DecoupledSegNetConfig::deeplabv3plus_resnet50(19);
/// let cost = config.cost([512, 512], Outputs::Segmentation);
/// assert_eq!(cost.total().conv_macs, 198_809_072_128);
/// assert_eq!(cost.part("layer4").map(|part| part.counts.conv_macs), Some(61_203_283_968));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkCost {
    /// Height and width of the image, in pixels.
    pub image_size: [usize; 2],
    /// The parts, in the order in which they run.
    pub parts: Vec<PartCost>,
}

impl NetworkCost {
    /// All parts together.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for part in &self.parts {
            total += part.counts;
        }
        total
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
            let output = part.output;
            let output = format!("{}x{}x{}", output.channels, output.height, output.width);
            row(&part.name, &part.counts, &output)?;
        }
        row("total", &self.total(), "")
    }
}

fn millions(count: u64) -> f64 {
    count as f64 / 1e6
}
