//! What the mathematics promises, on random sizes and values.

use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Tensor};
use decoupled_seg::body_edge::{BodyEdgeModuleConfig, BodyGenerator, DecoupledHeadConfig};
use decoupled_seg::nn::{FlowUnit, WarpPadding, flow_warp_split};
use decoupled_seg::prelude::*;
use proptest::prelude::*;

/// Rounding of sums of a few values around 1.
const ROUNDING: f32 = 1e-5;

fn random(shape: [usize; 4], seed: u64, device: &Device) -> Tensor<4> {
    device.seed(seed);
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

fn largest(tensor: Tensor<4>) -> f32 {
    tensor.abs().max().into_scalar()
}

fn warps() -> impl Strategy<Value = WarpOptions> {
    prop_oneof![
        Just(WarpOptions::official()),
        Just(WarpOptions::official_torch13()),
        Just(WarpOptions::paper()),
        Just(WarpOptions::paper().with_padding(WarpPadding::Border)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_flow_of_zero_changes_nothing(
        (height, width) in (1..12_usize, 1..12_usize),
        pixels in any::<bool>(),
        border in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let device = Device::default();
        let mut options = WarpOptions::official();
        if pixels {
            options = options.with_flow_unit(FlowUnit::Pixels);
        }
        if border {
            options = options.with_padding(WarpPadding::Border);
        }
        let features = random([2, 3, height, width], seed, &device);
        let flow = Tensor::zeros([2, 2, height, width], &device);
        let warped = flow_warp(features.clone(), flow, options);
        prop_assert!(largest(warped - features) < ROUNDING);
    }

    #[test]
    fn body_and_edge_are_the_input(
        (height, width) in (1..12_usize, 1..12_usize),
        reach in 0.0..20.0_f64,
        options in warps(),
        seed in any::<u64>(),
    ) {
        let device = Device::default();
        let features = random([1, 2, height, width], seed, &device);
        let flow = random([1, 2, height, width], seed ^ 1, &device) * reach;
        let split = flow_warp_split(features.clone(), flow, options);
        prop_assert!(largest(split.body + split.edge - features) < ROUNDING);
    }

    #[test]
    fn the_module_splits_without_loss(
        (height, width) in (7..20_usize, 7..20_usize),
        channels in 1..6_usize,
        options in warps(),
        seed in any::<u64>(),
    ) {
        let device = Device::default();
        let module = BodyEdgeModuleConfig::new(channels).with_warp(options).init(&device);
        let features = random([1, channels, height, width], seed, &device);
        let split = module.forward(features.clone());
        prop_assert!(largest(split.body + split.edge - features) < ROUNDING);
    }

    /// Zeros outside and weights of at most 1 in sum: sampling makes nothing larger.
    #[test]
    fn a_body_is_no_larger_than_its_features(
        (height, width) in (7..16_usize, 7..16_usize),
        options in warps(),
        seed in any::<u64>(),
    ) {
        let device = Device::default();
        let module = BodyEdgeModuleConfig::new(2).with_warp(options).init(&device);
        let features = random([1, 2, height, width], seed, &device) * 3.0;
        let body = module.forward(features.clone()).body;
        prop_assert!(largest(body) <= largest(features) + ROUNDING);
    }

    /// An image's logits do not depend on what else is in the batch, outside training.
    #[test]
    fn images_do_not_see_each_other(seed in any::<u64>()) {
        let device = Device::default();
        device.seed(seed);
        let network = DecoupledSegNetConfig::tiny(4).init(&device);
        let images = random([2, 3, 56, 64], seed ^ 1, &device);
        let both = network.predict(images.clone());
        for index in 0..2_usize {
            let alone = network.predict(images.clone().narrow(0, index, 1));
            let difference = both.clone().narrow(0, index, 1) - alone;
            prop_assert!(largest(difference) < 1e-4);
        }
    }
}

/// With no flow the body is the context, the edge is nothing, and the head sees the context twice.
#[test]
fn a_head_without_flow_has_no_edge() {
    let device = Device::default();
    let mut head = DecoupledHeadConfig::new(3).with_channels(4).init(&device);
    let BodyGenerator::Flow(generator) = &mut head.body_edge.generator else {
        panic!("the default is a flow");
    };
    generator.flow.weight = Param::from_tensor(Tensor::zeros([2, 8, 3, 3], &device));
    let context = random([1, 4, 9, 10], 5, &device);

    let inspection = head.inspect(context.clone(), None, Size::new(36, 40));

    assert!(largest(inspection.edge) < ROUNDING);
    assert!(largest(inspection.body - context) < ROUNDING);
    assert!(largest(inspection.flow.expect("the default is a flow")) == 0.0);
}

/// A gradient for every parameter of a network with an auxiliary head: nothing hangs in the air.
#[test]
fn every_parameter_is_trained() {
    use burn::module::ModuleVisitor;
    use burn::tensor::Gradients;

    struct Counter<'a> {
        gradients: &'a Gradients,
        without: usize,
        with: usize,
    }
    impl ModuleVisitor for Counter<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            if value.is_require_grad() {
                let gradient = value.grad(self.gradients);
                let largest = gradient.map(|gradient| gradient.abs().max().into_scalar::<f32>());
                // Zeros train nothing; NaN is not above 0.
                match largest.is_some_and(|largest| largest > 0.0) {
                    true => self.with += 1,
                    false => self.without += 1,
                }
            }
        }
    }

    let device = Device::default().autodiff();
    let network = DecoupledSegNetConfig::tiny(3)
        .with_auxiliary(true)
        .init(&device);
    let output = network.forward(random([2, 3, 56, 64], 9, &device));
    let supervision = output.supervision.expect("a decoupled network");
    // Weighted: a sum over pixels alone is what a batch norm holds fixed.
    let weighted = |logits: Tensor<4>, seed| {
        let weights = random(logits.dims(), seed, &device);
        (logits * weights).sum()
    };
    let total = weighted(output.logits, 10)
        + weighted(supervision.body_logits, 11)
        + weighted(supervision.edge_logits, 12)
        + weighted(output.aux_logits.expect("asked for"), 13);
    let gradients = total.backward();

    let mut counter = Counter {
        gradients: &gradients,
        without: 0,
        with: 0,
    };
    network.visit(&mut counter);

    assert_eq!(counter.without, 0);
    assert!(counter.with > 60, "{} parameters", counter.with);
}
