//! Weights from PyTorch and back: the small official-style files of the fixtures, damaged and hostile ones, and what
//! an export looks like.

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::store::ModuleSnapshot;
use burn::tensor::{DType, Device, Distribution, Tensor, TensorData, Tolerance};
use decoupled_seg::backbones::{ResNetConfig, Stem, WideResNet38Config};
use decoupled_seg::body_edge::{BodyEdgeModuleConfig, DecoupledHead, DecoupledHeadConfig};
use decoupled_seg::network::DecoupledSegNetConfig;
use decoupled_seg::nn::{SegmentationModel, Size, WarpOptions};
use decoupled_seg::weights::{
    Format, LoadPolicy, Placeholder, WeightsError, WeightsFile, convert, load, save,
};
use decoupled_seg_fixtures::{Group, folder, group};
use serde_json::Value;
use tempfile::TempDir;

fn size(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a size")).expect("fits")
}

/// The head that the fixture files hold.
fn head_config(case: &Value, warp: WarpOptions) -> DecoupledHeadConfig {
    let config = &case["config"];
    DecoupledHeadConfig::new(size(&config["num_classes"]))
        .with_body_edge(BodyEdgeModuleConfig::new(size(&config["inplane"])).with_warp(warp))
        .with_fine(Some([size(&config["fine_in"]), size(&config["fine"])]))
        .with_edge_channels(size(&config["edge_mid"]))
}

struct Interop {
    case: Value,
    head: Group,
}

fn interop() -> Option<Interop> {
    let case = group("interop")?.cases()[0].clone();
    Some(Interop {
        case,
        head: group("head")?,
    })
}

impl Interop {
    fn files(&self) -> Vec<PathBuf> {
        let names = self.case["files"].as_array().expect("a list of files");
        names
            .iter()
            .map(|name| folder().join(name.as_str().expect("a name")))
            .collect()
    }

    /// Loads `path` into a fresh head and compares its outputs with those of the fixture.
    fn assert_outputs(&self, path: &Path) {
        let device = Device::default();
        let warps = [
            ("official_align_true", WarpOptions::official()),
            ("official_align_false", WarpOptions::official_torch13()),
        ];
        for (name, warp) in warps {
            let config = head_config(&self.case, warp);
            let mut head = config.init(&device);
            let checkpoint = WeightsFile::open(path).expect("an official file");
            let report = load(
                &mut head,
                &config.official_keys(),
                &checkpoint,
                LoadPolicy::Whole,
            )
            .expect("the file is that of the head");
            assert!(report.left_out.is_empty());

            let [_, _, height, width] = self.head.shape(&format!("a/{name}/eval/final"))[..] else {
                panic!("outputs have four axes");
            };
            let output = head.forward(
                self.head.tensor("a/context", &device),
                Some(self.head.tensor("a/low", &device)),
                Size::new(height, width),
            );
            let supervision = output.supervision.expect("a decoupled head");
            let outputs = [
                ("final", output.logits),
                ("body", supervision.body_logits),
                ("edge_logits", supervision.edge_logits),
            ];
            for (output, actual) in outputs {
                self.head
                    .assert_tensor(&format!("a/{name}/eval/{output}"), actual);
            }
        }
    }
}

/// A grey network takes the file of an RGB one: all of it, the stem as the sum of its channels.
#[test]
fn weights_for_rgb_start_networks_of_other_channels() {
    let device = Device::default();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("rgb.safetensors");
    let config = DecoupledSegNetConfig::tiny(5);
    let rgb = config.init(&device);
    rgb.save_weights(&path).expect("writable");
    let file = WeightsFile::open(&path).expect("just written");
    let grey_image = Tensor::<4>::random([1, 1, 64, 72], Distribution::Default, &device);
    let repeated = grey_image.clone().expand([1, 3, 64, 72]);

    let mut grey = config.clone().with_in_channels(1).init(&device);
    let report = grey.load_pretrained(&file).expect("it is fitted");

    assert!(report.left_out.is_empty(), "{}", report.left_out);
    let fitted = report.fitted.expect("of other channels");
    assert_eq!((fitted.from, fitted.to), (3, 1));
    // On a grey picture both see the same.
    grey.predict(grey_image)
        .into_data()
        .assert_approx_eq::<f32>(
            &rgb.predict(repeated).into_data(),
            Tolerance::rel_abs(1e-3, 1e-4),
        );
    assert!(grey.load_weights(&path, LoadPolicy::Whole).is_err());
}

