//! The losses and device targets against an independent implementation, on whatever set of fixtures is in use.

use burn::tensor::{Device, Int, Tensor};
use decoupled_seg_fixtures::{Group, group};
use decoupled_seg_losses::*;
use decoupled_seg_nn::SegmentationOutput;
use serde_json::Value;

/// The JSON scalars: 1e-5 relative, of at least 0.1, as the `loss` tensors in `TENSORS.tsv`.
const SCALAR_TOLERANCE: f64 = 1e-5;

fn device() -> Device {
    Device::default().autodiff()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key]
        .as_str()
        .unwrap_or_else(|| panic!("`{key}` in {case}"))
}

fn flag(case: &Value, key: &str) -> bool {
    case[key].as_bool().unwrap_or(false)
}

fn number(case: &Value, key: &str) -> f64 {
    case[key]
        .as_f64()
        .unwrap_or_else(|| panic!("`{key}` in {case}"))
}

fn int(case: &Value, key: &str) -> i64 {
    case[key]
        .as_i64()
        .unwrap_or_else(|| panic!("`{key}` in {case}"))
}

/// The inputs of a case.
struct Inputs<'a> {
    group: &'a Group,
    key: &'a str,
}

impl Inputs<'_> {
    fn name(&self, tensor: &str) -> String {
        format!("{}/{tensor}", self.key)
    }

    fn leaf(&self, tensor: &str) -> Tensor<4> {
        self.group
            .tensor::<4>(&self.name(tensor), &device())
            .require_grad()
    }

    fn labels(&self, tensor: &str) -> Tensor<3, Int> {
        self.group.int_tensor::<3>(&self.name(tensor), &device())
    }

    /// An edge target of one channel, stored as floats.
    fn edge_labels(&self, tensor: &str) -> Tensor<3, Int> {
        self.group
            .tensor::<4>(&self.name(tensor), &device())
            .squeeze_dim::<3>(1)
            .int()
    }

    fn relaxed(&self, border_off: bool) -> RelaxedLabels {
        RelaxedLabels::from_multi_hot(
            self.group
                .int_tensor::<4>(&self.name("multihot"), &device()),
            border_off,
        )
    }
}

fn scalar(value: Tensor<1>) -> f64 {
    f64::from(value.into_scalar::<f32>())
}

fn assert_scalar(name: &str, actual: f64, golden: f64) {
    let allowed = SCALAR_TOLERANCE * golden.abs().max(0.1);
    assert!(
        (actual - golden).abs() <= allowed,
        "`{name}`: {actual}, golden {golden}"
    );
}

/// Checks a loss and its gradients with all results stored under the case's name; returns how many gradients there are.
fn check(group: &Group, case: &str, loss: Tensor<1>, inputs: &[(&str, &Tensor<4>)]) -> usize {
    group.assert_tensor(&format!("{case}/loss"), loss.clone());
    let gradients = loss.backward();
    for (name, input) in inputs {
        // An input that only selects pixels has a golden gradient of 0, and none at all here.
        let gradient = input
            .grad(&gradients)
            .unwrap_or_else(|| (*input).clone().inner().zeros_like());
        group.assert_tensor(&format!("{case}/grad_{name}"), gradient);
    }
    inputs.len()
}

fn relaxed_loss(case: &Value) -> BoundaryRelaxationLoss {
    if text(case, "term") == "relaxed_paper" {
        return BoundaryRelaxationLossConfig::new().init();
    }
    let upper_bound = case["upper_bound"].as_f64().unwrap_or(1.0);
    let class_weights = if flag(case, "batch_weights") {
        ClassWeights::BatchHistogram { upper_bound }
    } else {
        ClassWeights::ImageHistogram { upper_bound }
    };
    let border_weights = if flag(case, "cross_batch") {
        BorderWeights::WholeBatch
    } else {
        BorderWeights::OwnImage
    };
    BoundaryRelaxationLossConfig::official()
        .with_class_weights(class_weights)
        .with_border_weights(border_weights)
        .init()
}

fn mining(case: &Value) -> PixelMining {
    PixelMining::Threshold {
        probability: number(case, "thresh"),
        min_kept: PixelCount::Absolute(int(case, "min_kept") as usize),
        at_limit: AtLimit::Kept,
    }
}

fn paper_mining(case: &Value) -> (PixelMining, EdgeScope) {
    let fraction = case["fraction"].as_f64().unwrap_or(0.1);
    let scope = match text(case, "select") {
        "intersection" => EdgeScope::WholeImage,
        "within_edge" => EdgeScope::WithinEdges,
        other => panic!("selection `{other}`"),
    };
    (PixelMining::Hardest { fraction }, scope)
}

