//! The duality loss beside its formula in PyTorch: `fixtures/gated.safetensors`, made by `fixtures/generate/make_gated.py` in
//! f64.

use burn::tensor::{Device, Tensor};
use decoupled_seg_fixtures::{Group, default_folder};
use decoupled_seg_losses::DualityLossConfig;

/// Of f32 roots of small squares: where a softmax is nearly flat, its slope's direction is a quotient of small differences.
const TOLERANCE: f64 = 2e-5;

#[test]
fn value_and_gradient_are_those_of_the_formula() {
    let group = Group::open(&default_folder(), "gated").expect("part of the repository");
    let device = Device::default().autodiff();
    let logits: Tensor<4> = group.tensor::<4>("duality/logits", &device).require_grad();
    let labels = group.int_tensor::<3>("duality/labels", &Device::default());
    let config = DualityLossConfig {
        temperature: group.json()["temperature"].as_f64().expect("a number"),
        gumbel: false,
        ..DualityLossConfig::default()
    };

    let loss = config.init().forward(logits.clone(), labels);
    let gradients = loss.backward();

    let value = f64::from(loss.into_scalar::<f32>());
    let expected = group.f64("duality/value")[0];
    assert!(
        (value - expected).abs() < 1e-5 * expected,
        "{value}, expected {expected}"
    );
    let gradient = logits.grad(&gradients).expect("a leaf");
    let gradient: Vec<f32> = gradient.into_data().try_into_vec().expect("floats");
    let expected = group.f64("duality/gradient");
    let largest = expected
        .iter()
        .fold(0.0_f64, |largest, value| largest.max(value.abs()));
    for (place, (&found, expected)) in gradient.iter().zip(&expected).enumerate() {
        let difference = (f64::from(found) - expected).abs();
        assert!(
            difference <= TOLERANCE * largest,
            "{place}: {found}, expected {expected}"
        );
    }
}
