//! The golden tensors of the `warp` group, forward and gradients.

mod common;

use burn::tensor::Tensor;
use common::{autodiff_device, values};
use decoupled_seg_fixtures as fixtures;
use decoupled_seg_nn::{WarpOptions, WarpPadding, flow_warp};

/// The variants of the fixture set by name.
fn options(variant: &str) -> WarpOptions {
    match variant {
        "official_align_true" => WarpOptions::official(),
        "official_align_false" => WarpOptions::official_torch13(),
        "paper_zeros" => WarpOptions::paper(),
        "paper_border" => WarpOptions::paper().with_padding(WarpPadding::Border),
        other => panic!("no options for the variant `{other}`"),
    }
}

#[test]
fn warp_matches_the_reference() {
    let Some(group) = fixtures::group("warp") else {
        return;
    };
    let device = autodiff_device();
    for record in group.cases() {
        let case = record["case"].as_str().expect("a case name");
        let variant = record["variant"].as_str().expect("a variant name");
        let options = options(variant);
        let features: Tensor<4> = group
            .tensor::<4>(&format!("{case}/input"), &device)
            .require_grad();
        let flow: Tensor<4> = group
            .tensor::<4>(&format!("{case}/flow"), &device)
            .require_grad();
        let grad_output = group.tensor::<4>(&format!("{case}/grad_output"), &device);

        let output = flow_warp(features.clone(), flow.clone(), options);
        group.assert_tensor(&format!("{case}/{variant}/output_f64"), output.clone());

        let gradients = (output * grad_output).sum().backward();
        let grad_input = features
            .grad(&gradients)
            .expect("the features have a gradient");
        group.assert_tensor(&format!("{case}/{variant}/grad_input_f64"), grad_input);

        // On a cell border rounding decides which cell a position of the official variants falls into.
        let smooth = group.u8(&format!("{case}/{variant}/smooth"));
        let exact = variant.starts_with("paper");
        let [_, _, height, width] = flow.dims();
        let plane = height * width;
        let grad_flow = flow.grad(&gradients).expect("the flow has a gradient");
        group.assert_close_where(
            &format!("{case}/{variant}/grad_flow_f64"),
            &values(grad_flow),
            |index| exact || smooth[index / (2 * plane) * plane + index % plane] == 1,
        );
    }
}
