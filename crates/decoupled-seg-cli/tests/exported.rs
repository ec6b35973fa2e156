//! What a file of `export` knows: its network, its classes, how images were normalised. And what commands must not write
//! over, or count twice.

use std::fs;
use std::path::{Path, PathBuf};

use decoupled_seg::datasets::{CamVid, Size};
use decoupled_seg::synthetic::{self, SyntheticConfig};
use decoupled_seg_cli::{self as cli, CliError};
use rstest::rstest;
use tempfile::TempDir;

const SCENES: SyntheticConfig = SyntheticConfig {
    train: 2,
    val: 2,
    test: 1,
    size: Size::new(56, 64),
    seed: 0,
};

/// A folder of street scenes, with descriptions beside them.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        synthetic::write_camvid(folder.path("."), &SCENES).expect("writable");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a description that begins with `head`, with `names` in place of the names of the classes.
    fn describe(&self, name: &str, head: &str, names: &[&str]) -> String {
        let classes = names
            .iter()
            .enumerate()
            .map(|(id, name)| format!("[[classes]]\nname = \"{name}\"\ncolor = [0, {id}, 9]\n"));
        let classes: String = classes.collect();
        let splits = "[splits.train]\nimages = \"train\"\nlabels = \"trainannot\"\n\
                      [splits.val]\nimages = \"val\"\nlabels = \"valannot\"\n";
        let text = format!("{head}ignored = [11, 255]\n{classes}{splits}");
        let path = self.path(name);
        fs::write(&path, text).expect("writable");
        text_of(&path)
    }

    fn run(&self, args: &[&str]) -> Result<(), CliError> {
        cli::run_with_data(std::iter::once("decoupled-seg").chain(args.iter().copied()))
    }
}

fn text_of(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_string()
}

fn report(out: &str) -> String {
    fs::read_to_string(Path::new(out).join("evaluation/report.json")).expect("written")
}

/// The file is judged as its run is, without a word of its network: with the statistics of its bands, or those of the recipe.
#[rstest]
#[case::of_the_recipe("", &["--set", "normalization.mean=[0.1, 0.2, 0.3]", "--set", "normalization.std=[0.9, 0.1, 0.3]"])]
#[case::of_one_band("bands = 1\n", &[])]
fn a_file_is_judged_as_its_run(#[case] head: &str, #[case] settings: &[&str]) {
    let folder = Folder::new();
    let classes = CamVid::classes();
    let data = folder.describe("dataset.toml", head, &classes.names());
    let [run, file, of_file, shown] =
        ["run", "net.safetensors", "of_file", "shown"].map(|name| text_of(&folder.path(name)));
    let train = [
        "train",
        "--data",
        &data,
        "--short",
        "--set",
        "class_uniform=null",
        "--out",
        &run,
    ];
    folder
        .run(&[&train[..], settings].concat())
        .expect("trains");
    folder
        .run(&["eval", "--data", &data, "--out", &run])
        .expect("judges");
    folder
        .run(&["export", &file, "--data", &data, "--out", &run])
        .expect("exports");
    folder
        .run(&[
            "eval",
            "--data",
            &data,
            "--weights",
            &file,
            "--out",
            &of_file,
        ])
        .expect("judges");
    assert_eq!(report(&run), report(&of_file));
    // Beside the run, what is found of a file has a place of its own.
    folder
        .run(&[
            "eval",
            "--data",
            &data,
            "--weights",
            &file,
            "--out",
            &run,
            "--max-images",
            "1",
        ])
        .expect("judges");
    assert_eq!(report(&run), report(&of_file));
    let beside = Path::new(&run).join("evaluation-first-1-of-net/report.json");
    assert_ne!(
        fs::read_to_string(beside).expect("written"),
        report(&of_file)
    );
    // Another split as well.
    folder
        .run(&["eval", "--data", &data, "--out", &run, "--split", "train"])
        .expect("judges");
    assert_eq!(report(&run), report(&of_file));
    assert!(
        Path::new(&run)
            .join("evaluation-train/report.json")
            .is_file()
    );
    let pictures = text_of(&folder.path("val"));
    let predict = [
        "predict",
        &pictures,
        "--data",
        &data,
        "--weights",
        &file,
        "--to",
        &shown,
    ];
    folder.run(&predict).expect("predicts");
}

/// Sets all numbers of a tensor in a safetensors file.
fn set(file: &str, tensor: &str, value: f32) {
    let mut bytes = fs::read(file).expect("written");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).expect("JSON");
    let names = header.as_object().expect("an object").keys();
    let name = names.clone().find(|name| name.ends_with(tensor));
    let offset = |end: usize| {
        let offset = header[name.expect("such a tensor")]["data_offsets"][end].as_u64();
        8 + length + offset.expect("a number") as usize
    };
    let (start, end) = (offset(0), offset(1));
    for number in bytes[start..end].chunks_exact_mut(4) {
        number.copy_from_slice(&value.to_le_bytes());
    }
    fs::write(file, bytes).expect("writable");
}

