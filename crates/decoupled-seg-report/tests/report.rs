//! A study of three variants and three seeds, as every kind of report.

use std::io::Cursor;

use decoupled_seg_metrics::{BoundaryScore, BoundaryThreshold};
use decoupled_seg_report::{BoundaryResult, Figure, History, Run, SizeResult, Study, Variant};
use image::{ImageFormat, Rgb, RgbImage};

/// A run whose scores are `gain` above those of the baseline, give or take the noise of its seed.
fn run(seed: u64, gain: f64) -> Run {
    let noise = [0.004, -0.006, 0.002][seed as usize % 3];
    let score = |base: f64| base + gain + noise;
    let boundary = |pixels: u32, base: f64| BoundaryResult {
        threshold: BoundaryThreshold::Pixels(pixels),
        score: Some(BoundaryScore {
            precision: score(base + 0.05),
            recall: score(base - 0.05),
            f: score(base),
        }),
    };
    let size = |name: &str, base| SizeResult {
        name: name.to_string(),
        iou: Some(score(base)),
    };
    let history = |name: &str, value: &dyn Fn(f64) -> f64| History {
        name: name.to_string(),
        points: (1..=20)
            .map(|epoch| [f64::from(epoch), value(f64::from(epoch))])
            .collect(),
    };
    Run {
        seed,
        mean_iou: Some(score(0.55)),
        pixel_accuracy: Some(score(0.88)),
        class_iou: vec![Some(score(0.93)), Some(score(0.17)), None],
        boundary: vec![boundary(1, 0.30), boundary(2, 0.41), boundary(3, 0.48)],
        sizes: vec![size("below 100 px", 0.12), size("100 px and more", 0.61)],
        histories: vec![
            history("validation mean IoU (%)", &|epoch| {
                100.0 * score(0.55) * (1.0 - (-epoch / 5.0).exp())
            }),
            history("training loss", &|epoch| {
                2.0 * (-epoch / 6.0).exp() + 0.3 - gain
            }),
        ],
        seconds: Some(754.0 + noise),
    }
}

fn study() -> Study {
    let variant = |name: &str, description: &str, gain| Variant {
        description: description.to_string(),
        parameters: Some(214_000),
        macs: Some(96_300_000),
        ..Variant::new(name, (1..=3).map(|seed| run(seed, gain)).collect())
    };
    let mut worse = variant("no edge loss", "body & edge, edge factor 0", -0.02);
    // Another noise than the baseline: the difference is within the spread.
    worse.runs[0].mean_iou = Some(0.60);
    let picture = RgbImage::from_fn(96, 64, |x, y| Rgb([2 * x as u8, 3 * y as u8, 90]));
    let mut png = Cursor::new(Vec::new());
    picture
        .write_to(&mut png, ImageFormat::Png)
        .expect("into memory");
    Study {
        title: "Does <the module> help?".to_string(),
        notes: vec![
            "FCN on 96x64 street scenes, 24 epochs. A gain counts if it is above twice its standard error.".to_string(),
        ],
        classes: ["road", "pole", "train"].map(String::from).to_vec(),
        variants: vec![
            variant("plain", "", 0.0),
            variant("module", "body and edge", 0.015),
            worse,
        ],
        figures: vec![Figure {
            caption: "Validation scene 0: \"truth\" and predictions".to_string(),
            png: png.into_inner(),
        }],
    }
}

#[test]
fn the_page_holds_everything_and_loads_nothing() {
    let html = study().html();

    for text in [
        "<title>Does &lt;the module&gt; help?</title>",
        "body &amp; edge, edge factor 0",
        "<td>55.0 ± 0.5</td>",
        "<td>+1.5 ± 0.0</td>",
        "<td class=\"better\">better</td>",
        "no difference shown",
        "12 min 34 s",
        "recall at 3 px",
        "below 100 px",
        "alt=\"Validation scene 0: &quot;truth&quot; and predictions\"",
        "src=\"data:image/png;base64,iVBORw0KGgo",
    ] {
        assert!(html.contains(text), "{text}");
    }
    // One chart of bars and two of curves; a class that no run has scored is left out.
    assert_eq!(html.matches("<svg ").count(), 3);
    assert!(!html.contains("train</td>"));
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
fn the_tables_as_markdown() {
    let text = study().markdown();

    for line in [
        "# Does <the module> help?",
        "| module | body and edge | 0.21 M | 96.30 M | 3 | 12 min 34 s |",
        "| module | 56.5 ± 0.5 | 89.5 ± 0.5 | 31.5 ± 0.5 | 42.5 ± 0.5 | 49.5 ± 0.5 |",
        "| module | F at 1 px | +1.5 ± 0.0 | better |",
        "| no edge loss | pixel accuracy | −2.0 ± 0.0 | worse |",
        "| pole | 17.0 ± 0.5 | 18.5 ± 0.5 | 15.0 ± 0.5 |",
        "| plain | 2 | 55.2 | 88.2 | 30.2 | 41.2 | 48.2 |",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let unclear = text
        .lines()
        .filter(|line| line.ends_with("no difference shown |"));
    assert_eq!(unclear.count(), 1);
    assert!(!text.contains("<svg") && !text.contains("## Pictures"));
}

#[test]
fn two_variants_are_compared_class_by_class() {
    let mut study = study();
    study.variants.truncate(2);
    let text = study.markdown();
    let line = "| pole | 17.0 ± 0.5 | 18.5 ± 0.5 | +1.5 ± 0.0 | better |";
    assert!(text.lines().any(|found| found == line), "{text}");
}

#[test]
fn unfinished_studies_are_reported_too() {
    let mut study = study();
    study.variants[0].runs.clear();
    study.variants[1].runs.truncate(1);
    let text = study.markdown();
    assert!(text.contains("| plain | – | – | – | – | – |"), "{text}");
    assert!(
        text.contains("| module | mean IoU | – | no common seed |"),
        "{text}"
    );

    study
        .variants
        .iter_mut()
        .for_each(|variant| variant.runs.clear());
    for report in [study.markdown(), study.html()] {
        assert!(report.contains("No run has finished yet."));
    }
    study.variants.clear();
    assert!(study.html().contains("No run has finished yet."));
    assert_eq!(study.csv(), "variant,seed,measure,value\n");
}
