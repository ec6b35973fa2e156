//! A device of another machine does what one of this machine does. Server and client are one process here, and what they say
//! to each other goes over a socket of the loopback interface. `BURN_DEVICE` picks the device that is served.
//!
//! `cargo test -p decoupled-seg-tests --features remote --test remote`

use std::net::TcpListener;
use std::sync::{Arc, LazyLock};
use std::thread;

use burn::backend::ir::{CustomOpIr, ScalarIr, TensorIr};
use burn::backend::{DispatchDevice, Remote};
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::optim::GradientsParams;
use burn::remote::{ConnectError, CustomOpClient, RemoteHost};
use burn::server::{RemoteServer, TokenAuthorizer, WebSocketTransport};
use burn::tensor::{DType, Device, Int, Shape, Tensor, TensorData};
use decoupled_seg::datasets::augment::Augmentation;
use decoupled_seg::engine::{Progress, Recipe, SgdRecipe, Trainer};
use decoupled_seg::losses::{GatedLossConfig, TargetsOptions};
use decoupled_seg::nn::remote::{RemoteError, connect, server};
use decoupled_seg::nn::{
    FlowUnit, WarpGradient, WarpPadding, batch_norm_sum, conv2d_sum, flow_warp_split,
};
use decoupled_seg::prelude::*;
use decoupled_seg::synthetic::{StreetScenes, StreetScenesConfig};
use rstest::rstest;

const TOKEN: &str = "of the tests";

/// Serves until the process ends; returns where.
fn serve(server: RemoteServer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || server.serve(WebSocketTransport::from_listener(listener)));
    format!("ws://{address}")
}

/// The device of this process, behind a socket.
fn remote() -> Device {
    static HOST: LazyLock<RemoteHost> = LazyLock::new(|| {
        let authorizer = TokenAuthorizer::new(TOKEN).expect("a token");
        let server = server([Device::default()]).with_authorizer(authorizer);
        RemoteHost::websocket(&serve(server)).with_credential(TOKEN)
    });
    connect(&HOST, 0).expect("the server runs")
}

/// Numbers between -1 and 1, the same in every run.
fn noise<const D: usize>(shape: [usize; D], seed: usize, device: &Device) -> Tensor<D> {
    let len = shape.iter().product();
    let value = |index: usize| {
        let hash = (index + 1).wrapping_mul(0x9e37_79b9 ^ (seed << 7)) % 20_011;
        hash as f32 / 10_005.5 - 1.0
    };
    let values: Vec<f32> = (0..len).map(value).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().expect("floats")
}

/// Results and gradients of a function of tensors. The gradient that arrives at the results is another for each number.
fn run<const N: usize>(
    device: &Device,
    shapes: [[usize; 4]; N],
    of: impl Fn([Tensor<4>; N]) -> Vec<Tensor<4>>,
) -> Vec<Vec<f32>> {
    let mut seed = 0;
    let inputs = shapes.map(|shape| {
        seed += 1;
        noise(shape, seed, device).require_grad()
    });
    let results = of(inputs.clone());
    let weighted = results.iter().enumerate().map(|(index, result)| {
        let weights = noise(result.dims(), 100 + index, &device.clone().inner());
        (result.clone() * Tensor::from_inner(weights)).sum()
    });
    let sum = weighted.reduce(|a, b| a + b).expect("a result");
    let grads = sum.backward();
    let grads = inputs.map(|input| input.grad(&grads).expect("it has a gradient"));
    let results = results.into_iter().map(Tensor::inner);
    results.chain(grads).map(values).collect()
}

/// Asserts that both devices find the same bits.
fn same_bits<const N: usize>(
    shapes: [[usize; 4]; N],
    of: impl Fn([Tensor<4>; N], &Device) -> Vec<Tensor<4>>,
) {
    let [here, there] = [Device::default(), remote()].map(|device| {
        let device = device.autodiff();
        run(&device, shapes, |inputs| of(inputs, &device))
    });
    assert!(here.iter().flatten().any(|&value| value != 0.0));
    assert!(here == there, "{here:?}\n{there:?}");
}

#[rstest]
fn resizes_are_the_same(
    #[values(true, false)] align_corners: bool,
    #[values([3, 4], [17, 11])] to: [usize; 2],
) {
    same_bits([[2, 3, 7, 9]], |[map], _| {
        vec![resize(map, Size::new(to[0], to[1]), align_corners)]
    });
}

