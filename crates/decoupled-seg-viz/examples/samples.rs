//! Draws one picture of every kind from made-up data: `cargo run -p decoupled-seg-viz --example samples -- FOLDER`.

use std::path::{Path, PathBuf};

use decoupled_seg_viz::{
    Chart, Colormap, Curve, EDGE_PRIOR_THRESHOLD, FlowArrows, FlowScale, Palette, Panel, Picture,
    Table, TextStyle, ValueRange, VizError, colorize, confusion_picture, draw_outlines, draw_text,
    edge_prior, error_map, feature_pca, flow_color_wheel, flow_hsv, flow_key, heat_map, mean_map,
    overlay, save_png,
};
use image::{Rgb, RgbImage};

const NAMES: [&str; 6] = ["road", "building", "sky", "tree", "car", "pole"];
const WIDTH: usize = 320;
const HEIGHT: usize = 200;

/// A street of six classes; `shift` moves its borders, as a prediction would.
fn street(shift: f32) -> Vec<u8> {
    let label = |x: f32, y: f32| {
        let (wx, wy) = (x + shift * (y / 7.0).sin(), y + shift * (x / 9.0).cos());
        let car = ((wx - 210.0) / 45.0).powi(2) + ((wy - 150.0) / 22.0).powi(2) < 1.0;
        let tree = (wx - 60.0).hypot(wy - 80.0) < 32.0;
        match () {
            () if car => 4,
            () if (wx - 130.0).abs() < 3.0 && wy > 40.0 && wy < 160.0 => 5,
            () if tree => 3,
            () if wy > 140.0 - 0.02 * wx => 0,
            () if wx > 150.0 && wy > 50.0 => 1,
            () if wx < 100.0 && wy > 90.0 => 1,
            () => 2,
        }
    };
    let pixel = |i: usize| label((i % WIDTH) as f32, (i / WIDTH) as f32);
    (0..WIDTH * HEIGHT).map(pixel).collect()
}

/// How near a pixel is to a border of `labels`, `0..=1`.
fn edge_probs(labels: &[u8]) -> Vec<f32> {
    let near = |i: usize| {
        let (x, y) = ((i % WIDTH) as isize, (i / WIDTH) as isize);
        let mut nearest = f32::INFINITY;
        for dy in -3..=3_isize {
            for dx in -3..=3_isize {
                let (u, v) = (x + dx, y + dy);
                let inside = u >= 0 && v >= 0 && u < WIDTH as isize && v < HEIGHT as isize;
                if inside && labels[v as usize * WIDTH + u as usize] != labels[i] {
                    nearest = nearest.min((dx as f32).hypot(dy as f32));
                }
            }
        }
        (1.2 - 0.25 * nearest).clamp(0.02, 1.0)
    };
    (0..labels.len()).map(near).collect()
}

