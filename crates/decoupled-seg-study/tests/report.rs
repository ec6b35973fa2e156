//! Reports of small studies, whole and in part.

use std::io::Cursor;

use decoupled_seg_study::{
    BoundaryResult, Figure, History, PartScore, PlannedRun, RunResult, Score, Study, StudyFile,
    StudyReport,
};
use image::{ImageFormat, Rgb, RgbImage};

const STUDY: &str = r#"
title = "Does <the module> help?"
notes = ["FCN on 96x64 street scenes, 24 epochs."]
baseline = "plain"
seeds = [1, 2, 3]

[[variants]]
name = "plain"

[[variants]]
name = "module"
description = "body & edge"
changes = { module = true }

[[variants]]
name = "more"
changes = { module = false }
"#;

fn train(run: &PlannedRun) -> Result<Option<RunResult>, String> {
    // The values that scipy was asked about in the crate's own tests.
    let values = match run.variant.as_str() {
        "plain" => [57.2, 55.1, 58.3],
        "module" => [58.9, 57.4, 58.8],
        _ => [57.3, 55.2, 58.5],
    };
    let value = values[run.seed as usize - 1];
    let score = |name: &str, value| Score {
        name: name.into(),
        value,
    };
    let boundary = |distance: &str, value| BoundaryResult {
        distance: distance.into(),
        precision: Some(value + 5.0),
        recall: Some(value - 5.0),
        f: (run.seed > 1).then_some(value),
    };
    let part = |name: &str, value| PartScore {
        score: "IoU by class".into(),
        part: name.into(),
        value,
    };
    let curve = |name: &str, rate: f64| History {
        name: name.into(),
        points: (1..=20)
            .map(|epoch| [f64::from(epoch), value * (-f64::from(epoch) / rate).exp()])
            .collect(),
    };
    Ok(Some(RunResult {
        scores: vec![
            score("mean IoU", Some(value)),
            score("pixel accuracy", None),
        ],
        boundary: vec![
            boundary("1 px", value - 30.0),
            boundary("2 px", value - 20.0),
        ],
        parts: vec![
            part("road", Some(90.0 + run.seed as f64)),
            part("train", None),
        ],
        histories: vec![curve("mean IoU (%)", 6.0), curve("training loss", 3.0)],
        seconds: Some(754.0),
        parameters: Some(214_000),
        macs: None,
    }))
}

fn report(text: &str) -> StudyReport {
    let out = tempfile::tempdir().expect("a folder");
    let study = Study::new(StudyFile::parse(text).expect("a study"), out.path()).expect("a study");
    study.run(train, |_| {}).expect("trained");
    study.report().expect("readable")
}

#[test]
fn warnings_stand_above_all_else() {
    let mut report = report(STUDY);
    report.warnings = vec!["`a` & `b` differ.".to_string()];
    let text = report.to_markdown();
    let mut lines = text.lines().filter(|line| !line.is_empty());
    assert_eq!(lines.next(), Some("# Does <the module> help?"));
    assert_eq!(lines.next(), Some("Warning: `a` & `b` differ."));
    let html = report.to_html();
    assert!(
        html.contains("<p>Warning: `a` &amp; `b` differ.</p>"),
        "{html}"
    );
}

#[test]
fn markdown_and_csv_hold_what_the_runs_gave() {
    let report = report(STUDY);
    let text = report.to_markdown();
    for row in [
        "# Does <the module> help?",
        "FCN on 96x64 street scenes, 24 epochs.",
        "| module | body & edge | 0.214 M | - | 3 | 12 min 34 s |",
        "| plain | 3 | 56.87 ± 1.63 | 26.70 ± 2.26 | 36.70 ± 2.26 |",
        "| module | plain | mean IoU | 3 | +1.50 | [-0.78, +3.78] | 0.105 | within the spread |",
        "| more | plain | mean IoU | 3 | +0.13 | [-0.01, +0.28] | 0.057 | within the spread |",
        "| module | plain | F 1 px | 2 | +1.40 | [-10.04, +12.84] | 0.364 | within the spread |",
        "Warning: 6 of 6 differences lie within the spread of the runs. They show nothing, in either direction.",
        "| precision 1 px | 31.87 ± 1.63 | 33.37 ± 0.84 (+1.50) | 32.00 ± 1.67 (+0.13) |",
        "| road | 92.00 ± 1.00 | 92.00 ± 1.00 (+0.00) | 92.00 ± 1.00 (+0.00) |",
        "## IoU by class",
        "| plain | 1 | 57.20 | - | - |",
    ] {
        assert!(text.lines().any(|line| line == row), "{row}\n{text}");
    }
    assert!(!text.contains("Not finished") && !text.contains("<svg"));
    // Nobody has them.
    assert!(!text.contains("pixel accuracy") && !text.contains("| train |"));

    let csv = report.to_csv();
    assert_eq!(csv.lines().count(), 1 + 3 * 3 * (1 + 2 + 4 + 1));
    for line in [
        "plain,,1,mean IoU,,57.2",
        "plain,,1,F 1 px,,",
        "module,,3,IoU by class,road,93",
    ] {
        assert!(csv.lines().any(|found| found == line), "{line}\n{csv}");
    }
}

