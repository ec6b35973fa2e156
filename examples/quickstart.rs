//! Trains an FCN and the same FCN with the body/edge module on made-up street scenes, and compares them.
//!
//! ```sh
//! cargo run --release --example quickstart
//! ```
//!
//! No download, no flags, no GPU: a few minutes on two CPU cores. Pictures go to `runs/quickstart`.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use clap::Parser;
use decoupled_seg::datasets::augment::Augmentation;
use decoupled_seg::datasets::{ClassTable, Dataset, LabelMap, StreetScenes, StreetScenesConfig};
use decoupled_seg::engine::{
    EvaluationRecipe, EvaluationReport, Evaluator, Inference, Interrupt, Progress, Protocol,
    Recipe, SgdRecipe, Stop, Trainer,
};
use decoupled_seg::losses::DecoupledLossConfig;
use decoupled_seg::metrics::BoundaryThreshold;
use decoupled_seg::prelude::*;
use decoupled_seg::viz::{
    Colormap, FlowScale, Palette, Panel, Picture, ValueRange, colorize, feature_pca,
    flow_color_wheel, heat_map,
};

const WIDTH: usize = 96;
const HEIGHT: usize = 64;
/// Pixels within which a predicted boundary counts as right.
const RADII: [u32; 3] = [1, 2, 3];

#[derive(Parser)]
#[command(about = "Trains an FCN with and without the body/edge module on made-up street scenes")]
struct Args {
    /// Where the pictures go.
    #[arg(long, default_value = "runs/quickstart")]
    out: PathBuf,
    /// Passes over the training scenes.
    #[arg(long, default_value_t = 24)]
    epochs: usize,
    /// Training scenes.
    #[arg(long, default_value_t = 320)]
    scenes: usize,
    /// Seed of weights, order and augmentation.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A few steps only, to see that everything works.
    #[arg(long)]
    short: bool,
}

/// One of the two networks, trained and judged.
struct Contestant {
    name: &'static str,
    model: DecoupledSegNet,
    report: EvaluationReport,
    time: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    decoupled_seg::keep_freed_memory();
    let mut args = Args::parse();
    if args.short {
        (args.epochs, args.scenes) = (1, 16);
    }
    let scenes = |len, seed| {
        StreetScenes::new(StreetScenesConfig {
            len,
            width: WIDTH,
            height: HEIGHT,
            seed,
        })
    };
    let train = Arc::new(scenes(args.scenes, 1));
    let validation = scenes(if args.short { 4 } else { 64 }, 2);
    println!(
        "{} scenes of {WIDTH}x{HEIGHT} to learn from, {} others to judge by, {} epochs\n",
        args.scenes,
        validation.len(),
        args.epochs
    );

    let mut contestants = Vec::new();
    for (name, decoder) in [
        ("FCN", DecoderConfig::Plain),
        ("FCN + body/edge", DecoderConfig::Decoupled),
    ] {
        match compete(name, decoder, &args, train.clone(), &validation)? {
            Some(contestant) => contestants.push(contestant),
            None => return Ok(()),
        }
    }
    let [plain, decoupled] = &contestants[..] else {
        unreachable!("there are two networks");
    };
    print_table(plain, decoupled);
    for index in 0..validation.len().min(4) {
        let path = args.out.join(format!("panel-{index}.png"));
        panel(plain, decoupled, &validation, index)?.save(&path)?;
        println!("{}", path.display());
    }
    Ok(())
}

/// The paper's optimizer and schedule at a higher rate and with the default loss, on batches of 8 whole scenes, each once an
/// epoch, mirrored at random.
fn recipe(args: &Args) -> Recipe {
    Recipe {
        seed: args.seed,
        epochs: args.epochs,
        batch: 8,
        optimizer: SgdRecipe {
            learning_rate: 0.05,
            ..SgdRecipe::default()
        },
        augmentation: Augmentation::default().with_flip(0.5),
        class_uniform: None,
        loss: DecoupledLossConfig::new(),
        validate_every: 0,
        ..Recipe::default()
    }
}