#[rstest]
fn warps_are_the_same(
    #[values(FlowUnit::HalfGrid, FlowUnit::Pixels)] unit: FlowUnit,
    #[values(true, false)] align_corners: bool,
    #[values(WarpPadding::Zeros, WarpPadding::Border)] padding: WarpPadding,
) {
    let options = WarpOptions::official()
        .with_flow_unit(unit)
        .with_align_corners(align_corners)
        .with_padding(padding)
        .with_gradient(WarpGradient::Deterministic);
    let shapes = [[2, 9, 6, 7], [2, 2, 6, 7]];
    same_bits(shapes, |[features, flow], _| {
        let flow = flow * 3.0;
        let split = flow_warp_split(features.clone(), flow.clone(), options);
        vec![flow_warp(features, flow, options), split.body, split.edge]
    });
}

fn conv(groups: usize, bias: bool, device: &Device) -> Conv2d {
    let config = Conv2dConfig::new([4, 6], [3, 3])
        .with_stride([2, 1])
        .with_padding(PaddingConfig2d::Explicit(1, 2, 0, 1))
        .with_dilation([1, 2])
        .with_groups(groups)
        .with_bias(bias);
    let mut conv = config.init(device);
    conv.weight = Param::from_tensor(noise([6, 4 / groups, 3, 3], 7, device));
    conv.bias = bias.then(|| Param::from_tensor(noise([6], 8, device)));
    conv
}

#[rstest]
fn convolutions_are_the_same(
    #[values(1, 2)] groups: usize,
    #[values(true, false)] bias: bool,
    #[values(true, false)] relu: bool,
) {
    let results = [[2, 6, 6, 10], [2, 4, 12, 11]];
    same_bits(results, |[addend, input], device| {
        let conv = conv(groups, bias, device);
        vec![
            conv2d_sum(&conv, input.clone(), None, relu),
            conv2d_sum(&conv, input, Some(addend), relu),
        ]
    });
}

/// The gradients of the weights too.
#[test]
fn gradients_of_weights_are_the_same() {
    let [here, there] = [Device::default(), remote()].map(|device| {
        let device = device.autodiff();
        let conv = conv(2, true, &device);
        let output = conv2d_sum(&conv, noise([2, 4, 12, 11], 1, &device), None, false);
        let weights = noise(output.dims(), 2, &device);
        let grads = (output * weights).sum().backward();
        let bias = conv.bias.as_ref().expect("it has one").grad(&grads);
        let weight = conv.weight.grad(&grads);
        (
            values(weight.expect("it has a gradient")),
            values(bias.expect("it has a gradient")),
        )
    });
    assert!(here.0.len() == 108 && here.1.len() == 6);
    assert!(here == there, "{here:?}\n{there:?}");
}

#[rstest]
fn norms_are_the_same(#[values(true, false)] relu: bool) {
    same_bits([[2, 5, 6, 7], [2, 5, 6, 7]], |[input, addend], device| {
        let norm = || -> BatchNorm {
            let mut norm = BatchNormConfig::new(5).init(device);
            norm.gamma = Param::from_tensor(noise([5], 3, device));
            norm.beta = Param::from_tensor(noise([5], 4, device));
            norm
        };
        let (first, second) = (norm(), norm());
        let plain = batch_norm_sum(&first, input.clone(), None, relu);
        let sum = batch_norm_sum(&second, input, Some(addend), relu);
        let statistics = [&first.running_mean, &second.running_var]
            .map(|statistic| statistic.value_sync().reshape([1, 5, 1, 1]))
            .map(|statistic| Tensor::from_inner(statistic.inner()));
        vec![plain, sum].into_iter().chain(statistics).collect()
    });
}

fn scenes(len: usize) -> StreetScenes {
    StreetScenes::new(StreetScenesConfig {
        len,
        size: Size::new(64, 96),
        seed: 7,
    })
}

/// Two drawn street scenes with their labels.
fn batch(device: &Device) -> (Tensor<4>, Tensor<3, Int>) {
    let scenes = scenes(2);
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for index in 0..2 {
        let sample = scenes.scene(index);
        for channel in 0..3 {
            let values = sample.image.pixels();
            pixels.extend(values.map(|pixel| f32::from(pixel.0[channel]) / 128.0 - 1.0));
        }
        labels.extend(sample.labels.data.into_iter().map(i32::from));
    }
    let images = Tensor::from_data(TensorData::new(pixels, [2, 3, 64, 96]), device);
    let labels = TensorData::new(labels, [2, 64, 96]);
    (images, Tensor::from_data(labels, &device.clone().inner()))
}

