#![doc = include_str!("../README.md")]
//!
//! # Files
//!
//! A backbone says everything about itself in its own file: how it is built and runs, the names of its tensors, its cost,
//! and its inference form.

mod backbone_names;
mod features;
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
    use burn::tensor::Tensor;
    use decoupled_seg_fixtures::assert_close_to_largest;
    use decoupled_seg_nn::KeyMap;

    /// Every tensor of the module has exactly one name, and the other way round.
    pub(crate) fn assert_named<M: Module>(module: &M, keys: &KeyMap) {
        let tensors = module.collect(None, None, true).into_iter();
        let mut paths: Vec<String> = tensors.map(|tensor| tensor.name).collect();
        let keys = keys.keys().iter();
        let mut named: Vec<String> = keys.filter_map(|key| key.path.clone()).collect();
        paths.sort();
        named.sort();
        assert_eq!(paths, named);
    }

    /// Checks that features of a folded network are those of the network, to a share of the largest feature.
    ///
    /// Each convolution rounds to 6e-8 of its largest terms, and up to 50 follow each other. Per feature no such bound
    /// holds: a small one is what large terms of either sign leave.
    pub(crate) fn assert_same_features(folded: Tensor<4>, expected: Tensor<4>) {
        let [folded, expected] =
            [folded, expected].map(|features| features.try_into_vec_as::<f32>().expect("f32"));
        assert_close_to_largest(&folded, &expected, 1e-5);
    }
}