fn panels(folder: &Path) -> Result<(), VizError> {
    let palette = Palette::distinct(NAMES.len()).with_void([0; 3]);
    let mut truth = street(0.0);
    let (plain, decoupled) = (street(6.0), street(2.0));
    let image = RgbImage::from_fn(WIDTH as u32, HEIGHT as u32, |x, y| {
        let base = palette.color(truth[y as usize * WIDTH + x as usize]);
        let grain = (x * 7919 + y * 104_729) % 37;
        Rgb(base.map(|c| (f32::from(c) * 0.5 + 60.0 + grain as f32) as u8))
    });
    truth[..WIDTH * 12].fill(255);
    let paint = |labels: &[u8]| colorize(labels, WIDTH, HEIGHT, &palette);
    let errors = |labels: &[u8]| error_map(&overlay(&image, &paint(labels), 0.5), &truth, labels);

    // Features, flow and edges at a quarter of the size, as a network gives them.
    let (w, h) = (WIDTH / 4, HEIGHT / 4);
    let small = |i: usize| i / w * 4 * WIDTH + i % w * 4;
    let probs = edge_probs(&truth);
    let body: Vec<f32> = (0..16 * w * h)
        .map(|i| {
            let (channel, pixel) = (i / (w * h), i % (w * h));
            let class = f32::from(decoupled[small(pixel)]);
            (class * (channel as f32 + 1.0)).sin() + 0.1 * ((pixel * channel) as f32).sin()
        })
        .collect();
    let edge: Vec<f32> = (0..16 * w * h)
        .map(|i| body[i] * 0.1 + probs[small(i % (w * h))] * ((i / (w * h)) as f32).cos())
        .collect();
    let flow: Vec<f32> = (0..2 * w * h)
        .map(|i| {
            let (x, y) = ((i % w) as f32, (i % (w * h) / w) as f32);
            let pull = probs[small(i % (w * h))];
            let to = if i < w * h {
                w as f32 / 2.0 - x
            } else {
                h as f32 / 2.0 - y
            };
            pull * to / 20.0
        })
        .collect();

    let mut arrows = image.clone();
    let style = FlowArrows {
        step: 16,
        scale: 6.0,
        ..FlowArrows::default()
    };
    style.draw(&mut arrows, &flow, w, h);
    let mut points = image.clone();
    FlowArrows {
        step: 16,
        scale: 6.0,
        ..FlowArrows::points()
    }
    .draw(&mut points, &flow, w, h);
    let mut outlines = image.clone();
    draw_outlines(&mut outlines, &truth, [255, 255, 255]);

    let shape = [16, h, w];
    let panel = Panel::new(3)
        .with_heading("Validation image 12, FCN-R50, epoch 30")
        .with_legend(&NAMES, &palette)
        .with_picture(Picture::new("image", image.clone()))
        .with_picture(Picture::of_labels("truth", paint(&truth)))
        .with_picture(Picture::new("outlines", outlines))
        .with_picture(
            Picture::of_labels("prediction, plain", paint(&plain)).with_caption("mean IoU 0.612"),
        )
        .with_picture(
            Picture::of_labels("prediction, decoupled", paint(&decoupled))
                .with_caption("mean IoU 0.655, ahead by far at the borders of thin objects"),
        )
        .with_picture(Picture::new(
            "overlay",
            overlay(&image, &paint(&decoupled), 0.5),
        ))
        .with_picture(Picture::of_labels("errors, plain", errors(&plain)))
        .with_picture(Picture::of_labels("errors, decoupled", errors(&decoupled)))
        .with_picture(Picture::new(
            "edge probability",
            heat_map(&probs, WIDTH, HEIGHT, Colormap::Heat, ValueRange::UNIT),
        ))
        .with_picture(Picture::new("body (PCA)", feature_pca(&body, shape)))
        .with_picture(Picture::new("edge (PCA)", feature_pca(&edge, shape)))
        .with_picture(Picture::of_labels(
            "edge prior",
            edge_prior(&probs, WIDTH, HEIGHT, EDGE_PRIOR_THRESHOLD),
        ))
        .with_picture(Picture::new(
            "flow",
            flow_color_wheel(&flow, w, h, FlowScale::PerImage),
        ))
        .with_picture(Picture::new("flow, arrows", arrows))
        .with_picture(Picture::new("flow, points", points))
        .with_picture(Picture::new("flow, HSV", flow_hsv(&flow, w, h, None)))
        .with_picture(Picture::new(
            "mean feature",
            heat_map(
                &mean_map(&body, shape),
                w,
                h,
                Colormap::Jet,
                ValueRange::MinMax,
            ),
        ))
        .with_picture(Picture::new("key to the flow", flow_key(200)));
    panel.save(folder.join("panel.png"))?;
    panel
        .with_cell(160, 100)
        .save(folder.join("panel-small.png"))
}

