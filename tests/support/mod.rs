//! Networks of the fixtures: their configurations, and the two generators of their parameters.

#![allow(dead_code)] // each test file uses its part

use burn::module::Module;
use burn::store::{ModuleSnapshot, bridge};
use burn::tensor::{Device, Tensor, TensorData};
use decoupled_seg::backbones::{ResNetConfig, WideResNet38Config};
use decoupled_seg::body_edge::BodyEdgeModuleConfig;
use decoupled_seg::heads::{AsppConfig, FcnHeadConfig, PyramidPoolingConfig};
use decoupled_seg::network::{BackboneConfig, ContextConfig, DecoupledSegNetConfig};
use decoupled_seg::nn::{KeyMap, WarpOptions};
use serde_json::Value;

/// The network that a record of the fixtures names by `arch`, `backbone` and `decoupled`.
pub fn network_config(
    case: &Value,
    num_classes: usize,
    warp: WarpOptions,
) -> DecoupledSegNetConfig {
    let text = |key: &str| case[key].as_str().unwrap_or_else(|| panic!("no `{key}`"));
    let backbone = match text("backbone") {
        "r50" => BackboneConfig::from(ResNetConfig::resnet50()),
        "r101" => ResNetConfig::resnet101().into(),
        "wrn38" => WideResNet38Config::new().into(),
        other => panic!("unknown backbone `{other}`"),
    };
    let [.., last] = backbone.channels();
    let channels = [last, 256];
    let context = match text("arch") {
        "fcn" => ContextConfig::from(FcnHeadConfig::new(channels)),
        "pspnet" => PyramidPoolingConfig::new(channels).into(),
        "deeplabv3plus" => AsppConfig::new(channels).into(),
        other => panic!("unknown architecture `{other}`"),
    };
    let body_edge = BodyEdgeModuleConfig::new(256).with_warp(warp);
    let config = DecoupledSegNetConfig::new(num_classes, backbone, context)
        .map_head(|head| head.with_body_edge(body_edge));
    match case["decoupled"].as_bool() {
        Some(true) => config,
        Some(false) => config.plain(),
        None => panic!("no `decoupled`"),
    }
}

/// Fills every tensor of `module` by `values`, which gets the official key and the shape.
pub fn fill<M: Module>(module: &mut M, keys: &KeyMap, values: impl Fn(&str, &[usize]) -> Vec<f32>) {
    let tensors: Vec<_> = module
        .collect(None, None, true)
        .into_iter()
        .map(|tensor| {
            let key = keys
                .official_of(&tensor.name)
                .unwrap_or_else(|| panic!("`{}` has no official name", tensor.name));
            let data = TensorData::new(values(key, &tensor.shape), tensor.shape.clone());
            bridge::from_data(data, tensor.name, None)
        })
        .collect();
    let expected = tensors.len();
    let result = module.apply(tensors, None, None, true);
    assert!(result.errors.is_empty(), "{result}");
    assert_eq!(result.applied.len(), expected, "{result}");
}

/// The fixtures' generator: FNV-1a and splitmix64, 64 bits.
pub mod splitmix {
    use super::{Device, Tensor, TensorData};

