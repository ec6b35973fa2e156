//! What inference costs: backbones, context heads, whole networks, and the share of body and edge in them.
//! The same networks in PyTorch: `benches/peers/networks.py`.
//!
//! `NETWORKS_SIZE` (512) sets the side of the image in pixels; with `NETWORKS_ALL` set, ResNet-101 and WideResNet-38 run
//! too, which takes long on a CPU. On a device that computes in bf16 fast, `NETWORKS_DTYPE=bf16` runs everything in it.

use std::time::Duration;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Distribution, FloatDType, Tensor};
use criterion::{BenchmarkGroup, Criterion, SamplingMode, criterion_group, criterion_main};
use decoupled_seg::DecoupledSegNetConfig;
use decoupled_seg::backbones::{ResNetConfig, WideResNet38Config};
use decoupled_seg::body_edge::{DecoupledHeadConfig, PlainDecoderConfig};
use decoupled_seg::heads::{AsppConfig, FcnHeadConfig, PyramidPoolingConfig};
use decoupled_seg::nn::SegmentationModel;
use decoupled_seg::nn::{Fold, Size};

const CLASSES: usize = 19;

struct Setting {
    device: Device,
    size: usize,
    dtype: FloatDType,
    all: bool,
}

impl Setting {
    fn read() -> Self {
        let size = std::env::var("NETWORKS_SIZE").map_or(512, |size| {
            size.parse().expect("NETWORKS_SIZE is a number of pixels")
        });
        let dtype = match std::env::var("NETWORKS_DTYPE").as_deref() {
            Ok("f16") => FloatDType::F16,
            Ok("bf16") => FloatDType::BF16,
            Ok("f32") | Err(_) => FloatDType::F32,
            Ok(other) => panic!("NETWORKS_DTYPE is f32, f16 or bf16, got {other}"),
        };
        Self {
            device: Device::default(),
            size,
            dtype,
            all: std::env::var_os("NETWORKS_ALL").is_some(),
        }
    }

    fn random(&self, channels: usize, stride: usize) -> Tensor<4> {
        let side = self.size / stride;
        let distribution = Distribution::Normal(0.0, 1.0);
        Tensor::<4>::random([1, channels, side, side], distribution, &self.device).cast(self.dtype)
    }

    fn cast<M: Module>(&self, module: M) -> M {
        module.map(&mut Cast(self.dtype))
    }

    fn bench(
        &self,
        group: &mut BenchmarkGroup<'_, criterion::measurement::WallTime>,
        name: &str,
        input: &Tensor<4>,
        forward: impl Fn(Tensor<4>) -> Tensor<4>,
    ) {
        let shape = input.dims().map(|length| length.to_string()).join("x");
        let finite: f32 = forward(input.clone())
            .cast(FloatDType::F32)
            .abs()
            .max()
            .into_scalar();
        assert!(finite.is_finite(), "{name} gives {finite}");
        group.bench_function(format!("{name}/{shape}"), |bencher| {
            bencher.iter(|| {
                let output = forward(input.clone());
                self.device.sync().expect("the device works");
                output
            });
        });
    }
}

struct Cast(FloatDType);

impl ModuleMapper for Cast {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.cast(self.0))
    }
}

fn group<'a>(
    criterion: &'a mut Criterion,
    name: &str,
) -> BenchmarkGroup<'a, criterion::measurement::WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    group
}

fn backbones(criterion: &mut Criterion) {
    let setting = Setting::read();
    let images = setting.random(3, 1);
    let mut group = group(criterion, "networks/backbone");
    let mut resnets = vec![("resnet50", ResNetConfig::resnet50())];
    if setting.all {
        resnets.push(("resnet101", ResNetConfig::resnet101()));
    }
    for (name, config) in resnets {
        let backbone = setting.cast(config.init(&setting.device).fold());
        setting.bench(&mut group, name, &images, |images| {
            backbone.forward(images).c4
        });
    }
    if setting.all {
        let config = WideResNet38Config::new();
        let backbone = setting.cast(config.init(&setting.device).fold());
        setting.bench(&mut group, "wide_resnet38", &images, |images| {
            backbone.forward(images).c4
        });
    }
    group.finish();
}

