//! `study`, as a process that is killed and as a library.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use decoupled_seg::datasets::Size;
use decoupled_seg::synthetic::{SyntheticConfig, write_camvid};
use decoupled_seg_cli::{self as cli, CliError};

const FRAMES: SyntheticConfig = SyntheticConfig {
    train: 6,
    val: 2,
    test: 1,
    size: Size::new(64, 64),
    seed: 0,
};

const STUDY: &str = r#"
title = "Killed"
baseline = "plain"
seeds = [1, 2]

[base]
data = "camvid"
root = "ROOT"
network = { module = false, backbone = { resnet = { width = 4 } } }
pictures = 1

[base.recipe]
none = ["class_uniform"]
epochs = 2
batch = 3
augmentation = { crop = { height = 64, width = 64 } }
optimizer = { kind = "adam_w" }
checkpoints = { every_steps = 1 }
workers = 1

[[variants]]
name = "plain"

[[variants]]
name = "module"
description = "body & edge"
changes = { network = { module = true } }
"#;

/// A folder with frames, and a study file beside them.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_camvid(folder.path().join("camvid"), &FRAMES).expect("writable");
        let place = Self { folder };
        place.write(STUDY);
        place
    }

    fn write(&self, study: &str) {
        let root = self.path("camvid");
        let text = study.replace("ROOT", &root.display().to_string());
        fs::write(self.path("study.toml"), text).expect("writable");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, out: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_decoupled-seg"));
        command
            .args(["study", "run"])
            .arg(self.path("study.toml"))
            .arg("--out")
            .arg(self.path(out));
        command
    }

    fn run(&self, out: &str) -> Output {
        let output = self.command(out).output().expect("a process");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        output
    }

    fn runs(&self, out: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(out).join("runs")).expect("there are runs");
        let mut folders: Vec<PathBuf> = entries
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.is_dir())
            .collect();
        folders.sort();
        folders
    }

    /// CSV, and Markdown behind the table with the times.
    fn report(&self, out: &str) -> [String; 2] {
        let read = |name: &str| fs::read_to_string(self.path(out).join(name)).expect("a report");
        let markdown = read("report.md");
        let scores = markdown.find("## Scores").expect("finished runs");
        [read("report.csv"), markdown[scores..].to_string()]
    }
}

fn mean_iou(csv: &str) -> BTreeMap<[String; 2], f64> {
    let lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let scores = lines.filter(|cells| cells[3] == "mean IoU");
    let value = |text: &str| text.parse::<f64>().expect("a number");
    scores
        .map(|cells| ([cells[0], cells[2]].map(String::from), value(cells[5])))
        .collect()
}

#[test]
fn killed_at_random_it_ends_with_the_same_report_and_then_trains_nothing() {
    let place = Place::new();
    let begin = Instant::now();
    let output = place.run("alone");
    let whole = begin.elapsed();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("run 1 of 4: plain-seed1-"), "{said}");

    // Different moments each time: the high digits of a small generator.
    let mut random = 12_345_u64;
    let mut kills = 0;
    for _ in 0..4 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let share = (random >> 40) as f64 / (1 << 24) as f64;
        let mut child = place
            .command("killed")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a process");
        sleep(Duration::from_secs_f64(0.4 * share * whole.as_secs_f64()));
        kills += u32::from(child.try_wait().expect("asked").is_none());
        child.kill().expect("killed, or already gone");
        child.wait().expect("gone");
    }
    assert!(kills > 0, "at least one was killed at work");
    place.run("killed");
    assert_eq!(place.report("killed"), place.report("alone"));
    for run in place.runs("alone") {
        let trained_on = fs::read_to_string(run.join("trained-on.json")).expect("remembered");
        assert_eq!(trained_on, r#"{"variant":null,"resized":null}"#);
    }

    // Nothing is trained again, not even a checkpoint touched.
    let logs = |out: &str| -> Vec<String> {
        let logs = place.runs(out).into_iter().map(|run| run.join("log.jsonl"));
        logs.map(|log| fs::read_to_string(log).expect("a log"))
            .collect()
    };
    let before = logs("alone");
    let output = place.run("alone");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("run 1 of 4"), "{said}");
    assert_eq!(logs("alone"), before);

    // A variant that changes is run anew, and only that.
    place.write(&STUDY.replace(
        "module = true }",
        "module = true }, recipe = { loss = { edge_weight = 2.0 } }",
    ));
    let runs = place.runs("alone");
    let output = place.run("alone");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("run 3 of 4: module-seed1-"), "{said}");
    assert!(!said.contains("plain-seed"), "{said}");
    assert_eq!(place.runs("alone").len(), runs.len() + 2);
}

