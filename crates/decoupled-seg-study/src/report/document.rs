//! The content of a report, whatever it is written as.

use decoupled_seg_viz::{Bar, BarChart, Chart, Curve};

use super::measure::{Measure, distances};
use super::{Figure, ReportedRun, StudyReport, VariantReport, in_order};
use crate::{PairedDifference, Summary, Verdict};

/// A report: its title and its parts in their order.
pub(super) struct Document<'a> {
    pub title: &'a str,
    pub blocks: Vec<Block<'a>>,
}

/// A part of a report.
pub(super) enum Block<'a> {
    Heading(String),
    /// A heading over nothing but charts and pictures.
    PictureHeading(&'static str),
    Paragraph(String),
    Table(Table),
    /// An SVG document.
    Chart(String),
    Figure(&'a Figure),
}

/// Names on the left, figures on the right.
pub(super) struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

pub(super) const HIGHER: &str = "higher";
pub(super) const LOWER: &str = "lower";
const NONE: &str = "-";

impl Table {
    fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        Self {
            header: header.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }
}

impl<'a> Document<'a> {
    pub fn new(report: &'a StudyReport) -> Self {
        let mut document = Self {
            title: &report.title,
            blocks: Vec::new(),
        };
        for warning in &report.warnings {
            document.paragraph(format!("Warning: {warning}"));
        }
        if !report.missing.is_empty() {
            let (count, names) = (report.missing.len(), report.missing.join(", "));
            document.paragraph(format!(
                "Not finished: {count} runs have no result: {names}."
            ));
        }
        report
            .notes
            .iter()
            .for_each(|note| document.paragraph(note.clone()));
        document.variants(report);
        let main = Measure::main(report);
        if main.is_empty() {
            document.paragraph("No run has finished yet.".to_string());
            return document;
        }
        document.scores(report, &main);
        document.differences(report, &main);
        document.boundaries(report);
        document.parts(report);
        document.each_run(report, &main);
        document.histories(report);
        if !report.figures.is_empty() {
            document.blocks.push(Block::PictureHeading("Pictures"));
            let figures = report.figures.iter().map(Block::Figure);
            document.blocks.extend(figures);
        }
        document
    }

    fn heading(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Heading(text.into()));
    }

    fn paragraph(&mut self, text: String) {
        self.blocks.push(Block::Paragraph(text));
    }

    /// What differs between the variants, and what they cost.
    fn variants(&mut self, report: &StudyReport) {
        let mut table = Table::new([
            "variant",
            "what it is",
            "parameters",
            "MACs",
            "runs",
            "training",
        ]);
        for variant in &report.variants {
            let results = || variant.runs.iter().map(|run| &run.result);
            let seconds: Vec<f64> = results().filter_map(|result| result.seconds).collect();
            let count = |count: Option<u64>| count.map_or(NONE.to_string(), millions);
            table.rows.push(vec![
                variant.name.clone(),
                variant.description.clone(),
                count(results().find_map(|result| result.parameters)),
                count(results().find_map(|result| result.macs)),
                variant.runs.len().to_string(),
                Summary::of(&seconds).map_or(NONE.to_string(), |time| duration(time.mean)),
            ]);
        }
        self.heading("Variants");
        self.blocks.push(Block::Table(table));
    }

    fn scores(&mut self, report: &StudyReport, measures: &[Measure]) {
        self.heading("Scores");
        self.paragraph("In percent: mean over the runs ± standard deviation.".to_string());
        let names = measures.iter().map(name);
        let mut table = Table::new(
            ["variant", "runs"]
                .map(String::from)
                .into_iter()
                .chain(names),
        );
        for variant in &report.variants {
            let summaries = measures.iter().map(|measure| measure.summary(variant));
            let first = [variant.name.clone(), variant.runs.len().to_string()];
            table
                .rows
                .push(first.into_iter().chain(summaries.map(spread)).collect());
        }
        self.blocks.push(Block::Table(table));
    }

    /// The differences of the main scores to the baseline, and what may be said of them.
    fn differences(&mut self, report: &StudyReport, measures: &[Measure]) {
        if report.variants.len() < 2 {
            return;
        }
        self.heading("Differences");
        let percent = report.confidence * 100.0;
        let [same_fold, folds] = if report.has_folds() {
            [
                ", same fold",
                " Runs of one fold share their pictures: the intervals speak of these folds, not of others.",
            ]
        } else {
            ["", ""]
        };
        self.paragraph(format!(
            "Mean of the paired differences (same seed{same_fold}) in points of percent, their {percent} % t-interval, and the p-value of the paired t-test. \
             \"Within the spread\": the interval holds 0, or there is one pair only; then no difference is shown.{folds}"
        ));
        let header = [
            "variant",
            "to",
            "score",
            "pairs",
            "difference",
            "interval",
            "p",
            "verdict",
        ];
        let mut table = Table::new(header);
        for variant in &report.variants {
            let Some(rival) = report.rival(variant) else {
                continue;
            };
            for measure in measures {
                let difference = measure.difference(report, variant);
                let mut row = vec![variant.name.clone(), rival.name.clone(), name(measure)];
                row.extend(difference_cells(difference.as_ref()));
                table.rows.push(row);
            }
        }
        let within = table.rows.iter();
        let within = within.filter(|row| row.last().is_some_and(|cell| cell == WITHIN));
        let within = within.count();
        let all = table.rows.len();
        self.blocks.push(Block::Table(table));
        if within > 0 {
            self.paragraph(format!(
                "Warning: {within} of {all} differences lie within the spread of the runs. They show nothing, in either direction."
            ));
        }
    }

    /// Bars of the F-scores, and precision and recall.
    fn boundaries(&mut self, report: &StudyReport) {
        let groups = distances(report);
        if groups.is_empty() {
            return;
        }
        let mut chart = BarChart::new("Boundary F-score", "%", &groups);
        for variant in &report.variants {
            let bar = |distance: &String| {
                let summary = Measure::F(distance.clone()).summary(variant)?;
                Some(Bar {
                    value: summary.mean,
                    deviation: summary.deviation.unwrap_or(0.0),
                })
            };
            chart = chart.with_bars(&variant.name, groups.iter().map(bar));
        }
        self.heading("Boundaries");
        self.blocks.push(Block::Chart(chart.svg()));
        let measures = Measure::boundary(report);
        if !measures.is_empty() {
            let table = by_measure("boundary", report, &measures, name);
            self.blocks.push(Block::Table(table));
        }
    }

    fn parts(&mut self, report: &StudyReport) {
        for (index, (score, measures)) in Measure::parts(report).into_iter().enumerate() {
            self.heading(score);
            if index == 0 {
                self.paragraph(
                    "In brackets the mean difference to the baseline, with * where its interval leaves 0 out. With many rows a few do so by chance."
                        .to_string(),
                );
            }
            let part = |measure: &Measure| {
                let [_, part] = measure.names();
                part
            };
            let table = by_measure("", report, &measures, part);
            self.blocks.push(Block::Table(table));
        }
    }

    /// The main scores of each run.
    fn each_run(&mut self, report: &StudyReport, measures: &[Measure]) {
        let first: &[&str] = match report.has_folds() {
            true => &["variant", "fold", "seed"],
            false => &["variant", "seed"],
        };
        let names = measures.iter().map(name);
        let mut table = Table::new(first.iter().map(|name| name.to_string()).chain(names));
        for variant in &report.variants {
            for run in &variant.runs {
                let mut row = vec![variant.name.clone()];
                if report.has_folds() {
                    row.push(run.fold.clone().unwrap_or_default());
                }
                row.push(run.seed.to_string());
                let values = measures.iter().map(|measure| measure.value(&run.result));
                let cells = values
                    .map(|value| value.map_or(NONE.to_string(), |value| format!("{value:.2}")));
                row.extend(cells);
                table.rows.push(row);
            }
        }
        self.heading("Each run");
        self.blocks.push(Block::Table(table));
    }

    /// A chart for each name, with a curve for each variant: the mean over its runs.
    fn histories(&mut self, report: &StudyReport) {
        let histories = report.runs().flat_map(|run| &run.result.histories);
        let names = in_order(histories.map(|history| &*history.name));
        if !names.is_empty() {
            self.blocks.push(Block::PictureHeading("Training"));
        }
        for name in names {
            let mut chart = Chart::new(name).with_axes("epoch", "mean over the runs");
            for variant in &report.variants {
                let points = mean_history(variant, name);
                if !points.is_empty() {
                    chart = chart.with_curve(Curve::new(&variant.name, points));
                }
            }
            self.blocks.push(Block::Chart(chart.svg()));
        }
    }
}

