//! The losses and device targets against an independent implementation, on whatever set of fixtures is in use.

use burn::tensor::{Device, Int, Tensor};
use decoupled_seg_fixtures::{Group, group};
use decoupled_seg_losses::*;
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

    fn relaxed(&self, switched_off: bool) -> RelaxedLabels {
        RelaxedLabels::from_multi_hot(
            self.group
                .int_tensor::<4>(&self.name("multihot"), &device()),
            switched_off,
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

/// Checks a loss and its gradients with the results stored under the case's name.
fn check(group: &Group, case: &str, loss: Tensor<1>, inputs: &[(&str, &Tensor<4>)]) {
    group.assert_tensor(&format!("{case}/loss"), loss.clone());
    let gradients = loss.backward();
    for (name, input) in inputs {
        let golden = format!("{case}/grad_{name}");
        let gradient = input.grad(&gradients);
        if group.has(&golden) {
            // An input that only selects pixels has a golden gradient of 0, and none at all here.
            let gradient = gradient.unwrap_or_else(|| (*input).clone().inner().zeros_like());
            group.assert_tensor(&golden, gradient);
        }
    }
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

fn check_joint(inputs: &Inputs, case: &Value, name: &str) {
    let labels = inputs.labels("labels");
    let targets = Targets::new(
        labels,
        inputs.relaxed(false),
        inputs.edge_labels("edge_target"),
        IGNORE_INDEX,
    );
    let recovered = targets.relaxed.recovered_labels(IGNORE_INDEX);
    let recovered: Vec<i64> = recovered.try_into_vec_as().expect("integers");
    assert_eq!(
        recovered,
        inputs.group.i64(&inputs.name("recovered_labels")),
        "{name}: recovered labels"
    );

    let [logits, body, edge] =
        ["final_logits", "body_logits", "edge_logits"].map(|tensor| inputs.leaf(tensor));
    let config = joint_config(case);
    let output = config
        .init()
        .forward(logits.clone(), body.clone(), edge.clone(), &targets);

    let terms = &case["terms"];
    let golden = |key: &str| terms[key].as_f64();
    let weighted = if text(case, "term") == "joint_paper" {
        let weighted = |key: &str, weight: f64| golden(key).map(|term| term * weight);
        [
            (
                output.segmentation.clone(),
                weighted("final", config.segmentation_weight),
            ),
            (output.body.clone(), weighted("body", config.body_weight)),
            (output.edge.clone(), weighted("bce", config.edge_weight)),
            (
                output.attention.clone(),
                weighted("edge_ce", config.attention_weight),
            ),
        ]
    } else {
        [
            (output.segmentation.clone(), golden("seg_loss")),
            (output.body.clone(), golden("seg_body")),
            (output.edge.clone(), golden("edge_loss")),
            (output.attention.clone(), golden("edge_ohem_loss")),
        ]
    };
    for (term, golden) in weighted {
        // Where the official code has NaN, an empty term is 0 here.
        assert_scalar(name, scalar(term), golden.unwrap_or(0.0));
    }
    if !flag(case, "loss_is_nan") {
        check(
            inputs.group,
            name,
            output.total,
            &[
                ("final_logits", &logits),
                ("body_logits", &body),
                ("edge_logits", &edge),
            ],
        );
    }
}

/// Whether the case asks for a gradient through the sigmoid only.
fn is_wrt_prob(term: &str) -> bool {
    term == "bce_official"
}

#[test]
fn losses() {
    let Some(group) = group("losses") else { return };
    for case in group.cases() {
        let name = text(case, "case");
        let term = text(case, "term");
        let inputs = Inputs {
            group: &group,
            key: text(case, "input_key"),
        };
        let nan = flag(case, "loss_is_nan");
        match term {
            "relaxed" | "relaxed_paper" => {
                let logits = inputs.leaf("logits");
                // The border is off for all variants of an input or for none.
                let off = group.u8(&inputs.name("multihot")).contains(&2);
                let loss = relaxed_loss(case).forward(logits.clone(), &inputs.relaxed(off));
                check(&group, name, loss, &[("logits", &logits)]);
            }
            "ohem" | "ohem_safe" => {
                let logits = inputs.leaf("logits");
                let config = OhemCrossEntropyLossConfig::new()
                    .with_mining(mining(case))
                    .with_ignore_index(int(case, "ignore"));
                let loss = config
                    .init()
                    .forward(logits.clone(), inputs.labels("labels"));
                if nan {
                    assert_eq!(scalar(loss), 0.0, "{name}: nothing to average is 0");
                } else {
                    check(&group, name, loss, &[("logits", &logits)]);
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
                    check(&group, name, loss, &[("edge_prob", &prob)]);
                } else {
                    let edge_logits = inputs.leaf("edge_logits");
                    let loss = config.init().forward(edge_logits.clone(), target);
                    check(&group, name, loss, &[("edge_logits", &edge_logits)]);
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
                } else {
                    check(
                        &group,
                        name,
                        loss,
                        &[("logits", &logits), ("edge_logits", &edge_logits)],
                    );
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
                check(&group, name, loss, &[("final_logits", &logits)]);
            }
            "joint_official" | "joint_paper" => check_joint(&inputs, case, name),
            other => panic!("term `{other}` of {name}"),
        }
    }
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
                .map(|class| class as usize)
                .collect()
        });

        let relaxation = RelaxationConfig::new(num_classes)
            .with_ignore_index(ignore_index)
            .with_border(int(case, "border") as usize)
            .with_strict_classes(strict.unwrap_or_default())
            .with_switched_off(flag(case, "border_off"));
        let relaxed = RelaxedLabels::from_labels(labels.clone(), &relaxation);
        let exact = |tensor: &str, values: Vec<i64>| {
            assert_eq!(values, group.i64(&golden(tensor)), "{}", golden(tensor))
        };
        exact(
            "multihot",
            relaxed.to_multi_hot().try_into_vec_as().expect("integers"),
        );
        let recovered = relaxed.recovered_labels(ignore_index);
        exact(
            "recovered_labels",
            recovered.try_into_vec_as().expect("integers"),
        );

        let mut compared = 0;
        for tensor in group.names() {
            let Some(tensor) = tensor.strip_prefix(&format!("{name}/")) else {
                continue;
            };
            // What the reference makes of absent classes beyond radius 2 is garbage, see the manifest.
            let Some((what, radius)) = tensor
                .rsplit_once("_r")
                .filter(|_| !tensor.ends_with("_reference"))
            else {
                continue;
            };
            let Ok(radius) = radius.parse::<f64>() else {
                continue;
            };
            let edges = EdgeConfig::new(num_classes)
                .with_ignore_index(ignore_index)
                .with_radius(radius)
                .with_frame_is_edge(true)
                .with_ignore_borders(true)
                .with_mask_ignored(false);
            let plain = LabelSets::from_labels(
                labels
                    .clone()
                    .mask_fill(labels.clone().equal_elem(ignore_index), -1),
                num_classes,
            );
            let found: Vec<i64> = match what {
                "edges_relaxed" => edges
                    .edge_labels_of_sets(&relaxed.classes, labels.clone())
                    .try_into_vec_as(),
                "edges_plain" => edges.edge_labels(labels.clone()).try_into_vec_as(),
                "class_edges_relaxed" => edges
                    .class_edges(relaxed.classes.clone(), labels.clone())
                    .try_into_vec_as(),
                "class_edges_plain" => edges.class_edges(plain, labels.clone()).try_into_vec_as(),
                _ => continue,
            }
            .expect("integers");
            exact(tensor, found);
            compared += 1;
        }
        assert!(compared > 0, "{name}: no edge map compared");
    }
}