fn heads(criterion: &mut Criterion) {
    let setting = Setting::read();
    let stage = setting.random(2048, 8);
    let channels = [2048, 256];
    let mut group = group(criterion, "networks/context");
    let fcn = setting.cast(FcnHeadConfig::new(channels).init(&setting.device));
    setting.bench(&mut group, "fcn", &stage, |stage| fcn.forward(stage));
    let pyramid = setting.cast(PyramidPoolingConfig::new(channels).init(&setting.device));
    setting.bench(&mut group, "pyramid", &stage, |stage| {
        pyramid.forward(stage)
    });
    let aspp = setting.cast(AsppConfig::new(channels).init(&setting.device));
    setting.bench(&mut group, "aspp", &stage, |stage| aspp.forward(stage));
    group.finish();
}

fn decoders(criterion: &mut Criterion) {
    let setting = Setting::read();
    let context = setting.random(256, 8);
    let low_level = setting.random(256, 4);
    let size = Size::square(setting.size);
    let mut group = group(criterion, "networks/decoder");

    let plain = PlainDecoderConfig::new(CLASSES).with_fine(Some([256, 48]));
    let plain = setting.cast(plain.init(&setting.device));
    setting.bench(&mut group, "plain", &context, |context| {
        plain.forward(context, Some(low_level.clone()), size).logits
    });
    let head = DecoupledHeadConfig::new(CLASSES).with_fine(Some([256, 48]));
    let head = setting.cast(head.init(&setting.device));
    setting.bench(&mut group, "body_edge_module", &context, |context| {
        head.body_edge.forward(context).body
    });
    setting.bench(&mut group, "decoupled", &context, |context| {
        head.forward_logits(context, Some(low_level.clone()), size)
    });
    setting.bench(&mut group, "decoupled_all_outputs", &context, |context| {
        head.forward(context, Some(low_level.clone()), size)
            .supervision
            .expect("a decoupled head")
            .edge_logits
    });
    group.finish();
}

fn networks(criterion: &mut Criterion) {
    let setting = Setting::read();
    let images = setting.random(3, 1);
    let mut group = group(criterion, "networks/predict");
    let mut configs = vec![
        (
            "deeplabv3plus_resnet50",
            DecoupledSegNetConfig::deeplabv3plus_resnet50(CLASSES),
        ),
        (
            "pspnet_resnet50",
            DecoupledSegNetConfig::pspnet_resnet50(CLASSES),
        ),
    ];
    if setting.all {
        configs.push((
            "deeplabv3plus_resnet101",
            DecoupledSegNetConfig::deeplabv3plus_resnet101(CLASSES),
        ));
        configs.push((
            "deeplabv3plus_wide_resnet38",
            DecoupledSegNetConfig::deeplabv3plus_wide_resnet38(CLASSES),
        ));
    }
    for (name, config) in configs {
        for (config, suffix) in [(config.clone().plain(), "plain"), (config, "decoupled")] {
            let network = config.init(&setting.device);
            let folded = network.for_inference(setting.dtype);
            let id = format!("{name}_{suffix}_folded");
            setting.bench(&mut group, &id, &images, |images| folded.predict(images));
            if setting.dtype == FloatDType::F32 {
                let id = format!("{name}_{suffix}");
                setting.bench(&mut group, &id, &images, |images| network.predict(images));
            }
        }
    }
    group.finish();
}

fn memory(_: &mut Criterion) {
    decoupled_seg::keep_freed_memory();
}

criterion_group!(benches, memory, decoders, heads, backbones, networks);
criterion_main!(benches);