const WITHIN: &str = "within the spread";

fn name(measure: &Measure) -> String {
    let [score, _] = measure.names();
    score
}

/// Pairs, difference, interval, p-value and verdict.
fn difference_cells(difference: Option<&PairedDifference>) -> [String; 5] {
    let Some(difference) = difference else {
        return ["0", NONE, NONE, NONE, "no common run"].map(String::from);
    };
    let verdict = match difference.verdict() {
        Verdict::Higher => HIGHER,
        Verdict::Lower => LOWER,
        Verdict::WithinSpread => WITHIN,
    };
    [
        difference.summary.count.to_string(),
        signed(difference.summary.mean),
        difference.interval.map_or(NONE.to_string(), |[low, high]| {
            format!("[{}, {}]", signed(low), signed(high))
        }),
        difference
            .p_value
            .map_or(NONE.to_string(), |p| format!("{p:.3}")),
        verdict.to_string(),
    ]
}

/// One row a measure, one column a variant, with the difference to the baseline in brackets.
fn by_measure(
    corner: &str,
    report: &StudyReport,
    measures: &[Measure],
    label: impl Fn(&Measure) -> String,
) -> Table {
    let names = report.variants.iter().map(|variant| &*variant.name);
    let mut table = Table::new([corner].into_iter().chain(names));
    for measure in measures {
        let cells = report.variants.iter().map(|variant| {
            let mut cell = spread(measure.summary(variant));
            if let Some(difference) = measure.difference(report, variant) {
                let star = match difference.verdict() {
                    Verdict::WithinSpread => "",
                    Verdict::Higher | Verdict::Lower => "*",
                };
                cell += &format!(" ({}{star})", signed(difference.summary.mean));
            }
            cell
        });
        table
            .rows
            .push([label(measure)].into_iter().chain(cells).collect());
    }
    table
}

