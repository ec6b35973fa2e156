//! One prediction by us, by rten and by onnxruntime, from one network: the fastest of some runs, taken in turns.
//!
//! ```sh
//! ONNX_PYTHON=venv/bin/python cargo bench --bench onnx
//! ```
//!
//! Without `ONNX_PYTHON`, a Python with onnx, onnxruntime and Pillow, that column stays empty. The files go to `target/onnx`.
//! All programs take bytes of 360x480 pixels and give labels, on as many threads as there are cores.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use decoupled_seg::DecoupledSegNet;
use decoupled_seg::datasets::augment::Normalization;
use decoupled_seg::network::NetworkPreset;
use decoupled_seg::nn::{SegmentationModel, Size};
use decoupled_seg::onnx::OnnxExport;
use image::RgbImage;
use rten::{Model, Value};

const SIZE: Size = Size::new(360, 480);
const CLASSES: usize = 11;
const NETWORKS: [&str; 4] = [
    "tiny",
    "fcn-mobilenet-v3-large",
    "pspnet-resnet50",
    "deeplabv3plus-resnet50",
];

fn main() {
    decoupled_seg::keep_freed_memory();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/onnx");
    std::fs::create_dir_all(&folder).expect("a folder for the files");
    let python = std::env::var_os("ONNX_PYTHON");
    println!("| network, {SIZE} | file, MB | ours, ms | rten, ms | onnxruntime, ms |");
    println!("|---|---:|---:|---:|---:|");
    for name in NETWORKS {
        for plain in [true, false] {
            let preset: NetworkPreset = name.parse().expect("a network");
            let config = preset.config(CLASSES);
            let (config, kind) = match plain {
                true => (config.plain(), "plain"),
                false => (config, "module"),
            };
            let network = config.init(&Device::default());
            let network = network.for_inference(FloatDType::F32);
            let file = OnnxExport::new(SIZE).export(&network).expect("translated");
            let path = folder.join(format!("{name}-{kind}.onnx"));
            file.save(&path).expect("writable");

            let picture = RgbImage::from_fn(SIZE.width as u32, SIZE.height as u32, |x, y| {
                image::Rgb([x as u8, y as u8, (x * y) as u8])
            });
            let model = Model::load(file.to_bytes()).expect("rten reads it");
            let runs = if name == "tiny" { 20 } else { 4 };
            let (mut ours, mut theirs) = (f64::MAX, f64::MAX);
            for _ in 0..runs {
                ours = ours.min(milliseconds(|| predict(&network, &picture)));
                theirs = theirs.min(milliseconds(|| run(&model, &picture)));
            }
            let others = python
                .as_deref()
                .map(|python| onnxruntime(python, &path, runs));
            println!(
                "| {}, {kind} | {:.1} | {ours:.1} | {theirs:.1} | {} |",
                preset.title,
                file.len() as f64 / 1e6,
                others.unwrap_or_default()
            );
        }
    }
}

fn milliseconds(run: impl FnOnce() -> usize) -> f64 {
    let start = Instant::now();
    assert_eq!(run(), SIZE.pixels(), "a label for each pixel");
    1e3 * start.elapsed().as_secs_f64()
}

fn predict(network: &DecoupledSegNet, picture: &RgbImage) -> usize {
    let values = Normalization::default().apply(picture);
    let images = TensorData::new(values, [1, 3, SIZE.height, SIZE.width]);
    let images = Tensor::from_data(images, &Device::default());
    let labels = network.predict(images).argmax(1);
    let labels = labels.try_into_vec_as::<u8>().expect("11 classes");
    labels.len()
}

fn run(model: &Model, picture: &RgbImage) -> usize {
    let shape = [1, SIZE.height, SIZE.width, 3];
    let image = Value::from_shape(shape, picture.as_raw().clone()).expect("its size");
    let labels = model.node_id("labels").expect("an output");
    let [labels] = model
        .run_n(vec![(model.input_ids()[0], image.into())], [labels], None)
        .expect("rten runs it");
    let (_, labels) = labels.into_shape_vec::<u8, 3>().expect("bytes");
    labels.len()
}

/// The fastest run, in milliseconds, as the script prints it.
fn onnxruntime(python: &OsStr, path: &Path, runs: usize) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/onnx.py");
    let output = Command::new(python)
        .arg(script)
        .arg("speed")
        .arg(path)
        .args(["--runs", &runs.to_string()])
        .output()
        .expect("ONNX_PYTHON is a Python");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let fastest = text
        .split("fastest ")
        .nth(1)
        .and_then(|rest| rest.split(')').next());
    fastest.expect("the script prints it").to_string()
}
