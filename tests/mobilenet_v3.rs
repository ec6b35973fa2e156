//! MobileNetV3 against torchvision's, from its own weights: `fixtures/mobilenet_v3.safetensors`, made by
//! `fixtures/generate/make_mobilenet_v3.py`.

use burn::tensor::{Device, Tensor, TensorData};
use decoupled_seg::backbones::{BackboneNames, MobileNetV3Config};
use decoupled_seg::weights::{LoadPolicy, WeightsFile, load};
use safetensors::SafeTensors;

/// Largest difference, of the largest value of a stage: f32 sums in another order through 50 layers.
const TOLERANCE: f32 = 2e-5;

#[test]
fn stages_are_those_of_torchvision() {
    let path = decoupled_seg_fixtures::default_folder().join("mobilenet_v3.safetensors");
    let device = Device::default();
    let config = MobileNetV3Config::new().with_width(0.25);
    let mut network = config.init(&device);
    let keys = config.official_keys(BackboneNames::Classifier);
    let file = WeightsFile::open(&path).expect("part of the repository");
    let report = load(&mut network, &keys, &file, LoadPolicy::Complete).expect("its tensors");
    assert!(report.left_out.missing.is_empty(), "{}", report.left_out);

    let bytes = std::fs::read(&path).expect("part of the repository");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let tensor = |name: &str| -> Tensor<4> {
        let view = tensors.tensor(name).expect(name);
        let values = view.data().chunks_exact(4);
        let values: Vec<f32> = values
            .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
            .collect();
        Tensor::from_data(TensorData::new(values, view.shape().to_vec()), &device)
    };
    let features = network.forward(tensor("image"));
    let stages = [
        ("c1", features.c1),
        ("c2", features.c2),
        ("c3", features.c3),
        ("c4", features.c4),
    ];
    for (name, actual) in stages {
        let expected = tensor(name);
        assert_eq!(actual.dims(), expected.dims(), "{name}");
        let largest: f32 = expected.clone().abs().max().into_scalar();
        let difference: f32 = (actual - expected).abs().max().into_scalar();
        println!("{name}: {:e} of {largest}", difference / largest);
        assert!(
            difference <= TOLERANCE * largest,
            "{name}: {difference} of {largest}"
        );
    }
}
