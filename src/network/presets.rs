use std::fmt;
use std::str::FromStr;

use decoupled_seg_backbones::{
    LowLevelStage, MobileNetV3Config, OutputStride, ResNetConfig, WideResNet38Config,
};
use decoupled_seg_heads::{AsppConfig, DenseAsppConfig, FcnHeadConfig, PyramidPoolingConfig};

use super::decoupled_seg_net::DecoupledSegNetConfig;

/// Channels of the context features in published networks.
const CHANNELS: usize = 256;

/// The networks of the paper: decoupled and at output stride 8, the ResNets with the deep stem.
impl DecoupledSegNetConfig {
    /// FCN on a ResNet-50.
    pub fn fcn_resnet50(num_classes: usize) -> Self {
        fcn(num_classes, ResNetConfig::resnet50())
    }

    /// FCN on a ResNet-101. (The authors' constructor of the same name builds a ResNet-50.)
    pub fn fcn_resnet101(num_classes: usize) -> Self {
        fcn(num_classes, ResNetConfig::resnet101())
    }

    /// PSPNet on a ResNet-50.
    pub fn pspnet_resnet50(num_classes: usize) -> Self {
        pspnet(num_classes, ResNetConfig::resnet50())
    }

    /// PSPNet on a ResNet-101.
    pub fn pspnet_resnet101(num_classes: usize) -> Self {
        pspnet(num_classes, ResNetConfig::resnet101())
    }

    /// DeepLabV3+ on a ResNet-50.
    pub fn deeplabv3plus_resnet50(num_classes: usize) -> Self {
        deeplabv3plus(num_classes, ResNetConfig::resnet50())
    }

    /// DeepLabV3+ on a ResNet-101.
    pub fn deeplabv3plus_resnet101(num_classes: usize) -> Self {
        deeplabv3plus(num_classes, ResNetConfig::resnet101())
    }

    /// DeepLabV3+ on a WideResNet-38, with low-level features at stride 2, as in the authors' code.
    pub fn deeplabv3plus_wide_resnet38(num_classes: usize) -> Self {
        deeplabv3plus_wide(num_classes, WideResNet38Config::new())
    }

    /// DeepLabV3+ on a WideResNet-38, with low-level features at stride 4. The decoder's maps have a quarter of the
    /// pixels; the paper's operation counts fit this network.
    pub fn deeplabv3plus_wide_resnet38_stride4(num_classes: usize) -> Self {
        let backbone = WideResNet38Config::new().with_low_level(LowLevelStage::Stride4);
        deeplabv3plus_wide(num_classes, backbone)
    }

    /// FCN on a MobileNetV3-Large at output stride 16, as torchvision dilates it.
    pub fn fcn_mobilenet_v3_large(num_classes: usize) -> Self {
        let backbone = MobileNetV3Config::new();
        let [.., last] = backbone.channels();
        Self::new(num_classes, backbone, FcnHeadConfig::new([last, CHANNELS]))
    }

    /// DeepLabV3+ on a MobileNetV3-Large at output stride 16.
    pub fn deeplabv3plus_mobilenet_v3_large(num_classes: usize) -> Self {
        let backbone = MobileNetV3Config::new();
        let [.., last] = backbone.channels();
        let context = AsppConfig::new([last, CHANNELS])
            .with_atrous_rates(atrous_rates(backbone.output_stride));
        Self::new(num_classes, backbone, context)
    }

    /// DenseASPP as the context head on a ResNet-50: a rival in the paper's Table 3.
    pub fn dense_aspp_resnet50(num_classes: usize) -> Self {
        let backbone = ResNetConfig::resnet50();
        let [.., last] = backbone.channels();
        Self::new(
            num_classes,
            backbone,
            DenseAsppConfig::new([last, CHANNELS]),
        )
    }

    /// GSCNN on a ResNet-50: DeepLabV3+ with a shape stream in place of body and edge. A rival in the paper's Table 1(f).
    pub fn gscnn_resnet50(num_classes: usize) -> Self {
        Self::deeplabv3plus_resnet50(num_classes).gated()
    }

