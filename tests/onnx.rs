//! Whole networks as ONNX, run by rten beside our own prediction.

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use decoupled_seg::backbones::{MobileNetV3Config, OutputStride, ResNetConfig, WideResNet38Config};
use decoupled_seg::body_edge::{BodyEdgeModuleConfig, BodyGeneration};
use decoupled_seg::datasets::augment::Normalization;
use decoupled_seg::heads::{AsppConfig, DenseAsppConfig, FcnHeadConfig, PyramidPoolingConfig};
use decoupled_seg::network::{BackboneConfig, ContextConfig};
use decoupled_seg::nn::{SegmentationModel, Size, WarpOptions, WarpPadding};
use decoupled_seg::onnx::{OnnxError, OnnxExport};
use decoupled_seg::{DecoupledSegNet, DecoupledSegNetConfig};
use image::RgbImage;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rstest::rstest;

#[path = "../crates/decoupled-seg-onnx/tests/common/mod.rs"]
mod common;

use common::{determined, export, pictures};

fn network(backbone: &BackboneConfig, context: &str, plain: bool) -> DecoupledSegNetConfig {
    network_of(5, backbone, context, plain)
}

fn network_of(
    classes: usize,
    backbone: &BackboneConfig,
    context: &str,
    plain: bool,
) -> DecoupledSegNetConfig {
    let [.., last] = backbone.channels();
    let channels = [last, 12];
    let context: ContextConfig = match context {
        "fcn" => FcnHeadConfig::new(channels).into(),
        "pspnet" => PyramidPoolingConfig::new(channels).into(),
        "deeplabv3plus" => AsppConfig::new(channels)
            .with_atrous_rates(vec![2, 4, 6])
            .into(),
        "dense-aspp" => DenseAsppConfig::new(channels).into(),
        other => panic!("no head `{other}`"),
    };
    let config = DecoupledSegNetConfig::new(classes, backbone.clone(), context)
        .with_fine_channels(Some(8))
        .map_head(|head| head.with_edge_channels(8));
    match plain {
        true => config.plain(),
        false => config,
    }
}

fn backbone(name: &str) -> BackboneConfig {
    match name {
        "resnet18" => ResNetConfig::resnet18().with_width(4).into(),
        "resnet50" => ResNetConfig::resnet50().with_width(4).into(),
        "mobilenet-v3" => MobileNetV3Config::new().with_width(0.25).into(),
        "wide-resnet38" => WideResNet38Config::new().with_width(2).into(),
        other => panic!("no backbone `{other}`"),
    }
}

fn build(config: &DecoupledSegNetConfig) -> DecoupledSegNet {
    determined(config.init(&Device::default())).for_inference(FloatDType::F32)
}

#[rstest]
fn every_head_on_every_backbone_says_what_the_network_says(
    #[values("resnet18", "mobilenet-v3")] backbone_name: &str,
    #[values("fcn", "pspnet", "deeplabv3plus", "dense-aspp")] context: &str,
    #[values(true, false)] plain: bool,
    #[values((99, 115), (117, 101))] (height, width): (usize, usize),
) {
    let network = build(&network(&backbone(backbone_name), context, plain));
    let settings = OnnxExport::new(Size::new(height, width)).with_inspection(!plain);
    let (_, parity) = export(&settings, &network, &pictures(2, height, width));
    println!("{parity}");
    assert!(parity.holds(), "{parity}");
    assert_eq!(parity.numbers.len(), if plain { 1 } else { 3 });
    assert_eq!(parity.labels[0].pixels, 2 * height * width);
}

/// GSCNN: Canny's edges are found inside.
#[rstest]
fn a_shape_stream_says_what_the_network_says(
    #[values("resnet18", "mobilenet-v3")] backbone_name: &str,
    #[values("fcn", "deeplabv3plus")] context: &str,
    #[values((99, 115), (117, 101))] (height, width): (usize, usize),
) {
    let config = network(&backbone(backbone_name), context, true).gated();
    let config = config.map_gated(|mut decoder| {
        decoder.shape.channels = 8;
        decoder
    });
    let settings = OnnxExport::new(Size::new(height, width));
    let (file, parity) = export(&settings, &build(&config), &pictures(2, height, width));
    println!("{parity}");
    assert!(parity.holds(), "{parity}");
    assert!(file.operations().contains(&"MaxPool"));
}

/// Norms that are not folded, and a backbone with norms of its own before the convolutions.
#[rstest]
#[case::not_folded("resnet50", false)]
#[case::norms_first("wide-resnet38", true)]
fn norms_remain_where_they_are_not_folded(#[case] name: &str, #[case] folded: bool) {
    let config = network(&backbone(name), "fcn", false);
    let network = match folded {
        true => build(&config),
        false => determined(config.init(&Device::default())),
    };
    let settings = OnnxExport::new(Size::new(57, 65));
    let (file, parity) = export(&settings, &network, &pictures(1, 57, 65));
    assert!(parity.holds(), "{parity}");
    assert!(file.operations().contains(&"BatchNormalization"));
}

#[test]
fn the_file_has_what_the_prediction_needs_and_no_more() {
    let config = network(&backbone("resnet18"), "fcn", false);
    let network = build(&config);
    let size = Size::new(65, 97);
    let predicted = OnnxExport::new(size).export(&network).expect("translated");
    let inspected = OnnxExport::new(size)
        .with_inspection(true)
        .export(&network)
        .expect("translated");
    // The branch of the body alone is there to be supervised, or looked at.
    assert!(predicted.len() < inspected.len());
    assert!(!predicted.operations().contains(&"BatchNormalization"));

    let plain = build(&config.plain());
    let error = OnnxExport::new(size)
        .with_inspection(true)
        .export(&plain)
        .expect_err("a plain network has no body");
    assert!(matches!(error, OnnxError::NothingToInspect), "{error}");
}