/// The mean over the runs at the epochs that all of them have.
fn mean_history(variant: &VariantReport, name: &str) -> Vec<[f64; 2]> {
    let points = |run: &ReportedRun| -> Option<Vec<[f64; 2]>> {
        let mut histories = run.result.histories.iter();
        let history = histories.find(|history| history.name == name)?;
        Some(history.points.clone())
    };
    let histories: Vec<Vec<[f64; 2]>> = variant.runs.iter().filter_map(points).collect();
    let Some(first) = histories.first() else {
        return Vec::new();
    };
    let value = |history: &Vec<[f64; 2]>, x: f64| {
        let point = history.iter().find(|point| point[0] == x);
        point.map(|point| point[1])
    };
    let mean = |x: f64| {
        let values: Option<Vec<f64>> = histories.iter().map(|it| value(it, x)).collect();
        Some([x, Summary::of(&values?)?.mean])
    };
    first.iter().filter_map(|point| mean(point[0])).collect()
}

fn spread(summary: Option<Summary>) -> String {
    match summary {
        None => NONE.to_string(),
        Some(Summary {
            mean,
            deviation: None,
            ..
        }) => format!("{mean:.2}"),
        Some(Summary {
            mean,
            deviation: Some(deviation),
            ..
        }) => format!("{mean:.2} ± {deviation:.2}"),
    }
}

/// With a sign, also where it is not needed; -0.00 is +0.00.
fn signed(value: f64) -> String {
    match format!("{value:+.2}") {
        text if text == "-0.00" => "+0.00".to_string(),
        text => text,
    }
}

fn millions(count: u64) -> String {
    format!("{:.3} M", count as f64 / 1e6)
}

fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole / 60 {
        0 => format!("{whole} s"),
        minutes @ 1..60 => format!("{minutes} min {:02} s", whole % 60),
        minutes => format!("{} h {:02} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{History, RunResult};

    #[test]
    fn durations_are_short() {
        for (seconds, expected) in [
            (0.4, "0 s"),
            (59.0, "59 s"),
            (59.9, "1 min 00 s"),
            (61.0, "1 min 01 s"),
            (7_380.0, "2 h 03 min"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn zero_has_one_sign() {
        let texts = [1.256, -0.5, -0.001].map(signed);
        assert_eq!(texts, ["+1.26", "-0.50", "+0.00"]);
    }

    #[test]
    fn histories_are_averaged_where_all_runs_have_them() {
        let run = |seed, points: &[[f64; 2]]| {
            let history = History {
                name: "loss".to_string(),
                points: points.to_vec(),
            };
            ReportedRun {
                seed,
                fold: None,
                result: RunResult {
                    histories: vec![history],
                    ..RunResult::default()
                },
            }
        };
        let mut other = run(3, &[]);
        other.result.histories.clear();
        let runs = vec![
            run(1, &[[1.0, 4.0], [2.0, 2.0], [3.0, 1.0]]),
            run(2, &[[1.0, 6.0], [3.0, 3.0]]),
            other,
        ];

        let mean = mean_history(&VariantReport::new("a", runs), "loss");

        assert_eq!(mean, [[1.0, 5.0], [3.0, 2.0]]);
    }
}
