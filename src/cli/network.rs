use clap::ValueEnum;

use crate::DecoupledSegNetConfig;

/// The networks that have a name, as an argument of a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NetworkName {
    /// A narrow ResNet-18, for CPUs.
    Tiny,
    /// FCN on ResNet-50.
    FcnResnet50,
    /// FCN on ResNet-101.
    FcnResnet101,
    /// PSPNet on ResNet-50.
    PspnetResnet50,
    /// PSPNet on ResNet-101.
    PspnetResnet101,
    /// DeepLabV3+ on ResNet-50.
    Deeplabv3plusResnet50,
    /// DeepLabV3+ on ResNet-101.
    Deeplabv3plusResnet101,
    /// DeepLabV3+ on WideResNet-38.
    Deeplabv3plusWideResnet38,
}

impl NetworkName {
    /// The network of that name, with the module.
    pub fn config(self, num_classes: usize) -> DecoupledSegNetConfig {
        let preset = match self {
            Self::Tiny => DecoupledSegNetConfig::tiny,
            Self::FcnResnet50 => DecoupledSegNetConfig::fcn_resnet50,
            Self::FcnResnet101 => DecoupledSegNetConfig::fcn_resnet101,
            Self::PspnetResnet50 => DecoupledSegNetConfig::pspnet_resnet50,
            Self::PspnetResnet101 => DecoupledSegNetConfig::pspnet_resnet101,
            Self::Deeplabv3plusResnet50 => DecoupledSegNetConfig::deeplabv3plus_resnet50,
            Self::Deeplabv3plusResnet101 => DecoupledSegNetConfig::deeplabv3plus_resnet101,
            Self::Deeplabv3plusWideResnet38 => DecoupledSegNetConfig::deeplabv3plus_wide_resnet38,
        };
        preset(num_classes)
    }
}
