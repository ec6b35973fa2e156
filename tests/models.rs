//! Whole networks against PyTorch: names and shapes of every tensor, outputs, and the features in between.
//!
//! Two independent generators fill the parameters, so no checkpoint is needed. With the fixtures of the repository the
//! networks on a ResNet-50 run, and their statistics and samples are compared; with a complete set
//! (`DECOUPLED_SEG_FIXTURES`, it holds `models.safetensors`) all networks run and every output is compared.

mod support;

use std::collections::BTreeMap;

use burn::store::ModuleSnapshot;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use decoupled_seg::body_edge::BodyGenerator;
use decoupled_seg::network::{Backbone, Context, Decoder, DecoupledSegNet, DecoupledSegNetConfig};
use decoupled_seg::nn::{SegmentationModel, WarpOptions, map_size, resize};
use decoupled_seg_fixtures::{Group, default_folder, group};
use serde_json::Value;
use support::{fill, mix32, network_config, splitmix};

/// Statistics and samples may differ by this share of the tensor's standard deviation (of 0.1 at least), the
/// manifest's tolerance: about ten times what f32 PyTorch on a CPU needs.
const STATISTICS: f64 = 5e-5;
/// The sheet prints six decimals and says that f32 differs by less than 2e-6.
const SHEET: f64 = 5e-6;

fn json(name: &str) -> Value {
    let path = default_folder().join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    serde_json::from_str(&text).expect("valid JSON")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn integer(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("an integer")).expect("fits")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("outputs are f32")
}

#[test]
fn every_name_and_shape_is_that_of_the_reference() {
    let device = Device::default();
    for case in list(&json("models.json")["cases"]) {
        let name = text(&case["case"]);
        let reference = json(&format!("model_keys/{name}.json"));
        let config = network_config(case, integer(&case["classes"]), WarpOptions::official());
        let keys = config.official_keys();

        let mut ours = BTreeMap::new();
        let mut parameters = 0;
        for tensor in config.init(&device).collect(None, None, true) {
            let key = keys
                .official_of(&tensor.name)
                .expect("every tensor is named");
            if !key.contains("running_") {
                parameters += tensor.shape.iter().product::<usize>();
            }
            ours.insert(key.to_string(), (tensor.shape.to_vec(), "F32"));
        }
        for placeholder in config.placeholders() {
            let shape = placeholder.data.shape().to_vec();
            let dtype = if placeholder.key.ends_with("num_batches_tracked") {
                "I64"
            } else {
                if !placeholder.key.contains("running_") {
                    parameters += shape.iter().product::<usize>();
                }
                "F32"
            };
            ours.insert(placeholder.key, (shape, dtype));
        }
        let theirs: BTreeMap<String, (Vec<usize>, &str)> = list(&reference["state_dict"])
            .iter()
            .map(|entry| {
                let shape = list(&entry[1]).iter().map(integer).collect();
                (text(&entry[0]).to_string(), (shape, text(&entry[2])))
            })
            .collect();

        for (key, theirs) in &theirs {
            assert_eq!(ours.get(key), Some(theirs), "{name}: {key}");
        }
        let added: Vec<&String> = ours
            .keys()
            .filter(|key| !theirs.contains_key(*key))
            .collect();
        assert!(added.is_empty(), "{name}: not in the reference: {added:?}");
        assert_eq!(ours.len(), integer(&reference["entries"]), "{name}");
        assert_eq!(parameters, integer(&case["parameters"]), "{name}");
        assert_eq!(parameters, integer(&reference["parameters"]), "{name}");
    }
}

