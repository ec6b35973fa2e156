//! `bench`: how long a network takes for an image on this device.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Distribution, FloatDType, Tensor};
use clap::{Args, ValueEnum};
use decoupled_seg::DecoupledSegNet;
use decoupled_seg::datasets::BandImage;
use decoupled_seg::datasets::augment::Normalization;
use decoupled_seg::engine::{EngineError, Inference, InputImage, Progress, Protocol, Window};
use decoupled_seg::nn::SegmentationModel;
use decoupled_seg_types::{Size, TextTable};
use image::RgbImage;
use serde_json::{Value, json};

use crate::CliError;
use crate::args::picture_size;
use crate::checkpoint::CheckpointArgs;
use crate::device::DeviceArgs;
use crate::network_args::NetworkArgs;
use crate::say::say;

#[derive(Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    device: DeviceArgs,
    /// Folder of a run, whose network to time.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    /// Number of classes; a run knows its own.
    #[arg(long, default_value_t = 19, value_parser = clap::value_parser!(u8).range(1..),
        conflicts_with_all = ["out", "checkpoint"])]
    classes: u8,
    /// Size of the images, in pixels.
    #[arg(long, value_name = "HEIGHTxWIDTH", default_value = "512x512", value_parser = picture_size)]
    size: Size,
    /// Images a batch.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Timed predictions of each form, behind three that are not timed.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Besides, show one image in tiles of so many pixels a side, as `eval --tile` does, `--batch` tiles at a time; in f32.
    #[arg(long, value_name = "PIXELS")]
    tile: Option<usize>,
    /// Number types to calculate in.
    #[arg(long, num_args = 1.., value_delimiter = ',', default_value = "f32")]
    types: Vec<NumberType>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NumberType {
    F32,
    F16,
    Bf16,
}

impl NumberType {
    const fn dtype(self) -> FloatDType {
        match self {
            Self::F32 => FloatDType::F32,
            Self::F16 => FloatDType::F16,
            Self::Bf16 => FloatDType::BF16,
        }
    }

    /// The form of a folded network in this type.
    const fn folded(self) -> &'static str {
        match self {
            Self::F32 => "f32, norms folded",
            Self::F16 => "f16, norms folded",
            Self::Bf16 => "bf16, norms folded",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }
}

/// Predictions before the timed ones: the first ones compile kernels and take memory.
const WARM_UP: u32 = 3;

/// A picture that shows nothing, of as many channels as a network reads.
enum Picture {
    Rgb(RgbImage),
    Bands(BandImage),
}

impl Picture {
    fn new(size: Size, channels: usize) -> Self {
        let Size { height, width } = size;
        if channels == 3 {
            return Self::Rgb(RgbImage::from_fn(width as u32, height as u32, |x, y| {
                [7 * x + 3 * y, 5 * x, 11 * y]
                    .map(|value| (value % 256) as u8)
                    .into()
            }));
        }
        let values = (0..size.pixels() * channels).map(|index| (251 * index % 65_536) as u16);
        Self::Bands(BandImage::new(size, channels, values.collect()))
    }

    fn as_input(&self) -> InputImage<'_> {
        match self {
            Self::Rgb(image) => image.into(),
            Self::Bands(image) => image.into(),
        }
    }
}

/// The times of one form of the network, sorted.
struct Times {
    form: String,
    /// Images that a prediction takes.
    images: u32,
    sorted: Vec<Duration>,
}

impl Times {
    /// The time that a share of the predictions does not exceed.
    fn quantile(&self, share: f64) -> Duration {
        let last = self.sorted.len() - 1;
        self.sorted[((share * self.sorted.len() as f64).ceil() as usize).clamp(1, last + 1) - 1]
    }

    fn images_per_second(&self) -> f64 {
        let total: Duration = self.sorted.iter().sum();
        f64::from(self.images) * self.sorted.len() as f64 / total.as_secs_f64()
    }
}

pub(crate) fn run(args: &BenchArgs) -> Result<(), CliError> {
    let device = args.device.open()?;
    let protocol = args.protocol()?;
    let network = args.network(&device)?;
    let least = network.min_image_side();
    if args.size.height.min(args.size.width) < least {
        let size = args.size;
        return Err(EngineError::SmallImages { size, least }.into());
    }
    let mut times = Vec::new();
    for kind in &args.types {
        if !device.supports_dtype(kind.dtype()) {
            return Err(EngineError::Precision {
                device: format!("{device:?}"),
                dtype: kind.name().to_string(),
            }
            .into());
        }
        // In f32 the network as it was trained is beside its folded form.
        if *kind == NumberType::F32 {
            times.push(args.time("f32, as trained", &network, *kind, &device));
        }
        let folded = network.for_inference(kind.dtype());
        let form = kind.folded();
        times.push(args.time(form, &folded, *kind, &device));
    }
    if let Some(protocol) = &protocol {
        let kind = NumberType::F32;
        let folded = network.for_inference(kind.dtype());
        times.push(args.time_tiles(kind.folded(), &folded, protocol, &device));
    }
    let memory = peak_memory();
    match args.json {
        true => say!("{:#}", args.as_json(&times, memory, &device)),
        false => args.print(&times, memory, &device),
    }
    Ok(())
}

