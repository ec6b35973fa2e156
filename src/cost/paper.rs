use std::fmt::Write;

use decoupled_seg_backbones::LowLevelStage;

use super::Outputs;
use crate::network::{BackboneConfig, DecoderConfig, DecoupledSegNetConfig};

/// A row of the paper's Table 2(a): operations at 512x512 pixels, 19 classes, in billions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaperRow {
    /// The network without the module.
    pub baseline: f64,
    /// What the module adds.
    pub added: f64,
}

/// One network of the comparison.
#[derive(Debug, Clone)]
pub struct ComparedNetwork {
    /// Its name.
    pub name: &'static str,
    /// Its decoupled form.
    pub config: DecoupledSegNetConfig,
    /// What the paper says of it.
    pub paper: Option<PaperRow>,
}

/// Every network of the paper, with its row of Table 2(a) where it has one.
///
/// Source: Li et al., ECCV 2020, [arXiv:2007.10035](https://arxiv.org/abs/2007.10035), Table 2(a).
pub fn compared_networks(num_classes: usize) -> Vec<ComparedNetwork> {
    let network = |name, config, paper: Option<(f64, f64)>| ComparedNetwork {
        name,
        config,
        paper: paper.map(|(baseline, added)| PaperRow { baseline, added }),
    };
    let wide = DecoupledSegNetConfig::deeplabv3plus_wide_resnet38(num_classes);
    let mut wide_at_stride_4 = wide.clone();
    if let BackboneConfig::WideResNet38(backbone) = &mut wide_at_stride_4.backbone {
        backbone.low_level = LowLevelStage::Stride4;
    }
    let paper_wide = Some((664.5, 7.5));
    vec![
        network(
            "FCN, ResNet-50",
            DecoupledSegNetConfig::fcn_resnet50(num_classes),
            None,
        ),
        network(
            "FCN, ResNet-101",
            DecoupledSegNetConfig::fcn_resnet101(num_classes),
            None,
        ),
        network(
            "PSPNet, ResNet-50",
            DecoupledSegNetConfig::pspnet_resnet50(num_classes),
            Some((132.1, 9.2)),
        ),
        network(
            "PSPNet, ResNet-101",
            DecoupledSegNetConfig::pspnet_resnet101(num_classes),
            None,
        ),
        network(
            "DeepLabV3+, ResNet-50",
            DecoupledSegNetConfig::deeplabv3plus_resnet50(num_classes),
            Some((190.1, 9.0)),
        ),
        network(
            "DeepLabV3+, ResNet-101",
            DecoupledSegNetConfig::deeplabv3plus_resnet101(num_classes),
            None,
        ),
        network("DeepLabV3+, WideResNet-38", wide, paper_wide),
        network(
            "the same, low-level features at stride 4",
            wide_at_stride_4,
            paper_wide,
        ),
    ]
}

/// A Markdown table of all networks beside the paper's Table 2(a): billions of operations for one image, as papers
/// count them ([`Counts::published_total`](super::Counts::published_total)), of the plain network and what the module
/// adds to it at inference and in training.
pub fn comparison_table(image_size: [usize; 2], num_classes: usize) -> String {
    let mut table = String::from(
        "| network | parameters plain / decoupled (M) | plain | + module, inference | + module, training | paper plain | paper + |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for network in compared_networks(num_classes) {
        let decoupled = network.config;
        let plain = decoupled.clone().with_decoder(DecoderConfig::Plain);
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
            network.name,
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