fn warps() -> [(&'static str, WarpOptions); 3] {
    [
        ("plain", WarpOptions::official()),
        ("official_align_true", WarpOptions::official()),
        ("official_align_false", WarpOptions::official_torch13()),
    ]
}

#[test]
fn outputs_and_features_are_those_of_the_reference() {
    let Some(group) = group("models") else { return };
    let complete = group.has("input");
    let seed = group.json()["seed"].as_u64().expect("a seed");
    let device = Device::default();
    let input = splitmix::input(seed, [1, 3, 65, 97], &device);
    if complete {
        group.assert_tensor("input", input.clone());
    }
    for case in group.cases() {
        if !complete && text(&case["backbone"]) != "r50" {
            continue;
        }
        let config = network_config(case, integer(&case["classes"]), WarpOptions::official());
        let mut network = generated(&config, &device, |key, shape| {
            splitmix::parameter(seed, key, shape)
        });
        for (variant, warp) in warps() {
            let expected = &case[variant];
            if !expected.is_null() {
                set_warp(&mut network, warp);
                let name = format!("{}/{variant}", text(&case["case"]));
                check(&group, &name, expected, &network, input.clone());
            }
        }
    }
}

fn generated(
    config: &DecoupledSegNetConfig,
    device: &Device,
    values: impl Fn(&str, &[usize]) -> Vec<f32>,
) -> DecoupledSegNet {
    let mut network = config.init(device);
    fill(&mut network, &config.official_keys(), values);
    network
}

/// The variants of a network differ in the conventions of its warp only.
fn set_warp(network: &mut DecoupledSegNet, warp: WarpOptions) {
    if let Decoder::Decoupled(head) = &mut network.decoder {
        let BodyGenerator::Flow(generator) = &mut head.body_edge.generator else {
            panic!("the reference moves features along a flow");
        };
        generator.warp = warp;
    }
}

fn check(group: &Group, name: &str, expected: &Value, network: &DecoupledSegNet, input: Tensor<4>) {
    for (tap, actual) in features(network, input.clone()) {
        let record = &expected["taps"][tap];
        assert!(!record.is_null(), "{name}: no tap {tap}");
        assert_statistics(&format!("{name}/{tap}"), record, actual);
    }

    let output = network.forward(input.clone());
    let logits = values(output.logits.clone());
    assert_eq!(
        values(network.predict(input)),
        logits,
        "{name}: inference and training give the same map"
    );
    let mut outputs = vec![("final", output.logits)];
    if let Some(supervision) = output.supervision {
        outputs.push(("edge", sigmoid(supervision.edge_logits.clone())));
        outputs.push(("body", supervision.body_logits));
        outputs.push(("edge_logits", supervision.edge_logits));
    }
    // Plain networks have one variant, which the tensors' names leave out.
    let prefix = name.strip_suffix("/plain").unwrap_or(name);
    for (tensor, actual) in outputs {
        assert_statistics(
            &format!("{name}/{tensor}"),
            &expected["outputs"][tensor],
            actual.clone(),
        );
        let whole = format!("{prefix}/{tensor}");
        if group.has(&whole) {
            group.assert_tensor(&whole, actual.clone());
        }
        let sparse = format!("{whole}_stride4");
        if group.has(&sparse) {
            group.assert_tensor(&sparse, every_fourth(actual));
        }
    }
}

fn every_fourth(tensor: Tensor<4>) -> Tensor<4> {
    let device = tensor.device();
    let [_, _, height, width] = tensor.dims();
    let indices = |length: usize| {
        let indices: Vec<i32> = (0..length as i32).step_by(4).collect();
        Tensor::from_data(indices.as_slice(), &device)
    };
    tensor.select(2, indices(height)).select(3, indices(width))
}

/// What lies between image and outputs, by the names that the fixtures have for it.
fn features(network: &DecoupledSegNet, input: Tensor<4>) -> Vec<(&'static str, Tensor<4>)> {
    let stages = network.backbone.forward(input.clone());
    let mut features = match &network.backbone {
        Backbone::ResNet(backbone) => vec![
            ("layer0", backbone.forward_stem(input.clone())),
            ("layer1", stages.c1.clone()),
            ("layer2", stages.c2),
            ("layer3", stages.c3),
            ("layer4", stages.c4.clone()),
        ],
        Backbone::WideResNet38(_) => vec![
            ("mod2", stages.c1.clone()),
            ("mod4", stages.c2),
            ("mod5", stages.c3),
            ("mod7", stages.c4.clone()),
        ],
        Backbone::MobileNetV3(_) => panic!("it has a fixture of its own, see mobilenet_v3.rs"),
    };
    if let Context::Aspp(aspp) = &network.context {
        features.push(("aspp", aspp.forward_branches(stages.c4.clone())));
    }
    let context = network.context.forward(stages.c4);
    if let Decoder::Decoupled(head) = &network.decoder {
        let detail = head.body_edge.forward_detailed(context.clone());
        features.extend(detail.flow.map(|flow| ("flow", flow)));
        features.extend(detail.down.map(|down| ("down", down)));
        let edge = head
            .edge_preservation
            .forward(detail.edge.clone(), Some(stages.c1));
        let refined = edge.clone() + resize(detail.body.clone(), map_size(&edge), true);
        features.push(("body_feat", detail.body));
        features.push(("edge_feat_raw", detail.edge));
        features.push(("edge_feat", edge));
        features.push(("refined", refined));
    }
    features.push(("context", context));
    features
}

fn assert_statistics(name: &str, record: &Value, actual: Tensor<4>) {
    let shape: Vec<usize> = list(&record["shape"]).iter().map(integer).collect();
    assert_eq!(actual.dims().to_vec(), shape, "{name}: shape");
    let actual: Vec<f64> = values(actual).into_iter().map(f64::from).collect();
    let count = actual.len() as f64;
    let mean = actual.iter().sum::<f64>() / count;
    let variance = actual
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / count;
    let allowed = STATISTICS * number(&record["std"]).max(0.1);
    let close = |what: &str, actual: f64, expected: &Value| {
        let expected = number(expected);
        // Written so that NaN fails.
        let close = (actual - expected).abs() <= allowed;
        assert!(
            close,
            "{name}: {what} is {actual}, expected {expected} within {allowed:.1e}"
        );
    };
    close("mean", mean, &record["mean"]);
    close("standard deviation", variance.sqrt(), &record["std"]);
    let fold = |pick: fn(f64, f64) -> f64| actual.iter().copied().reduce(pick).expect("not empty");
    close("minimum", fold(f64::min), &record["min"]);
    close("maximum", fold(f64::max), &record["max"]);
    let magnitude = actual.iter().map(|value| value.abs()).sum::<f64>();
    let expected = number(&record["abs_sum"]);
    assert!(
        (magnitude - expected).abs() <= allowed * count,
        "{name}: absolute sum is {magnitude}, expected {expected}"
    );
    // Outputs have no samples: they are stored whole.
    for sample in record["samples"].as_array().into_iter().flatten() {
        let index = integer(&sample[0]);
        close(&format!("element {index}"), actual[index], &sample[1]);
    }
}

#[test]
fn a_second_set_of_values_agrees() {
    let complete = group("models").is_some_and(|group| group.has("input"));
    let sheet = json("network_values.json");
    let device = Device::default();
    let input = mix32::input([1, 3, 64, 96], &device);
    for case in list(&sheet["cases"]) {
        if !complete && text(&case["backbone"]) != "r50" {
            continue;
        }
        let align_corners = case["warp_align_corners"].as_bool().expect("a flag");
        let warp = WarpOptions::official().with_align_corners(align_corners);
        let config = network_config(case, integer(&sheet["num_classes"]), warp);
        let network = generated(&config, &device, mix32::parameter);
        let name = format!(
            "{} {} decoupled {} aligned {align_corners}",
            text(&case["arch"]),
            text(&case["backbone"]),
            case["decoupled"]
        );

        let logits = network.predict(input.clone());
        assert_sheet(&name, case, logits, ("at_9_17_40", [9, 17, 40]));
        let features = list(&case["features"]);
        if features.is_empty() {
            continue;
        }
        let inspection = network.inspect(input.clone()).expect("a decoupled network");
        let Decoder::Decoupled(head) = &network.decoder else {
            panic!("{name}: features of a plain network");
        };
        for record in features {
            let (tensor, centre) = match text(&record["tensor"]) {
                "flow" => (inspection.flow.clone().expect("a flow"), [1, 4, 6]),
                "body_feature" => (inspection.body.clone(), [128, 4, 6]),
                "out_edge" => (sigmoid(inspection.edge_logits.clone()), [0, 17, 40]),
                "dsn_seg_body" => (head.body.forward(inspection.body.clone()), [9, 4, 6]),
                other => panic!("unknown tensor `{other}`"),
            };
            let name = format!("{name}: {}", text(&record["tensor"]));
            assert_sheet(&name, record, tensor, ("centre", centre));
        }
    }
}

/// Compares mean, mean magnitude, first, last and one more element.
fn assert_sheet(name: &str, record: &Value, actual: Tensor<4>, at: (&str, [usize; 3])) {
    let [_, _, height, width] = actual.dims();
    let actual: Vec<f64> = values(actual).into_iter().map(f64::from).collect();
    let count = actual.len() as f64;
    let (key, [channel, y, x]) = at;
    let found = [
        ("mean", actual.iter().sum::<f64>() / count),
        (
            "mean_abs",
            actual.iter().map(|value| value.abs()).sum::<f64>() / count,
        ),
        ("first", actual[0]),
        ("last", actual[actual.len() - 1]),
        (key, actual[(channel * height + y) * width + x]),
    ];
    for (what, found) in found {
        let expected = number(&record[what]);
        let close = (found - expected).abs() <= SHEET;
        assert!(close, "{name}: {what} is {found}, expected {expected}");
    }
}