#[test]
fn weights_that_compute_no_numbers_are_refused() {
    let folder = Folder::new();
    let data = folder.describe("dataset.toml", "", &CamVid::classes().names());
    let [run, file, to] = ["run", "net.safetensors", "to"].map(|name| text_of(&folder.path(name)));
    let train = [
        "train",
        "--data",
        &data,
        "--short",
        "--set",
        "class_uniform=null",
    ];
    folder
        .run(&[&train[..], &["--out", &run]].concat())
        .expect("trains");
    folder
        .run(&["export", &file, "--out", &run])
        .expect("exports");
    let eval = ["eval", "--data", &data, "--weights", &file, "--out", &to];
    let whole = fs::read(&file).expect("written");
    set(&file, ".running_var", -1.0);
    let error = folder.run(&eval).expect_err("a negative variance");
    let told = error.to_string();
    assert!(
        told.contains(".running_var` holds a variance below 0"),
        "{told}"
    );
    fs::write(&file, whole).expect("writable");
    set(&file, "final_seg.4.weight", 1e30);
    set(&file, "final_seg.6.weight", 1e30);
    let error = folder.run(&eval).expect_err("too large");
    assert!(matches!(error, CliError::NotFiniteOutput { .. }), "{error}");
    assert!(!Path::new(&to).exists());
}

#[test]
fn a_checkpoint_knows_its_run() {
    let folder = Folder::new();
    let data = folder.describe("dataset.toml", "", &CamVid::classes().names());
    let run = text_of(&folder.path("run"));
    let train = [
        "train",
        "--data",
        &data,
        "--short",
        "--set",
        "class_uniform=null",
    ];
    let more = ["--checkpoint-every", "1", "--out", &run];
    folder.run(&[&train[..], &more].concat()).expect("trains");
    folder
        .run(&["eval", "--data", &data, "--out", &run])
        .expect("judges");
    let before = report(&run);
    let first = folder.path("run/checkpoints/step-000000001");
    let eval = [
        "eval",
        "--data",
        &data,
        "--checkpoint",
        first.to_str().expect("UTF-8"),
    ];
    folder.run(&eval).expect("judges");
    assert_eq!(report(&run), before);
    let written = |name: &str| {
        let path = folder.path("run").join(name).join("report.json");
        fs::read_to_string(path).expect("written")
    };
    let of_checkpoint = written("evaluation-of-step-000000001");

    // So does a file in it.
    let file = text_of(&first.join("model.safetensors"));
    folder
        .run(&["eval", "--data", &data, "--weights", &file])
        .expect("knows its network");
    assert_eq!(report(&run), before);
    let of_file = written("evaluation-of-step-000000001-model");
    assert_eq!(of_file, of_checkpoint);

    // Nothing was measured where nothing is labelled.
    for mask in fs::read_dir(folder.path("valannot")).expect("written") {
        let mask = mask.expect("readable").path();
        let ignored = image::GrayImage::from_pixel(64, 56, image::Luma([11]));
        ignored.save(mask).expect("writable");
    }
    let told = folder
        .run(&["eval", "--data", &data, "--out", &run])
        .expect_err("no score");
    assert!(
        told.to_string()
            .contains("every pixel of the val labels is ignored"),
        "{told}"
    );
    assert_eq!(report(&run), before);
    let files = Path::new(&data);
    let whole = fs::read_to_string(files).expect("written");
    let unlabelled = "[splits.val]\nimages = \"val\"\n";
    let (others, _) = whole.split_once("[splits.val]").expect("a split");
    fs::write(files, format!("{others}{unlabelled}")).expect("writable");
    let told = folder.run(&["eval", "--data", &data, "--out", &run]);
    let told = told.expect_err("no labels").to_string();
    assert!(told.contains("the val images have no labels"), "{told}");
    fs::write(files, whole).expect("writable");

    // Beside another run, it is one of this.
    let other = text_of(&folder.path("other"));
    copy_folder(Path::new(&run), Path::new(&other));
    folder
        .run(&[&eval[..], &["--out", &other, "--split", "train"]].concat())
        .expect("judges");
    let beside = "evaluation-train-of-run-step-000000001/report.json";
    assert!(Path::new(&other).join(beside).is_file());
}

#[test]
fn classes_of_other_names_are_refused() {
    let folder = Folder::new();
    let classes = CamVid::classes();
    let mut names = classes.names();
    let data = folder.describe("dataset.toml", "", &names);
    names.swap(0, 3);
    let other = folder.describe("other.toml", "", &names);
    let [run, file, to] = ["run", "net.safetensors", "to"].map(|name| text_of(&folder.path(name)));
    folder
        .run(&[
            "train",
            "--data",
            &data,
            "--short",
            "--plain",
            "--set",
            "class_uniform=null",
            "--out",
            &run,
        ])
        .expect("trains");
    folder
        .run(&["export", &file, "--data", &data, "--out", &run])
        .expect("exports");
    let message = |args: &[&str]| folder.run(args).expect_err("other classes").to_string();
    let told = message(&["eval", "--data", &other, "--weights", &file, "--out", &to]);
    assert!(
        told.contains("class 0 is `sky` in the training, `road` in the data"),
        "{told}"
    );

    // A benchmark wants its own ids: a network of 11 classes has none of Cityscapes'.
    let told = message(&[
        "submit",
        "--data",
        "cityscapes",
        "--synthetic",
        "--split",
        "test",
        "--out",
        &run,
        "--to",
        &to,
    ]);
    assert!(
        told.contains("class 0 is `sky` in the training, `road` in the data"),
        "{told}"
    );
    assert!(!Path::new(&to).exists());
}

