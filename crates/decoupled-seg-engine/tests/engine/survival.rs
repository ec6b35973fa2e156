//! What a run survives and what it costs, seen from another process: the test binary starts itself again.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use decoupled_seg_engine::{CheckpointRecipe, CheckpointStore, Recipe, Resume, Stop};

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
    let trained = trainer(long_recipe(), Some(Path::new(&folder)))
        .with_resume(Resume::IfPresent)
        .fit(train_set(), Some(&Rectangles::new(2, 24)))
        .expect("goes on wherever it was killed");
    assert_eq!(trained.stop, Stop::Finished);
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

/// Kills with signal 9 at as many moments of a run and compares with one left alone.
fn survive(kills: u32) {
    let _turn = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let begin = std::time::Instant::now();
    trainer(long_recipe(), Some(&whole))
        .fit(train_set(), Some(&Rectangles::new(2, 24)))
        .expect("trains");
    let length = begin.elapsed();

    let store = CheckpointStore::open(killed.join("checkpoints"), CheckpointRecipe::default());
    let mut steps = Vec::new();
    for kill in 0..kills {
        let mut child = start("survival::child_run", &killed);
        // Any moment of a run: while starting, stepping, validating or writing. Multiples of the golden ratio spread
        // evenly whatever their number.
        let moment = (f64::from(kill) * 0.618_033_988_749).fract();
        std::thread::sleep(length.mul_f64(0.05 + 0.5 * moment) + Duration::from_millis(20));
        // Signal 9 on Unix.
        let _ = child.kill();
        child.wait().expect("gone");
        // Whatever is there is whole, but for what the next start sweeps away.
        match store.latest() {
            Ok(checkpoint) => steps.push(checkpoint.state().position.step),
            Err(error) => assert!(
                error.to_string().ends_with("no whole checkpoint"),
                "damaged: {error}"
            ),
        }
    }
    assert!(steps.is_sorted(), "a run never falls back: {steps:?}");

    let output = start("survival::child_run", &killed)
        .wait_with_output()
        .expect("ends by itself");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert_eq!(logged_losses(&killed), logged_losses(&whole));
    println!("killed at steps {steps:?} of 36, each run {length:?} long");
}

#[test]
fn a_killed_run_goes_on() {
    survive(3);
}

/// `cargo test -p decoupled-seg-engine --test engine twenty -- --ignored --nocapture`
#[test]
#[ignore = "a minute"]
fn twenty_kills() {
    survive(20);
}

#[cfg(target_os = "linux")]
mod memory {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

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
            resident_kib()
        };
        println!("resident {} {}", run(1), run(10));
    }

    fn resident_kib() -> usize {
        let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .expect("Linux has it");
        let number = line.split_whitespace().nth(1).expect("VmRSS: n kB");
        number.parse().expect("a number")
    }

    #[test]
    fn two_hundred_steps_leave_memory_flat() {
        let _turn = alone();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = start("survival::memory::child_steps", folder.path())
            .wait_with_output()
            .expect("ends by itself");
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text
            .lines()
            .find_map(|line| line.split("resident ").nth(1))
            .unwrap_or_else(|| panic!("{text}"));
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
}
