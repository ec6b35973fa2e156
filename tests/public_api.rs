//! The names and shapes that programs rely on. A failure here is a breaking change.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use decoupled_seg::backbones::{MobileNetV3Config, ResNetConfig, Stem, WideResNet38Config};
use decoupled_seg::body_edge::{BodyEdgeModuleConfig, Downsampling, Upsampling};
use decoupled_seg::datasets::augment::Normalization;
use decoupled_seg::engine::{Inference, Protocol};
use decoupled_seg::heads::{AsppConfig, FcnHeadConfig, PyramidPoolingConfig};
use decoupled_seg::nn::{FlowUnit, WarpGradient, WarpPadding};
use decoupled_seg::prelude::*;
use rstest::rstest;

const SIZE: Size = Size::new(57, 65);

fn images(device: &Device) -> Tensor<4> {
    Tensor::zeros([1, 3, SIZE.height, SIZE.width], device)
}

/// Every backbone with every context head and decoder.
#[rstest]
fn every_combination_predicts(
    #[values(
        ResNetConfig::resnet18().with_width(2).into(),
        ResNetConfig::resnet50().with_width(2).with_stem(Stem::Torchvision).into(),
        WideResNet38Config::new().with_width(2).into()
    )]
    backbone: BackboneConfig,
    #[values(
        FcnHeadConfig::new([1, 8]).into(),
        PyramidPoolingConfig::new([1, 8]).into(),
        AsppConfig::new([1, 8]).into()
    )]
    context: ContextConfig,
    #[values(true, false)] decoupled: bool,
    #[values(Some(4), None)] fine_channels: Option<usize>,
) {
    let device = Device::default();
    // The heads above read one channel, until the backbone tells them its own.
    let mut config = DecoupledSegNetConfig::new(5, backbone.clone(), context)
        .with_backbone(backbone)
        .with_fine_channels(fine_channels)
        .map_head(|head| head.with_edge_channels(4))
        .with_auxiliary(true);
    if !decoupled {
        config = config.plain();
    }
    let network = config.init(&device);

    let output = network.forward(images(&device));

    let Size { height, width } = SIZE;
    assert_eq!(network.num_classes(), 5);
    assert_eq!(output.logits.dims(), [1, 5, height, width]);
    let aux_logits = output.aux_logits.expect("asked for");
    assert_eq!(aux_logits.dims(), [1, 5, height, width]);
    assert_eq!(output.supervision.is_some(), decoupled);
    if let Some(supervision) = output.supervision {
        assert_eq!(supervision.body_logits.dims(), [1, 5, height, width]);
        assert_eq!(supervision.edge_logits.dims(), [1, 1, height, width]);
    }
    assert_eq!(network.inspect(images(&device)).is_some(), decoupled);
    assert_eq!(
        network.predict(images(&device)).into_data(),
        output.logits.into_data()
    );
}

#[rstest]
#[case(FcnHeadConfig::new([1, 8]).into())]
#[case(AsppConfig::new([1, 8]).into())]
fn a_shape_stream_takes_the_place_of_body_and_edge(#[case] context: ContextConfig) {
    let device = Device::default();
    let backbone = ResNetConfig::resnet18().with_width(4);
    let decoupled =
        DecoupledSegNetConfig::new(5, backbone.clone(), context).with_backbone(backbone);
    let gated = decoupled.clone().gated();
    // What is changed before and after means the same.
    let wide = ResNetConfig::resnet50().with_width(4);
    assert_eq!(
        gated.clone().with_backbone(wide.clone()).to_string(),
        decoupled.clone().with_backbone(wide).gated().to_string()
    );
    assert_eq!(
        gated.clone().plain().to_string(),
        decoupled.plain().to_string()
    );
    let text = gated.to_string();
    let read = DecoupledSegNetConfig::load_binary(text.as_bytes()).expect("just written");
    assert_eq!(read.to_string(), text);

    let network = read.init(&device);
    let output = network.forward(images(&device));

    let Size { height, width } = SIZE;
    assert_eq!(output.logits.dims(), [1, 5, height, width]);
    let boundary = output.boundary_logits.expect("a shape stream");
    assert_eq!(boundary.dims(), [1, 1, height, width]);
    assert!(output.supervision.is_none());
    assert!(network.inspect(images(&device)).is_none());
    assert_eq!(
        network.predict(images(&device)).into_data(),
        output.logits.into_data()
    );
}

