//! Outputs, gradients and running statistics of the modules against the reference, from `tests/fixtures`.
//!
//! Groups `body_edge` and `head`; the operations below them have a file of their own.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, activation::sigmoid};
use decoupled_seg_body_edge::{
    BodyEdgeModule, BodyEdgeModuleConfig, DecoupledHead, DecoupledHeadConfig,
};
use decoupled_seg_fixtures::Group;
use decoupled_seg_nn::{KeyMap, Size, WarpOptions, WarpPadding, map_size, resize};
use serde_json::Value;

/// The gradient of a convolution bias in front of a training-mode batch norm is 0 in exact arithmetic: it may be this
/// share of the largest gradient of the convolution's weight (the manifest's rule).
const DEAD_BIAS: f32 = 2e-5;

#[test]
fn body_edge() {
    let Some(group) = decoupled_seg_fixtures::group("body_edge") else {
        return;
    };
    for case in group.cases() {
        let [_, channels, _, _] = shape(&case["shape"]);
        for (warp, options) in warps(case) {
            let config = BodyEdgeModuleConfig::new(channels)
                .with_strided_steps(number(&case["downs"]))
                .with_warp(options);
            for mode in names(&case["modes"]) {
                body_edge_case(&group, case, &config, &warp, &mode);
            }
        }
    }
}

fn body_edge_case(
    group: &Group,
    case: &Value,
    config: &BodyEdgeModuleConfig,
    warp: &str,
    mode: &str,
) {
    let device = Device::default().autodiff();
    let case = case["case"].as_str().expect("every case has a name");
    let prefix = format!("{case}/{warp}/{mode}");
    let keys = config.official_keys();
    let module: BodyEdgeModule = loaded(config.init(&device), &keys, group, case, mode, &device);
    let given = |name: &str| group.tensor::<4>(&format!("{case}/{name}"), &device);

    let x = given("x").require_grad();
    let size = map_size(&x);
    let detail = module.forward_detailed(x.clone());
    let down = detail.down.expect("the reference has strided steps");
    let flow = detail.flow.expect("the reference has a flow");
    let objective = (detail.body.clone() * given("g_body")).sum()
        + (detail.edge.clone() * given("g_edge")).sum();
    let gradients = objective.backward();

    let check = |name: &str, actual| group.assert_tensor(&format!("{prefix}/{name}"), actual);
    check("down_up", resize(down.clone(), size, true));
    check("down", down);
    check("flow", flow);
    check("body", detail.body);
    check("edge", detail.edge);
    let x_gradient = x.grad(&gradients).expect("x asked for one");
    check("grad/x", x_gradient);
    check_gradients(&module, &keys, group, &prefix, mode, &gradients);
    if mode == "train" {
        check_statistics(&module, &keys, group, &format!("{case}/train_stats"));
    }
}

#[test]
fn head() {
    let Some(group) = decoupled_seg_fixtures::group("head") else {
        return;
    };
    for case in group.cases() {
        let sizes = &case["config"];
        for (warp, options) in warps(case) {
            let config = DecoupledHeadConfig::new(number(&sizes["num_classes"]))
                .with_body_edge(
                    BodyEdgeModuleConfig::new(number(&sizes["inplane"])).with_warp(options),
                )
                .with_fine(Some([number(&sizes["fine_in"]), number(&sizes["fine"])]))
                .with_edge_channels(number(&sizes["edge_mid"]));
            for mode in names(&case["modes"]) {
                head_case(&group, case, &config, &warp, &mode);
            }
        }
    }
}

