//! A study that is killed again and again ends with the report of one that was left alone.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use decoupled_seg_study::{PlannedRun, RunResult, Score, Study, StudyFile};
use decoupled_seg_types::write_atomic;

const OUT: &str = "DECOUPLED_SEG_STUDY_TEST_OUT";
const STUDY: &str = r#"
title = "Killed"
baseline = "a"
seeds = [1, 2, 3]
[base]
factor = 3
[[variants]]
name = "a"
[[variants]]
name = "b"
changes = { factor = 5 }
[[variants]]
name = "c"
changes = { factor = 7 }
[[variants]]
name = "d"
changes = { factor = 11 }
"#;
const STEPS: u64 = 30;

/// A training that keeps a checkpoint after each step and goes on from it.
fn train(run: &PlannedRun, pause: Duration) -> Result<Option<RunResult>, std::io::Error> {
    let checkpoint = run.folder.join("checkpoint.txt");
    let factor = run.settings["factor"].as_integer().expect("a number") as u64;
    let (mut step, mut state) = match fs::read_to_string(&checkpoint) {
        Ok(text) => {
            let (step, state) = text.split_once(' ').expect("written whole");
            (
                step.parse().expect("a number"),
                state.parse().expect("a number"),
            )
        }
        Err(_) => (0, run.seed),
    };
    while step < STEPS {
        state = (state * factor + step) % 10_007;
        step += 1;
        write_atomic(&checkpoint, |file| write!(file, "{step} {state}"))?;
        sleep(pause);
    }
    let value = Some(state as f64 / 100.0);
    Ok(Some(RunResult {
        scores: vec![Score {
            name: "score".into(),
            value,
        }],
        ..RunResult::default()
    }))
}

fn study(out: &Path) -> Study {
    Study::new(StudyFile::parse(STUDY).expect("a study"), out).expect("a study")
}

/// The process that is killed: this test's binary, asked for this test alone.
#[test]
fn child() {
    if let Some(out) = env::var_os(OUT) {
        let run = |run: &PlannedRun| train(run, Duration::from_millis(3));
        study(Path::new(&out)).run(run, |_| {}).expect("trained");
    }
}

#[test]
fn killed_ten_times_it_ends_with_the_same_report() {
    let alone = tempfile::tempdir().expect("a folder");
    study(alone.path())
        .run(|run| train(run, Duration::ZERO), |_| {})
        .expect("trained");

    let killed = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env::current_exe().expect("this binary"));
    command
        .args(["--exact", "child"])
        .env(OUT, killed.path())
        .stdout(Stdio::null());
    // Different moments each time: the low digits of a small generator.
    let mut random = 12_345_u64;
    let mut kills = 0;
    for _ in 0..10 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let mut child = command.spawn().expect("a process");
        sleep(Duration::from_millis(10 + (random >> 33) % 110));
        kills += u32::from(child.try_wait().expect("asked").is_none());
        child.kill().expect("killed, or already gone");
        child.wait().expect("gone");
    }
    assert!(kills > 0, "at least one was killed at work");
    assert!(command.status().expect("a process").success());

    let [alone, killed] =
        [alone.path(), killed.path()].map(|out| study(out).report().expect("readable"));
    assert!(alone.missing.is_empty());
    assert_eq!(killed, alone);
    assert_eq!(killed.to_markdown(), alone.to_markdown());
    assert_eq!(killed.to_csv(), alone.to_csv());
}