#[rstest]
// 49 pixels a side are what the module needs: seven features, of which those over the picture are kept.
#[case([40, 30], [6, 5])]
#[case([3, 1], [1, 1])]
#[case([57, 65], [8, 9])]
fn small_pictures_are_padded_and_cut_back(#[case] size: [u32; 2], #[case] features: [usize; 2]) {
    let [height, width] = size;
    let device = Device::default();
    let network = DecoupledSegNetConfig::tiny(5).init(&device);
    let image = image::RgbImage::from_pixel(width, height, image::Rgb([90, 120, 60]));
    let mut inference = Inference::new(Protocol::default(), Normalization::default(), &device);
    let inspection = inference
        .inspect(&network, &image)
        .expect("a decoupled network");
    let size = [height as usize, width as usize];
    assert_eq!(inspection.logits.dims()[2..], size);
    assert_eq!(inspection.edge_logits.dims()[2..], size);
    assert_eq!(inspection.flow.expect("a flow").dims()[2..], features);
    let merged = inference.merged(&network, &image);
    assert_eq!(merged.into_data(), inspection.logits.into_data());
}

// Parameters of the authors' networks for 19 classes, as counted in PyTorch, running statistics left out.
#[rstest]
#[case(DecoupledSegNetConfig::fcn_resnet50(19), 29_659_328, 30_937_680)]
#[case(
    DecoupledSegNetConfig::deeplabv3plus_resnet50(19),
    40_474_816,
    41_753_168
)]
fn presets_have_the_authors_parameters(
    #[case] config: DecoupledSegNetConfig,
    #[case] plain: usize,
    #[case] decoupled: usize,
) {
    use burn::module::{ModuleVisitor, Param};

    #[derive(Default)]
    struct Count(usize);
    impl ModuleVisitor for Count {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            // Running statistics want no gradient.
            if param.is_require_grad() {
                self.0 += param.lazy_shape().num_elements();
            }
        }
    }

    let device = Device::default().autodiff();
    for (config, expected) in [(config.clone().plain(), plain), (config, decoupled)] {
        let mut count = Count::default();
        config.init(&device).visit(&mut count);
        assert_eq!(count.0, expected, "{config}");
    }
}

#[test]
fn a_config_survives_its_file() {
    let body_edge = BodyEdgeModuleConfig::new(256)
        .with_downsampling(Downsampling::Conv)
        .with_upsampling(Upsampling::Nearest)
        .with_warp(
            WarpOptions::paper()
                .with_flow_unit(FlowUnit::HalfGrid)
                .with_padding(WarpPadding::Border)
                .with_gradient(WarpGradient::Deterministic),
        );
    let config = DecoupledSegNetConfig::deeplabv3plus_resnet50(11)
        .with_auxiliary(true)
        .map_head(|head| head.with_body_edge(body_edge));
    for config in [config.clone().plain(), config] {
        let text = config.to_string();
        let read = DecoupledSegNetConfig::load_binary(text.as_bytes()).expect("just written");
        assert_eq!(read.to_string(), text);
        assert_eq!(text, text.to_lowercase(), "one dialect");
    }
}

