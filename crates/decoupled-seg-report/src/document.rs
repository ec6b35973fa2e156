//! The content of a report, whatever it is written as.

use decoupled_seg_viz::{Bar, BarChart, Chart, Curve};

use crate::measure::{Measure, thresholds};
use crate::statistics::{Difference, Summary, Verdict};
use crate::{Figure, Run, Study, Variant};

/// A report: its title and its parts in their order.
pub(crate) struct Document<'a> {
    pub title: &'a str,
    pub blocks: Vec<Block<'a>>,
}

/// A part of a report.
pub(crate) enum Block<'a> {
    Heading(&'static str),
    Paragraph(String),
    Table(Table),
    /// An SVG document.
    Chart(String),
    Figure(&'a Figure),
}

/// Names on the left, figures on the right.
pub(crate) struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        Self {
            header: header.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }
}

impl<'a> Document<'a> {
    pub fn new(study: &'a Study) -> Self {
        let mut document = Self {
            title: &study.title,
            blocks: study.notes.iter().cloned().map(Block::Paragraph).collect(),
        };
        document.add_variants(study);
        let main = Measure::main(study);
        if main.is_empty() {
            document.add_paragraph("No run has finished yet.");
            return document;
        }
        document.add_results(study, &main);
        document.add_boundary(study);
        document.add_measures("Classes", "class IoU (%)", study, &Measure::classes(study));
        document.add_measures("Sizes of objects", "IoU (%)", study, &Measure::sizes(study));
        document.add_runs(study, &main);
        document.add_histories(study);
        if !study.figures.is_empty() {
            document.blocks.push(Block::Heading("Pictures"));
            document
                .blocks
                .extend(study.figures.iter().map(Block::Figure));
        }
        document
    }

    fn add_paragraph(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }

    /// What differs between the variants, and what they cost.
    fn add_variants(&mut self, study: &Study) {
        let mut table = Table::new([
            "variant",
            "what it is",
            "parameters",
            "MACs",
            "runs",
            "training",
        ]);
        for variant in &study.variants {
            let seconds: Vec<f64> = variant.runs.iter().filter_map(|run| run.seconds).collect();
            let count = |count: Option<u64>| count.map_or("–".to_string(), millions);
            table.rows.push(vec![
                variant.name.clone(),
                variant.description.clone(),
                count(variant.parameters),
                count(variant.macs),
                variant.runs.len().to_string(),
                Summary::of(&seconds).map_or("–".to_string(), |time| duration(time.mean)),
            ]);
        }
        self.blocks.push(Block::Heading("Variants"));
        self.blocks.push(Block::Table(table));
    }

    /// The main scores, and their differences to the baseline.
    fn add_results(&mut self, study: &Study, measures: &[Measure]) {
        self.blocks.push(Block::Heading("Results"));
        self.add_paragraph("In per cent: mean over the seeds ± standard deviation.");
        let names = measures.iter().map(|measure| measure.name.as_str());
        let mut table = Table::new(["variant"].into_iter().chain(names));
        for variant in &study.variants {
            let scores = measures
                .iter()
                .map(|measure| percent(measure.summary(variant)));
            table
                .rows
                .push([variant.name.clone()].into_iter().chain(scores).collect());
        }
        self.blocks.push(Block::Table(table));

        let [baseline, others @ ..] = &study.variants[..] else {
            return;
        };
        if others.is_empty() {
            return;
        }
        self.blocks.push(Block::Heading("Differences"));
        self.add_paragraph(format!(
            "Against {}, seed by seed, in points of per cent: mean difference ± half-width of its 95 % interval. Where \
             the interval holds 0, the difference is within the spread of the seeds.",
            baseline.name
        ));
        let mut table = Table::new(["variant", "measure", "difference", "verdict"]);
        for variant in others {
            for measure in measures {
                let difference = measure.difference(variant, baseline);
                table.rows.push(vec![
                    variant.name.clone(),
                    measure.name.clone(),
                    points(difference),
                    verdict(difference).to_string(),
                ]);
            }
        }
        self.blocks.push(Block::Table(table));
    }

    /// Bars of the F-scores, and precision and recall.
    fn add_boundary(&mut self, study: &Study) {
        let groups = thresholds(study);
        if groups.is_empty() {
            return;
        }
        let scores = Measure::main(study);
        let mut chart = BarChart::new("Boundary F-score", "%", &groups);
        for variant in &study.variants {
            let bar = |threshold: &String| {
                let name = format!("F at {threshold}");
                let measure = scores.iter().find(|measure| measure.name == name)?;
                let Summary { mean, deviation } = measure.summary(variant)?;
                Some(Bar {
                    value: 100.0 * mean,
                    deviation: 100.0 * deviation.unwrap_or(0.0),
                })
            };
            chart = chart.with_bars(&variant.name, groups.iter().map(bar));
        }
        self.blocks.push(Block::Heading("Boundaries"));
        self.blocks.push(Block::Chart(chart.svg()));
        let measures = Measure::boundary(study);
        self.blocks
            .push(Block::Table(by_measure("boundary (%)", study, &measures)));
    }

    fn add_measures(
        &mut self,
        heading: &'static str,
        corner: &str,
        study: &Study,
        measures: &[Measure],
    ) {
        if !measures.is_empty() {
            self.blocks.push(Block::Heading(heading));
            self.blocks
                .push(Block::Table(by_measure(corner, study, measures)));
        }
    }