impl BenchArgs {
    fn network(&self, device: &Device) -> Result<DecoupledSegNet, CliError> {
        let Some(named) = self.checkpoint.open_named(self.out.as_deref()) else {
            return Ok(self.network.config(self.classes.into())?.init(device));
        };
        if self.network.says_anything() {
            return Err(CliError::NetworkOfRun);
        }
        let (checkpoint, network) = named?;
        Ok(checkpoint.load(network.init(device))?)
    }

    fn time(
        &self,
        form: &'static str,
        network: &DecoupledSegNet,
        kind: NumberType,
        device: &Device,
    ) -> Times {
        let Size { height, width } = self.size;
        let shape = [self.batch as usize, network.in_channels(), height, width];
        let images = Tensor::<4>::random(shape, Distribution::Default, device).cast(kind.dtype());
        let predict = || {
            let labels = network.predict(images.clone()).argmax(1);
            device
                .sync()
                .expect("the device finishes what it was given");
            drop(labels);
        };
        self.times(form, form.to_string(), self.batch, predict)
    }

    /// How the image is shown in tiles, if it is.
    fn protocol(&self) -> Result<Option<Protocol>, CliError> {
        let Some(tile) = self.tile else {
            return Ok(None);
        };
        let protocol = Protocol {
            window: Window::sliding(tile),
            tile_batch: self.batch as usize,
            ..Protocol::default()
        };
        protocol.validate()?;
        Ok(Some(protocol))
    }

    fn time_tiles(
        &self,
        form: &str,
        network: &DecoupledSegNet,
        protocol: &Protocol,
        device: &Device,
    ) -> Times {
        let channels = network.in_channels();
        let normalization = match channels {
            3 => Normalization::default(),
            bands => Normalization {
                mean: vec![0.5; bands],
                std: vec![0.5; bands],
            },
        };
        let mut inference = Inference::new(protocol.clone(), normalization, device);
        let picture = Picture::new(self.size, channels);
        let form = format!("{form}, tiles of {}", self.tile.unwrap_or_default());
        // The labels arrive on the host, so the device has finished.
        let predict = || drop(inference.labels(network, picture.as_input()));
        self.times("in tiles", form, 1, predict)
    }

    fn times(
        &self,
        title: &'static str,
        form: String,
        images: u32,
        mut predict: impl FnMut(),
    ) -> Times {
        let counter = Progress::Auto.count(title, (WARM_UP + self.runs) as usize);
        let mut sorted: Vec<Duration> = (0..WARM_UP + self.runs)
            .map(|done| {
                let start = Instant::now();
                predict();
                counter.at(done as usize + 1);
                start.elapsed()
            })
            .skip(WARM_UP as usize)
            .collect();
        counter.finish();
        sorted.sort();
        Times {
            form,
            images,
            sorted,
        }
    }

    fn print(&self, times: &[Times], memory: Option<u64>, device: &Device) {
        say!(
            "{} image{} of {} (height x width) on {device:?}, {} predictions with arg-max, milliseconds\n",
            self.batch,
            if self.batch == 1 { "" } else { "s" },
            self.size,
            self.runs
        );
        let milliseconds = |time: Duration| format!("{:.1}", 1e3 * time.as_secs_f64());
        let header = ["form", "p50", "p90", "p99", "images/s"];
        let table = times.iter().fold(TextTable::new(header), |table, times| {
            let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| milliseconds(times.quantile(share)));
            let speed = format!("{:.2}", times.images_per_second());
            table.with_row([times.form.clone(), p50, p90, p99, speed])
        });
        say!("{table}");
        if let Some(bytes) = memory {
            say!("peak memory of the process: {} MiB", bytes >> 20);
        }
    }

    fn as_json(&self, times: &[Times], memory: Option<u64>, device: &Device) -> Value {
        let forms = times.iter().map(|times| {
            let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| times.quantile(share).as_secs_f64());
            json!({
                "form": times.form,
                "p50_seconds": p50,
                "p90_seconds": p90,
                "p99_seconds": p99,
                "images_per_second": times.images_per_second(),
            })
        });
        json!({
            "device": format!("{device:?}"),
            "batch": self.batch,
            "image": { "height": self.size.height, "width": self.size.width },
            "runs": self.runs,
            "forms": forms.collect::<Vec<_>>(),
            "peak_memory_bytes": memory,
        })
    }
}

/// The largest memory of this process so far, in bytes, where the system says (Linux).
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_measured_times() {
        let times = Times {
            form: String::new(),
            images: 2,
            sorted: (1..=20).map(Duration::from_millis).collect(),
        };
        let milliseconds = [0.5, 0.9, 0.99].map(|share| times.quantile(share).as_millis());
        assert_eq!(milliseconds, [10, 18, 20]);
        // 20 batches of 2 in 210 ms.
        assert!((times.images_per_second() - 190.476).abs() < 1e-2);
        let one = Times {
            form: String::new(),
            images: 1,
            sorted: vec![Duration::from_millis(7)],
        };
        assert_eq!(one.quantile(0.99), Duration::from_millis(7));
    }
}