#[test]
fn what_is_clear_is_told() {
    let report = report(
        &STUDY
            .replace("confidence", "")
            .replace("seeds = [1, 2, 3]", "seeds = [1, 2, 3]\nconfidence = 0.9"),
    );
    let text = report.to_markdown();
    let row = "| more | plain | mean IoU | 3 | +0.13 | [+0.04, +0.23] | 0.057 | higher |";
    assert!(text.lines().any(|line| line == row), "{text}");
    assert!(text.contains("their 90 % t-interval"), "{text}");
    assert!(
        report
            .to_html()
            .contains("<td class=\"higher\">higher</td>")
    );
}

#[test]
fn the_page_holds_everything_and_loads_nothing() {
    let mut report = report(STUDY);
    let picture = RgbImage::from_fn(96, 64, |x, y| Rgb([2 * x as u8, 3 * y as u8, 90]));
    let mut png = Cursor::new(Vec::new());
    picture
        .write_to(&mut png, ImageFormat::Png)
        .expect("into memory");
    report.figures.push(Figure {
        caption: "Scene 0: \"truth\" and predictions".to_string(),
        png: png.into_inner(),
    });

    let html = report.to_html();

    for text in [
        "<title>Does &lt;the module&gt; help?</title>",
        "body &amp; edge",
        "<td>56.87 ± 1.63</td>",
        "12 min 34 s",
        "recall 2 px",
        "alt=\"Scene 0: &quot;truth&quot; and predictions\"",
        "src=\"data:image/png;base64,iVBORw0KGgo",
    ] {
        assert!(html.contains(text), "{text}");
    }
    // One chart of bars and two of curves.
    assert_eq!(html.matches("<svg ").count(), 3);
    let outside = html.replace("http://www.w3.org/2000/svg", "");
    for loader in ["http", "<script", "<link", "@import", "url("] {
        assert!(!outside.contains(loader), "{loader}");
    }
    for (open, close) in [
        ("<table>", "</table>"),
        ("<figure>", "</figure>"),
        ("<td", "</td>"),
    ] {
        assert_eq!(html.matches(open).count(), html.matches(close).count());
    }
}

#[test]
fn a_part_is_reported_as_a_part() {
    let out = tempfile::tempdir().expect("a folder");
    let folds =
        "[[folds]]\nname = \"x\"\nvalidate = \"x*\"\n[[folds]]\nname = \"y\"\nvalidate = \"y*\"\n";
    let text = STUDY.replacen("[[variants]]", &format!("{folds}[[variants]]"), 1);
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
    assert_eq!(report.missing.len(), 11);
    let text = report.to_markdown();
    for part in [
        "Not finished: 11 runs have no result",
        "| module | plain | mean IoU | 1 | +1.70 | - | - | within the spread |",
        "| more | plain | mean IoU | 0 | - | - | - | no common run |",
        "| plain | y | 3 | 58.30 | 28.30 | 38.30 |",
        "same seed, same fold",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn a_variant_may_have_a_baseline_of_its_own() {
    let own = "name = \"more\"\nbaseline = \"module\"";
    let text = report(&STUDY.replace("name = \"more\"", own)).to_markdown();
    for row in [
        "| module | plain | mean IoU | 3 | +1.50 |",
        "| more | module | mean IoU | 3 | -1.37 |",
    ] {
        assert!(text.contains(row), "{row}\n{text}");
    }
}

#[test]
fn a_study_without_a_run_says_so() {
    let out = tempfile::tempdir().expect("a folder");
    let study = Study::new(StudyFile::parse(STUDY).expect("a study"), out.path()).expect("a study");
    let report = study.report().expect("readable");
    for text in [report.to_markdown(), report.to_html()] {
        assert!(text.contains("No run has finished yet."), "{text}");
    }
    assert_eq!(report.to_csv(), "variant,fold,seed,score,part,value\n");
}
