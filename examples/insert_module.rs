//! Puts `BodyEdgeModule` after an ASPP of your own, and trains the result.
//!
//! ```sh
//! cargo run --release --example insert_module
//! ```
//!
//! Nothing of the network comes from this project but the module: `Aspp` and `Net` are plain burn-nn, as they would be
//! in your code. The lines that matter are marked with `(n)`.

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use decoupled_seg::body_edge::{BodyEdgeModule, BodyEdgeModuleConfig};
use decoupled_seg::losses::{DecoupledLossConfig, LossTerm, Targets, TargetsOptions};
use decoupled_seg::nn::{BodyEdge, SegmentationOutput, Size, resize};

const CHANNELS: usize = 24;
const NUM_CLASSES: usize = 2;
const SIZE: usize = 64;
const STEPS: usize = 40;

/// The ASPP of DeepLabV3, of yours perhaps: a 1x1 convolution, three dilated 3x3 ones and the mean of the image, joined
/// by a 1x1.
#[derive(Module, Debug)]
struct Aspp {
    branches: Vec<Block>,
    image: Conv2d,
    project: Block,
}

impl Aspp {
    fn new(device: &Device) -> Self {
        let dilated = [2, 4, 6].map(|rate| Block::new(CHANNELS, 3, rate, device));
        let mut branches = vec![Block::new(CHANNELS, 1, 1, device)];
        branches.extend(dilated);
        Self {
            branches,
            image: conv([CHANNELS, CHANNELS], 1, 1, device),
            project: Block::new(5 * CHANNELS, 1, 1, device),
        }
    }

    fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        let mean = features.clone().mean_dim(2).mean_dim(3);
        let image = relu(self.image.forward(mean)).expand(features.dims());
        let mut outputs: Vec<_> = self
            .branches
            .iter()
            .map(|branch| branch.forward(features.clone()))
            .collect();
        outputs.push(image);
        self.project.forward(Tensor::cat(outputs, 1))
    }
}

/// Convolution, batch norm, ReLU.
#[derive(Module, Debug)]
struct Block {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Block {
    fn new(inputs: usize, kernel: usize, dilation: usize, device: &Device) -> Self {
        Self {
            conv: conv([inputs, CHANNELS], kernel, dilation, device),
            norm: BatchNormConfig::new(CHANNELS).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        relu(self.norm.forward(self.conv.forward(x)))
    }
}

#[derive(Module, Debug)]
struct Net {
    stem: Vec<Conv2d>,
    aspp: Aspp,
    body_edge: BodyEdgeModule, // (1)
    edge: Conv2d,              // (2)
    body: Conv2d,              // (3)
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
        let predict = |channels| conv([CHANNELS, channels], 3, 1, device);
        Self {
            stem: vec![strided(3), strided(CHANNELS)],
            aspp: Aspp::new(device),
            body_edge: BodyEdgeModuleConfig::new(CHANNELS).init(device), // (4)
            edge: predict(1),
            body: predict(NUM_CLASSES),
            classes: predict(NUM_CLASSES),
        }
    }

    /// The classes, and what the body and the edge alone say, at the size of the image.
    fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
        let features = self
            .stem
            .iter()
            .fold(images, |x, conv| relu(conv.forward(x)));
        let features = self.aspp.forward(features);
        let BodyEdge { body, edge } = self.body_edge.forward(features); // (5)
        let up = |x| resize(x, Size::square(SIZE), true);
        let logits = up(self.classes.forward(body.clone() + edge.clone())); // (6)
        let body_logits = up(self.body.forward(body)); // (7)
        let edge_logits = up(self.edge.forward(edge)); // (8)
        SegmentationOutput::decoupled(logits, body_logits, edge_logits) // (9)
    }
}

fn conv(channels: [usize; 2], kernel: usize, dilation: usize, device: &Device) -> Conv2d {
    let padding = dilation * (kernel / 2);
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_dilation([dilation, dilation])
        .with_padding(PaddingConfig2d::Explicit(
            padding, padding, padding, padding,
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
    let options = TargetsOptions::paper();
    let targets = Targets::from_labels(labels.clone(), NUM_CLASSES, &options); // (10)
    let loss = DecoupledLossConfig::new().init(); // (11)

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
        let output = net.forward(images.clone());
        let terms = loss.forward(&output, &targets); // (12)
        if step % 10 == 0 {
            let parts: Vec<String> = terms
                .iter()
                .filter(|(term, _)| *term != LossTerm::Total)
                .map(|(term, value)| format!("{term} {:.3}", value.clone().into_scalar::<f32>()))
                .collect();
            println!(
                "step {step:3}  loss {:.3} = {}   pixel accuracy {:.1} %",
                terms.total.clone().into_scalar::<f32>(),
                parts.join(" + "),
                100.0 * accuracy(output.logits, labels.clone())
            );
        }
        let gradients = GradientsParams::from_grads(terms.total.backward(), &net);
        net = optimizer.step(0.02, net, gradients);
    }

    let accuracy = accuracy(net.forward(images).logits, labels);
    assert!(
        accuracy > 0.9,
        "pixel accuracy {accuracy} after {STEPS} steps"
    );
}
