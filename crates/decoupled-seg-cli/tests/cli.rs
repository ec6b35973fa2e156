//! The command line of the examples, from label check to predictions.

use std::fs;
use std::path::Path;

use decoupled_seg::datasets::{CamVid, Size};
use decoupled_seg::engine::{CheckpointStore, Recipe, RecipePreset};
use decoupled_seg::synthetic::{self, SyntheticConfig};
use decoupled_seg::weights::{NetworkDescription, WeightsFile};
use decoupled_seg_cli::{self as cli, CliError, Project};

const SIZE: SyntheticConfig = SyntheticConfig {
    train: 4,
    val: 2,
    test: 1,
    size: Size::new(64, 64),
    seed: 0,
};

fn project() -> Project {
    Project::new(
        "tiny",
        "no/such/folder",
        RecipePreset::Paper.recipe(),
        |root, split| CamVid::open_partially(root, split).shared(),
    )
    .with_variant("original", "labels in colours", |root, split| {
        CamVid::open_original_partially(root, split).shared()
    })
    .with_synthetic(|root| {
        synthetic::write_camvid(root, &SIZE)?;
        synthetic::write_camvid_original(root, &SIZE)
    })
}

fn run(args: &[&str]) -> Result<(), CliError> {
    let args = std::iter::once("tiny").chain(args.iter().copied());
    cli::run(&project(), args)
}

fn message(args: &[&str]) -> String {
    run(args).expect_err("a mistake").to_string()
}

fn files(folder: &Path) -> Vec<String> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("readable").file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

#[test]
fn resized_images_are_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (out, cache) = (path("run"), path("cache"));
    let train = [
        "train",
        "--synthetic",
        "--short",
        "--out",
        &out,
        "--resized",
        "0.5",
        "--cache",
        &cache,
        "--checkpoint-every",
        "1",
    ];
    run(&train).expect("trains");
    // An image and its labels of each of four items.
    let kept = files(&folder.path().join("cache/resized"));
    assert_eq!(kept.len(), 8, "{kept:?}");
    let image = folder.path().join("cache/resized").join(&kept[0]);
    let size = image::image_dimensions(image).expect("a PNG");
    assert_eq!(size, (32, 32));
    // The run knows its scale when it goes on after its first step.
    let resume = |more: &[&str]| {
        let resume = ["train", "--synthetic", "--short", "--resume", "--out", &out];
        run(&[
            &resume[..],
            &["--cache", &cache, "--checkpoint-every", "1"],
            more,
        ]
        .concat())
    };
    for kept in ["run/checkpoints/step-000000002", "cache/resized"] {
        fs::remove_dir_all(folder.path().join(kept)).expect("just written");
    }
    resume(&[]).expect("goes on");
    let again = files(&folder.path().join("cache/resized"));
    assert!(again.iter().all(|file| kept.contains(file)), "{again:?}");
    let images = again.iter().filter(|file| file.ends_with("_image.png"));
    assert_eq!(images.count(), 2, "a batch was left: {again:?}");
    resume(&["--resized", "0.50"]).expect("the same scale");
    let told = "the run was trained on images at scale 0.5: to go on, leave out --resized; ";
    let error = resume(&["--resized", "0.25"]).expect_err("another scale");
    assert!(error.to_string().starts_with(told), "{error}");
    let remembered = folder.path().join("run/trained-on.json");
    for scale in ["0.0", "-1.0", "\"half\""] {
        fs::write(&remembered, format!("{{\"resized\": {scale}}}")).expect("writable");
        let error = resume(&[]).expect_err(scale);
        assert!(error.to_string().contains("trained-on.json"), "{error}");
    }
    // A refused start changes nothing of what is remembered.
    fs::write(&remembered, "{\"variant\": \"original\", \"resized\": 0.5}").expect("writable");
    let told = "the run was trained on the variant original: to go on, leave out --variant; ";
    let error = resume(&["--variant", "default"]).expect_err("another variant");
    assert!(error.to_string().starts_with(told), "{error}");
    let kept = fs::read_to_string(&remembered).expect("there");
    assert!(kept.contains("original"), "{kept}");
    let whole = path("whole");
    let train = ["train", "--synthetic", "--short", "--out", &whole];
    run(&train).expect("trains");
    let error = message(&[&train[..], &["--resume", "--resized", "0.5"]].concat());
    assert!(
        error.contains("trained on the images as they are"),
        "{error}"
    );
    for scale in ["0", "nan", "1e300", "1e-9"] {
        let error = message(&["train", "--resized", scale]);
        assert!(
            error.contains("expected a scale of 1/1024 to 16"),
            "{error}"
        );
    }
}

