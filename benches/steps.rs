//! Steps of training and prediction on command: our side of `benches/peers/training.py --ours` and `networks.py --ours`,
//! which let this program and PyTorch take turns.
//!
//! ```text
//! steps CASE WEIGHTS      builds the network and writes its weights to WEIGHTS
//! steps CASE              builds the same network, says `ready`, and reads commands:
//! step                    one step; answers with the seconds, the loss (0 for a prediction), and the seconds of processor
//!                         time
//! save FILE               the last prediction, as raw f32
//! memory                  the most memory that was in use since the start, and what was in use before, in MiB
//! ```

use std::error::Error;
use std::fs;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use decoupled_seg::backbones::ResNetConfig;
use decoupled_seg::engine::SgdRecipe;
use decoupled_seg::heads::FcnHeadConfig;
use decoupled_seg::losses::{
    DecoupledLoss, DecoupledLossConfig, IGNORE_INDEX, Targets, TargetsOptions,
};
use decoupled_seg::nn::{Arithmetic, SegmentationModel};
use decoupled_seg::{DecoderConfig, DecoupledSegNet, DecoupledSegNetConfig};

const CLASSES: usize = 11;

/// A network and the images that it gets.
struct Case {
    config: DecoupledSegNetConfig,
    images: [usize; 4],
    /// `train`, `predict` or, from the network's inference form, `folded` and, with exact arithmetic, `exact`.
    mode: String,
}

impl Case {
    /// From `MODE/NETWORK_plain/BATCHx3xHEIGHTxWIDTH`.
    fn parse(name: &str) -> Result<Self, Box<dyn Error>> {
        let [mode, network, shape] = name.split('/').collect::<Vec<_>>()[..] else {
            return Err(format!("`{name}`: expected MODE/NETWORK/BATCHx3xHEIGHTxWIDTH").into());
        };
        let sides: Vec<usize> = shape.split('x').map(str::parse).collect::<Result<_, _>>()?;
        let images = sides.try_into().map_err(|_| "a shape has four sides")?;
        let (base, plain) = match network.strip_suffix("_plain") {
            Some(base) => (base, true),
            None => (network, false),
        };
        let config = match base {
            "narrow" => DecoupledSegNetConfig::tiny(CLASSES),
            "narrow16" => narrow(16),
            "narrow32" => narrow(32),
            "narrow64" => narrow(64),
            "fcn_resnet18" => {
                let backbone = ResNetConfig::resnet18();
                let [.., last] = backbone.channels();
                DecoupledSegNetConfig::new(CLASSES, backbone, FcnHeadConfig::new([last, 256]))
            }
            "fcn_resnet50" => DecoupledSegNetConfig::fcn_resnet50(CLASSES),
            "deeplabv3plus_resnet50" => DecoupledSegNetConfig::deeplabv3plus_resnet50(CLASSES),
            "fcn_mobilenet_v3_large" => DecoupledSegNetConfig::fcn_mobilenet_v3_large(CLASSES),
            other => return Err(format!("no network `{other}`").into()),
        };
        Ok(Self {
            config: if plain { config.plain() } else { config },
            images,
            mode: mode.to_owned(),
        })
    }

    /// Numbers without a pattern, as in `benches/peers/losses.py`.
    fn images(&self, device: &Device) -> Tensor<4> {
        let len = self.images.iter().product::<usize>();
        let value = |n: usize| ((n * 7919 + 104_729) % 2003) as f32 / 2003.0 * 4.0 - 2.0;
        let values: Vec<f32> = (0..len).map(value).collect();
        Tensor::from_data(TensorData::new(values, self.images), device)
    }

    /// Bands and boxes of all classes, with an ignored corner, as in `benches/peers/losses.py`.
    fn labels(&self, device: &Device) -> Tensor<3, Int> {
        let [batch, _, height, width] = self.images;
        let label = |image: usize, y: usize, x: usize| {
            let block = (y / 37 * 7 + x / 53 * 5 + image) % CLASSES;
            if y < height / 16 && x < width / 8 {
                IGNORE_INDEX as i32
            } else if (x + 2 * y) % 97 < 6 {
                ((block + 1) % CLASSES) as i32
            } else {
                block as i32
            }
        };
        let pixels: Vec<i32> = (0..batch * height * width)
            .map(|n| label(n / (height * width), n / width % height, n % width))
            .collect();
        Tensor::from_data(TensorData::new(pixels, [batch, height, width]), device)
    }
}

/// `DecoupledSegNetConfig::tiny`, whose backbone is 8 channels wide, with all channels as many times as wide.
fn narrow(width: usize) -> DecoupledSegNetConfig {
    let backbone = ResNetConfig::resnet18().with_width(width);
    let [.., last] = backbone.channels();
    DecoupledSegNetConfig::new(CLASSES, backbone, FcnHeadConfig::new([last, 4 * width]))
        .with_fine_channels(Some(2 * width))
        .map_head(|head| head.with_edge_channels(2 * width))
}

