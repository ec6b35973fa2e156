//! A seed fixes a network. Alone in its file: Burn has one generator for all threads of a process.

use burn::tensor::{Device, Tensor};
use decoupled_seg::prelude::*;

#[test]
fn the_same_seed_gives_the_same_network() {
    let device = Device::default();
    let predict = |disturb: bool| {
        device.seed(11);
        let network = DecoupledSegNetConfig::tiny(3).init(&device);
        if disturb {
            // Parameters are drawn by `init`, not when they are first read.
            device.seed(12);
        }
        network.predict(Tensor::ones([1, 3, 56, 56], &device))
    };
    assert_eq!(predict(false).into_data(), predict(true).into_data());
}