/// Trains and judges one network; `None` if interrupted.
fn compete(
    name: &'static str,
    decoder: DecoderConfig,
    args: &Args,
    train: Arc<StreetScenes>,
    validation: &StreetScenes,
) -> Result<Option<Contestant>, Box<dyn Error>> {
    let device = Device::default();
    device.seed(args.seed);
    let model = DecoupledSegNetConfig::tiny(StreetScenes::classes().num_classes())
        .with_decoder(decoder)
        .init(&device);
    println!("{name}: {} parameters", model.num_params());

    let recipe = recipe(args);
    let normalization = recipe.normalization;
    let start = Instant::now();
    let trained = Trainer::new(recipe, model, &device)
        .with_progress(Progress::Auto)
        .with_interrupt(Interrupt::on_ctrl_c()?)
        .fit(train, None)?;
    let time = start.elapsed();
    if trained.stop == Stop::Interrupted {
        println!("stopped");
        return Ok(None);
    }

    let evaluation =
        EvaluationRecipe::default().with_boundary(RADII.map(BoundaryThreshold::Pixels));
    let report =
        Evaluator::new(evaluation, normalization, &device).evaluate(&trained.model, validation)?;
    Ok(Some(Contestant {
        name,
        model: trained.model,
        report,
        time,
    }))
}

fn print_table(plain: &Contestant, decoupled: &Contestant) {
    let both = [plain, decoupled];
    let scores = both.map(|contestant| contestant.report.scores());
    let row = |name: &str, values: [String; 2]| {
        println!("{name:<22} {:>16} {:>16}", values[0], values[1])
    };
    let percent =
        |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{:.1}", 100.0 * value));

    println!();
    row("", both.map(|contestant| contestant.name.to_string()));
    for (class, name) in plain.report.classes.names().iter().enumerate() {
        row(
            &format!("IoU {name} (%)"),
            [0, 1].map(|i| percent(scores[i].class_iou[class])),
        );
    }
    row(
        "mean IoU (%)",
        [0, 1].map(|i| percent(Some(scores[i].mean_iou))),
    );
    for (at, radius) in RADII.iter().enumerate() {
        let name = format!("boundary F, {radius} px (%)");
        row(
            &name,
            [0, 1].map(|i| percent(Some(scores[i].boundary_f[at].f_score))),
        );
    }
    row(
        "parameters",
        both.map(|contestant| contestant.model.num_params().to_string()),
    );
    row(
        "training time (s)",
        both.map(|contestant| format!("{:.0}", contestant.time.as_secs_f64())),
    );
    println!();
}

/// Image, truth, both predictions, and what happens inside the decoupled network.
fn panel(
    plain: &Contestant,
    decoupled: &Contestant,
    validation: &StreetScenes,
    index: usize,
) -> Result<Panel, Box<dyn Error>> {
    let device = Device::default();
    let sample = validation.get(index)?;
    let classes: ClassTable = StreetScenes::classes();
    let palette = Palette::new(classes.colors());
    let normalization = Recipe::default().normalization;
    let mut inference = Inference::new(Protocol::default(), normalization, &device);
    let colors = |labels: &LabelMap| colorize(&labels.data, labels.width, labels.height, &palette);

    let pixels = TensorData::new(normalization.apply(&sample.image), [1, 3, HEIGHT, WIDTH]);
    let images = Tensor::from_data(pixels, &device);
    let inside = decoupled
        .model
        .inspect(images)
        .ok_or("the network has no body and edge")?;
    let flow = inside.flow.ok_or("the network has no flow")?;
    let [_, _, flow_height, flow_width] = flow.dims();
    Ok(Panel::new(4)
        .with_heading(format!("validation scene {index}"))
        .with_cell(4 * WIDTH as u32, 4 * HEIGHT as u32)
        .with_picture(Picture::new("image", sample.image.clone()))
        .with_picture(Picture::of_labels("truth", colors(&sample.labels)))
        .with_picture(Picture::of_labels(
            plain.name,
            colors(&inference.labels(&plain.model, &sample.image)),
        ))
        .with_picture(Picture::of_labels(
            decoupled.name,
            colors(&inference.labels(&decoupled.model, &sample.image)),
        ))
        .with_picture(features("body", inside.body)?)
        .with_picture(features("edge", inside.edge)?)
        .with_picture(Picture::new(
            "predicted edge",
            heat_map(
                &values(sigmoid(inside.edge_logits))?,
                WIDTH,
                HEIGHT,
                Colormap::Grey,
                ValueRange::UNIT,
            ),
        ))
        .with_picture(Picture::new(
            "flow towards the body",
            flow_color_wheel(&values(flow)?, flow_width, flow_height, FlowScale::PerImage),
        ))
        .with_legend(&classes.names(), &palette))
}

/// A feature map by its three main components.
fn features(title: &str, features: Tensor<4>) -> Result<Picture, Box<dyn Error>> {
    let [_, channels, height, width] = features.dims();
    Ok(Picture::new(
        title,
        feature_pca(&values(features)?, [channels, height, width]),
    ))
}

fn values(tensor: Tensor<4>) -> Result<Vec<f32>, Box<dyn Error>> {
    tensor
        .into_data()
        .try_into_vec::<f32>()
        .map_err(|error| format!("{error:?}").into())
}