#[test]
fn official_files_give_the_fixture_outputs() {
    let Some(interop) = interop() else { return };
    for path in interop.files() {
        let checkpoint = WeightsFile::open(&path).expect("an official file");
        let expected = match path.file_name().and_then(|name| name.to_str()) {
            Some("interop_checkpoint_legacy.pth") => Format::PytorchLegacy,
            Some(name) if name.ends_with(".safetensors") => Format::Safetensors,
            _ => Format::PytorchZip,
        };
        assert_eq!(checkpoint.format(), expected, "{}", path.display());
        // The optimizer's and the counters' tensors are no part of the state dict's shape list.
        let listed = interop.case["entries"].as_array().expect("a list").len();
        assert_eq!(checkpoint.entries().count(), listed, "{}", path.display());
        interop.assert_outputs(&path);
    }
}

/// The head of the fixtures with its weights.
fn loaded_head(interop: &Interop) -> (DecoupledHeadConfig, DecoupledHead) {
    let config = head_config(&interop.case, WarpOptions::official());
    let mut head = config.init(&Device::default());
    let checkpoint = WeightsFile::open(&interop.files()[0]).expect("an official file");
    load(
        &mut head,
        &config.official_keys(),
        &checkpoint,
        LoadPolicy::Whole,
    )
    .expect("the file is that of the head");
    (config, head)
}

fn placeholders(config: &DecoupledHeadConfig) -> Vec<Placeholder> {
    config
        .official_keys()
        .keys()
        .iter()
        .filter(|key| key.path.is_none())
        .map(|key| Placeholder::num_batches_tracked(&key.official))
        .collect()
}

#[test]
fn a_round_trip_is_bit_exact_and_has_the_official_names() {
    let Some(interop) = interop() else { return };
    let folder = TempDir::new().expect("a temporary folder");
    let (config, head) = loaded_head(&interop);
    let keys = config.official_keys();
    let first = folder.path().join("first.safetensors");
    save(&head, &keys, &placeholders(&config), &first).expect("written");

    // The same names, shapes and types as PyTorch's own file, less its `module.`.
    let original = WeightsFile::open(&interop.files()[3]).expect("an official file");
    let exported = WeightsFile::open(&first).expect("just written");
    let original_entries: Vec<_> = original.entries().collect();
    assert_eq!(exported.entries().collect::<Vec<_>>(), original_entries);
    for entry in &original_entries {
        if entry.dtype == DType::F32 {
            let [ours, theirs] = [&exported, &original]
                .map(|file| file.read(&entry.key).expect("whole").expect("listed"));
            assert_eq!(ours.bytes(), theirs.bytes(), "{}", entry.key);
        }
    }

    // Loaded again and saved again, every byte is the same.
    let mut again = config.init(&Device::default());
    load(&mut again, &keys, &exported, LoadPolicy::Whole).expect("its own file");
    let second = folder.path().join("second.safetensors");
    save(&again, &keys, &placeholders(&config), &second).expect("written");
    assert!(fs::read(&first).expect("there") == fs::read(&second).expect("there"));
    interop.assert_outputs(&second);
}

#[test]
fn converting_a_legacy_file_keeps_every_tensor() {
    let Some(interop) = interop() else { return };
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("converted.safetensors");
    for source in interop.files() {
        let source = WeightsFile::open(source).expect("an official file");
        convert(&source, &path).expect("written");
        let converted = WeightsFile::open(&path).expect("just written");
        assert!(converted.entries().eq(source.entries()));
        for entry in source.entries() {
            assert_eq!(
                converted.read(&entry.key).expect("whole"),
                source.read(&entry.key).expect("whole")
            );
        }
    }
}

#[cfg(unix)]
#[test]
fn a_written_file_has_the_usual_permissions() {
    let Some(interop) = interop() else { return };
    let folder = TempDir::new().expect("a temporary folder");
    let (config, head) = loaded_head(&interop);
    let usual = folder.path().join("usual");
    fs::write(&usual, b"").expect("written");
    let path = folder.path().join("head.safetensors");
    save(&head, &config.official_keys(), &[], &path).expect("written");
    let permissions = |path| fs::metadata(path).expect("there").permissions();
    assert_eq!(permissions(&path), permissions(&usual));
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let Some(interop) = interop() else { return };
    let (config, head) = loaded_head(&interop);
    let missing = Path::new("no such folder/weights.safetensors");
    let error = save(&head, &config.official_keys(), &[], missing).expect_err("no folder");
    assert!(matches!(error, WeightsError::Write { path, .. } if path == missing));
}