    fn hash(name: &str) -> u64 {
        name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        })
    }

    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

    fn splitmix64(x: u64) -> u64 {
        let mut z = x.wrapping_add(GOLDEN);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `[-1, 1)`, with 24 bits.
    fn uniform(start: u64, index: usize) -> f64 {
        let bits = splitmix64(start.wrapping_add(index as u64)) >> 40;
        (bits as f64 - 8_388_608.0) / 8_388_608.0
    }

    fn start(seed: u64, name: &str) -> u64 {
        hash(name).wrapping_add(seed.wrapping_mul(GOLDEN))
    }

    /// A parameter by its official key.
    pub fn parameter(seed: u64, key: &str, shape: &[usize]) -> Vec<f32> {
        let fan_in = || shape[1..].iter().product::<usize>() as f64;
        let (offset, scale) = if key.ends_with("running_mean") {
            (0.0, 0.1)
        } else if key.ends_with("running_var") {
            (1.1, 0.1)
        } else if shape.len() == 4 && key.ends_with("flow_make.weight") {
            (0.0, 8.0 * (3.0 / fan_in()).sqrt())
        } else if shape.len() == 4 {
            (0.0, (3.0 / fan_in()).sqrt())
        } else if key.ends_with(".weight") {
            (1.0, 0.1)
        } else {
            (0.0, 0.1)
        };
        let start = start(seed, key);
        (0..shape.iter().product())
            .map(|index| (offset + scale * uniform(start, index)) as f32)
            .collect()
    }

    /// The input of the whole networks.
    pub fn input(seed: u64, shape: [usize; 4], device: &Device) -> Tensor<4> {
        let start = start(seed, "input");
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|index| uniform(start, index) as f32)
            .collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    #[test]
    fn check_values_of_the_manifest() {
        let cases: [(u64, &str, &[usize], usize, u32); 5] = [
            (0, "layer0.0.0.weight", &[64, 3, 3, 3], 0, 0x3DFE_929B),
            (0, "layer0.0.1.weight", &[64], 63, 0x3F6D_9744),
            (0, "layer4.2.bn3.running_var", &[2048], 1000, 0x3F91_9654),
            (
                0,
                "squeeze_body_edge.flow_make.weight",
                &[2, 512, 3, 3],
                9215,
                0x3D14_584D,
            ),
            (
                1,
                "layer1.0.conv2.weight",
                &[64, 64, 3, 3],
                36863,
                0xBD3E_510A,
            ),
        ];
        for (seed, key, shape, index, bits) in cases {
            assert_eq!(parameter(seed, key, shape)[index].to_bits(), bits, "{key}");
        }
        let input = input(0, [1, 3, 65, 97], &Device::default()).into_data();
        let values: Vec<f32> = input.try_into_vec().expect("it is f32");
        assert_eq!(values[18914].to_bits(), 0x3DA7_07D0);
    }
}

/// The second generator, of the reference's behaviour: FNV-1a and a multiplicative mix, 32 bits.
pub mod mix32 {
    use super::{Device, Tensor, TensorData};

    fn hash(name: &str) -> u32 {
        name.bytes().fold(2_166_136_261, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(16_777_619)
        })
    }

    /// In `-0.5..0.5`.
    fn value(hash: u32, index: usize) -> f64 {
        let mut x = (index as u32)
            .wrapping_mul(2_654_435_761)
            .wrapping_add(hash);
        x ^= x >> 15;
        x = x.wrapping_mul(2_246_822_519);
        x ^= x >> 13;
        f64::from(x) / 4_294_967_296.0 - 0.5
    }

    /// A parameter by its official key.
    pub fn parameter(key: &str, shape: &[usize]) -> Vec<f32> {
        let (offset, scale) = if shape.len() == 4 {
            let fan_in = shape[1..].iter().product::<usize>() as f64;
            (0.0, (12.0 / fan_in).sqrt())
        } else if key.ends_with("running_mean") {
            (0.0, 0.2)
        } else if key.ends_with("running_var") {
            (1.0, 0.4)
        } else if key.ends_with(".bias") {
            (0.0, 0.2)
        } else {
            (1.0, 0.2)
        };
        let hash = hash(key);
        (0..shape.iter().product())
            .map(|index| (offset + value(hash, index) * scale) as f32)
            .collect()
    }

    /// The input of the whole networks.
    pub fn input(shape: [usize; 4], device: &Device) -> Tensor<4> {
        let hash = hash("input");
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|index| (2.0 * value(hash, index)) as f32)
            .collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    #[test]
    fn check_values_of_the_sheet() {
        assert_eq!(hash("input"), 4_191_711_099);
        let expected = [-0.253_037_836, -0.222_289_301, 0.068_400_064, 0.491_046_120];
        for (index, expected) in expected.into_iter().enumerate() {
            assert!((value(hash("input"), index) - expected).abs() < 1e-8);
        }
    }
}
