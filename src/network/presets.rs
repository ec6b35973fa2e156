use decoupled_seg_backbones::{OutputStride, ResNetConfig, WideResNet38Config};
use decoupled_seg_heads::AsppConfig;

use super::backbone::BackboneConfig;
use super::context::ContextConfig;
use super::decoupled_seg_net::DecoupledSegNetConfig;

/// The networks of the paper: decoupled and at output stride 8, the ResNets with the deep stem.
impl DecoupledSegNetConfig {
    /// FCN on a ResNet-50.
    pub fn fcn_resnet50(num_classes: usize) -> Self {
        resnet(num_classes, ResNetConfig::resnet50(), ContextConfig::Fcn)
    }

    /// FCN on a ResNet-101. The authors' constructor of that name builds a ResNet-50.
    pub fn fcn_resnet101(num_classes: usize) -> Self {
        resnet(num_classes, ResNetConfig::resnet101(), ContextConfig::Fcn)
    }

    /// PSPNet on a ResNet-50.
    pub fn pspnet_resnet50(num_classes: usize) -> Self {
        let context = ContextConfig::PyramidPooling;
        resnet(num_classes, ResNetConfig::resnet50(), context)
    }

    /// PSPNet on a ResNet-101.
    pub fn pspnet_resnet101(num_classes: usize) -> Self {
        let context = ContextConfig::PyramidPooling;
        resnet(num_classes, ResNetConfig::resnet101(), context)
    }

    /// DeepLabV3+ on a ResNet-50.
    pub fn deeplabv3plus_resnet50(num_classes: usize) -> Self {
        resnet(num_classes, ResNetConfig::resnet50(), ContextConfig::aspp())
    }

    /// DeepLabV3+ on a ResNet-101.
    pub fn deeplabv3plus_resnet101(num_classes: usize) -> Self {
        resnet(
            num_classes,
            ResNetConfig::resnet101(),
            ContextConfig::aspp(),
        )
    }

    /// DeepLabV3+ on a WideResNet-38, its low-level features at stride 2 as the authors have them.
    pub fn deeplabv3plus_wide_resnet38(num_classes: usize) -> Self {
        let backbone = BackboneConfig::WideResNet38(WideResNet38Config::new());
        Self::new(num_classes, backbone).with_context(ContextConfig::aspp())
    }

    /// An FCN small enough to learn on a CPU in minutes: a ResNet-18 an eighth as wide, 32 channels in the decoder.
    pub fn tiny(num_classes: usize) -> Self {
        let backbone = ResNetConfig::resnet18().with_width(8);
        resnet(num_classes, backbone, ContextConfig::Fcn)
            .with_channels(32)
            .with_fine_channels(Some(16))
            .with_edge_channels(16)
    }
}

impl ContextConfig {
    /// ASPP with the rates for output stride 8: 12, 24 and 36.
    pub fn aspp() -> Self {
        Self::aspp_at(OutputStride::Os8)
    }

    /// ASPP with the rates that reach as far in the image at another output stride.
    pub fn aspp_at(output_stride: OutputStride) -> Self {
        let atrous_rates = match output_stride {
            OutputStride::Os8 => AsppConfig::ATROUS_RATES_OS8.to_vec(),
            OutputStride::Os16 => AsppConfig::ATROUS_RATES_OS16.to_vec(),
            OutputStride::Os32 => AsppConfig::ATROUS_RATES_OS16
                .iter()
                .map(|rate| rate / 2)
                .collect(),
        };
        Self::Aspp { atrous_rates }
    }
}

fn resnet(
    num_classes: usize,
    backbone: ResNetConfig,
    context: ContextConfig,
) -> DecoupledSegNetConfig {
    DecoupledSegNetConfig::new(num_classes, BackboneConfig::ResNet(backbone)).with_context(context)
}