#[test]
fn a_data_set_goes_through_every_command() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| {
        folder
            .path()
            .join(name)
            .to_str()
            .expect("UTF-8")
            .to_string()
    };
    let out = path("run");
    let data = ["--synthetic", "--variant", "original", "--out", &out];
    let with_data = |command: &str, more: &[&str]| {
        let args: Vec<&str> = [command]
            .into_iter()
            .chain(data)
            .chain(more.iter().copied())
            .collect();
        run(&args).unwrap_or_else(|error| panic!("{args:?}: {error}"));
    };
    with_data("check", &["--overlays", "1"]);
    assert_eq!(files(&folder.path().join("run/check/val")).len(), 1);
    // Sound data are sound where no picture can be written.
    fs::remove_dir_all(folder.path().join("run/check")).expect("written");
    fs::write(folder.path().join("run/check"), "").expect("writable");
    with_data("check", &[]);
    fs::remove_file(folder.path().join("run/check")).expect("removable");
    with_data(
        "train",
        &[
            "--short",
            "--set",
            "log_every=1",
            "--set",
            "class_uniform.draw.fraction=1.0",
        ],
    );
    let beside = folder.path().join("run/synthetic/.decoupled-seg");
    assert_eq!(
        files(&beside).len(),
        1,
        "the class index lies beside the data"
    );
    let recipe = Recipe::read(folder.path().join("run/recipe.toml")).expect("written by the run");
    assert_eq!((recipe.log_every, recipe.batch, recipe.epochs), (1, 2, 1));
    assert_eq!(
        recipe.validation.boundary.len(),
        4,
        "the thresholds of the paper"
    );
    // The run knows its variant: without the labels of the other form it can still be judged.
    fs::remove_dir_all(folder.path().join("run/synthetic/valannot")).expect("just written");
    let eval = ["eval", "--synthetic", "--out", &out];
    run(&[&eval[..], &["--scales", "0.5", "1", "--flip"]].concat()).expect("a trained run");
    let error = message(&[&eval[..], &["--variant", "default"]].concat());
    assert!(error.contains("valannot"), "{error}");
    let report =
        fs::read_to_string(folder.path().join("run/evaluation/report.json")).expect("written");
    assert!(report.contains("\"flip\": true"), "{report}");

    // The images of one folder, by name and by pattern.
    let pattern = path("run/synthetic/*/0016E5_*.png");
    let one = path("run/synthetic/val/0016E5_07959.png");
    let to = path("predictions");
    let predict = ["predict", &one, &pattern, "--out", &out, "--to", &to];
    let more = ["--tile", "48", "--kinds", "overlay,edge", "label_id"];
    run(&[&predict[..], &more].concat()).expect_err("both layouts have frames of these names");
    let pattern = path("run/synthetic/va?/*.png");
    let predict = ["predict", &one, &pattern, "--out", &out, "--to", &to];
    run(&[&predict[..], &more].concat()).expect("a trained run");
    assert_eq!(files(Path::new(&to)), ["edge", "label_id", "overlay"]);
    for kind in ["edge", "label_id", "overlay"] {
        let expected = ["0016E5_07959.png", "0016E5_07961.png"];
        assert_eq!(files(&Path::new(&to).join(kind)), expected);
    }

    let weights = path("weights.safetensors");
    run(&["export", &weights, "--out", &out]).expect("a trained run");
    let half = path("half.safetensors");
    run(&["export", &half, "--half", "--out", &out]).expect("a trained run");
    let bytes = |path: &String| fs::metadata(path).expect("just written").len();
    assert!(bytes(&half) < bytes(&weights) * 6 / 10);
    let file = WeightsFile::open(&half).expect("just written");
    let description = NetworkDescription::of(&file).expect("of this version");
    let description = description.expect("it is described");
    assert_eq!(description.classes.len(), 11);
    assert_eq!(description.network.num_classes(), 11);
    let again = path("again");
    run(&[
        "train",
        "--preset",
        "camvid",
        "--synthetic",
        "--short",
        "--out",
        &again,
        "--weights",
        &weights,
    ])
    .expect("weights of the same network");
}

#[test]
fn a_run_becomes_an_onnx_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let out = path("run");
    run(&["train", "--synthetic", "--short", "--out", &out]).expect("trains");
    let picture = path("run/synthetic/val/0016E5_07959.png");
    let net = path("net.ONNX");

    // 64x64 pixels, as the picture has; then shown in another size.
    let export = ["export", &net, "--out", &out, "--check", &picture];
    run(&[&export[..], &["--inspect"]].concat()).expect("the same");
    let inspected = fs::metadata(&net).expect("written").len();
    run(&[&export[..], &["--raw", "--size", "72x80"]].concat()).expect("the same");
    assert!(fs::metadata(&net).expect("written").len() < inspected);
    let text = String::from_utf8_lossy(&fs::read(&net).expect("written")).into_owned();
    for expected in [
        "class_names",
        "bicyclist",
        "ignore_index",
        "recipe_sha256",
        "class_colors",
    ] {
        assert!(text.contains(expected), "{expected}");
    }

    let without = |args: &[&str]| message(&[&["export"], args, &["--out", &out][..]].concat());
    let error = without(&[&net]);
    assert!(error.contains("--size 360x480"), "{error}");
    let error = without(&[&path("net.pt")]);
    assert!(error.contains("ends in .onnx or .safetensors"), "{error}");
    let error = without(&[&net, "--half"]);
    assert!(
        error.contains("`--half` is for .safetensors files"),
        "{error}"
    );
    let error = without(&[&path("net.safetensors"), "--raw"]);
    assert!(error.contains("`--raw` is for .onnx files"), "{error}");
    let error = without(&[&net, "--size", "0x64"]);
    assert!(error.contains("HEIGHTxWIDTH"), "{error}");
}

