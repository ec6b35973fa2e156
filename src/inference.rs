//! The inference form of a network: fewer operations, smaller numbers.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{FloatDType, Tensor};
use decoupled_seg_backbones::{fold_batch_norm, with_own_statistics};
use decoupled_seg_body_edge::{BodyGenerator, PredictionBranch};
use decoupled_seg_nn::ConvNormAct;

use crate::network::{Backbone, Context, Decoder, DecoupledSegNet};

impl DecoupledSegNet {
    /// The same network for inference: batch norms folded into the convolutions before them, and parameters of type
    /// `dtype`.
    ///
    /// Images have to be of that type too (`images.cast(dtype)`), and so are the logits. The network itself stays as it
    /// is. Norms that do not stand behind a convolution remain: one in each block of a WideResNet-38.
    ///
    /// # Panics
    ///
    /// Panics if the device does not compute in `dtype`; [`Device::supports_dtype`](burn::tensor::Device::supports_dtype)
    /// says so beforehand.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::tensor::{Device, FloatDType, Tensor};
    /// use decoupled_seg::prelude::*;
    ///
    /// let device = Device::default();
    /// let network = DecoupledSegNetConfig::tiny(5).init(&device);
    /// let fast = network.for_inference(FloatDType::F32);
    ///
    /// let images = Tensor::ones([1, 3, 64, 96], &device);
    /// let difference = fast.predict(images.clone()) - network.predict(images);
    /// assert!(difference.abs().max().into_scalar::<f32>() < 1e-4);
    /// ```
    pub fn for_inference(&self, dtype: FloatDType) -> DecoupledSegNet {
        let device = self
            .devices()
            .into_iter()
            .next()
            .expect("a network has parameters");
        assert!(
            device.supports_dtype(dtype),
            "the device does not compute in {dtype:?}"
        );
        let network = fold_network(self.clone());
        match dtype {
            FloatDType::F32 => network,
            _ => network.map(&mut Cast(dtype)),
        }
    }
}

fn fold_network(network: DecoupledSegNet) -> DecoupledSegNet {
    DecoupledSegNet {
        backbone: match network.backbone {
            Backbone::ResNet(backbone) => Backbone::ResNet(backbone.fold_batch_norm()),
            Backbone::WideResNet38(backbone) => Backbone::WideResNet38(backbone.fold_batch_norm()),
        },
        context: fold_context(network.context),
        decoder: fold_decoder(network.decoder),
        auxiliary: network.auxiliary.map(|mut head| {
            head.conv = fold(head.conv);
            head
        }),
        ..network
    }
}

fn fold_context(context: Context) -> Context {
    match context {
        Context::Fcn(mut head) => {
            head.conv = fold(head.conv);
            Context::Fcn(head)
        }
        Context::PyramidPooling(mut head) => {
            for stage in &mut head.stages {
                stage.conv = fold(stage.conv.clone());
            }
            head.bottleneck = fold(head.bottleneck);
            Context::PyramidPooling(head)
        }
        Context::Aspp(mut head) => {
            head.image = fold(head.image);
            head.branches = fold_all(head.branches);
            Context::Aspp(head)
        }
    }
}

fn fold_decoder(decoder: Decoder) -> Decoder {
    match decoder {
        Decoder::Plain(mut decoder) => {
            decoder.segmentation = fold_branch(decoder.segmentation);
            Decoder::Plain(decoder)
        }
        Decoder::Decoupled(mut head) => {
            if let BodyGenerator::Flow(generator) = &mut head.body_edge.generator {
                generator.down = fold_all(std::mem::take(&mut generator.down));
                for deconv in &mut generator.up {
                    deconv.norm = with_own_statistics(deconv.norm.clone());
                }
            }
            head.edge = fold_branch(head.edge);
            head.body = fold_branch(head.body);
            head.segmentation = fold_branch(head.segmentation);
            Decoder::Decoupled(head)
        }
    }
}

fn fold_branch(mut branch: PredictionBranch) -> PredictionBranch {
    branch.layers = fold_all(branch.layers);
    branch
}

fn fold_all(convs: Vec<ConvNormAct>) -> Vec<ConvNormAct> {
    convs.into_iter().map(fold).collect()
}

fn fold(mut block: ConvNormAct) -> ConvNormAct {
    if let Some(norm) = block.norm.take() {
        block.conv = fold_batch_norm(block.conv, &norm);
    }
    block
}

struct Cast(FloatDType);

impl ModuleMapper for Cast {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.cast(self.0))
    }
}

#[cfg(test)]
mod tests {
    use burn::store::{ModuleSnapshot, bridge};
    use burn::tensor::{Device, Distribution, TensorData, Tolerance};
    use decoupled_seg_backbones::{ResNetConfig, WideResNet38Config};
    use decoupled_seg_body_edge::Upsampling;
    use decoupled_seg_nn::SegmentationModel;
    use rstest::rstest;

    use super::*;
    use crate::network::{BackboneConfig, ContextConfig, DecoderConfig, DecoupledSegNetConfig};

    fn config(backbone: BackboneConfig, context: ContextConfig) -> DecoupledSegNetConfig {
        DecoupledSegNetConfig::new(5, backbone)
            .with_context(context)
            .with_channels(16)
            .with_fine_channels(Some(6))
            .with_edge_channels(7)
            .with_auxiliary(true)
    }