fn tiny(num_classes: usize) -> DecoupledSegNetConfig {
    DecoupledSegNetConfig::tiny(num_classes)
}

fn values<M: Module>(module: &M) -> Vec<(String, TensorData)> {
    module
        .collect(None, None, true)
        .into_iter()
        .map(|tensor| {
            let data = TensorData::try_from_bytes(
                tensor.to_bytes().expect("in memory"),
                tensor.shape.clone(),
                tensor.dtype,
            );
            (tensor.name, data.expect("whole"))
        })
        .collect()
}

#[test]
fn another_network_is_refused_whole_and_named() {
    let device = Device::default();
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("plain.safetensors");
    let plain = tiny(5).plain();
    plain.init(&device).save_weights(&path).expect("written");

    let decoupled = tiny(7);
    let mut network = decoupled.init(&device);
    let before = values(&network);
    let error = network
        .load_weights(&path, LoadPolicy::Whole)
        .expect_err("a plain network");
    let WeightsError::Mismatch { mismatch, .. } = &error else {
        panic!("expected a mismatch, got {error}");
    };
    assert!(
        mismatch
            .missing
            .iter()
            .any(|key| key == "final_seg.6.weight")
    );
    assert!(
        mismatch
            .unexpected
            .iter()
            .any(|key| key == "final.6.weight")
    );
    assert_eq!(values(&network), before, "nothing may be loaded");
    let message = error.to_string();
    assert!(message.contains("plain.safetensors"), "{message}");
    assert!(
        message.contains("missing (squeeze_body_edge") || message.contains("missing (edge"),
        "{message}"
    );
}

#[test]
fn partial_loading_takes_what_fits_and_reports_the_rest() {
    let device = Device::default();
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("five.safetensors");
    let five = tiny(5);
    let source = five.init(&device);
    source.save_weights(&path).expect("written");

    let seven = tiny(7);
    let mut network = seven.init(&device);
    let before = network.clone();
    let report = network
        .load_weights(&path, LoadPolicy::Partial)
        .expect("most fits");
    let misshaped: Vec<(&str, &[usize], &[usize])> = report
        .left_out
        .misshaped
        .iter()
        .map(|tensor| (tensor.key.as_str(), &tensor.expected[..], &tensor.found[..]))
        .collect();
    assert_eq!(
        misshaped,
        [
            (
                "dsn_seg_body.3.weight",
                &[7, 32, 1, 1][..],
                &[5, 32, 1, 1][..]
            ),
            ("final_seg.6.weight", &[7, 32, 1, 1], &[5, 32, 1, 1]),
        ]
    );
    assert!(report.left_out.missing.is_empty() && report.left_out.unexpected.is_empty());
    assert_eq!(values(&network.backbone), values(&source.backbone));
    let classifier = "decoder.segmentation.classifier.weight";
    let find =
        |values: Vec<(String, TensorData)>| values.into_iter().find(|(name, _)| name == classifier);
    assert_eq!(find(values(&network)), find(values(&before)));
    assert!(find(values(&network)).is_some());
}

#[test]
fn partial_loading_of_a_file_that_fits_nowhere_is_an_error() {
    let Some(interop) = interop() else { return };
    let device = Device::default();
    let config = tiny(5).plain();
    let mut network = config.init(&device);
    let error = network
        .load_weights(&interop.files()[0], LoadPolicy::Partial)
        .expect_err("the file is a head of other sizes");
    assert!(matches!(error, WeightsError::Mismatch { .. }), "{error}");
}