fn charts(folder: &Path) -> Result<(), VizError> {
    let noise = |i: usize| ((i * 7919 + i * i * 31) % 1000) as f64 / 1000.0 - 0.5;
    let falling = |rate: f64, low: f64| {
        (0..4000).map(move |i| {
            let t = i as f64;
            [
                t,
                low + 2.2 * (-t / rate).exp() + 0.35 * noise(i) * (1.0 + (-t / rate).exp()),
            ]
        })
    };
    let loss = Chart::new("Training loss")
        .with_axes("iteration", "loss")
        .with_curve(
            Curve::new("plain", falling(700.0, 0.5).collect::<Vec<_>>()).with_smoothing(0.98),
        )
        .with_curve(
            Curve::new("decoupled", falling(600.0, 0.35).collect::<Vec<_>>()).with_smoothing(0.98),
        );
    loss.save_png(folder.join("loss.png"))?;
    loss.save_svg(folder.join("loss.svg"))?;

    let mut epochs = Chart::new("Validation mean IoU")
        .with_axes("epoch", "mean IoU")
        .with_y_bounds(0.0, 1.0);
    for (k, name) in [
        "FCN",
        "FCN + decoupled",
        "PSPNet",
        "PSPNet + decoupled",
        "DeepLabV3+",
        "DeepLabV3+ + decoupled",
        "WRN-38",
    ]
    .iter()
    .enumerate()
    {
        let values = (0..30).map(|i| {
            (0.5 + 0.05 * k as f64) * (1.0 - (-(i as f64) / 6.0).exp()) + 0.02 * noise(i + 100 * k)
        });
        epochs = epochs.with_curve(Curve::of_values(*name, values));
    }
    epochs.save_png(folder.join("miou.png"))?;
    epochs.save_svg(folder.join("miou.svg"))?;
    epochs
        .with_size(480, 320)
        .save_png(folder.join("miou-small.png"))?;

    let rate = (0..100).map(|i| 1e-4 * (1.0 - f64::from(i) / 100.0).powf(0.9));
    Chart::new("")
        .with_axes("epoch", "learning rate")
        .with_size(400, 260)
        .with_curve(Curve::of_values("", rate))
        .save_png(folder.join("rate.png"))
}

fn tables(folder: &Path) -> Result<(), VizError> {
    let counts: Vec<u64> = (0..36_u64)
        .map(|i| if i % 7 == 0 { 9000 } else { i * 6151 % 17 * 60 })
        .map(|count| count * 100)
        .enumerate()
        .map(|(i, count)| if i / 6 == 3 { 0 } else { count })
        .collect();
    save_png(
        &confusion_picture(&counts, &NAMES),
        folder.join("confusion.png"),
    )?;
    let cityscapes = [
        "road",
        "sidewalk",
        "building",
        "wall",
        "fence",
        "pole",
        "traffic light",
        "traffic sign",
        "vegetation",
        "terrain",
        "sky",
        "person",
        "rider",
        "car",
        "truck",
        "bus",
        "train",
        "motorcycle",
        "bicycle",
    ];
    let counts: Vec<u64> = (0..19 * 19_u64)
        .map(|i| {
            if i % 20 == 0 {
                90_000
            } else {
                i * 6151 % 23 * 120
            }
        })
        .collect();
    save_png(
        &confusion_picture(&counts, &cityscapes),
        folder.join("confusion19.png"),
    )?;
    let palette = Palette::distinct(19);
    save_png(
        &decoupled_seg_viz::legend(&cityscapes, &palette, 800, 2),
        folder.join("legend19.png"),
    )?;
    let table = Table::new(["net", "mean IoU", "F 1 px", "F 2 px", "parameters"])
        .with_row(["FCN-R18", "0.612", "0.403", "0.581", "11.3 M"])
        .with_row(["FCN-R18 + decoupled", "0.655", "0.471", "0.640", "11.6 M"]);
    save_png(&table.render(2), folder.join("table.png"))?;

    let mut text = RgbImage::from_pixel(700, 330, Rgb([255; 3]));
    let lines = [
        "The quick brown fox jumps over the lazy dog. 0123456789",
        "SPHINX OF BLACK QUARTZ, JUDGE MY VOW! 0O 1lI 5S 8B",
        "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ Gr\u{fc}\u{df}e \u{2013} 2\u{d7}",
    ];
    let mut y = 10;
    for scale in 1..=3 {
        for line in lines {
            draw_text(
                &mut text,
                [10, y],
                line,
                TextStyle::new(scale, [28, 30, 34]),
            );
            y += 13 * scale as i32;
        }
        y += 12;
    }
    save_png(&text, folder.join("text.png"))
}

fn main() -> Result<(), VizError> {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("samples"), PathBuf::from);
    panels(&folder)?;
    charts(&folder)?;
    tables(&folder)
}