#[test]
fn numbers_are_those_of_eval_and_of_plain_runs() -> Result<(), CliError> {
    let place = Place::new();
    // At half size the pictures are smaller than what the network with the module takes.
    let half = "workers = 1\nvalidation = { protocol = { scales = [0.5] } }";
    let study = STUDY.replace("seeds = [1, 2]", "seeds = [3]");
    place.write(&study.replace("workers = 1", half));
    let text = |path: PathBuf| path.display().to_string();
    let [file, out, root] = ["study.toml", "out", "camvid"].map(|name| text(place.path(name)));
    let call = |args: &[&str]| {
        let args = ["decoupled-seg"].iter().chain(args).copied();
        cli::run_with_data(args)
    };
    call(&["study", "run", &file, "--out", &out])?;
    let [csv, _] = place.report("out");
    let scores = mean_iou(&csv);
    assert_eq!(scores.len(), 2);
    let runs = place.runs("out");
    for run in &runs {
        let variant = run.file_name().expect("a name").to_string_lossy();
        let (variant, _) = variant.split_once('-').expect("a seed follows");
        let run = text(run.clone());
        call(&["eval", "--data", "camvid", "--root", &root, "--out", &run])?;
        let report = fs::read(Path::new(&run).join("evaluation/report.json")).expect("a report");
        let report: serde_json::Value = serde_json::from_slice(&report).expect("JSON");
        let expected = 100.0 * report["mean_iou"].as_f64().expect("a number");
        let found = scores[&[variant.to_string(), "3".to_string()]];
        assert!(
            (found - expected).abs() < 1e-9,
            "{variant}: {found}, {expected}"
        );
    }

    let html = fs::read_to_string(place.path("out").join("report.html")).expect("a report");
    for figure in [
        "Validation picture 0: plain",
        "worst validation pictures of plain",
        "worst validation pictures of module",
    ] {
        assert!(html.contains(figure), "{figure}");
    }
    assert!(
        !html
            .replace("http://www.w3.org/2000/svg", "")
            .contains("http")
    );

    // The same runs as if no study had made them; the first is the baseline.
    let to = text(place.path("plain"));
    let folders = runs.iter().rev().map(|run| text(run.clone()));
    let folders: Vec<String> = folders.collect();
    let mut args = vec!["study", "report", "--to", &to];
    args.extend(folders.iter().map(String::as_str));
    call(&args)?;
    let [plain, markdown] = place.report("plain");
    let mut found: Vec<f64> = mean_iou(&plain).into_values().collect();
    let mut expected: Vec<f64> = scores.into_values().collect();
    found.sort_by(f64::total_cmp);
    expected.sort_by(f64::total_cmp);
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-9, "{found}, {expected}");
    }
    assert!(
        markdown.contains("| to |") && markdown.contains("| plain-seed3-"),
        "{markdown}"
    );
    Ok(())
}

