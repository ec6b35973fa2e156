//! Canny's edges and the gate beside their formulas in NumPy, SciPy and PyTorch: `fixtures/gated.safetensors`, made by
//! `fixtures/generate/make_gated.py` in f64.

use burn::module::{Param, RunningState};
use burn::tensor::{Device, Tensor};
use decoupled_seg_fixtures::{Group, default_folder};
use decoupled_seg_gated::{CannyConfig, GatedConv, GatedConvConfig};

/// Of f32 sums over 6 channels and norms over 84 values.
const TOLERANCE: f64 = 2e-5;

fn group() -> Group {
    Group::open(&default_folder(), "gated").expect("part of the repository")
}

fn assert_close(found: Tensor<4>, group: &Group, name: &str) {
    let found: Vec<f32> = found.into_data().try_into_vec().expect("floats");
    let expected = group.f64(name);
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected
        .iter()
        .fold(0.0_f64, |largest, value| largest.max(value.abs()));
    for (place, (&found, expected)) in found.iter().zip(&expected).enumerate() {
        let difference = (f64::from(found) - expected).abs();
        assert!(
            difference <= TOLERANCE * largest,
            "{name}, {place}: {found}, expected {expected}"
        );
    }
}

#[test]
fn edges_are_those_of_the_definition() {
    let group = group();
    let images = group.tensor::<4>("canny/images", &Device::default());
    let options = &group.json()["canny"];
    let number = |name: &str| options[name].as_f64().expect("a number");
    let canny = CannyConfig::new()
        .with_sigma(number("sigma"))
        .with_low(number("low"))
        .with_high(number("high"))
        .with_steps(number("steps") as usize);
    assert_eq!(canny, CannyConfig::new(), "the fixture is of the defaults");

    let edges: Vec<f32> = canny
        .edges(images)
        .into_data()
        .try_into_vec()
        .expect("floats");

    let expected = group.f32("canny/edges");
    let wrong = edges.iter().zip(&expected).filter(|(a, b)| a != b).count();
    assert_eq!(wrong, 0, "of {} pixels", edges.len());
    assert!(expected.iter().sum::<f32>() > 100.0, "there are edges");
}

#[test]
fn a_chain_is_followed_as_far_as_it_is_asked_for() {
    let images = group().tensor::<4>("canny/images", &Device::default());
    let count = |steps| -> f32 {
        let canny = CannyConfig::new().with_steps(steps);
        canny.edges(images.clone()).sum().into_scalar()
    };
    assert!(count(0) < count(1) && count(1) < count(12));
}

fn gate(group: &Group, device: &Device) -> GatedConv {
    let mut gate = GatedConvConfig::new(5).init(device);
    gate.attention.conv.weight = Param::from_tensor(group.tensor::<4>("gate/conv", device));
    gate.weight.weight = Param::from_tensor(group.tensor::<4>("gate/weight", device));
    let norm = gate
        .attention
        .norm
        .as_mut()
        .expect("the attention is normalised");
    norm.gamma = Param::from_tensor(group.tensor::<1>("gate/gamma", device));
    norm.beta = Param::from_tensor(group.tensor::<1>("gate/beta", device));
    norm.running_mean = RunningState::new(group.tensor::<1>("gate/running_mean", device));
    norm.running_var = RunningState::new(group.tensor::<1>("gate/running_var", device));
    gate
}

#[test]
fn the_gate_is_that_of_its_equations() {
    let group = group();
    let device = Device::default();
    let gated = gate(&group, &device).forward(
        group.tensor::<4>("gate/shape", &device),
        group.tensor::<4>("gate/regular", &device),
    );
    assert_close(gated.attention, &group, "gate/running/attention");
    assert_close(gated.shape, &group, "gate/running/output");
}

#[test]
fn in_training_so_is_its_gradient() {
    let group = group();
    let device = Device::default().autodiff();
    let shape = group.tensor::<4>("gate/shape", &device).require_grad();
    let regular = group.tensor::<4>("gate/regular", &device).require_grad();

    let gated = gate(&group, &device).forward(shape.clone(), regular.clone());
    let loss = (gated.shape.clone() * gated.shape.clone()).sum();
    let gradients = loss.backward();

    assert_close(gated.attention.inner(), &group, "gate/batch/attention");
    assert_close(gated.shape.inner(), &group, "gate/batch/output");
    let of_shape = shape.grad(&gradients).expect("a leaf");
    assert_close(of_shape, &group, "gate/gradient_of_shape");
    let of_regular = regular.grad(&gradients).expect("a leaf");
    assert_close(of_regular, &group, "gate/gradient_of_regular");
}
