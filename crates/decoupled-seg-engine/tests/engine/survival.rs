//! What a run survives and what it costs, seen from another process: the test binary starts itself again.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Instant, SystemTime};

use decoupled_seg_engine::{
    CheckpointRecipe, CheckpointStore, EngineError, Interrupt, Recipe, Resume,
};

use super::common::*;

const FOLDER: &str = "DECOUPLED_SEG_TEST_RUN";

fn long_recipe() -> Recipe {
    let mut recipe = recipe();
    recipe.epochs = 6;
    recipe.checkpoints.every_steps = Some(1);
    recipe
}

/// Not a test by itself: the process that is killed.
#[test]
#[ignore = "started by the tests below"]
fn child_run() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let interrupt = Interrupt::on_signals().expect("the only listener");
    let trained = trainer(long_recipe(), Some(Path::new(&folder)))
        .with_resume(Resume::IfPresent)
        .with_interrupt(interrupt)
        .fit(train_set(), Some(&Rectangles::new(2, 24)));
    match trained {
        Ok(trained) => println!("child: {:?}", trained.stop),
        Err(error) => println!("child: {error}"),
    }
}

/// What the child said at its end.
fn outcome(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text
        .lines()
        .find_map(|line| line.split("child: ").nth(1))
        .map(str::to_string);
    line.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

fn start(test: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this test binary"))
        .args([
            "--exact",
            test,
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts")
}

/// A number from 0 to 1 that decides when a run is killed; drawn from the clock unless given.
const FIRST_MOMENT: &str = "KILL_FIRST_MOMENT";

fn first_moment() -> f64 {
    let given = std::env::var(FIRST_MOMENT).ok();
    given.map_or_else(
        || {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            f64::from(now.expect("after 1970").subsec_micros()) / 1e6
        },
        |text| text.parse().expect("a number"),
    )
}

/// Kills with signal 9 so many times, takes the run up again each time, and compares with one left alone. A run that
/// got to its end is followed by another one.
fn survive(kills: u32) {
    let _turn = alone();
    let first_moment = first_moment();
    println!("first moment {first_moment}, again with {FIRST_MOMENT}={first_moment}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let whole = folder.path().join("whole");
    let begin = Instant::now();
    trainer(long_recipe(), Some(&whole))
        .fit(train_set(), Some(&Rectangles::new(2, 24)))
        .expect("trains");
    let length = begin.elapsed();
    let last_step = logged_losses(&whole).len();

    let mut runs = vec![folder.path().join("run-0")];
    let mut steps = vec![Vec::new()];
    for kill in 0..kills {
        let run = runs.last().expect("at least one").clone();
        let mut child = start("survival::child_run", &run);
        // Any moment: while starting, stepping, validating or writing. Multiples of the golden ratio from a random start
        // spread evenly whatever their number.
        let moment = (first_moment + f64::from(kill) * 0.618_033_988_749).fract();
        std::thread::sleep(length.mul_f64(0.02 + 0.4 * moment));
        // Signal 9 on Unix. It may have ended by itself.
        let _ = child.kill();
        child.wait().expect("gone");
        // Whatever is there is whole, but for what the next start sweeps away.
        let store = CheckpointStore::open(run.join("checkpoints"), CheckpointRecipe::default());
        let step = match store.latest() {
            Ok(checkpoint) => checkpoint.state().position.step,
            Err(EngineError::NoCheckpoint { skipped, .. }) => {
                assert!(skipped.is_empty(), "half-written: {skipped:?}");
                0
            }
            Err(error) => panic!("{error}"),
        };
        steps.last_mut().expect("at least one").push(step);
        if step == last_step {
            runs.push(folder.path().join(format!("run-{}", runs.len())));
            steps.push(Vec::new());
        }
    }
    for (run, steps) in runs.iter().zip(&steps) {
        assert!(steps.is_sorted(), "a run never falls back: {steps:?}");
        let output = start("survival::child_run", run)
            .wait_with_output()
            .expect("ends by itself");
        assert_eq!(outcome(&output), "Finished");
        assert_eq!(logged_losses(run), logged_losses(&whole));
        assert_eq!(logged_epochs(run), logged_epochs(&whole));
    }
    println!("{kills} kills at steps {steps:?} of {last_step}; a run takes {length:?}");
}

#[test]
fn a_run_survives_twenty_kills() {
    survive(20);
}

#[cfg(target_os = "linux")]
#[rstest::rstest]
fn ctrl_c_and_sigterm_finish_the_step_and_save(#[values("-INT", "-TERM", "-USR1")] signal: &str) {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let child = start("survival::child_run", folder.path());
    // Once the first checkpoint is there, the run is on its way.
    let checkpoints = folder.path().join("checkpoints");
    let store = CheckpointStore::open(checkpoints, CheckpointRecipe::default());
    let begin = Instant::now();
    while store.latest().is_err() {
        assert!(
            begin.elapsed().as_secs() < 60,
            "no checkpoint after a minute"
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    let sent = Command::new("kill").args([signal, &pid]).status();
    assert!(sent.expect("Linux has kill").success());
    let output = child.wait_with_output().expect("ends by itself");
    assert_eq!(outcome(&output), "Interrupted");
    let entries = decoupled_seg_engine::read_log(folder.path().join("log.jsonl")).expect("a log");
    let last = entries.last().expect("not empty");
    let position = store.latest().expect("saved").state().position;
    assert_eq!(
        last.step(),
        position.step,
        "nothing was done after the last checkpoint"
    );
}

/// A limit on the size of files fails like a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_the_last_checkpoint() {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = |kib: usize| {
        // `ulimit -f` counts 512 bytes; the signal would end the process before the write fails.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", 2 * kib);
        let output = Command::new("sh")
            .args(["-c", &script])
            .arg(std::env::current_exe().expect("this test binary"))
            .args(["--exact", "survival::child_run", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .output()
            .expect("starts");
        outcome(&output)
    };
    let checkpoints = folder.path().join("checkpoints");
    let store = CheckpointStore::open(checkpoints, CheckpointRecipe::default());
    // The history in the state grows with the epochs, so that a limit is met in the middle of the run.
    let message = (6..40)
        .map(&run)
        .find(|_| store.latest().is_ok())
        .expect("40 KiB are enough for a checkpoint");
    assert!(message.contains("no space left"), "{message}");
    let before = store.latest().expect("whole").state().position;
    assert!(before.step < 36, "{before:?}");
    assert_eq!(run(10_000), "Finished");
}

/// `/sys` takes no files, not even root's.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let error = trainer(long_recipe(), Some(Path::new("/sys/decoupled-seg")))
        .fit(train_set(), None)
        .expect_err("read-only");
    let EngineError::File(error) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(error.path, Path::new("/sys/decoupled-seg"));
    assert!(error.to_string().contains("not permitted"), "{error}");
}

#[cfg(target_os = "linux")]
mod memory {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::Device;
    use decoupled_seg_datasets::augment::Normalization;
    use decoupled_seg_datasets::{Cityscapes, Size, Split};
    use decoupled_seg_engine::{EvaluationRecipe, Evaluator, Inference, Protocol};
    use decoupled_seg_synthetic::{SyntheticConfig, write_cityscapes};
    use image::{Rgb, RgbImage};

    use super::*;

    /// Not a test by itself: prints the resident memory in KiB, at step 20 and after step 200.
    #[test]
    #[ignore = "started by the test below"]
    fn child_steps() {
        let Some(folder) = std::env::var_os(FOLDER) else {
            return;
        };
        let mut recipe = recipe();
        recipe.batch = 1;
        recipe.log_every = 5;
        recipe.validate_every = 5;
        // Epochs of 20 steps: a validation and a checkpoint every 100.
        let run = |epochs: usize| {
            let mut recipe = recipe.clone();
            recipe.epochs = epochs;
            trainer(recipe, Some(&Path::new(&folder).join(epochs.to_string())))
                .fit(
                    Arc::new(Rectangles::new(20, 24)),
                    Some(&Rectangles::new(2, 24)),
                )
                .expect("trains");
            status_kib("VmRSS")
        };
        println!("resident {} {}", run(1), run(10));
    }

    /// A figure of this process, as the kernel counts it.
    fn status_kib(key: &str) -> usize {
        let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
        let line = status
            .lines()
            .find(|line| line.starts_with(key))
            .expect("Linux has it");
        let number = line.split_whitespace().nth(1).expect("key: n kB");
        number.parse().expect("a number")
    }

    /// What a child prints behind `key`.
    fn told_by(test: &str, folder: &Path, key: &str) -> String {
        let output = start(test, folder)
            .wait_with_output()
            .expect("ends by itself");
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find_map(|line| line.split(key).nth(1));
        let line = line.map(str::to_string);
        line.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// `cargo test -p decoupled-seg-engine --test engine two_hundred -- --nocapture`
    #[test]
    fn two_hundred_steps_leave_memory_flat() {
        let _turn = alone();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let line = told_by("survival::memory::child_steps", folder.path(), "resident ");
        let figures: Vec<f64> = line
            .split_whitespace()
            .map(|word| word.parse().expect("a number"))
            .collect();
        println!(
            "resident after 20 steps {} KiB, after 200 more {} KiB",
            figures[0], figures[1]
        );
        // The allocator settles within a few MiB; a leak of one crop's activations a step would be 100 MiB.
        assert!(figures[1] - figures[0] < 8.0 * 1024.0, "{figures:?} KiB");
    }

    /// Not a test by itself: prints the peak of the resident memory in KiB.
    #[test]
    #[ignore = "started by the test below"]
    fn child_evaluation() {
        if std::env::var_os(FOLDER).is_none() {
            return;
        }
        let device = Device::default();
        let mut net = TinyNet::new(8, false, &device);
        net.num_classes = 19;
        net.classify = Conv2dConfig::new([8, 19], [1, 1]).init(&device);
        let image = RgbImage::from_fn(512, 256, |x, y| Rgb([x as u8, y as u8, (x ^ y) as u8]));
        let protocol = Protocol {
            scales: vec![0.5, 1.0, 2.0],
            ..Protocol::multi_scale(208)
        };
        let mut inference = Inference::new(protocol, Normalization::default(), &device);
        for _ in 0..2 {
            let labels = inference.labels(&net, &image);
            assert_eq!((labels.width, labels.height), (512, 256));
        }
        println!("peak {}", status_kib("VmHWM"));
    }

    /// A sixteenth of the pixels of Cityscapes, for which 4 GiB are the limit.
    #[test]
    fn many_classes_and_scales_stay_within_a_quarter_gigabyte() {
        let folder = Path::new(".");
        let peak = told_by("survival::memory::child_evaluation", folder, "peak ");
        println!("512x256, 19 classes, scales 0.5, 1 and 2, flip: peak {peak} KiB");
        let peak: usize = peak.trim().parse().expect("a number");
        assert!(peak < 256 * 1024, "{peak} KiB");
    }

    /// Not a test by itself: prints the resident memory in KiB after 10 and after all 50 images.
    #[test]
    #[ignore = "started by the test below"]
    fn child_fifty_images() {
        let Some(folder) = std::env::var_os(FOLDER) else {
            return;
        };
        let config = SyntheticConfig {
            train: 1,
            val: 50,
            test: 1,
            size: Size::new(128, 256),
            seed: 0,
        };
        write_cityscapes(&folder, &config).expect("writable");
        let dataset = Cityscapes::open(&folder, Split::Val).expect("just written");
        let device = Device::default();
        let mut net = TinyNet::new(8, false, &device);
        net.num_classes = 19;
        net.classify = Conv2dConfig::new([8, 19], [1, 1]).init(&device);
        let mut resident = Vec::new();
        let report = Evaluator::new(
            EvaluationRecipe::default(),
            Normalization::default(),
            &device,
        )
        .evaluate_with(&net, &dataset, |_, _| resident.push(status_kib("VmRSS")))
        .expect("evaluates");
        assert!(report.instances.is_some(), "the files have instances");
        println!("resident {} {}", resident[9], resident[49]);
    }

    #[test]
    fn fifty_images_leave_memory_flat() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let line = told_by(
            "survival::memory::child_fifty_images",
            folder.path(),
            "resident ",
        );
        let figures: Vec<f64> = line
            .split_whitespace()
            .map(|word| word.parse().expect("a number"))
            .collect();
        let [after_10, after_50] = figures[..] else {
            panic!("{line}");
        };
        println!(
            "256x128, 19 classes: resident after 10 images {after_10} KiB, after 50 {after_50} KiB"
        );
        // One image with its labels and logits is 3 MiB: what is let go and taken again is less.
        assert!(after_50 - after_10 < 3.0 * 1024.0, "{line}");
    }
}