#[test]
fn folds_are_parts_of_the_training_pictures() -> Result<(), CliError> {
    let place = Place::new();
    let one_epoch = STUDY
        .replace("seeds = [1, 2]", "seeds = [1]")
        .replace("epochs = 2", "epochs = 1");
    place.write(&one_epoch[..one_epoch.rfind("[[variants]]").expect("two variants")]);
    let text = |name: &str| place.path(name).display().to_string();
    let (file, out) = (text("study.toml"), text("out"));
    let nowhere = text("nowhere");
    let report = ["decoupled-seg", "study", "report", &file, "--out", &nowhere];
    let error = cli::run_with_data(report).expect_err("no runs").to_string();
    assert!(error.contains("holds no result"), "{error}");
    assert!(!place.path("nowhere").exists());

    let run = |folds: &[&str]| {
        let mut args = vec!["decoupled-seg", "study", "run", &file, "--out", &out];
        args.push("--folds");
        args.extend(folds);
        cli::run_with_data(args)
    };
    let error = run(&["no_such_drive*"])
        .expect_err("an empty fold")
        .to_string();
    assert!(
        error.contains("leaves out 0 of 6 training images"),
        "{error}"
    );
    // The made-up frames have the numbers 930, 960 and so on.
    run(&["*f009*", "*f010*"])?;
    let [csv, markdown] = place.report("out");
    assert_eq!(mean_iou(&csv).len(), 1, "one variant and seed");
    assert_eq!(
        csv.lines().filter(|line| line.contains("mean IoU")).count(),
        2
    );
    assert!(markdown.contains("| plain | f009 | 1 |"), "{markdown}");

    // As plain runs they are two variants, and the report says why they do not compare.
    let mut runs: Vec<String> = place
        .runs("out")
        .iter()
        .map(|run| run.display().to_string())
        .collect();
    runs.retain(|run| !run.contains("nosuchdrive"));
    let to = text("plain");
    let mut args = vec!["decoupled-seg", "study", "report", "--to", &to];
    args.extend(runs.iter().map(String::as_str));
    cli::run_with_data(args)?;
    let markdown = fs::read_to_string(place.path("plain/report.md")).expect("a report");
    for part in [
        "validated on different pictures",
        "trained on different pictures",
    ] {
        let warning = format!("Warning: these runs are {part}: `{}` (", runs[0]);
        assert!(markdown.contains(&warning), "{markdown}");
    }
    assert!(
        markdown.contains(&format!("; `{}` (", runs[1])),
        "{markdown}"
    );
    assert_eq!(
        mean_iou(&fs::read_to_string(place.path("plain/report.csv")).expect("a report")).len(),
        2
    );
    Ok(())
}

#[test]
fn a_run_that_fails_ends_no_other_and_is_named_at_the_end() {
    let place = Place::new();
    // The first to be trained comes to a loss that is not finite.
    let study = STUDY.replace("seeds = [1, 2]", "seeds = [1]").replace(
        "name = \"plain\"\n",
        "name = \"plain\"\nchanges = { recipe = { optimizer = { learning_rate = 1e12 } } }\n",
    );
    place.write(&study);
    let output = place.command("out").output().expect("a process");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let at = |part: &str| said.find(part).unwrap_or_else(|| panic!("{part}: {said}"));
    let failed = at(" failed: ");
    assert!(failed < at("run 2 of 2: module-seed1-"), "{said}");
    let end = &said[at("error: 1 of 2 runs failed")..];
    assert!(end.contains("\n  `plain-seed1-"), "{said}");
    assert!(!end.contains("`module-"), "{said}");
    let [csv, markdown] = place.report("out");
    assert_eq!(mean_iou(&csv).len(), 1, "{csv}");
    assert!(markdown.contains("| module | 1 |"), "{markdown}");

    let plan = place.command("out").arg("--plan").output();
    let plan = plan.expect("a process").stdout;
    let plan = String::from_utf8_lossy(&plan).into_owned();
    assert!(plan.contains("1 of 2 runs have their results"), "{plan}");
    assert!(plan.contains("missing: plain-seed1-"), "{plan}");
}

#[test]
fn mistakes_in_a_study_are_named() {
    let place = Place::new();
    for (from, to, expected) in [
        (
            "data = \"camvid\"",
            "date = \"camvid\"",
            "unknown field `date`",
        ),
        ("data = \"camvid\"", "", "which data set?"),
        (
            "data = \"camvid\"",
            "data = \"camvid\"\nscenes = { train = 3 }",
            "`scenes` is for",
        ),
        (
            "epochs = 2",
            "epoch = 2",
            "unknown key `epoch`, expected one of",
        ),
        ("seeds = [1, 2]", "seeds = []", "seeds is [], expected"),
        // In the last variant: nothing is trained before it is read.
        (
            "network = { module = true }",
            "recipe = { optimizer = { lr = 0.1 } }",
            "unknown field `lr`",
        ),
        (
            "network = { module = true }",
            "network = { backbone = { resnet = { width = 0 } } }",
            "`backbone.resnet.width` is 0",
        ),
        (
            "network = { module = true }",
            "network = { module = false }",
            "`plain` and `module` have the same settings",
        ),
    ] {
        place.write(&STUDY.replace(from, to));
        let (file, out) = (place.path("study.toml"), place.path("out"));
        let args = [
            "decoupled-seg".as_ref(),
            "study".as_ref(),
            "run".as_ref(),
            file.as_os_str(),
            "--out".as_ref(),
            out.as_os_str(),
        ];
        let error = cli::run_with_data(args).expect_err(to).to_string();
        assert!(error.contains(expected), "{to}: {error}");
        assert!(!out.join("runs").exists(), "{to}");
    }
}