/// Every number of a network, a list a tensor.
fn parameters(network: &DecoupledSegNet) -> Vec<Vec<f32>> {
    struct Numbers(Vec<Vec<f32>>);
    impl ModuleVisitor for Numbers {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(values(param.val().inner()));
        }
    }
    let mut numbers = Numbers(Vec::new());
    // Running statistics are brought up to date by it.
    network.valid().visit(&mut numbers);
    numbers.0
}

/// Asserts that two lists differ by no more than a share of the largest number.
fn close(what: &str, here: &[f32], there: &[f32], share: f32) {
    assert_eq!(here.len(), there.len(), "{what}");
    let largest = here
        .iter()
        .fold(0.0, |most: f32, value| most.max(value.abs()));
    for (here, there) in here.iter().zip(there) {
        assert!(
            (here - there).abs() <= share * largest,
            "{what}: {here} here, {there} there, of up to {largest}"
        );
    }
}

/// What a network does in a step of training, as numbers.
struct Step {
    logits: Vec<f32>,
    losses: Vec<f32>,
    weights: Vec<f32>,
    /// How far each weight went.
    moves: Vec<f32>,
}

/// Prediction, losses, gradients, the step of the optimizer: on this device and through the socket. Clones would share their
/// running statistics, so each network is made by `valid`.
fn steps(
    start: &DecoupledSegNet,
    losses: impl Fn(&SegmentationOutput, Tensor<3, Int>) -> Vec<Tensor<1>>,
) -> [Step; 2] {
    [Device::default(), remote()].map(|device| {
        let device = device.autodiff();
        let network = start.valid().train().fork(&device);
        let (images, labels) = batch(&device);
        let output = network.forward(images);
        let losses = losses(&output, labels);
        let total = losses[0].clone();
        let grads = GradientsParams::from_grads(total.backward(), &network);
        let before = parameters(&network).concat();
        let mut optimizer = SgdRecipe::default().init();
        let after = parameters(&optimizer.step(0.01, network, grads)).concat();
        let moves: Vec<f32> = before
            .iter()
            .zip(&after)
            .map(|(from, to)| to - from)
            .collect();
        assert!(
            moves.iter().any(|it| it.abs() > 1e-4),
            "nothing was learned"
        );
        let losses = losses.into_iter().map(|loss| values(loss.inner()));
        Step {
            logits: values(output.logits.inner()),
            losses: losses.collect::<Vec<_>>().concat(),
            weights: after,
            moves,
        }
    })
}

/// With a sum of the outputs as the loss, every bit is the same: the operations of the network are the same kernels.
#[rstest]
#[case::decoupled(DecoupledSegNetConfig::tiny(10))]
#[case::plain(DecoupledSegNetConfig::tiny(10).plain())]
#[case::gated(DecoupledSegNetConfig::tiny(10).gated())]
fn a_step_of_the_network_is_the_same(#[case] config: DecoupledSegNetConfig) {
    let start = config.init(&Device::default().autodiff());
    let [here, there] = steps(&start, |output, _| {
        let mut maps = vec![output.logits.clone()];
        maps.extend(output.boundary_logits.clone());
        if let Some(supervision) = &output.supervision {
            maps.push(supervision.body_logits.clone());
            maps.push(supervision.edge_logits.clone());
        }
        let sum = maps.into_iter().enumerate().map(|(index, map)| {
            let weights = noise(map.dims(), index, &map.device().inner());
            (map * Tensor::from_inner(weights)).mean() * 100.0
        });
        vec![sum.reduce(|a, b| a + b).expect("an output")]
    });
    assert!(here.logits == there.logits, "other logits");
    assert_eq!(here.losses, there.losses);
    assert!(here.moves == there.moves, "other weights");
}

/// The losses have fused kernels on the CPU and are tensor operations elsewhere, so on a remote CPU too: a few roundings of
/// f32 apart, and so are the gradients that start from them. The way back through the network adds some.
const ROUNDING: f32 = 2e-5;

