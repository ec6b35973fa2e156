//! Schedules and sliding windows against the reference's golden values.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use decoupled_seg_datasets::Size;
use decoupled_seg_datasets::augment::{Normalization, ResizeFilter, resize_image};
use decoupled_seg_engine::{
    Inference, OverlapCount, Protocol, Schedule, SchedulePoint, Tile, Window, tiles,
};
use decoupled_seg_fixtures::Group;
use decoupled_seg_nn::{SegmentationModel, SegmentationOutput};
use image::RgbImage;
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    let list = value
        .as_array()
        .unwrap_or_else(|| panic!("a list, got {value}"));
    list.iter()
        .map(|number| number.as_f64().expect("numbers"))
        .collect()
}

fn float(case: &Value, key: &str) -> f64 {
    case[key]
        .as_f64()
        .unwrap_or_else(|| panic!("`{key}` of {}", case["case"]))
}

fn size(case: &Value, key: &str) -> usize {
    float(case, key) as usize
}

/// Sums of different order: a few units in the last place of f64.
const SCHEDULE_TOLERANCE: f64 = 1e-14;

fn assert_rates(name: &str, found: &[f64], golden: &[f64]) {
    assert_eq!(found.len(), golden.len(), "{name}: length");
    for (i, (found, golden)) in found.iter().zip(golden).enumerate() {
        assert!(
            (found - golden).abs() <= SCHEDULE_TOLERANCE,
            "{name}[{i}]: {found}, golden {golden}"
        );
    }
}

#[test]
fn schedules() {
    let Some(group) = decoupled_seg_fixtures::group("schedule") else {
        return;
    };
    for case in group.cases() {
        let name = case["case"].as_str().expect("a name");
        let base = float(case, "base_lr");
        match case["kind"].as_str() {
            Some("per_iteration") => per_iteration(name, base, case),
            Some("per_epoch") => per_epoch(name, base, case),
            other => panic!("{name}: unknown kind {other:?}"),
        }
    }
}

fn per_iteration(name: &str, base: f64, case: &Value) {
    let total_steps = size(case, "total_iterations");
    let schedule = Schedule::Poly {
        power: float(case, "power"),
    };
    let found: Vec<f64> = (0..=total_steps)
        .map(|step| {
            base * schedule.factor(SchedulePoint {
                step,
                total_steps,
                epoch: 0,
                epochs: 1,
            })
        })
        .collect();
    assert_rates(name, &found, &numbers(&case["lr_by_iteration"]));
}

fn per_epoch(name: &str, base: f64, case: &Value) {
    let epochs = size(case, "max_epoch");
    let per_epoch = size(case, "iterations_per_epoch");
    let schedule = |epoch_offset: usize| match case["schedule"].as_str() {
        Some("poly") => Schedule::PolyPerEpoch {
            power: float(case, "poly_exp"),
            epoch_offset,
        },
        Some("scl-poly") => Schedule::PolyPerEpochRescaled {
            power: float(case, "poly_exp"),
            switch_epoch: size(case, "switch_epoch"),
            rescale: float(case, "rescale"),
            repower: float(case, "repoly"),
            epoch_offset,
        },
        other => panic!("{name}: unknown schedule {other:?}"),
    };
    // "Nominal" is what the code says, "executed" what it runs at: its scheduler steps before the epoch.
    for (offset, list) in [
        (0, "nominal_lr_by_iteration"),
        (1, "executed_lr_by_iteration"),
    ] {
        let found: Vec<f64> = (0..epochs * per_epoch)
            .map(|step| {
                base * schedule(offset).factor(SchedulePoint {
                    step,
                    total_steps: epochs * per_epoch,
                    epoch: step / per_epoch,
                    epochs,
                })
            })
            .collect();
        assert_rates(&format!("{name}/{list}"), &found, &numbers(&case[list]));
    }
}

/// The reference's toy predictor: linear in the colours of the crop and in the place inside the crop.
#[derive(Module, Debug)]
struct Toy {
    #[module(skip)]
    bias: Vec<f64>,
    #[module(skip)]
    x: Vec<f64>,
    #[module(skip)]
    y: Vec<f64>,
    #[module(skip)]
    colour: Vec<Vec<f64>>,
}

impl Toy {
    fn new(group: &Group) -> Self {
        let json = &group.json()["toy_predictor"];
        let colour = json["colour"].as_array().expect("a matrix");
        Self {
            bias: numbers(&json["bias"]),
            x: numbers(&json["x"]),
            y: numbers(&json["y"]),
            colour: colour.iter().map(numbers).collect(),
        }
    }
}

impl SegmentationModel for Toy {
    fn num_classes(&self) -> usize {
        self.bias.len()
    }

    fn forward(&self, images: Tensor<4>) -> SegmentationOutput {
        let device = images.device();
        let [batch, _, height, width] = images.dims();
        let ramp = |length: usize| -> Vec<f32> { (0..length).map(|i| i as f32).collect() };
        let xs =
            Tensor::<1>::from_floats(ramp(width).as_slice(), &device).reshape([1, 1, 1, width]);
        let ys =
            Tensor::<1>::from_floats(ramp(height).as_slice(), &device).reshape([1, 1, height, 1]);
        let planes = (0..self.num_classes())
            .map(|class| {
                let place = xs.clone() * self.x[class] + ys.clone() * self.y[class];
                let mut plane = (place + self.bias[class]).expand([batch, 1, height, width]);
                for (k, factor) in self.colour[class].iter().enumerate() {
                    plane = plane + images.clone().narrow(1, k, 1) * *factor;
                }
                plane
            })
            .collect();
        SegmentationOutput {
            logits: Tensor::cat(planes, 1),
            supervision: None,
            boundary_logits: None,
            aux_logits: None,
        }
    }
}