fn head_case(group: &Group, case: &Value, config: &DecoupledHeadConfig, warp: &str, mode: &str) {
    let device = Device::default().autodiff();
    let [height, width] = shape(&case["out_size"]);
    let case = case["case"].as_str().expect("every case has a name");
    let prefix = format!("{case}/{warp}/{mode}");
    let keys = config.official_keys();
    let module: DecoupledHead = loaded(config.init(&device), &keys, group, case, mode, &device);
    let given = |name: &str| group.tensor::<4>(&format!("{case}/{name}"), &device);

    let context = given("context").require_grad();
    let low_level = given("low").require_grad();
    let size = Size::new(height, width);
    let output = module.forward(context.clone(), Some(low_level.clone()), size);
    let supervision = output.supervision.expect("a decoupled head");
    let edge = sigmoid(supervision.edge_logits.clone());
    let objective = (output.logits.clone() * given("g_final")).sum()
        + (supervision.body_logits.clone() * given("g_body")).sum()
        + (edge.clone() * given("g_edge")).sum();
    let gradients = objective.backward();

    let check = |name: &str, actual| group.assert_tensor(&format!("{prefix}/{name}"), actual);
    check("final", output.logits);
    check("body", supervision.body_logits);
    check("edge_logits", supervision.edge_logits);
    check("edge", edge);
    let context_gradient = context.grad(&gradients).expect("context asked for one");
    check("grad/context", context_gradient);
    let low_level_gradient = low_level.grad(&gradients).expect("low asked for one");
    check("grad/low", low_level_gradient);
    check_gradients(&module, &keys, group, &prefix, mode, &gradients);
    if mode == "train" {
        let statistics = format!("{case}/{warp}/train_stats");
        check_statistics(&module, &keys, group, &statistics);
    } else {
        let given_inputs = || (given("context"), Some(given("low")));
        let (context, low_level) = given_inputs();
        let logits = module.forward_logits(context, low_level, size);
        check("final", logits);
    }
}

/// The module with the parameters of a case, in the mode of a case.
fn loaded<M: Module>(
    module: M,
    keys: &KeyMap,
    group: &Group,
    case: &str,
    mode: &str,
    device: &Device,
) -> M {
    let prefix = format!("{case}/params/");
    let mut loader = Loader {
        path: Path::default(),
        keys,
        group,
        prefix: &prefix,
        device,
        loaded: Vec::new(),
    };
    let module = module.map(&mut loader);

    // No tensor of the reference may be left over.
    for name in group.names() {
        if let Some(key) = name.strip_prefix(&prefix) {
            let counter = keys.knows(key) && keys.path_of(key).is_none();
            assert!(
                counter || loader.loaded.iter().any(|loaded| loaded == key),
                "`{name}` went nowhere"
            );
        }
    }

    match mode {
        "train" => module,
        // In frozen modules batch norms use their running statistics. The gradients are needed all the same.
        "eval" => module.freeze().set_require_grad(true),
        other => panic!("unknown mode `{other}`"),
    }
}

fn check_gradients<M: Module>(
    module: &M,
    keys: &KeyMap,
    group: &Group,
    prefix: &str,
    mode: &str,
    gradients: &Gradients,
) {
    let mut reader = Reader::new(keys, Some(gradients));
    module.visit(&mut reader);
    let mut compared = 0;
    for (key, values) in reader.values {
        let name = format!("{prefix}/grad/{key}");
        let weight = format!("{prefix}/grad/{}", key.replace(".bias", ".weight"));
        let dead = mode == "train"
            && key.ends_with(".bias")
            && group.has(&weight)
            && group.shape(&weight).len() == 4;
        if dead {
            let largest = |values: &[f32]| values.iter().fold(0.0_f32, |max, v| max.max(v.abs()));
            let allowed = DEAD_BIAS * largest(&group.f32(&weight));
            let actual = largest(&values);
            assert!(
                actual <= allowed,
                "`{name}`: {actual:e}, allowed {allowed:e}"
            );
        } else {
            group.assert_close(&name, &values);
        }
        compared += 1;
    }
    let golden = group
        .names()
        .iter()
        .filter_map(|name| name.strip_prefix(&format!("{prefix}/grad/")))
        .filter(|key| keys.knows(key))
        .count();
    assert_eq!(compared, golden, "{prefix}: gradients compared");
}