struct Training {
    network: Option<DecoupledSegNet>,
    optimizer: ModuleOptimizer,
    learning_rate: f64,
    loss: DecoupledLoss,
    targets: Targets,
    images: Tensor<4>,
}

impl Training {
    fn new(case: &Case, network: DecoupledSegNet, device: &Device) -> Self {
        let device = device.clone().autodiff();
        let labels = case.labels(&device);
        let targets = match matches!(case.config.decoder, DecoderConfig::Decoupled(_)) {
            true => Targets::from_labels(labels, CLASSES, &TargetsOptions::paper()),
            false => Targets::plain(labels),
        };
        let recipe = SgdRecipe::default();
        Self {
            network: Some(network.fork(&device).train()),
            optimizer: recipe.init(),
            learning_rate: recipe.learning_rate,
            loss: DecoupledLossConfig::new().init(),
            targets,
            images: case.images(&device),
        }
    }

    fn step(&mut self) -> f32 {
        let network = self.network.take().expect("put back after every step");
        let output = network.forward(self.images.clone());
        let terms = self.loss.forward(&output, &self.targets);
        drop(output);
        let gradients = GradientsParams::from_grads(terms.total.backward(), &network);
        self.network = Some(self.optimizer.step(self.learning_rate, network, gradients));
        terms.total.into_scalar()
    }
}

struct Predicting {
    network: DecoupledSegNet,
    images: Tensor<4>,
    last: Option<Tensor<4>>,
}

enum Work {
    Train(Box<Training>),
    Predict(Box<Predicting>),
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let Some((name, weights)) = arguments.split_first() else {
        eprintln!("run by benches/peers/training.py and networks.py");
        return Ok(());
    };
    decoupled_seg::keep_freed_memory();
    let before = memory("VmRSS");
    let device = Device::default();
    let case = Case::parse(name)?;
    device.seed(1);
    let network = case.config.init(&device);
    // In a run of its own, so that the memory it takes is not counted.
    if let [weights] = weights {
        return Ok(network.save_weights(weights)?);
    }
    let mut work = match case.mode.as_str() {
        "train" => Work::Train(Box::new(Training::new(&case, network, &device))),
        "predict" | "folded" | "exact" => Work::Predict(Box::new(Predicting {
            // A folded one replaces the network, as it does where only the former is needed.
            network: match case.mode.as_str() {
                "folded" => folded(network, Arithmetic::Fast),
                "exact" => folded(network, Arithmetic::Exact),
                _ => network,
            },
            images: case.images(&device),
            last: None,
        })),
        other => return Err(format!("no mode `{other}`").into()),
    };
    answer(format_args!("ready"))?;
    for line in stdin().lock().lines() {
        let line = line?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("step", _) => {
                let (start, before) = (Instant::now(), processor_time());
                let loss = match &mut work {
                    Work::Train(training) => training.step(),
                    Work::Predict(work) => {
                        work.last = None;
                        work.last = Some(work.network.predict(work.images.clone()));
                        0.0
                    }
                };
                device.sync()?;
                let (seconds, busy) = (start.elapsed().as_secs_f64(), processor_time() - before);
                answer(format_args!("{seconds} {loss} {busy}"))?;
            }
            ("save", path) => {
                if let Work::Predict(work) = &work
                    && let Some(output) = &work.last
                {
                    save(output.clone(), Path::new(path))?;
                }
                answer(format_args!("saved"))?;
            }
            ("memory", _) => answer(format_args!("{} {before}", memory("VmHWM")))?,
            (other, _) => return Err(format!("no command `{other}`").into()),
        }
    }
    Ok(())
}

fn folded(network: DecoupledSegNet, arithmetic: Arithmetic) -> DecoupledSegNet {
    network.for_inference_with(FloatDType::F32, arithmetic)
}

fn answer(line: std::fmt::Arguments<'_>) -> std::io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn save(output: Tensor<4>, path: &Path) -> Result<(), Box<dyn Error>> {
    let values: Vec<f32> = output.try_into_vec_as()?;
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    Ok(fs::write(path, bytes)?)
}

/// Seconds that the threads of this process have run, where the system tells it: 0 elsewhere.
fn processor_time() -> f64 {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return 0.0;
    };
    let nanoseconds = threads.flatten().filter_map(|thread| {
        let statistics = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        statistics.split(' ').next()?.parse::<u64>().ok()
    });
    nanoseconds.sum::<u64>() as f64 * 1e-9
}

/// A figure of this process in MiB, where the system tells it: 0 elsewhere.
fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