#[test]
fn nothing_is_written_over_and_no_run_counts_twice() {
    let folder = Folder::new();
    let classes = CamVid::classes();
    let data = folder.describe("dataset.toml", "", &classes.names());
    let [run, copy] = ["run", "copy"].map(|name| text_of(&folder.path(name)));
    let set = ["--set", "class_uniform=null"];
    let train = [
        "train", "--data", &data, "--short", "--plain", "--out", &run,
    ];
    folder.run(&[&train[..], &set].concat()).expect("trains");
    let message = |args: &[&str]| folder.run(args).expect_err("refused").to_string();

    // The folder of the data holds masks, and may hold more that is named as a kind of picture.
    let pictures = text_of(&folder.path("val"));
    let root = text_of(&folder.path("."));
    let told = message(&[
        "predict", &pictures, "--data", &data, "--out", &run, "--to", &root,
    ]);
    assert!(told.contains("is the folder of the data"), "{told}");

    let checkpoints = fs::read_dir(folder.path("run/checkpoints")).expect("a run");
    let checkpoint = checkpoints
        .map(|entry| entry.expect("readable").path())
        .next()
        .expect("one");
    for name in ["model.safetensors", "mine.safetensors"] {
        let to = text_of(&checkpoint.join(name));
        let told = message(&["export", &to, "--data", &data, "--out", &run]);
        assert!(told.contains(name), "{told}");
    }
    let weights = text_of(&checkpoint.join("model.safetensors"));
    let to = text_of(&checkpoint.join("mine.safetensors"));
    let told = message(&["weights", "convert", &weights, &to]);
    assert!(told.contains("lies in a checkpoint"), "{told}");
    assert!(!checkpoint.join("mine.safetensors").exists());
    #[cfg(unix)]
    {
        let link = folder.path("best.safetensors");
        std::os::unix::fs::symlink(&weights, &link).expect("writable");
        let before = fs::read(&weights).expect("written");
        let link = text_of(&link);
        let told = message(&["weights", "new", "tiny", &link]);
        assert!(told.contains("lies in a checkpoint"), "{told}");
        assert!(fs::read(&weights).expect("written") == before);
    }
    let told = message(&["eval", "--data", &data, "--weights", &run]);
    assert!(told.contains("is a folder: `--out` names a run"), "{told}");
    let edges = ["--kinds", "color,edge", "--out", &run];
    let told = message(&[&["predict", &pictures, "--data", &data][..], &edges].concat());
    assert!(told.contains("the network predicts no `edge`"), "{told}");

    let before = fs::read(&data).expect("there");
    let told = message(&["summary", "--classes", "11", "--write", &data]);
    assert!(told.contains("describes no network"), "{told}");
    assert_eq!(fs::read(&data).expect("there"), before);

    copy_folder(Path::new(&run), Path::new(&copy));
    let report = text_of(&folder.path("report"));
    let same = text_of(&folder.path("./run"));
    for again in [&copy, &same, &run] {
        let told = message(&["study", "report", &run, again, "--to", &report]);
        assert!(told.contains("or a copy of it"), "{told}");
    }
    let write = ["study", "report", &run, "--to", &report];
    folder.run(&write).expect("one run");
    folder.run(&write).expect("over a report");
    let notes = folder.path("notes");
    fs::create_dir(&notes).expect("writable");
    fs::write(notes.join("report.md"), "mine").expect("writable");
    let told = message(&["study", "report", &run, "--to", &text_of(&notes)]);
    assert!(told.contains("is no report of a study"), "{told}");
    assert_eq!(fs::read(notes.join("report.md")).expect("there"), b"mine");
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for entry in fs::read_dir(from).expect("readable") {
        let path = entry.expect("readable").path();
        let to = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy_folder(&path, &to),
            false => drop(fs::copy(&path, &to).expect("writable")),
        }
    }
}

/// A reader that is gone, or a full disk behind the output, ends no command.
#[cfg(target_os = "linux")]
#[test]
fn a_closed_output_is_no_panic() {
    use std::process::{Command, Stdio};

    let program = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_decoupled-seg"));
        command.args(["summary", "--classes", "5"]);
        command
    };
    let mut child = program()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && told.is_empty(), "{told}");

    let full = fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux has it");
    let output = program()
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("cannot write to the standard output"),
        "{told}"
    );
}
