//! Puts `BodyEdgeModule` after an ASPP of your own, and trains the result.
//!
//! ```sh
//! cargo run --release --example insert_module
//! ```
//!
//! Nothing of the network comes from this project but the module: `Aspp` and `Net` are plain burn-nn, as they would be
//! in your code. The ten lines that matter are marked with `(n)`.

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use decoupled_seg::body_edge::{BodyEdgeModule, BodyEdgeModuleConfig};
use decoupled_seg::losses::{DecoupledLossConfig, Targets, TargetsConfig};
use decoupled_seg::nn::{BodyEdge, resize}; // (1) // (2)

const CHANNELS: usize = 24;
const NUM_CLASSES: usize = 2;
const SIZE: usize = 64;
const STEPS: usize = 40;

/// An ASPP as anybody might have it: three rates, summed.
#[derive(Module, Debug)]
struct Aspp {
    branches: Vec<Conv2d>,
}

impl Aspp {
    fn new(device: &Device) -> Self {
        let branch = |rate| conv(CHANNELS, CHANNELS, rate, device);
        Self {
            branches: [1, 2, 4].map(branch).into(),
        }
    }

    fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        let outputs = self
            .branches
            .iter()
            .map(|branch| branch.forward(features.clone()));
        relu(
            outputs
                .reduce(|sum, output| sum + output)
                .expect("there are three branches"),
        )
    }
}

#[derive(Module, Debug)]
struct Net {
    stem: Vec<Conv2d>,
    aspp: Aspp,
    body_edge: BodyEdgeModule, // (3)
    edge: Conv2d,              // (4)
    body: Conv2d,              // (5)
    classes: Conv2d,
}

impl Net {
    fn new(device: &Device) -> Self {
        let strided = |inputs| {
            Conv2dConfig::new([inputs, CHANNELS], [3, 3])
                .with_stride([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
        };
        Self {
            stem: vec![strided(3), strided(CHANNELS)],
            aspp: Aspp::new(device),
            body_edge: BodyEdgeModuleConfig::new(CHANNELS).init(device), // (6)
            edge: conv(CHANNELS, 1, 1, device),
            body: conv(CHANNELS, NUM_CLASSES, 1, device),
            classes: conv(CHANNELS, NUM_CLASSES, 1, device),
        }
    }

    /// Logits of the classes, of the body alone, and of the edge, at the size of the image.
    fn forward(&self, images: Tensor<4>) -> [Tensor<4>; 3] {
        let features = self
            .stem
            .iter()
            .fold(images, |x, conv| relu(conv.forward(x)));
        let features = self.aspp.forward(features);
        let BodyEdge { body, edge } = self.body_edge.forward(features); // (7)
        let up = |x| resize(x, [SIZE, SIZE], true); // (8)
        [
            up(self.classes.forward(body.clone() + edge.clone())),
            up(self.body.forward(body)), // (9)
            up(self.edge.forward(edge)), // (10)
        ]
    }
}

fn conv(inputs: usize, outputs: usize, dilation: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([inputs, outputs], [3, 3])
        .with_dilation([dilation, dilation])
        .with_padding(PaddingConfig2d::Explicit(
            dilation, dilation, dilation, dilation,
        ))
        .init(device)
}

/// Two discs on a striped ground, with the labels of their pixels.
fn discs(device: &Device) -> (Tensor<4>, Tensor<3, Int>) {
    let inside = |image: usize, y: usize, x: usize| {
        let (center_y, center_x, radius) = [(24.0, 28.0, 15.0), (38.0, 34.0, 20.0)][image];
        (y as f32 - center_y).hypot(x as f32 - center_x) < radius
    };
    let pixels =
        (0..2).flat_map(|image| (0..SIZE).flat_map(move |y| (0..SIZE).map(move |x| (image, y, x))));
    let labels: Vec<i32> = pixels
        .map(|(image, y, x)| i32::from(inside(image, y, x)))
        .collect();
    let stripes = |y: usize, x: usize| if (x + 2 * y) % 12 < 6 { 0.4 } else { -0.4 };
    let planes = (0..2).flat_map(|image| (0..3).map(move |channel| (image, channel)));
    let values: Vec<f32> = planes
        .flat_map(|(image, channel)| {
            (0..SIZE * SIZE).map(move |pixel| {
                let (y, x) = (pixel / SIZE, pixel % SIZE);
                let object = if inside(image, y, x) {
                    [0.5, -0.3, 0.1][channel]
                } else {
                    0.0
                };
                object + stripes(y, x)
            })
        })
        .collect();
    (
        Tensor::from_data(TensorData::new(values, [2, 3, SIZE, SIZE]), device),
        Tensor::from_data(TensorData::new(labels, [2, SIZE, SIZE]), device),
    )
}

fn accuracy(logits: Tensor<4>, labels: Tensor<3, Int>) -> f32 {
    let predictions = logits.argmax(1).squeeze_dim::<3>(1);
    predictions.equal(labels).float().mean().into_scalar()
}

struct CountParameters(usize);

impl ModuleVisitor for CountParameters {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0 += param.val().shape().num_elements();
    }
}

fn main() {
    let device = Device::default().autodiff();
    device.seed(7);
    let (images, labels) = discs(&device);
    let targets = Targets::from_labels(labels.clone(), &TargetsConfig::new(NUM_CLASSES));
    let loss = DecoupledLossConfig::new().init();

    let mut net = Net::new(&device);
    let mut optimizer = SgdConfig::new()
        .with_momentum(Some(
            MomentumConfig::new().with_momentum(0.9).with_dampening(0.0),
        ))
        .init();
    let mut count = CountParameters(0);
    net.body_edge.visit(&mut count);
    println!(
        "the module adds {} parameters on {CHANNELS} channels",
        count.0
    );

    for step in 0..=STEPS {
        let [logits, body_logits, edge_logits] = net.forward(images.clone());
        let terms = loss.forward(logits.clone(), body_logits, edge_logits, &targets);
        if step % 10 == 0 {
            let [total, segmentation, body, edge] =
                [&terms.total, &terms.segmentation, &terms.body, &terms.edge]
                    .map(|term| term.clone().into_scalar::<f32>());
            println!(
                "step {step:3}  loss {total:.3} = segmentation {segmentation:.3} + body {body:.3} + edge {edge:.3} + attention   pixel accuracy {:.1} %",
                100.0 * accuracy(logits, labels.clone())
            );
        }
        let gradients = GradientsParams::from_grads(terms.total.backward(), &net);
        net = optimizer.step(0.02, net, gradients);
    }

    let [logits, ..] = net.forward(images);
    let accuracy = accuracy(logits, labels);
    assert!(
        accuracy > 0.9,
        "pixel accuracy {accuracy} after {STEPS} steps"
    );
}