fn rgb(group: &Group, name: &str) -> RgbImage {
    let shape = group.shape(name);
    RgbImage::from_raw(shape[1] as u32, shape[0] as u32, group.u8(name))
        .expect("height, width and 3 channels")
}

fn normalization(group: &Group) -> Normalization {
    let three = |key: &str| -> [f32; 3] {
        let values = numbers(&group.json()["normalisation"][key]);
        std::array::from_fn(|i| values[i] as f32)
    };
    Normalization {
        mean: three("mean").to_vec(),
        std: three("std").to_vec(),
    }
}

#[test]
fn tile_positions() {
    let Some(group) = decoupled_seg_fixtures::group("tiling") else {
        return;
    };
    let mut checked = 0;
    for case in group.cases().iter().filter(|case| case["tile"].is_number()) {
        let tile = size(case, "tile");
        let found = tiles(
            size(case, "height"),
            size(case, "width"),
            [tile, tile],
            float(case, "overlap"),
        );
        let golden: Vec<Tile> = case["boxes_x1y1x2y2"]
            .as_array()
            .expect("a list of boxes")
            .iter()
            .map(|entry| {
                let [x1, y1, x2, y2] = numbers(entry)[..] else {
                    panic!("four corners, got {entry}");
                };
                Tile {
                    x1: x1 as usize,
                    y1: y1 as usize,
                    x2: x2 as usize,
                    y2: y2 as usize,
                }
            })
            .collect();
        assert_eq!(found, golden, "{}", case["case"]);
        checked += 1;
    }
    assert!(checked > 0, "no case with tiles");
}

#[test]
fn scaled_images() {
    let Some(group) = decoupled_seg_fixtures::group("tiling") else {
        return;
    };
    let image = rgb(&group, "image");
    let names: Vec<String> = group.names();
    for name in names
        .iter()
        .filter(|name| name.starts_with("scaled_image_"))
    {
        let golden = rgb(&group, name);
        let size = Size::new(golden.height() as usize, golden.width() as usize);
        let found = resize_image(&image, size, ResizeFilter::Bilinear);
        assert!(found == golden, "`{name}` differs");
    }
}

/// Which protocol a case was made with.
fn protocol(case: &Value, tile: usize, overlap: f64) -> Protocol {
    let scales = match (&case["scales"], &case["scale"]) {
        (Value::Array(_), _) => numbers(&case["scales"]),
        (_, scale) => vec![scale.as_f64().expect("scale or scales")],
    };
    let count = match case["count"].as_str() {
        Some("reference_count") => OverlapCount::Official,
        _ => OverlapCount::PerPixel,
    };
    let window = if case["mode"] == "whole image" {
        Window::Whole
    } else {
        Window::Sliding {
            tile: [tile, tile],
            overlap,
            grow_with_scale: true,
            count,
        }
    };
    Protocol {
        window,
        scales,
        flip: case["flip"].as_bool().expect("flip"),
        min_size: 0,
        tile_batch: 2,
        ..Protocol::default()
    }
}

#[test]
fn merged_maps() {
    let Some(group) = decoupled_seg_fixtures::group("tiling") else {
        return;
    };
    let device = Device::default();
    let toy = Toy::new(&group);
    let image = rgb(&group, "image");
    let scale_1 = group
        .cases()
        .iter()
        .find(|case| case["case"] == "boxes_scale_1")
        .expect("the tiles at scale 1");
    let (tile, overlap) = (size(scale_1, "tile"), float(scale_1, "overlap"));
    let mut checked = 0;
    for case in group
        .cases()
        .iter()
        .filter(|case| case["flip"].is_boolean())
    {
        let name = case["case"].as_str().expect("a name");
        if !group.has(name) {
            continue;
        }
        let protocol = protocol(case, tile, overlap);
        let single = case["scale"].is_number();
        let mirrored = single && protocol.flip;
        let merged = |protocol: Protocol| {
            Inference::new(protocol, normalization(&group), &device).merged(&toy, &image)
        };
        let merged = if mirrored {
            // The golden map is the mirrored image's alone: twice the mean less the other.
            let other = merged(Protocol {
                flip: false,
                ..protocol.clone()
            });
            merged(protocol) * 2.0 - other
        } else {
            merged(protocol)
        };
        let [_, classes, height, width] = merged.dims();
        let worst = group.assert_tensor(name, merged.clone().reshape([classes, height, width]));
        println!("{name}: {worst:.3} of the tolerance");

        let argmax = format!("{name}_argmax");
        if group.has(&argmax) {
            let margin = group.f32(&format!("{name}_margin"));
            let found = merged.argmax(1).try_into_vec_as::<u8>().expect("u8");
            let golden = group.u8(&argmax);
            for (i, margin) in margin.iter().enumerate().filter(|(_, m)| **m > 1e-4) {
                assert_eq!(found[i], golden[i], "{argmax}[{i}], margin {margin}");
            }
        }
        checked += 1;
    }
    assert!(checked > 0, "no case with a map");
}