/// What the engine asks before the first step.
#[test]
fn networks_say_what_they_can_be_trained_on() {
    let device = Device::default();
    let tiny = DecoupledSegNetConfig::tiny(3);
    let network = tiny.clone().init(&device);
    // Two unpadded strided convolutions leave 2 pixels of 11, and one of 7 to 10.
    for (side, least) in [(81, 1), (80, 2), (49, 2)] {
        let size = Size::square(side);
        assert_eq!(network.min_training_batch(size), least, "{side}");
        assert_eq!(network.clone().freeze().min_training_batch(size), 1);
    }
    let training = device.clone().autodiff();
    for (batch, side) in [(1, 81), (2, 49)] {
        let images = Tensor::zeros([batch, 3, side, side], &training);
        let _ = tiny.clone().init(&training).forward(images);
    }
    // 7 pixels at stride 8, the last one begun.
    assert_eq!(network.min_image_side(), 49);
    let _ = network.predict(Tensor::zeros([1, 3, 49, 49], &device));
    assert_eq!(tiny.clone().plain().init(&device).min_image_side(), 1);

    let pooled = tiny.with_context(AsppConfig::new([64, 32])).init(&device);
    let size = Size::square(160);
    assert_eq!(pooled.min_training_batch(size), 2);
    assert_eq!(pooled.freeze().min_training_batch(size), 1);
}

#[test]
#[should_panic(
    expected = "`context.aspp.channels[0]` is 32, expected 64, the channels of the backbone's last stage"
)]
fn parts_that_do_not_fit_are_refused() {
    let backbone = ResNetConfig::resnet18().with_width(8);
    let _ =
        DecoupledSegNetConfig::new(3, backbone, AsppConfig::new([32, 32])).init(&Device::default());
}

#[rstest]
fn images_of_any_channels_are_read(
    #[values(1, 4, 13)] channels: usize,
    #[values("decoupled", "plain", "gated")] decoder: &str,
    #[values(
        ResNetConfig::resnet18().with_width(2).into(),
        ResNetConfig::resnet18().with_width(2).with_stem(Stem::Torchvision).into(),
        MobileNetV3Config::new().with_width(0.15).into(),
        WideResNet38Config::new().with_width(1).into()
    )]
    backbone: BackboneConfig,
) {
    let device = Device::default();
    let config = DecoupledSegNetConfig::new(3, backbone.clone(), FcnHeadConfig::new([1, 8]))
        .with_backbone(backbone)
        .with_in_channels(channels);
    let config = match decoder {
        "plain" => config.plain(),
        "gated" => config.gated(),
        _ => config,
    };
    let network = config.init(&device);
    assert_eq!(network.in_channels(), channels);
    // 81 pixels leave a body of 6 at stride 16, and 113 one of 8.
    let logits = network.predict(Tensor::zeros([1, channels, 113, 113], &device));
    assert_eq!(logits.dims(), [1, 3, 113, 113]);
    let cost = config.cost(
        Size::square(113),
        decoupled_seg::cost::Outputs::Segmentation,
    );
    let rgb = config.with_in_channels(3);
    let of_rgb = rgb.cost(
        Size::square(113),
        decoupled_seg::cost::Outputs::Segmentation,
    );
    assert_eq!(
        cost.total().parameters > of_rgb.total().parameters,
        channels > 3
    );
}

#[test]
#[should_panic(expected = "axis 1 expected 3, got 1")]
fn grey_images_are_refused() {
    let device = Device::default();
    let network = DecoupledSegNetConfig::tiny(3).init(&device);
    let _ = network.predict(Tensor::zeros([1, 1, 64, 64], &device));
}

#[test]
#[should_panic(expected = "features must be at least 7x7, got 6x8")]
fn images_too_small_for_the_body_are_refused() {
    let device = Device::default();
    let network = DecoupledSegNetConfig::tiny(3).init(&device);
    let _ = network.predict(Tensor::zeros([1, 3, 48, 64], &device));
}

#[test]
#[should_panic(expected = "`decoder.decoupled.num_classes` is 0, expected 1 to 65536")]
fn no_classes_are_refused() {
    let _ = DecoupledSegNetConfig::tiny(0).init(&Device::default());
}
