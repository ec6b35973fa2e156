//! Trains an FCN and the same FCN with the body/edge module on made-up street scenes, and compares them.
//!
//! ```sh
//! cargo run --release --example quickstart
//! ```
//!
//! No download, no flags, no GPU: about 70 seconds on two CPU cores. Pictures go to `runs/quickstart`.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use clap::Parser;
use decoupled_seg::datasets::{ClassTable, Dataset};
use decoupled_seg::engine::{
    EvaluationRecipe, EvaluationReport, Evaluator, Inference, Interrupt, Progress, Protocol,
    Recipe, RecipePreset, Stop, Trainer,
};
use decoupled_seg::metrics::BoundaryThreshold;
use decoupled_seg::prelude::*;
use decoupled_seg::synthetic::{StreetScenes, StreetScenesConfig};
use decoupled_seg::types::{Size, TextTable};
use decoupled_seg::viz::{
    Colormap, FlowField, FlowScale, Palette, Panel, Picture, ValueRange, colorize, error_map,
    feature_pca, flow_color_wheel, heat_map, overlay,
};

const SIZE: Size = Size::new(128, 192);
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
            size: SIZE,
            seed,
        })
    };
    let train = Arc::new(scenes(args.scenes, 1));
    let validation = scenes(if args.short { 4 } else { 64 }, 2);
    println!(
        "{} scenes of {SIZE} pixels to learn from, {} others to judge by, {} epochs\n",
        args.scenes,
        validation.len(),
        args.epochs
    );

    let mut contestants = Vec::new();
    let decoupled = DecoupledSegNetConfig::tiny(StreetScenes::classes().num_classes());
    for (name, config) in [
        ("FCN", decoupled.clone().plain()),
        ("FCN + body/edge", decoupled),
    ] {
        match compete(name, &config, &args, train.clone(), &validation)? {
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

/// What a small network wants that starts from nothing: AdamW with warm-up and a cosine, rare classes weighted up, scenes that are
/// scaled and mirrored at random, here in crops of 96x160 pixels. `studies/street_scenes_medium.toml` has the same.
fn recipe(args: &Args) -> Recipe {
    let small = RecipePreset::Small.recipe();
    Recipe {
        seed: args.seed,
        epochs: args.epochs,
        augmentation: small.augmentation.with_crop(Some(Size::new(96, 160))),
        class_uniform: None,
        validate_every: 0,
        ..small
    }
}

/// Trains and judges one network; `None` if interrupted.
fn compete(
    name: &'static str,
    config: &DecoupledSegNetConfig,
    args: &Args,
    train: Arc<StreetScenes>,
    validation: &StreetScenes,
) -> Result<Option<Contestant>, Box<dyn Error>> {
    let device = Device::default();
    device.seed(args.seed);
    let model = config.init(&device);
    println!("{name}: {} parameters", model.num_params());

    let recipe = recipe(args);
    let normalization = recipe.normalization.clone();
    let start = Instant::now();
    let trained = Trainer::new(recipe, model, &device)
        .with_progress(Progress::Auto)
        .with_interrupt(Interrupt::on_signals()?)
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
    let percent =
        |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{:.1}", 100.0 * value));
    let row = |name: &str, values: [String; 2]| {
        let [plain, decoupled] = values;
        [name.to_string(), plain, decoupled]
    };

    let mut table = TextTable::new(row("", both.map(|contestant| contestant.name.to_string())));
    for (class, name) in plain.report.classes.names().iter().enumerate() {
        let values = [0, 1].map(|i| percent(scores[i].class_iou[class]));
        table = table.with_row(row(&format!("IoU {name} (%)"), values));
    }
    let values = [0, 1].map(|i| percent(Some(scores[i].mean_iou)));
    table = table.with_row(row("mean IoU (%)", values));
    for (at, radius) in RADII.iter().enumerate() {
        let values = [0, 1].map(|i| percent(Some(scores[i].boundary_f[at].f_score)));
        table = table.with_row(row(&format!("boundary F, {radius} px (%)"), values));
    }
    let parameters = both.map(|contestant| contestant.model.num_params().to_string());
    let seconds = both.map(|contestant| format!("{:.0}", contestant.time.as_secs_f64()));
    table = table
        .with_row(row("parameters", parameters))
        .with_row(row("training time (s)", seconds));
    println!("\n{table}");
}

/// Image, truth, both predictions and their mistakes, and what happens inside the decoupled network.
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
    let mut inference = Inference::new(Protocol::default(), normalization.clone(), &device);
    let [first, second] = [plain, decoupled].map(|contestant| {
        let predictions = inference.labels(&contestant.model, &sample.image).data;
        let blend = overlay(&sample.image, &predictions, &palette, 0.5);
        let errors = error_map(&blend, &sample.labels.data, &predictions);
        let wrong = format!("mistakes of {}", contestant.name);
        [
            Picture::of_labels(contestant.name, colorize(&predictions, SIZE, &palette)),
            Picture::of_labels(wrong, errors),
        ]
    });

    let shape = [1, 3, SIZE.height, SIZE.width];
    let pixels = TensorData::new(normalization.apply(&sample.image), shape);
    let inside = decoupled
        .model
        .inspect(Tensor::from_data(pixels, &device))
        .ok_or("the network has no body and edge")?;
    let edge_probs = values(sigmoid(inside.edge_logits))?;
    let edge = heat_map(&edge_probs, SIZE, Colormap::Grey, ValueRange::UNIT);
    let flow = inside.flow.ok_or("the network has no flow")?;
    let [_, _, height, width] = flow.dims();
    let flow = FlowField::new(values(flow)?, Size::new(height, width));
    let flow = flow_color_wheel(&flow, FlowScale::PerImage);
    let truth = colorize(&sample.labels.data, SIZE, &palette);

    let mut panel = Panel::new(5)
        .with_heading(format!("validation scene {index}"))
        .with_cell(Size::new(2 * SIZE.height, 2 * SIZE.width))
        .with_legend(&classes.names(), &palette);
    let [first, first_wrong] = first;
    let [second, second_wrong] = second;
    for picture in [
        Picture::new("image", sample.image),
        first,
        second,
        Picture::new("predicted edge", edge),
        Picture::new("flow towards the body", flow),
        Picture::of_labels("truth", truth),
        first_wrong,
        second_wrong,
        features("body features", inside.body)?,
        features("edge features", inside.edge)?,
    ] {
        panel = panel.with_picture(picture);
    }
    Ok(panel)
}

/// A feature map by its three main components.
fn features(title: &str, features: Tensor<4>) -> Result<Picture, Box<dyn Error>> {
    let [_, channels, height, width] = features.dims();
    let picture = feature_pca(&values(features)?, channels, Size::new(height, width));
    Ok(Picture::new(title, picture))
}

fn values(tensor: Tensor<4>) -> Result<Vec<f32>, Box<dyn Error>> {
    tensor
        .into_data()
        .try_into_vec::<f32>()
        .map_err(|error| format!("{error:?}").into())
}