    fn resnet() -> BackboneConfig {
        BackboneConfig::ResNet(ResNetConfig::resnet50().with_width(4))
    }

    fn wide() -> BackboneConfig {
        BackboneConfig::WideResNet38(WideResNet38Config::new().with_width(2))
    }

    fn values(network: &DecoupledSegNet) -> Vec<(String, TensorData)> {
        let tensors = network.collect(None, None, true).into_iter();
        tensors
            .map(|tensor| {
                (
                    tensor.name.clone(),
                    bridge::to_data(&tensor).expect("in memory"),
                )
            })
            .collect()
    }

    /// A network whose norms have seen something.
    fn trained(config: &DecoupledSegNetConfig, device: &Device) -> DecoupledSegNet {
        device.seed(11);
        let mut network = config.init(device);
        let tensors = values(&network).into_iter().map(|(name, data)| {
            let range = match name.rsplit('.').next() {
                Some("gamma" | "running_var") => (0.8, 1.2),
                Some("beta" | "bias" | "running_mean") => (-0.1, 0.1),
                _ => return bridge::from_data(data, name, None),
            };
            let distribution = Distribution::Uniform(range.0, range.1);
            let shape: [usize; 1] = data.shape().to_vec().try_into().expect("a vector");
            let drawn = Tensor::<1>::random(shape, distribution, device);
            bridge::from_data(drawn.into_data(), name, None)
        });
        network.apply(tensors.collect(), None, None, true);
        network
    }

    #[rstest]
    fn folded_and_unfolded_agree(
        #[values(resnet(), wide())] backbone: BackboneConfig,
        #[values(
            ContextConfig::Fcn,
            ContextConfig::PyramidPooling,
            ContextConfig::aspp()
        )]
        context: ContextConfig,
        #[values(DecoderConfig::Decoupled, DecoderConfig::Plain)] decoder: DecoderConfig,
    ) {
        let device = Device::default();
        let config = config(backbone, context).with_decoder(decoder);
        let network = trained(&config, &device);
        let before = values(&network);
        let images = Tensor::<4>::random([1, 3, 65, 73], Distribution::Normal(0.0, 1.0), &device);

        let folded = network.for_inference(FloatDType::F32);
        let expected = network.forward(images.clone());
        let actual = folded.forward(images);

        let mut pairs = vec![(actual.logits, expected.logits)];
        pairs.extend(actual.aux_logits.zip(expected.aux_logits));
        if let (Some(actual), Some(expected)) = (actual.supervision, expected.supervision) {
            pairs.push((actual.body_logits, expected.body_logits));
            pairs.push((actual.edge_logits, expected.edge_logits));
        }
        for (actual, expected) in pairs {
            // Relative to the largest logit, as the whole map goes through the same sums.
            let largest: f32 = expected.clone().abs().max().into_scalar();
            let tolerance = Tolerance::absolute(1e-4 * largest);
            actual
                .into_data()
                .assert_approx_eq::<f32>(&expected.into_data(), tolerance);
        }
        let norms = |network: &DecoupledSegNet| {
            let names = values(network).into_iter();
            names.filter(|(name, _)| name.ends_with("gamma")).count()
        };
        let left = match network.backbone {
            Backbone::ResNet(_) => 0,
            Backbone::WideResNet38(_) => 17, // one in front of every block
        };
        assert_eq!(norms(&folded), left);
        assert!(norms(&network) > left);
        assert_eq!(values(&network), before);
    }

    #[rstest]
    // f16 rounds to 11 bits and bf16 to 8; sixty layers add up.
    #[case(FloatDType::F16, 0.02)]
    #[case(FloatDType::BF16, 0.15)]
    fn half_precision_is_close(
        #[case] dtype: FloatDType,
        #[case] tolerance: f32,
        #[values(resnet(), wide())] backbone: BackboneConfig,
    ) {
        let device = Device::default();
        let network = trained(&config(backbone, ContextConfig::aspp()), &device);
        let before = values(&network);
        let images = Tensor::<4>::random([1, 3, 65, 73], Distribution::Normal(0.0, 1.0), &device);

        let half = network.for_inference(dtype);
        for (name, data) in values(&half) {
            assert_eq!(data.dtype(), dtype.into(), "{name}");
        }
        let logits = half
            .predict(images.clone().cast(dtype))
            .cast(FloatDType::F32);
        let expected = network.predict(images);

        let largest: f32 = expected.clone().abs().max().into_scalar();
        let difference: f32 = (logits - expected).abs().max().into_scalar();
        assert!(
            difference <= tolerance * largest,
            "{difference} beside {largest}"
        );
        assert_eq!(values(&network), before);
    }

    #[test]
    fn transposed_convolutions_keep_their_norms() {
        let device = Device::default();
        let mut config = config(resnet(), ContextConfig::Fcn);
        config.body_edge.upsampling = Upsampling::Deconv;
        let network = trained(&config, &device);
        let before = values(&network);
        let _ = network.for_inference(FloatDType::F16);
        assert_eq!(values(&network), before);
        let images = Tensor::<4>::random([1, 3, 65, 73], Distribution::Default, &device);
        let difference: f32 = (network
            .for_inference(FloatDType::F32)
            .predict(images.clone())
            - network.predict(images))
        .abs()
        .max()
        .into_scalar();
        assert!(difference < 1e-4, "{difference}");
    }
}