    /// GSCNN on a WideResNet-38, the backbone of its best results, with low-level features at stride 4.
    pub fn gscnn_wide_resnet38(num_classes: usize) -> Self {
        Self::deeplabv3plus_wide_resnet38_stride4(num_classes).gated()
    }

    /// An FCN small enough to learn on a CPU in minutes: a ResNet-18 an eighth as wide, 32 channels in the decoder.
    pub fn tiny(num_classes: usize) -> Self {
        let backbone = ResNetConfig::resnet18().with_width(8);
        let [.., last] = backbone.channels();
        Self::new(num_classes, backbone, FcnHeadConfig::new([last, 32]))
            .with_fine_channels(Some(16))
            .map_head(|head| head.with_edge_channels(16))
    }
}

fn fcn(num_classes: usize, backbone: ResNetConfig) -> DecoupledSegNetConfig {
    let [.., last] = backbone.channels();
    DecoupledSegNetConfig::new(num_classes, backbone, FcnHeadConfig::new([last, CHANNELS]))
}

fn pspnet(num_classes: usize, backbone: ResNetConfig) -> DecoupledSegNetConfig {
    let [.., last] = backbone.channels();
    let context = PyramidPoolingConfig::new([last, CHANNELS]);
    DecoupledSegNetConfig::new(num_classes, backbone, context)
}

fn deeplabv3plus(num_classes: usize, backbone: ResNetConfig) -> DecoupledSegNetConfig {
    let [.., last] = backbone.channels();
    DecoupledSegNetConfig::new(num_classes, backbone, AsppConfig::new([last, CHANNELS]))
}

fn deeplabv3plus_wide(num_classes: usize, backbone: WideResNet38Config) -> DecoupledSegNetConfig {
    let [.., last] = backbone.channels();
    DecoupledSegNetConfig::new(num_classes, backbone, AsppConfig::new([last, CHANNELS]))
}

/// The dilations of an ASPP at an output stride. They reach as far in the image as 12, 24 and 36 do at stride 8.
pub fn atrous_rates(output_stride: OutputStride) -> Vec<usize> {
    let at_one = AsppConfig::ATROUS_RATES_OS8.map(|rate| rate * OutputStride::Os8.pixels());
    at_one.map(|rate| rate / output_stride.pixels()).to_vec()
}

/// A named network: [`NETWORKS`] lists them.
///
/// # Example
///
/// ```
/// use decoupled_seg::network::NetworkPreset;
///
/// let preset: NetworkPreset = "deeplabv3plus-resnet50".parse()?;
/// assert_eq!(preset.title, "DeepLabV3+, ResNet-50");
/// assert_eq!(preset.config(11).num_classes(), 11);
/// # Ok::<(), decoupled_seg::network::UnknownNetwork>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct NetworkPreset {
    /// Its name on a command line.
    pub name: &'static str,
    /// Its name in a table.
    pub title: &'static str,
    /// Its row in the paper's Table 2(a), if it has one.
    pub paper: Option<PaperRow>,
    config: fn(usize) -> DecoupledSegNetConfig,
}

/// A row of the paper's Table 2(a): operations at 512x512 pixels, 19 classes, in billions.
///
/// Source: Li et al., ECCV 2020, [arXiv:2007.10035](https://arxiv.org/abs/2007.10035), Table 2(a).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaperRow {
    /// The network without the module.
    pub baseline: f64,
    /// What the module adds.
    pub added: f64,
}

