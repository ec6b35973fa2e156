//! Reports of a small study, whole and in part.

use decoupled_seg_study::{ClassScore, PlannedRun, RunResult, Score, Study, StudyFile};

const STUDY: &str = r#"
title = "Small"
baseline = "plain"
seeds = [1, 2, 3]

[[variants]]
name = "plain"

[[variants]]
name = "module"
changes = { module = true }
"#;

fn train(run: &PlannedRun) -> Result<RunResult, String> {
    // The values that scipy was asked about in the crate's own tests.
    let values = match run.variant.as_str() {
        "plain" => [57.2, 55.1, 58.3],
        _ => [58.9, 57.4, 58.8],
    };
    let value = values[run.seed as usize - 1];
    Ok(RunResult {
        scores: vec![
            Score {
                name: "mean IoU".into(),
                value: Some(value),
            },
            Score {
                name: "F 1 px".into(),
                value: (run.seed > 1).then_some(value - 30.0),
            },
        ],
        class_scores: vec![ClassScore {
            score: "IoU".into(),
            class: "road".into(),
            value: Some(90.0 + run.seed as f64),
        }],
        seconds: Some(60.0),
        parameters: Some(1234),
        multiplications: None,
    })
}

#[test]
fn markdown_and_csv_hold_what_the_runs_gave() {
    let out = tempfile::tempdir().expect("a folder");
    let study = Study::new(StudyFile::parse(STUDY).expect("a study"), out.path()).expect("a study");
    study.run(train, |_| {}).expect("trained");
    let report = study.report().expect("readable");

    let text = report.to_markdown();
    for row in [
        "| plain | 3 | 56.87 ± 1.63 | 26.70 ± 2.26 |",
        "| module | mean IoU | 3 | +1.50 | [-0.78, +3.78] | 0.105 | within the spread |",
        "| module | F 1 px | 2 | +1.40 |",
        "| plain | 1 | 57.20 | - |",
        "| IoU | road | 92.00 ± 1.00 | 92.00 ± 1.00 (+0.00) |",
        "| plain | 1234 | - | 60 |",
    ] {
        assert!(text.contains(row), "{row}\n{text}");
    }
    assert!(!text.contains("Not finished"));

    let csv = report.to_csv();
    assert_eq!(csv.lines().count(), 1 + 2 * 2 * 3);
    assert!(
        csv.contains("plain,,1,mean IoU,57.2\n") && csv.contains("plain,,1,F 1 px,\n"),
        "{csv}"
    );
}

#[test]
fn a_part_is_reported_as_a_part() {
    let out = tempfile::tempdir().expect("a folder");
    let text = STUDY.replace("[[variants]]\nname = \"plain\"", "[[folds]]\nname = \"x\"\nvalidate = \"x*\"\n[[folds]]\nname = \"y\"\nvalidate = \"y*\"\n[[variants]]\nname = \"plain\"");
    let study = Study::new(StudyFile::parse(&text).expect("a study"), out.path()).expect("a study");
    let mut left = 7;
    study
        .run(
            |run| {
                left -= 1;
                if left < 0 {
                    Err("power cut".to_string())
                } else {
                    train(run)
                }
            },
            |_| {},
        )
        .expect_err("cut");
    let report = study.report().expect("readable");
    assert_eq!(report.missing.len(), 5);
    let text = report.to_markdown();
    assert!(text.contains("**Not finished**: 5 runs"), "{text}");
    assert!(
        text.contains("| module | mean IoU | 1 | +1.70 | - | - | within the spread |"),
        "{text}"
    );
    assert!(text.contains("| plain | y | 3 | 58.30 | 28.30 |"), "{text}");
}
