//! The inference form of whole networks: fewer operations, smaller numbers.

use burn::store::{ModuleSnapshot, bridge};
use burn::tensor::{Device, Distribution, FloatDType, Tensor, TensorData, Tolerance, s};
use decoupled_seg::backbones::{ResNetConfig, WideResNet38Config};
use decoupled_seg::body_edge::Upsampling;
use decoupled_seg::heads::{AsppConfig, FcnHeadConfig, PyramidPoolingConfig};
use decoupled_seg::network::{Backbone, DecoderConfig};
use decoupled_seg::nn::Arithmetic;
use decoupled_seg::prelude::*;
use rstest::rstest;

/// The context heads, whose channels in are set by the backbone.
fn fcn() -> ContextConfig {
    FcnHeadConfig::new([1, 16]).into()
}

fn pyramid() -> ContextConfig {
    PyramidPoolingConfig::new([1, 16]).into()
}

fn aspp() -> ContextConfig {
    AsppConfig::new([1, 16]).into()
}

fn config(backbone: BackboneConfig, context: ContextConfig) -> DecoupledSegNetConfig {
    DecoupledSegNetConfig::new(5, backbone.clone(), context)
        .with_backbone(backbone)
        .with_fine_channels(Some(6))
        .map_head(|head| head.with_edge_channels(7))
        .with_auxiliary(true)
}

fn resnet() -> BackboneConfig {
    ResNetConfig::resnet50().with_width(4).into()
}

fn wide() -> BackboneConfig {
    WideResNet38Config::new().with_width(2).into()
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
    #[values(fcn(), pyramid(), aspp())] context: ContextConfig,
    #[values("decoupled", "plain", "gated")] decoder: &str,
) {
    let device = Device::default();
    let mut config = config(backbone, context);
    match decoder {
        "plain" => config = config.plain(),
        "gated" => config = config.gated(),
        _ => {}
    }
    let network = trained(&config, &device);
    let before = values(&network);
    let images = Tensor::<4>::random([1, 3, 65, 73], Distribution::Normal(0.0, 1.0), &device);

    let folded = network.for_inference(FloatDType::F32);
    let expected = network.forward(images.clone());
    let actual = folded.forward(images);

    let mut pairs = vec![(actual.logits, expected.logits)];
    pairs.extend(actual.aux_logits.zip(expected.aux_logits));
    assert_eq!(actual.boundary_logits.is_some(), decoder == "gated");
    pairs.extend(actual.boundary_logits.zip(expected.boundary_logits));
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
        Backbone::MobileNetV3(_) => unreachable!("none here has one"),
    };
    assert_eq!(norms(&folded), left);
    assert!(norms(&network) > left);
    assert_eq!(values(&network), before);
}

/// What an image gets does not depend on what shares its batch, to the bit. The fast arithmetic is left out: whether a layer
/// gains by it, and so is rounded otherwise, depends on the number of images.
#[rstest]
fn a_batch_is_predicted_as_its_images(
    #[values(resnet(), wide(), ResNetConfig::resnet18().with_width(32).into())]
    backbone: BackboneConfig,
    #[values(pyramid(), aspp())] context: ContextConfig,
    #[values(true, false)] fold: bool,
) {
    let device = Device::default();
    let mut network = trained(&config(backbone, context), &device);
    if fold {
        network = network.for_inference_with(FloatDType::F32, Arithmetic::Exact);
    }
    let images = Tensor::<4>::random([3, 3, 65, 73], Distribution::Normal(0.0, 1.0), &device);
    let together = network.predict(images.clone());
    for image in 0..3 {
        let alone = network.predict(images.clone().slice(s![image..image + 1, .., .., ..]));
        let part = together.clone().slice(s![image..image + 1, .., .., ..]);
        assert_eq!(alone.into_data(), part.into_data(), "image {image}");
    }
}

/// Winograd's convolutions beside the definition, in networks wide enough for them.
#[rstest]
#[case::residual(ResNetConfig::resnet18().with_width(32).into(), fcn())]
#[case::dilated(ResNetConfig::resnet18().with_width(32).into(), aspp())]
#[case::bottlenecks(ResNetConfig::resnet50().with_width(24).into(), pyramid())]
fn fast_and_exact_arithmetic_agree(
    #[case] backbone: BackboneConfig,
    #[case] context: ContextConfig,
    #[values(false, true)] plain: bool,
) {
    let device = Device::default();
    let mut config = config(backbone, context);
    if plain {
        config = config.plain();
    }
    let network = trained(&config, &device);
    let value = |n: usize| ((n * 7919 + 104_729) % 2003) as f32 / 2003.0 * 4.0 - 2.0;
    let images: Vec<f32> = (0..3 * 96 * 130).map(value).collect();
    let images = Tensor::<4>::from_data(TensorData::new(images, [1, 3, 96, 130]), &device);

    let predict = |arithmetic| {
        let network = network.for_inference_with(FloatDType::F32, arithmetic);
        let logits: Vec<f32> = network
            .predict(images.clone())
            .try_into_vec_as()
            .expect("floats");
        logits
    };
    let (fast, exact) = (predict(Arithmetic::Fast), predict(Arithmetic::Exact));

    let largest = exact
        .iter()
        .fold(0.0, |most: f32, logit| most.max(logit.abs()));
    let apart = fast.iter().zip(&exact).map(|(a, b)| (a - b).abs());
    let apart = apart.fold(0.0, f32::max);
    assert!(apart > 0.0, "no layer uses the fast arithmetic");
    assert!(apart <= 1e-4 * largest, "{apart} beside {largest}");

    let (classes, pixels) = (5, 96 * 130);
    let label = |logits: &[f32], pixel: usize| {
        let classes = 0..classes;
        let logit = |class: &usize| logits[class * pixels + pixel];
        classes
            .max_by(|a, b| logit(a).total_cmp(&logit(b)))
            .expect("classes")
    };
    for pixel in 0..pixels {
        let [fast, own] = [&fast, &exact].map(|logits| label(logits, pixel));
        let gap = exact[own * pixels + pixel] - exact[fast * pixels + pixel];
        assert!(
            gap <= 2.0 * apart,
            "pixel {pixel}: {fast} for {own}, {gap} below"
        );
    }
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
    let network = trained(&config(backbone, aspp()), &device);
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
    let mut config = config(resnet(), fcn());
    if let DecoderConfig::Decoupled(head) = &mut config.decoder {
        head.body_edge.upsampling = Upsampling::Deconv;
    }
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