#[rstest]
#[case::decoupled(DecoupledSegNetConfig::tiny(10))]
#[case::plain(DecoupledSegNetConfig::tiny(10).plain())]
#[case::gated(DecoupledSegNetConfig::tiny(10).gated())]
fn a_training_step_is_the_same(#[case] config: DecoupledSegNetConfig) {
    let start = config.init(&Device::default().autodiff());
    let mut gated = GatedLossConfig::default();
    // Noise is drawn anew for each device.
    gated.duality.gumbel = false;
    let loss = DecoupledLossConfig::new().with_gated(Some(gated));
    let [here, there] = steps(&start, |output, labels| {
        let targets = Targets::from_labels(labels, 10, &TargetsOptions::paper());
        let terms = loss.init().forward(output, &targets);
        terms.iter().map(|(_, term)| term.clone()).collect()
    });
    assert!(here.logits == there.logits, "other logits");
    close("losses", &here.losses, &there.losses, ROUNDING);
    let moved = |most: f32, it: &f32| most.max(it.abs());
    let largest = here.moves.iter().fold(0.0, moved);
    for (here, there) in here.weights.iter().zip(&there.weights) {
        // The last bit of the weight itself may turn over too.
        let bound = ROUNDING * largest + f32::EPSILON * here.abs();
        assert!(
            (here - there).abs() <= bound,
            "{here} here, {there} there, moved by up to {largest}"
        );
    }
}

/// The trainer, its loader, checkpoints and validation.
#[test]
fn a_run_goes_through() {
    let recipe = Recipe {
        epochs: 1,
        batch: 2,
        augmentation: Augmentation::default().with_crop(Some(Size::square(64))),
        class_uniform: None,
        validate_every: 1,
        workers: 1,
        ..Recipe::default()
    };
    let start = DecoupledSegNetConfig::tiny(10).init(&Device::default());
    let [here, there] = [Device::default(), remote()].map(|device| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let model = start.valid().fork(&device);
        let trained = Trainer::new(recipe.clone(), model, &device)
            .with_run_folder(folder.path())
            .with_progress(Progress::Silent)
            .fit(Arc::new(scenes(4)), Some(&scenes(2)))
            .expect("it trains");
        assert!(trained.best.is_some(), "a checkpoint was written");
        trained.history[0].clone()
    });
    close("loss", &[here.loss.total], &[there.loss.total], ROUNDING);
    let [here, there] = [here, there].map(|it| it.scores.expect("it was validated").mean_iou);
    // Two of 12288 pixels may fall to another class.
    assert!((here - there).abs() < 2e-3, "{here} here, {there} there");
}

#[test]
fn a_server_without_our_operations_is_refused() {
    let host = RemoteHost::websocket(&serve(RemoteServer::new([Device::default()])));
    let error = connect(&host, 0).expect_err("it has only Burn's operations");
    assert!(
        matches!(error, RemoteError::UnknownOperations { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("decoupled-seg serve"), "{error}");
}

#[test]
fn another_token_is_refused() {
    let authorizer = TokenAuthorizer::new(TOKEN).expect("a token");
    let url = serve(server([Device::default()]).with_authorizer(authorizer));
    let error = connect(&RemoteHost::websocket(&url), 0).expect_err("no token");
    assert!(
        matches!(error, RemoteError::Connect(ConnectError::Unauthorized)),
        "{error:?}"
    );
}

/// What no client of ours sends ends the session of who sent it, before a kernel sees it.
#[test]
fn a_flow_that_does_not_fit_ends_its_session_only() {
    let url = serve(server([Device::default(), Device::default()]));
    let host = RemoteHost::websocket(&url);
    let [honest, other] = [0, 1].map(|index| connect(&host, index).expect("the server runs"));

    let DispatchDevice::Remote(device) = other.as_dispatch() else {
        panic!("a remote device");
    };
    let client = CustomOpClient::new(device);
    let primitive = |tensor: Tensor<4>| {
        let primitive = tensor.try_into_primitive::<Remote>();
        primitive.expect("it is a remote tensor").into_ir()
    };
    let features = primitive(Tensor::ones([1, 8, 64, 64], &other));
    let flow = primitive(Tensor::ones([1, 2, 1, 1], &other));
    let shape = Shape::new([1, 8, 64, 64]);
    let output = TensorIr::uninit(client.create_empty_handle(), shape, DType::F32);
    let flags = vec![ScalarIr::Bool(false); 4];
    let op = CustomOpIr::with_scalars("decoupled_seg.warp", &[features, flow], &[output], flags);
    let warped = client.register(op).remove(0);
    let warped = Tensor::<4>::from_primitive::<Remote>(warped);
    assert!(warped.try_into_data().is_err(), "the server answered");

    let sum = Tensor::<1>::ones([3], &honest).sum();
    assert_eq!(sum.into_scalar::<f32>(), 3.0);
}
