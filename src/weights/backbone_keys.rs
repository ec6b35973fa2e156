use decoupled_seg_backbones::{
    PreActivationBlockConfig, ResNetConfig, ResidualBlockConfig, Stem, WideResNet38Config,
};
use decoupled_seg_nn::KeyMap;

/// Whose names a backbone's tensors have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackboneNames {
    /// Those inside the authors' segmentation networks: `layer0.0.0.weight`, `mod1.conv1.weight`.
    Segmentation,
    /// Those of the ImageNet classifiers: `conv1.weight` (torchvision), `conv1.0.weight` (deep stem), `mod1.conv1`
    /// (WideResNet-38). Their classifiers are known and left out.
    Classifier,
}

/// The names of a ResNet's tensors.
pub fn resnet_keys(config: &ResNetConfig, names: BackboneNames) -> KeyMap {
    let convs = config.stem_convs();
    let (conv1, bn1) = match names {
        BackboneNames::Segmentation => ("layer0.0", "layer0.1"),
        BackboneNames::Classifier => ("conv1", "bn1"),
    };
    let mut keys = KeyMap::new();
    match config.stem {
        Stem::Torchvision => {
            keys = keys.conv(conv1, "stem.0.conv", false);
        }
        // Sequential of conv, norm, ReLU, conv, norm, ReLU, conv.
        Stem::Deep => {
            for index in 0..convs.len() {
                let path = format!("stem.{index}");
                keys = keys.conv(
                    &format!("{conv1}.{}", 3 * index),
                    &format!("{path}.conv"),
                    false,
                );
                if index + 1 < convs.len() {
                    keys = keys.norm(
                        &format!("{conv1}.{}", 3 * index + 1),
                        &format!("{path}.norm"),
                    );
                }
            }
        }
    }
    keys = keys.norm(bn1, &format!("stem.{}.norm", convs.len() - 1));

    for stage in 0..4 {
        for (index, block) in config.stage(stage).iter().enumerate() {
            let prefix = format!("layer{}.{index}", stage + 1);
            keys = keys.nest(&prefix, &prefix, residual_block(block));
        }
    }
    match names {
        BackboneNames::Segmentation => keys,
        BackboneNames::Classifier => keys
            .without_counterpart("fc.weight")
            .without_counterpart("fc.bias"),
    }
}

fn residual_block(config: &ResidualBlockConfig) -> KeyMap {
    let mut keys = KeyMap::new();
    for index in 0..config.convs().len() {
        let path = format!("convs.{index}");
        keys = keys
            .conv(
                &format!("conv{}", index + 1),
                &format!("{path}.conv"),
                false,
            )
            .norm(&format!("bn{}", index + 1), &format!("{path}.norm"));
    }
    match config.shortcut() {
        Some(_) => keys
            .conv("downsample.0", "shortcut.conv", false)
            .norm("downsample.1", "shortcut.norm"),
        None => keys,
    }
}

/// The names of a WideResNet-38's tensors.
pub fn wide_resnet38_keys(config: &WideResNet38Config, names: BackboneNames) -> KeyMap {
    let mut keys = KeyMap::new().conv("mod1.conv1", "mod1", false);
    for number in 2..=7 {
        for (index, block) in config.stage(number).iter().enumerate() {
            keys = keys.nest(
                &format!("mod{number}.block{}", index + 1),
                &format!("mod{number}.{index}"),
                pre_activation_block(block),
            );
        }
    }
    match names {
        BackboneNames::Segmentation => keys,
        BackboneNames::Classifier => ["weight", "bias", "running_mean", "running_var"]
            .iter()
            .fold(keys, |keys, name| {
                keys.without_counterpart(&format!("bn_out.0.{name}"))
            })
            .without_counterpart("bn_out.0.num_batches_tracked")
            .without_counterpart("classifier.fc.weight")
            .without_counterpart("classifier.fc.bias"),
    }
}

fn pre_activation_block(config: &PreActivationBlockConfig) -> KeyMap {
    let mut keys = KeyMap::new().norm("bn1.0", "norm");
    for (index, conv) in config.convs().iter().enumerate() {
        let path = format!("convs.{index}");
        keys = keys.conv(
            &format!("convs.conv{}", index + 1),
            &format!("{path}.conv"),
            false,
        );
        if conv.norm {
            // The norm in front of the block is number 1.
            keys = keys.norm(&format!("convs.bn{}.0", index + 2), &format!("{path}.norm"));
        }
    }
    match config.shortcut() {
        Some(_) => keys.conv("proj_conv", "shortcut", false),
        None => keys,
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::store::ModuleSnapshot;
    use burn::tensor::Device;
    use rstest::rstest;

    use super::*;

    /// Every tensor of the module has exactly one name, and the other way round.
    fn assert_complete<M: Module>(module: &M, keys: &KeyMap) {
        let mut paths: Vec<String> = module
            .collect(None, None, true)
            .into_iter()
            .map(|tensor| tensor.name)
            .collect();
        let mut named: Vec<String> = keys
            .keys()
            .iter()
            .filter_map(|key| key.path.clone())
            .collect();
        paths.sort();
        named.sort();
        assert_eq!(paths, named);
    }

    #[rstest]
    fn resnets_are_named_completely(
        #[values(ResNetConfig::resnet18(), ResNetConfig::resnet50())] config: ResNetConfig,
        #[values(Stem::Deep, Stem::Torchvision)] stem: Stem,
        #[values(BackboneNames::Segmentation, BackboneNames::Classifier)] names: BackboneNames,
    ) {
        let config = config.with_width(2).with_stem(stem);
        let network = config.init(&Device::default());
        assert_complete(&network, &resnet_keys(&config, names));
    }

    #[rstest]
    fn wide_resnets_are_named_completely(
        #[values(BackboneNames::Segmentation, BackboneNames::Classifier)] names: BackboneNames,
    ) {
        let config = WideResNet38Config::new().with_width(2);
        let network = config.init(&Device::default());
        assert_complete(&network, &wide_resnet38_keys(&config, names));
    }

    #[rstest]
    #[case(
        Stem::Deep,
        BackboneNames::Segmentation,
        "layer0.0.6.weight",
        "stem.2.conv.weight"
    )]
    #[case(
        Stem::Deep,
        BackboneNames::Segmentation,
        "layer0.1.bias",
        "stem.2.norm.beta"
    )]
    #[case(
        Stem::Deep,
        BackboneNames::Classifier,
        "conv1.4.running_mean",
        "stem.1.norm.running_mean"
    )]
    #[case(
        Stem::Torchvision,
        BackboneNames::Classifier,
        "conv1.weight",
        "stem.0.conv.weight"
    )]
    #[case(
        Stem::Torchvision,
        BackboneNames::Classifier,
        "bn1.weight",
        "stem.0.norm.gamma"
    )]
    #[case(
        Stem::Deep,
        BackboneNames::Classifier,
        "layer1.0.downsample.1.weight",
        "layer1.0.shortcut.norm.gamma"
    )]
    fn resnet_names(
        #[case] stem: Stem,
        #[case] names: BackboneNames,
        #[case] official: &str,
        #[case] path: &str,
    ) {
        let keys = resnet_keys(&ResNetConfig::resnet50().with_stem(stem), names);
        assert_eq!(keys.path_of(official), Some(path));
    }
}