fn joint_config(case: &Value) -> DecoupledLossConfig {
    if text(case, "term") == "joint_paper" {
        let (mining, scope) = paper_mining(case);
        let attention = EdgeAttentionLossConfig::paper()
            .with_edge_threshold(number(case, "t_b"))
            .with_mining(mining)
            .with_scope(scope);
        let lambdas: Vec<f64> = case["lambdas"]
            .as_array()
            .expect("lambdas")
            .iter()
            .filter_map(Value::as_f64)
            .collect();
        let [l1, l2, l3, l4, l5] = lambdas[..] else {
            panic!("five lambdas")
        };
        return DecoupledLossConfig::paper()
            .with_attention(attention)
            .with_body_weight(l1)
            .with_edge_weight(l2 * l4)
            .with_attention_weight(l2 * l5)
            .with_segmentation_weight(l3);
    }
    let mut config = DecoupledLossConfig::official();
    config.segmentation.mining = PixelMining::official(int(case, "min_kept") as usize);
    config.attention.mining = PixelMining::official(int(case, "att_min_kept") as usize);
    if !flag(case, "cross_batch") {
        config.body.border_weights = BorderWeights::OwnImage;
    }
    let weight = |name: &str| case["weights"][name].as_f64().unwrap_or(1.0);
    config.segmentation_weight *= weight("seg_weight");
    config.body_weight *= weight("body_weight");
    config.edge_weight *= weight("edge_weight");
    config.attention_weight *= weight("att_weight");
    config
}

/// Returns how many gradients were compared.
fn check_joint(inputs: &Inputs, case: &Value, name: &str) -> usize {
    let labels = inputs.labels("labels");
    let targets = Targets::new(
        labels,
        inputs.relaxed(false),
        inputs.edge_labels("edge_target"),
    );
    let relaxed = &targets.supervision.as_ref().expect("all targets").relaxed;
    let recovered = relaxed.recovered_labels();
    let recovered: Vec<i64> = recovered.try_into_vec_as().expect("integers");
    assert_eq!(
        recovered,
        inputs.group.i64(&inputs.name("recovered_labels")),
        "{name}: recovered labels"
    );

    let [logits, body, edge] =
        ["final_logits", "body_logits", "edge_logits"].map(|tensor| inputs.leaf(tensor));
    let config = joint_config(case);
    let output = SegmentationOutput::decoupled(logits.clone(), body.clone(), edge.clone());
    let terms = config.init().forward(&output, &targets);

    let golden = |key: &str| case["terms"][key].as_f64();
    let weighted = if text(case, "term") == "joint_paper" {
        let weighted = |key: &str, weight: f64| golden(key).map(|term| term * weight);
        [
            (
                LossTerm::Segmentation,
                weighted("final", config.segmentation_weight),
            ),
            (LossTerm::Body, weighted("body", config.body_weight)),
            (LossTerm::Edge, weighted("bce", config.edge_weight)),
            (
                LossTerm::Attention,
                weighted("edge_ce", config.attention_weight),
            ),
        ]
    } else {
        [
            (LossTerm::Segmentation, golden("seg_loss")),
            (LossTerm::Body, golden("seg_body")),
            (LossTerm::Edge, golden("edge_loss")),
            (LossTerm::Attention, golden("edge_ohem_loss")),
        ]
    };
    for (term, golden) in weighted {
        let value = terms.get(term).expect("a decoupled network has it").clone();
        // Where the official code has NaN, an empty term is 0 here.
        assert_scalar(name, scalar(value), golden.unwrap_or(0.0));
    }
    if flag(case, "loss_is_nan") {
        return 0;
    }
    check(
        inputs.group,
        name,
        terms.total,
        &[
            ("final_logits", &logits),
            ("body_logits", &body),
            ("edge_logits", &edge),
        ],
    )
}

/// Whether the case asks for a gradient through the sigmoid only.
fn is_wrt_prob(term: &str) -> bool {
    term == "bce_official"
}

