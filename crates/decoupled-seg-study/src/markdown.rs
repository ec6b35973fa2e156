use std::fmt::Write;

use crate::{PairedDifference, ScoreReport, StudyReport, Summary, VariantReport};

impl StudyReport {
    /// The report as Markdown.
    pub fn to_markdown(&self) -> String {
        write(self)
    }
}

fn write(report: &StudyReport) -> String {
    let mut text = format!("# {}\n\n", report.title);
    if !report.missing.is_empty() {
        line(
            &mut text,
            &format!(
                "**Not finished**: {} runs have no result: {}.\n",
                report.missing.len(),
                report.missing.join(", ")
            ),
        );
    }
    scores(report, &mut text);
    differences(report, &mut text);
    each_run(report, &mut text);
    classes(report, &mut text);
    costs(report, &mut text);
    text
}

fn scores(report: &StudyReport, text: &mut String) {
    line(
        text,
        "## Scores\n\nMean ± standard deviation over the runs.\n",
    );
    let names = report.score_names();
    header(
        text,
        ["variant", "runs"].into_iter().chain(names.iter().copied()),
    );
    for variant in &report.variants {
        let count = variant
            .scores
            .iter()
            .filter_map(|score| score.summary)
            .map(|summary| summary.count)
            .max();
        let cells = names.iter().map(|name| {
            variant
                .score(name)
                .and_then(|score| score.summary)
                .map_or("-".to_string(), mean_and_deviation)
        });
        row(
            text,
            [variant.name.clone(), count.unwrap_or(0).to_string()]
                .into_iter()
                .chain(cells),
        );
    }
    text.push('\n');
}

fn differences(report: &StudyReport, text: &mut String) {
    let percent = report.confidence * 100.0;
    line(text, &format!("## Difference to `{}`\n", report.baseline));
    line(
        text,
        &format!(
            "Mean of the paired differences (same seed{}), its {percent} % t-interval, and the p-value of the paired t-test. \
         **Within the spread** means that the interval holds 0, or that there is a single pair: then nothing is shown.{}\n",
            if report.has_folds { ", same fold" } else { "" },
            if report.has_folds {
                " Runs of one fold share their pictures, so the intervals speak of these folds, not of others."
            } else {
                ""
            }
        ),
    );
    header(
        text,
        [
            "variant",
            "score",
            "pairs",
            "difference",
            "interval",
            "p",
            "verdict",
        ]
        .into_iter(),
    );
    for variant in report
        .variants
        .iter()
        .filter(|variant| variant.name != report.baseline)
    {
        for score in &variant.scores {
            if let Some(difference) = &score.difference {
                row(
                    text,
                    difference_cells(variant, score, difference).into_iter(),
                );
            }
        }
    }
    text.push('\n');
}

fn difference_cells(
    variant: &VariantReport,
    score: &ScoreReport,
    difference: &PairedDifference,
) -> [String; 7] {
    let verdict = match (difference.is_clear(), difference.summary.mean > 0.0) {
        (false, _) => "within the spread",
        (true, true) => "higher",
        (true, false) => "lower",
    };
    [
        variant.name.clone(),
        score.name.clone(),
        difference.summary.count.to_string(),
        format!("{:+.2}", difference.summary.mean),
        difference
            .interval
            .map_or("-".into(), |[low, high]| format!("[{low:+.2}, {high:+.2}]")),
        difference.p_value.map_or("-".into(), |p| format!("{p:.3}")),
        verdict.to_string(),
    ]
}

fn each_run(report: &StudyReport, text: &mut String) {
    line(text, "## Each run\n");
    let names = report.score_names();
    let first = if report.has_folds {
        vec!["variant", "fold", "seed"]
    } else {
        vec!["variant", "seed"]
    };
    header(text, first.into_iter().chain(names.iter().copied()));
    for variant in &report.variants {
        let Some(any) = variant.scores.first() else {
            continue;
        };
        for (index, run) in any.values.iter().enumerate() {
            let mut cells = vec![variant.name.clone()];
            cells.extend(
                report
                    .has_folds
                    .then(|| run.fold.clone().unwrap_or_default()),
            );
            cells.push(run.seed.to_string());
            cells.extend(names.iter().map(|name| {
                variant
                    .score(name)
                    .and_then(|score| score.values[index].value)
                    .map_or("-".to_string(), |value| format!("{value:.2}"))
            }));
            row(text, cells.into_iter());
        }
    }
    text.push('\n');
}

fn classes(report: &StudyReport, text: &mut String) {
    let mut rows: Vec<(&str, &str)> = Vec::new();
    for class in report.variants.iter().flat_map(|variant| &variant.classes) {
        let row = (&*class.score, &*class.class);
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return;
    }
    line(
        text,
        "## Classes\n\nMean ± standard deviation; in brackets the mean difference to the baseline, with * where its interval leaves 0 out. \
                With many classes a few do so by chance.\n",
    );
    header(
        text,
        ["score", "class"]
            .into_iter()
            .chain(report.variants.iter().map(|variant| &*variant.name)),
    );
    for (score, class) in rows {
        let cells = report.variants.iter().map(|variant| {
            let found = variant
                .classes
                .iter()
                .find(|row| row.score == score && row.class == class);
            let Some((found, summary)) = found.and_then(|row| Some((row, row.summary?))) else {
                return "-".to_string();
            };
            let mut cell = mean_and_deviation(summary);
            if let Some(difference) = &found.difference {
                let star = if difference.is_clear() { "\\*" } else { "" };
                write!(cell, " ({:+.2}{star})", difference.summary.mean)
                    .expect("a String takes what is written");
            }
            cell
        });
        row(
            text,
            [score.to_string(), class.to_string()]
                .into_iter()
                .chain(cells),
        );
    }
    text.push('\n');
}

fn costs(report: &StudyReport, text: &mut String) {
    line(text, "## Cost\n");
    header(
        text,
        [
            "variant",
            "parameters",
            "multiplications",
            "seconds of training",
        ]
        .into_iter(),
    );
    for variant in &report.variants {
        let count =
            |number: Option<u64>| number.map_or("-".to_string(), |number| number.to_string());
        let seconds = variant
            .seconds
            .map_or("-".to_string(), |seconds| format!("{seconds:.0}"));
        row(
            text,
            [
                variant.name.clone(),
                count(variant.parameters),
                count(variant.multiplications),
                seconds,
            ]
            .into_iter(),
        );
    }
}

fn mean_and_deviation(summary: Summary) -> String {
    match summary.deviation {
        Some(deviation) => format!("{:.2} ± {deviation:.2}", summary.mean),
        None => format!("{:.2}", summary.mean),
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn header<'a>(text: &mut String, cells: impl Iterator<Item = &'a str>) {
    let cells: Vec<String> = cells.map(str::to_string).collect();
    let rule = format!("|{}", "---|".repeat(cells.len()));
    row(text, cells.into_iter());
    line(text, &rule);
}

fn row(text: &mut String, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells
        .map(|cell| cell.replace('|', "\\|").replace('\n', " "))
        .collect();
    line(text, &format!("| {} |", cells.join(" | ")));
}