fn check_statistics<M: Module>(module: &M, keys: &KeyMap, group: &Group, prefix: &str) {
    // A pass in training leaves its update to be merged by the next reader.
    let module = module.valid();
    let mut reader = Reader::new(keys, None);
    module.visit(&mut reader);
    let mut compared = 0;
    for (key, values) in reader.values {
        let name = format!("{prefix}/{key}");
        if group.has(&name) {
            group.assert_close(&name, &values);
            compared += 1;
        }
    }
    let golden = group
        .names()
        .iter()
        .filter(|name| name.starts_with(prefix) && !name.ends_with("num_batches_tracked"))
        .count();
    assert!(golden > 0, "{prefix}: no golden statistics");
    assert_eq!(compared, golden, "{prefix}: statistics compared");
}

/// The path of a visitor, without enum variants, as in a [`KeyMap`].
#[derive(Default)]
struct Path(Vec<Option<String>>);

impl Path {
    fn enter(&mut self, name: &str, container: &str) {
        self.0
            .push((!container.starts_with("Enum:")).then(|| name.to_string()));
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    fn join(&self) -> String {
        self.0
            .iter()
            .flatten()
            .cloned()
            .collect::<Vec<_>>()
            .join(".")
    }
}

struct Loader<'a> {
    path: Path,
    keys: &'a KeyMap,
    group: &'a Group,
    prefix: &'a str,
    device: &'a Device,
    loaded: Vec<String>,
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join();
        let key = self
            .keys
            .official_of(&path)
            .unwrap_or_else(|| panic!("no official key for `{path}`"));
        let tensor = self
            .group
            .tensor::<D>(&format!("{}{key}", self.prefix), self.device);
        assert_eq!(tensor.dims(), param.lazy_shape().dims::<D>(), "`{path}`");
        self.loaded.push(key.to_string());
        let id = param.id;
        param.transform_for_load(tensor, id)
    }
}

/// Reads every parameter, or every gradient, by its official key.
struct Reader<'a> {
    path: Path,
    keys: &'a KeyMap,
    gradients: Option<&'a Gradients>,
    values: Vec<(String, Vec<f32>)>,
}

impl<'a> Reader<'a> {
    fn new(keys: &'a KeyMap, gradients: Option<&'a Gradients>) -> Self {
        Self {
            path: Path::default(),
            keys,
            gradients,
            values: Vec::new(),
        }
    }
}

impl ModuleVisitor for Reader<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join();
        let key = self
            .keys
            .official_of(&path)
            .unwrap_or_else(|| panic!("no official key for `{path}`"));
        let data = match self.gradients {
            // Running statistics have no gradient.
            Some(gradients) => match param.val().grad(gradients) {
                Some(gradient) => gradient.into_data(),
                None => {
                    assert!(path.contains("running_"), "`{path}` has no gradient");
                    return;
                }
            },
            None => param.val().into_data(),
        };
        let values = data.try_into_vec().expect("parameters are f32");
        self.values.push((key.to_string(), values));
    }
}

/// The warp variants of a case, with their options.
fn warps(case: &Value) -> Vec<(String, WarpOptions)> {
    names(&case["warps"])
        .into_iter()
        .map(|name| {
            let options = match name.as_str() {
                "official_align_true" => WarpOptions::official(),
                "official_align_false" => WarpOptions::official_torch13(),
                "paper_zeros" => WarpOptions::paper(),
                "paper_border" => WarpOptions::paper().with_padding(WarpPadding::Border),
                other => panic!("unknown warp `{other}`"),
            };
            (name, options)
        })
        .collect()
}

fn names(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list of names");
    list.iter()
        .map(|name| name.as_str().expect("a name").to_string())
        .collect()
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a count")).expect("fits")
}

fn shape<const D: usize>(value: &Value) -> [usize; D] {
    let sizes: Vec<usize> = value
        .as_array()
        .expect("a shape")
        .iter()
        .map(number)
        .collect();
    sizes
        .try_into()
        .unwrap_or_else(|sizes| panic!("rank {D} expected, got {sizes:?}"))
}