#[test]
fn backbones_load_from_classifiers_and_from_networks() {
    let device = Device::default();
    let folder = TempDir::new().expect("a temporary folder");
    for stem in [Stem::Deep, Stem::Torchvision] {
        let backbone = ResNetConfig::resnet18().with_width(4).with_stem(stem);
        let config = tiny(5).with_backbone(backbone.clone());
        let source = config.init(&device);

        let classifier = folder.path().join("classifier.safetensors");
        let names = decoupled_seg::backbones::BackboneNames::Classifier;
        let with_fc = Placeholder {
            key: "fc.weight".to_string(),
            data: TensorData::zeros::<f32, _>([10, 32]),
        };
        save(
            &source.backbone,
            &backbone.official_keys(names),
            &[with_fc],
            &classifier,
        )
        .expect("written");
        let whole = folder.path().join("network.safetensors");
        source.save_weights(&whole).expect("written");

        // A file says itself what it is, and which stem it has.
        let other = match stem {
            Stem::Deep => Stem::Torchvision,
            Stem::Torchvision => Stem::Deep,
        };
        let resnet = ResNetConfig::resnet18().with_width(4).with_stem(other);
        for (path, is_whole) in [(&classifier, false), (&whole, true)] {
            let file = WeightsFile::open(path).expect("just written");
            let fitted = tiny(5).with_backbone(resnet.clone()).with_stem_of(&file);
            assert_eq!(fitted.to_string(), config.to_string());
            let mut network = fitted.init(&device);
            let report = network.load_pretrained(&file).expect("of the same network");
            assert_eq!(values(&network.backbone), values(&source.backbone));
            assert_eq!(values(&network) == values(&source), is_whole);
            assert!(report.left_out.missing.is_empty(), "{}", report.left_out);
        }

        for (path, policy) in [
            (&classifier, LoadPolicy::Whole),
            (&whole, LoadPolicy::Partial),
        ] {
            let mut network = config.init(&device);
            assert_ne!(values(&network.backbone), values(&source.backbone));
            let report = network
                .load_backbone(path, policy)
                .expect("a backbone is in there");
            assert_eq!(values(&network.backbone), values(&source.backbone));
            assert!(report.left_out.missing.is_empty());
        }
    }
}

#[test]
fn wide_backbones_load_from_classifiers_and_from_networks() {
    let device = Device::default();
    let folder = TempDir::new().expect("a temporary folder");
    let backbone = WideResNet38Config::new().with_width(2);
    let config = tiny(5).with_backbone(backbone.clone());
    let source = config.init(&device);
    let classifier = folder.path().join("classifier.safetensors");
    let names = decoupled_seg::backbones::BackboneNames::Classifier;
    let keys = backbone.official_keys(names);
    save(&source.backbone, &keys, &[], &classifier).expect("written");
    let whole = folder.path().join("network.safetensors");
    source.save_weights(&whole).expect("written");
    for (path, is_whole) in [(&classifier, false), (&whole, true)] {
        let file = WeightsFile::open(path).expect("just written");
        let mut network = config.init(&device);
        network.load_pretrained(&file).expect("of the same network");
        assert_eq!(values(&network.backbone), values(&source.backbone));
        assert_eq!(values(&network) == values(&source), is_whole);
    }
    let file = WeightsFile::open(&classifier).expect("just written");
    let error = tiny(5)
        .init(&device)
        .load_pretrained(&file)
        .expect_err("another backbone");
    assert!(matches!(error, WeightsError::Mismatch { .. }), "{error}");
}

#[test]
fn other_types_of_number_are_converted() {
    let device = Device::default();
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("half.safetensors");
    let config = tiny(5);
    let source = config.init(&device);
    let half: Vec<Placeholder> = config
        .official_keys()
        .keys()
        .iter()
        .filter_map(|key| {
            let path = key.path.as_ref()?;
            let (_, data) = values(&source).into_iter().find(|(name, _)| name == path)?;
            Some(Placeholder {
                key: key.official.clone(),
                data: data.convert_dtype(DType::F16),
            })
        })
        .collect();
    let nothing: Vec<decoupled_seg::nn::ConvNormAct> = Vec::new();
    save(&nothing, &config.official_keys(), &half, &path).expect("written");
    let file = WeightsFile::open(&path).expect("just written");
    assert!(file.entries().all(|entry| entry.dtype == DType::F16));

    let mut network = config.init(&device);
    network
        .load_weights(&path, LoadPolicy::Whole)
        .expect("the same network in half precision");
    for ((name, ours), (_, original)) in values(&network).into_iter().zip(values(&source)) {
        assert_eq!(ours.dtype(), DType::F32, "{name}");
        let rounded = original.convert_dtype(DType::F16).convert_dtype(DType::F32);
        assert_eq!(ours, rounded, "{name}");
    }
}

/// Written by `export` at commit 17bb5f4.
#[test]
fn an_early_export_loads_whole() {
    let config = DecoupledSegNetConfig::tiny(11);
    let mut network = config.init(&Device::default());
    let path = decoupled_seg_fixtures::default_folder().join("exported_tiny.safetensors");
    let report = network
        .load_weights(&path, LoadPolicy::Whole)
        .expect("what was written once is read for ever");
    assert_eq!(report.loaded.len(), network.collect(None, None, true).len());
    let file = WeightsFile::open(&path).expect("whole");
    let report = network.load_pretrained(&file).expect("the same as a start");
    assert!(report.left_out.is_empty(), "{}", report.left_out);
}
