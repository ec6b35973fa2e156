//! A network that was put together from burn-nn and our module, as in `examples/insert_module.rs`.

mod common;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use common::{determined, export, pictures};
use decoupled_seg_body_edge::{BodyEdgeModule, BodyEdgeModuleConfig};
use decoupled_seg_nn::{
    BodyEdge, FlowUnit, Inspection, SegmentationModel, SegmentationOutput, Size, WarpOptions,
    map_size, resize,
};
use decoupled_seg_onnx::{OnnxExport, OnnxInput};
use rstest::rstest;

const CHANNELS: usize = 12;
const CLASSES: usize = 4;

#[derive(Module, Debug)]
struct Net {
    stem: Vec<Conv2d>,
    norm: BatchNorm,
    image: Conv2d,
    body_edge: BodyEdgeModule,
    edge: Conv2d,
    body: Conv2d,
    classes: Conv2d,
}

impl Net {
    fn new(warp: WarpOptions, device: &Device) -> Self {
        let conv = |channels, stride| {
            Conv2dConfig::new(channels, [3, 3])
                .with_stride([stride, stride])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
        };
        Self {
            stem: vec![conv([3, CHANNELS], 2), conv([CHANNELS, CHANNELS], 2)],
            norm: BatchNormConfig::new(CHANNELS).init(device),
            image: Conv2dConfig::new([CHANNELS, CHANNELS], [1, 1]).init(device),
            body_edge: BodyEdgeModuleConfig::new(CHANNELS)
                .with_warp(warp)
                .init(device),
            edge: conv([CHANNELS, 1], 1),
            body: conv([CHANNELS, CLASSES], 1),
            classes: conv([CHANNELS, CLASSES], 1),
        }
    }

    fn features(&self, images: Tensor<4>) -> Tensor<4> {
        let features = self
            .stem
            .iter()
            .fold(images, |x, conv| relu(conv.forward(x)));
        let features = self.norm.forward(features);
        let mean = features.clone().mean_dim(2).mean_dim(3);
        let image = relu(self.image.forward(mean)).expand(features.dims());
        features + image
    }
}

impl SegmentationModel for Net {
    fn num_classes(&self) -> usize {
        CLASSES
    }

    fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
        let size = map_size(&images);
        let BodyEdge { body, edge } = self.body_edge.forward(self.features(images));
        let up = |x| resize(x, size, true);
        SegmentationOutput::decoupled(
            up(self.classes.forward(body.clone() + edge.clone())),
            up(self.body.forward(body)),
            up(self.edge.forward(edge)),
        )
    }

    fn inspect(&self, images: Tensor<4>) -> Option<Inspection> {
        let size = map_size(&images);
        let detail = self.body_edge.forward_detailed(self.features(images));
        let up = |x| resize(x, size, true);
        Some(Inspection {
            refined_edge: detail.edge.clone(),
            logits: up(self
                .classes
                .forward(detail.body.clone() + detail.edge.clone())),
            body_logits: up(self.body.forward(detail.body.clone())),
            edge_logits: up(self.edge.forward(detail.edge.clone())),
            body: detail.body,
            edge: detail.edge,
            flow: detail.flow,
        })
    }
}

#[rstest]
#[case::official(WarpOptions::official())]
#[case::torch13(WarpOptions::official_torch13())]
#[case::paper(WarpOptions::paper())]
fn it_exports_without_a_line_of_ours_being_changed(
    #[case] warp: WarpOptions,
    #[values(1, 3)] batch: usize,
) {
    let network = determined(Net::new(warp, &Device::default()));
    let (height, width) = (37, 51);
    let settings = OnnxExport::new(Size::new(height, width)).with_inspection(true);
    let (file, parity) = export(&settings, &network, &pictures(batch, height, width));

    let outputs: Vec<&str> = file.outputs().collect();
    assert_eq!(outputs, ["labels", "logits", "body", "edge", "flow"]);
    println!("{parity}");
    assert!(parity.holds(), "{parity}");
    assert_eq!(parity.labels[0].pixels, batch * height * width);
    // The warp moves something.
    let flow = parity
        .numbers
        .iter()
        .find(|it| it.name == "flow")
        .expect("it has a flow");
    assert!(flow.largest > 0.5, "{parity}");
}

#[rstest]
fn of_one_pixel_and_normalised_by_the_caller() {
    let warp = WarpOptions::official().with_flow_unit(FlowUnit::HalfGrid);
    let network = determined(Net::new(warp, &Device::default()));
    let settings =
        OnnxExport::new(Size::new(29, 27)).with_input(OnnxInput::Normalised { channels: 3 });
    let (file, parity) = export(&settings, &network, &pictures(2, 29, 27));
    assert!(parity.holds(), "{parity}");
    assert_eq!(file.outputs().count(), 2);
    assert!(!file.operations().contains(&"Cast") || file.operations().contains(&"ArgMax"));
}

/// The network sees 40x56 pixels of which 37x51 are the picture.
#[rstest]
fn padded_pictures_are_cut_back() {
    let network = determined(Net::new(WarpOptions::official(), &Device::default()));
    let settings = OnnxExport::new(Size::new(37, 51))
        .with_padding_to(Size::new(40, 56))
        .with_inspection(true);
    let (file, parity) = export(&settings, &network, &pictures(1, 37, 51));
    assert!(parity.holds(), "{parity}");
    assert!(file.operations().contains(&"Pad"));
}