/// rten samples with zeros only; onnxruntime knows the border as well.
#[test]
fn a_warp_that_reads_the_border_is_written_as_such() {
    let border = WarpOptions::official().with_padding(WarpPadding::Border);
    let module = BodyEdgeModuleConfig::new(12).with_warp(border);
    let config =
        network(&backbone("resnet18"), "fcn", false).map_head(|head| head.with_body_edge(module));
    let network = build(&config);
    let settings = OnnxExport::new(Size::new(65, 97));
    let file = settings.export(&network).expect("it is translated");
    let error = settings
        .compare(&network, &file, &pictures(1, 65, 97))
        .expect_err("rten refuses it");
    assert!(error.to_string().contains("rten cannot"), "{error}");
}

#[test]
fn an_operation_without_counterpart_is_named() {
    let module = BodyEdgeModuleConfig::new(12).with_generation(BodyGeneration::Deformable);
    let config =
        network(&backbone("resnet18"), "fcn", false).map_head(|head| head.with_body_edge(module));
    let error = OnnxExport::new(Size::new(65, 97))
        .export(&build(&config))
        .expect_err("opset 18 has none");
    let OnnxError::Unsupported { operation, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(operation, "DeformableConv2d");
}

/// Line by line over the map: hundreds of slices.
#[test]
fn the_propagating_module_is_translated_too() {
    let module = BodyEdgeModuleConfig::new(12).with_generation(BodyGeneration::SpatialPropagation);
    let config =
        network(&backbone("resnet18"), "fcn", false).map_head(|head| head.with_body_edge(module));
    let settings = OnnxExport::new(Size::new(65, 49));
    let (_, parity) = export(&settings, &build(&config), &pictures(2, 65, 49));
    assert!(parity.holds(), "{parity}");
}

#[test]
fn coarser_strides_and_the_smallest_picture() {
    let backbone = ResNetConfig::resnet18()
        .with_width(4)
        .with_output_stride(OutputStride::Os16);
    let network = build(&network(&backbone.into(), "deeplabv3plus", false));
    let side = network.min_image_side();
    let settings = OnnxExport::new(Size::square(side));
    let (_, parity) = export(&settings, &network, &pictures(1, side, side));
    assert!(parity.holds(), "{parity}");
}

/// A network of any kind, size and stride.
fn any_network() -> impl Strategy<Value = (DecoupledSegNetConfig, Size, usize, bool)> {
    let backbone = prop_oneof![
        (1_usize..4, stride()).prop_map(|(width, stride)| {
            let config = ResNetConfig::resnet18().with_width(2 * width);
            BackboneConfig::from(config.with_output_stride(stride))
        }),
        (1_usize..3, stride()).prop_map(|(width, stride)| {
            let config = MobileNetV3Config::new().with_width(0.15 * width as f64);
            BackboneConfig::from(config.with_output_stride(stride))
        }),
    ];
    let context = prop::sample::select(vec!["fcn", "pspnet", "deeplabv3plus", "dense-aspp"]);
    let size = (1_usize..70, 1_usize..70);
    (
        backbone,
        context,
        any::<bool>(),
        1_usize..12,
        size,
        1_usize..4,
    )
        .prop_map(
            |(backbone, context, plain, classes, (height, width), batch)| {
                let config = network_of(classes, &backbone, context, plain);
                let side = config.init(&Device::default()).min_image_side();
                (config, Size::new(side + height, side + width), batch, plain)
            },
        )
}

fn stride() -> impl Strategy<Value = OutputStride> {
    prop::sample::select(vec![
        OutputStride::Os8,
        OutputStride::Os16,
        OutputStride::Os32,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_configuration_says_what_the_network_says((config, size, batch, plain) in any_network()) {
        let settings = OnnxExport::new(size).with_inspection(!plain);
        let pictures = pictures(batch, size.height, size.width);
        let (_, parity) = export(&settings, &build(&config), &pictures);
        prop_assert!(parity.holds(), "{parity}");
    }
}

/// For `tests/peers/onnx.py files`: as many networks, with pictures and logits beside them.
#[test]
#[ignore = "writes files for another program, into the folder that ONNX_FILES names"]
fn writes_networks_for_onnxruntime() {
    let folder = std::env::var_os("ONNX_FILES").expect("ONNX_FILES names a folder");
    let folder = std::path::Path::new(&folder);
    std::fs::create_dir_all(folder).expect("writable");
    let mut runner = TestRunner::deterministic();
    for index in 0..100 {
        let drawn = any_network()
            .new_tree(&mut runner)
            .expect("nothing is rejected");
        let (config, size, batch, plain) = drawn.current();
        let network = build(&config);
        let file = OnnxExport::new(size)
            .with_inspection(!plain)
            .export(&network)
            .expect("it is translated");
        let bytes = pictures(batch, size.height, size.width);
        let normalised = Normalization::default();
        let images: Vec<f32> = bytes
            .chunks_exact(3 * size.pixels())
            .flat_map(|bytes| {
                let (width, height) = (size.width as u32, size.height as u32);
                let image = RgbImage::from_raw(width, height, bytes.to_vec()).expect("its size");
                normalised.apply(&image)
            })
            .collect();
        let images = TensorData::new(images, [batch, 3, size.height, size.width]);
        let logits = network.predict(Tensor::from_data(images, &Device::default()));
        let logits: Vec<u8> = logits.into_data().as_bytes().to_vec();

        let path = folder.join(format!("{index:03}.onnx"));
        file.save(&path).expect("writable");
        std::fs::write(path.with_extension("image"), &bytes).expect("writable");
        std::fs::write(path.with_extension("logits"), &logits).expect("writable");
    }
}
