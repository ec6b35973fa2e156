#![doc = include_str!("../README.md")]
//!
//! # Files
//!
//! A backbone says everything about itself in its own file: how it is built and runs, the names of its tensors, its cost,
//! and its inference form.

mod backbone_names;
mod chain;
mod features;
mod image_channels;
mod mobile_net_v3;
mod output_stride;
mod pre_activation_block;
mod residual_block;
mod resnet;
mod wide_resnet38;

pub use backbone_names::BackboneNames;
pub use features::Features;
pub use mobile_net_v3::{InvertedResidual, InvertedResidualConfig, MobileNetV3, MobileNetV3Config};
pub use output_stride::OutputStride;
pub use pre_activation_block::{PreActivationBlock, PreActivationBlockConfig};
pub use residual_block::{ResidualBlock, ResidualBlockConfig, ResidualKind};
pub use resnet::{ResNet, ResNetConfig, Stem};
pub use wide_resnet38::{LowLevelStage, WideResNet38, WideResNet38Config};

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::store::ModuleSnapshot;
    use burn::tensor::{Device, Distribution, Tensor};
    use decoupled_seg_fixtures::assert_close_to_largest;
    use decoupled_seg_nn::{Fold, KeyMap};

    use crate::{Features, OutputStride};

    /// Checks the shapes of the features of a 65x97 image; `c1` is the size of the first stage.
    pub(crate) fn assert_strides(
        features: Features,
        output_stride: OutputStride,
        channels: [usize; 4],
        c1: [usize; 2],
    ) {
        let (c3, c4) = match output_stride {
            OutputStride::Os8 => ([9, 13], [9, 13]),
            OutputStride::Os16 => ([5, 7], [5, 7]),
            OutputStride::Os32 => ([5, 7], [3, 4]),
        };
        let stages = [features.c1, features.c2, features.c3, features.c4];
        let sizes = [c1, [9, 13], c3, c4];
        for ((stage, channels), [height, width]) in stages.into_iter().zip(channels).zip(sizes) {
            assert_eq!(stage.dims(), [1, channels, height, width]);
        }
    }

    /// Checks that every tensor of the module has exactly one name, and that every name belongs to a tensor.
    pub(crate) fn assert_named<M: Module>(module: &M, keys: &KeyMap) {
        let tensors = module.collect(None, None, true).into_iter();
        let mut paths: Vec<String> = tensors.map(|tensor| tensor.name).collect();
        let keys = keys.keys().iter();
        let mut named: Vec<String> = keys.filter_map(|key| key.path.clone()).collect();
        paths.sort();
        named.sort();
        assert_eq!(paths, named);
    }

    /// Checks that a folded network computes the same features, up to a share of the largest feature.
    ///
    /// Each convolution rounds to 6e-8 of its largest terms, and up to 50 follow each other. There is no such bound for
    /// a single feature: it may be the small sum of large terms of either sign.
    pub(crate) fn assert_folding_keeps_features<N: Fold>(
        network: N,
        forward: impl Fn(&N, Tensor<4>) -> Features,
        device: &Device,
    ) {
        let images = Tensor::random([1, 3, 33, 49], Distribution::Normal(0.0, 1.0), device);
        let expected = forward(&network, images.clone()).c4;
        let folded = forward(&network.fold(), images).c4;
        let [folded, expected] =
            [folded, expected].map(|features| features.try_into_vec_as::<f32>().expect("f32"));
        assert_close_to_largest(&folded, &expected, 1e-5);
    }
}