#[test]
fn the_best_checkpoint_is_the_best_by_the_runs_own_measure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("run").display().to_string();
    let train = ["train", "--synthetic", "--short", "--out", &out];
    let more = ["--epochs", "3", "--set", "checkpoints.keep_last=9"];
    let by = ["--set", "checkpoints.best_by=pixel_accuracy"];
    run(&[&train[..], &more, &by].concat()).expect("trains");
    let eval = ["eval", "--synthetic", "--out", &out];
    run(&eval).expect("a trained run");

    // What other measures call the best is another one.
    let store = CheckpointStore::open(folder.path().join("run/checkpoints"), Default::default());
    let newest = store.latest().expect("trained");
    let steps = ["step-000000002", "step-000000004", "step-000000006"];
    for (step, (mean_iou, accuracy)) in steps.iter().zip([(0.9, 0.1), (0.2, 0.8), (0.3, 0.3)]) {
        let path = newest.folder().with_file_name(step).join("state.json");
        let text = fs::read_to_string(&path).expect("a checkpoint");
        let mut state: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        state["scores"]["mean_iou"] = mean_iou.into();
        state["scores"]["pixel_accuracy"] = accuracy.into();
        fs::write(&path, state.to_string()).expect("writable");
    }
    let weights = folder.path().join("best.safetensors");
    let export = ["export", weights.to_str().expect("UTF-8"), "--out", &out];
    run(&export).expect("a trained run");
    let second = newest.folder().with_file_name(steps[1]);
    let by_name = folder.path().join("second.safetensors");
    let to = by_name.to_str().expect("UTF-8");
    let checkpoint = second.to_str().expect("UTF-8");
    run(&["export", to, "--out", &out, "--checkpoint", checkpoint]).expect("a checkpoint");
    let read = |path| fs::read(path).expect("just written");
    assert!(read(&weights) == read(&by_name));

    // A damaged one is named, not replaced by another.
    fs::write(second.join("model.safetensors"), "").expect("writable");
    for command in [&eval[..], &export] {
        let error = message(command);
        assert!(error.contains(steps[1]), "{error}");
    }
}

#[test]
fn mistakes_are_named() {
    let error = message(&["train", "--variant", "orginal"]);
    assert!(
        error.contains("'orginal'") && error.contains("possible values: default, original"),
        "{error}"
    );
    let error = message(&["predict", "x.png", "--kinds", "edges"]);
    assert!(error.contains("'edges'"), "{error}");
    assert!(
        error.contains(
            "class_index, label_id, color, overlay, edge, body, flow, confidence, geojson, labelme"
        ),
        "{error}"
    );
    let error = message(&["train", "--set", "batch"]);
    assert_eq!(error, "`--set batch`: expected KEY=VALUE");
    let error = message(&["train", "--preset", "wide"]);
    assert!(error.contains("cityscapes_wide"), "{error}");
    let error = message(&["train", "--scale", "2", "1"]);
    assert!(
        error.contains("augmentation: scale is 2 to 1, expected positive factors"),
        "{error}"
    );
    let error = message(&["train", "--set", "loss.body_weight=-1"]);
    assert!(
        error.contains("loss: body_weight must be finite and not below 0"),
        "{error}"
    );
    for crop in [&["64x48"][..], &["64", "48"]] {
        let error = message(&[&["train", "--synthetic", "--crop"], crop].concat());
        assert!(error.starts_with("images of 64x48"), "{error}");
    }
    let error = message(&["train", "--synthetic", "--crop", "64x48", "3"]);
    assert!(error.contains("`64x48x3` is no size"), "{error}");
    let error = message(&["train", "--set", "batches=2"]);
    assert!(error.contains("unknown key `batches`"), "{error}");
    let error = run(&["check"]).expect_err("no data");
    assert!(matches!(error, CliError::Problems), "{error}");
    let error = message(&["train"]);
    assert!(error.contains("no/such/folder"), "{error}");
    let error = message(&["submit"]);
    assert_eq!(error, "tiny has no benchmark server to submit to");
    let error = message(&["predict", "no/such/*/x.png"]);
    assert!(error.contains("no/such"), "{error}");

    let mut plain = project();
    plain.variants.clear();
    plain.synthesize = None;
    let of_plain = |args: [&str; 3]| cli::run(&plain, args).expect_err("a mistake").to_string();
    assert_eq!(
        of_plain(["tiny", "check", "--variant=original"]),
        "no variant `original` of tiny, expected none: there is one form only"
    );
    assert_eq!(
        of_plain(["tiny", "check", "--synthetic"]),
        "tiny has no `--synthetic`"
    );
}