#[test]
fn losses() {
    let Some(group) = group("losses") else { return };
    let mut compared = 0;
    for case in group.cases() {
        let name = text(case, "case");
        let term = text(case, "term");
        let inputs = Inputs {
            group: &group,
            key: text(case, "input_key"),
        };
        let nan = flag(case, "loss_is_nan");
        compared += match term {
            "relaxed" | "relaxed_paper" => {
                let logits = inputs.leaf("logits");
                // The border is off for all variants of an input or for none.
                let off = group.u8(&inputs.name("multihot")).contains(&2);
                let loss = relaxed_loss(case).forward(logits.clone(), &inputs.relaxed(off));
                check(&group, name, loss, &[("logits", &logits)])
            }
            "ohem" | "ohem_safe" => {
                let logits = inputs.leaf("logits");
                let config = OhemCrossEntropyLossConfig::new().with_mining(mining(case));
                let loss = config
                    .init()
                    .forward(logits.clone(), inputs.labels("labels"));
                if nan {
                    assert_eq!(scalar(loss), 0.0, "{name}: nothing to average is 0");
                    0
                } else {
                    check(&group, name, loss, &[("logits", &logits)])
                }
            }
            term if term.starts_with("bce") => {
                let config = match term {
                    "bce_official" | "bce_official_through_sigmoid" => EdgeLossConfig::official(),
                    "bce_balanced_on_logits" => {
                        EdgeLossConfig::official().with_activation(EdgeActivation::SingleSigmoid)
                    }
                    "bce_paper" => EdgeLossConfig::paper(),
                    other => panic!("term `{other}` of {name}"),
                };
                let target = inputs.edge_labels("target");
                if is_wrt_prob(term) {
                    // Probabilities handed over as logits: one sigmoid is the official form's second one.
                    let prob = inputs.leaf("edge_prob");
                    let config = config.with_activation(EdgeActivation::SingleSigmoid);
                    let loss = config.init().forward(prob.clone(), target);
                    check(&group, name, loss, &[("edge_prob", &prob)])
                } else {
                    let edge_logits = inputs.leaf("edge_logits");
                    let loss = config.init().forward(edge_logits.clone(), target);
                    check(&group, name, loss, &[("edge_logits", &edge_logits)])
                }
            }
            "edge_attention" | "edge_attention_safe" => {
                let (logits, edge_logits) = (inputs.leaf("logits"), inputs.leaf("edge_logits"));
                let config = EdgeAttentionLossConfig::new()
                    .with_edge_threshold(number(case, "gate"))
                    .with_mining(mining(case));
                let loss = config.init().forward(
                    logits.clone(),
                    edge_logits.clone(),
                    inputs.labels("labels"),
                );
                if nan {
                    assert_eq!(scalar(loss), 0.0, "{name}: nothing to average is 0");
                    0
                } else {
                    check(
                        &group,
                        name,
                        loss,
                        &[("logits", &logits), ("edge_logits", &edge_logits)],
                    )
                }
            }
            "edge_ce_paper" => {
                let (logits, edge_logits) =
                    (inputs.leaf("final_logits"), inputs.leaf("edge_logits"));
                let (mining, scope) = paper_mining(case);
                let config = EdgeAttentionLossConfig::new()
                    .with_mining(mining)
                    .with_scope(scope);
                let loss =
                    config
                        .init()
                        .forward(logits.clone(), edge_logits, inputs.labels("labels"));
                check(&group, name, loss, &[("final_logits", &logits)])
            }
            "joint_official" | "joint_paper" => check_joint(&inputs, case, name),
            other => panic!("term `{other}` of {name}"),
        }
    }
    // A gradient that no case asks for by its name would go unread. A full set has each a second time, in f64.
    let stored = group
        .names()
        .iter()
        .filter(|name| name.contains("/grad_") && !name.ends_with("_f64"))
        .count();
    assert_eq!(compared, stored, "gradients compared, and in the set");
}

#[test]
fn targets() {
    let Some(group) = group("targets") else {
        return;
    };
    for case in group.cases() {
        let name = text(case, "case");
        let golden = |tensor: &str| format!("{name}/{tensor}");
        let num_classes = int(case, "classes") as usize;
        let ignore_index = int(case, "ignore");
        let labels: Tensor<3, Int> = group
            .int_tensor::<2>(&golden("labels"), &device())
            .unsqueeze_dim(0);
        let strict = case["strict_classes"].as_array();
        let strict = strict.map(|classes| {
            classes
                .iter()
                .filter_map(Value::as_u64)
                .map(|class| class as u8)
                .collect()
        });
        let options = TargetsOptions {
            border: int(case, "border") as usize,
            strict_classes: strict.unwrap_or_default(),
            border_off: flag(case, "border_off"),
            ..TargetsOptions::official()
        };
        let made = |options: &TargetsOptions| {
            let targets = Targets::from_labels(labels.clone(), num_classes, options);
            targets.supervision.expect("all targets")
        };
        let exact = |tensor: &str, values: Vec<i64>| {
            assert_eq!(values, group.i64(&golden(tensor)), "{}", golden(tensor))
        };

        // By tensor operations, and the way that this device takes.
        let relaxed = RelaxedLabels::from_labels(labels.clone(), num_classes, &options);
        for relaxed in [relaxed, made(&options).relaxed] {
            exact(
                "multihot",
                relaxed.to_multi_hot().try_into_vec_as().expect("integers"),
            );
            let recovered: Vec<i64> = relaxed
                .recovered_labels()
                .try_into_vec_as()
                .expect("integers");
            let ignored = |label| {
                if label == IGNORE_INDEX {
                    ignore_index
                } else {
                    label
                }
            };
            exact(
                "recovered_labels",
                recovered.into_iter().map(ignored).collect(),
            );
        }

        let mut compared = 0;
        for tensor in group.names() {
            let Some(tensor) = tensor.strip_prefix(&format!("{name}/")) else {
                continue;
            };
            // What the reference makes of absent classes beyond radius 2 is garbage, see the manifest.
            let Some((what, radius)) = tensor.rsplit_once("_r") else {
                continue;
            };
            let (edge_source, Ok(edge_radius)) = (
                match what {
                    "edges_relaxed" => EdgeSource::Relaxed,
                    "edges_plain" => EdgeSource::Labels,
                    _ => continue,
                },
                radius.parse(),
            ) else {
                continue;
            };
            let options = TargetsOptions {
                edge_source,
                edge_radius,
                ..options.clone()
            };
            let found = made(&options).edge_labels;
            exact(tensor, found.try_into_vec_as().expect("integers"));
            compared += 1;
        }
        assert!(compared > 0, "{name}: no edge map compared");
    }
}