    /// The main scores of each run.
    fn add_runs(&mut self, study: &Study, measures: &[Measure]) {
        let names = measures.iter().map(|measure| measure.name.as_str());
        let mut table = Table::new(["variant", "seed"].into_iter().chain(names));
        for variant in &study.variants {
            for run in &variant.runs {
                let one = |mean| Summary {
                    mean,
                    deviation: None,
                };
                let scores = measures
                    .iter()
                    .map(|measure| percent(measure.score(run).map(one)));
                let names = [variant.name.clone(), run.seed.to_string()];
                table.rows.push(names.into_iter().chain(scores).collect());
            }
        }
        self.blocks.push(Block::Heading("Each seed"));
        self.blocks.push(Block::Table(table));
    }

    /// A chart for each name, with a curve for each variant: the mean over its runs.
    fn add_histories(&mut self, study: &Study) {
        let mut names: Vec<&str> = Vec::new();
        let runs = study.variants.iter().flat_map(|variant| &variant.runs);
        for history in runs.flat_map(|run| &run.histories) {
            if !names.contains(&history.name.as_str()) {
                names.push(&history.name);
            }
        }
        if !names.is_empty() {
            self.blocks.push(Block::Heading("Training"));
        }
        for name in names {
            let mut chart = Chart::new(name).with_axes("epoch", "mean over the seeds");
            for variant in &study.variants {
                let points = mean_history(variant, name);
                chart = chart.with_curve(Curve::new(&variant.name, points));
            }
            self.blocks.push(Block::Chart(chart.svg()));
        }
    }
}

/// One row a measure, one column a variant; two variants are followed by their difference.
fn by_measure(corner: &str, study: &Study, measures: &[Measure]) -> Table {
    let names = study.variants.iter().map(|variant| variant.name.as_str());
    let mut table = Table::new([corner].into_iter().chain(names));
    if let [_, _] = study.variants[..] {
        table
            .header
            .extend(["difference", "verdict"].map(String::from));
    }
    for measure in measures {
        let scores = study
            .variants
            .iter()
            .map(|variant| percent(measure.summary(variant)));
        let mut row: Vec<String> = [measure.name.clone()].into_iter().chain(scores).collect();
        if let [baseline, variant] = &study.variants[..] {
            let difference = measure.difference(variant, baseline);
            row.extend([points(difference), verdict(difference).to_string()]);
        }
        table.rows.push(row);
    }
    table
}

/// The mean over the runs at the epochs that all of them have.
fn mean_history(variant: &Variant, name: &str) -> Vec<[f64; 2]> {
    let points = |run: &Run| -> Option<Vec<[f64; 2]>> {
        let history = run.histories.iter().find(|history| history.name == name)?;
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
        let values: Option<Vec<f64>> = histories.iter().map(|h| value(h, x)).collect();
        Some([x, Summary::of(&values?)?.mean])
    };
    first.iter().filter_map(|point| mean(point[0])).collect()
}

/// A score in per cent with its deviation.
fn percent(summary: Option<Summary>) -> String {
    match summary {
        None => "–".to_string(),
        Some(Summary { mean, deviation }) => {
            let mean = 100.0 * mean;
            deviation.map_or(format!("{mean:.1}"), |deviation| {
                format!("{mean:.1} ± {:.1}", 100.0 * deviation)
            })
        }
    }
}

/// A difference in points of per cent with its margin.
fn points(difference: Option<Difference>) -> String {
    match difference {
        None => "–".to_string(),
        Some(Difference { mean, margin }) => {
            let mean = signed(100.0 * mean);
            margin.map_or(mean.clone(), |margin| {
                format!("{mean} ± {:.1}", 100.0 * margin)
            })
        }
    }
}

/// With a sign, also where it is not needed; -0.0 is 0.0.
fn signed(value: f64) -> String {
    let text = format!("{value:+.1}");
    match text.strip_prefix('-') {
        Some("0.0") => "+0.0".to_string(),
        Some(digits) => format!("−{digits}"),
        None => text,
    }
}

fn verdict(difference: Option<Difference>) -> &'static str {
    match difference.map(Difference::verdict) {
        Some(Verdict::Higher) => "better",
        Some(Verdict::Lower) => "worse",
        Some(Verdict::NotShown) => "no difference shown",
        Some(Verdict::TooFewSeeds) => "too few seeds",
        None => "no common seed",
    }
}

fn millions(count: u64) -> String {
    format!("{:.2} M", count as f64 / 1e6)
}

fn duration(seconds: f64) -> String {
    let minutes = (seconds / 60.0) as u64;
    match minutes {
        0 => format!("{seconds:.0} s"),
        1..60 => format!("{minutes} min {:02.0} s", seconds % 60.0),
        _ => format!("{} h {:02} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::History;
    use rstest::rstest;

    #[rstest]
    #[case(0.4, "0 s")]
    #[case(59.0, "59 s")]
    #[case(61.0, "1 min 01 s")]
    #[case(7_380.0, "2 h 03 min")]
    fn durations(#[case] seconds: f64, #[case] expected: &str) {
        assert_eq!(duration(seconds), expected);
    }

    #[rstest]
    #[case(1.26, "+1.3")]
    #[case(-0.5, "−0.5")]
    #[case(-0.01, "+0.0")]
    fn signs(#[case] value: f64, #[case] expected: &str) {
        assert_eq!(signed(value), expected);
    }

    #[test]
    fn histories_are_averaged_where_all_runs_have_them() {
        let run = |seed, points: &[[f64; 2]]| {
            let history = History {
                name: "loss".to_string(),
                points: points.to_vec(),
            };
            Run {
                histories: vec![history],
                ..Run::new(seed)
            }
        };
        let runs = vec![
            run(1, &[[1.0, 4.0], [2.0, 2.0], [3.0, 1.0]]),
            run(2, &[[1.0, 6.0], [3.0, 3.0]]),
            Run::new(3),
        ];

        let mean = mean_history(&Variant::new("a", runs), "loss");

        assert_eq!(mean, [[1.0, 5.0], [3.0, 2.0]]);
    }
}