/// Every named network: decoupled, or with a shape stream where the name says GSCNN.
pub const NETWORKS: &[NetworkPreset] = &[
    preset("tiny", "tiny FCN", DecoupledSegNetConfig::tiny),
    preset(
        "fcn-resnet50",
        "FCN, ResNet-50",
        DecoupledSegNetConfig::fcn_resnet50,
    ),
    preset(
        "fcn-resnet101",
        "FCN, ResNet-101",
        DecoupledSegNetConfig::fcn_resnet101,
    ),
    preset(
        "pspnet-resnet50",
        "PSPNet, ResNet-50",
        DecoupledSegNetConfig::pspnet_resnet50,
    )
    .in_paper(132.1, 9.2),
    preset(
        "pspnet-resnet101",
        "PSPNet, ResNet-101",
        DecoupledSegNetConfig::pspnet_resnet101,
    ),
    preset(
        "deeplabv3plus-resnet50",
        "DeepLabV3+, ResNet-50",
        DecoupledSegNetConfig::deeplabv3plus_resnet50,
    )
    .in_paper(190.1, 9.0),
    preset(
        "deeplabv3plus-resnet101",
        "DeepLabV3+, ResNet-101",
        DecoupledSegNetConfig::deeplabv3plus_resnet101,
    ),
    preset(
        "fcn-mobilenet-v3-large",
        "FCN, MobileNetV3-Large",
        DecoupledSegNetConfig::fcn_mobilenet_v3_large,
    ),
    preset(
        "deeplabv3plus-mobilenet-v3-large",
        "DeepLabV3+, MobileNetV3-Large",
        DecoupledSegNetConfig::deeplabv3plus_mobilenet_v3_large,
    ),
    preset(
        "dense-aspp-resnet50",
        "DenseASPP, ResNet-50",
        DecoupledSegNetConfig::dense_aspp_resnet50,
    ),
    preset(
        "gscnn-resnet50",
        "GSCNN, ResNet-50",
        DecoupledSegNetConfig::gscnn_resnet50,
    ),
    preset(
        "gscnn-wide-resnet38",
        "GSCNN, WideResNet-38",
        DecoupledSegNetConfig::gscnn_wide_resnet38,
    ),
    preset(
        "deeplabv3plus-wide-resnet38",
        "DeepLabV3+, WideResNet-38",
        DecoupledSegNetConfig::deeplabv3plus_wide_resnet38,
    )
    .in_paper(664.5, 7.5),
    preset(
        "deeplabv3plus-wide-resnet38-stride4",
        "the same, low-level features at stride 4",
        DecoupledSegNetConfig::deeplabv3plus_wide_resnet38_stride4,
    )
    .in_paper(664.5, 7.5),
];

const fn preset(
    name: &'static str,
    title: &'static str,
    config: fn(usize) -> DecoupledSegNetConfig,
) -> NetworkPreset {
    NetworkPreset {
        name,
        title,
        paper: None,
        config,
    }
}

impl NetworkPreset {
    const fn in_paper(mut self, baseline: f64, added: f64) -> Self {
        self.paper = Some(PaperRow { baseline, added });
        self
    }

    /// The network's configuration for `num_classes` classes.
    pub fn config(&self, num_classes: usize) -> DecoupledSegNetConfig {
        (self.config)(num_classes)
    }
}

/// The name of a network that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownNetwork {
    name: String,
}

impl fmt::Display for UnknownNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = NETWORKS.iter().map(|network| network.name).collect();
        write!(
            f,
            "no network is named `{}`: use one of {}",
            self.name,
            names.join(", ")
        )
    }
}

impl std::error::Error for UnknownNetwork {}

impl FromStr for NetworkPreset {
    type Err = UnknownNetwork;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let network = NETWORKS.iter().find(|network| network.name == name);
        network.copied().ok_or_else(|| UnknownNetwork {
            name: name.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_another_is_told_the_names() {
        for network in NETWORKS {
            let found: NetworkPreset = network.name.parse().expect("it is in the list");
            assert_eq!(found.title, network.title);
        }
        let error = "deeplab"
            .parse::<NetworkPreset>()
            .expect_err("no such name");
        let message = error.to_string();
        assert!(
            message.contains("`deeplab`") && message.contains("fcn-resnet50"),
            "{message}"
        );
    }

    #[test]
    fn atrous_rates_follow_the_output_stride() {
        assert_eq!(atrous_rates(OutputStride::Os8), [12, 24, 36]);
        assert_eq!(
            atrous_rates(OutputStride::Os16),
            AsppConfig::ATROUS_RATES_OS16
        );
        assert_eq!(atrous_rates(OutputStride::Os32), [3, 6, 9]);
    }
}
