//! The report in words, short enough for a screen.

use std::fmt;
use std::mem::discriminant;

use super::report::{CheckReport, Duplicate, SplitReport};
use crate::{ClassTable, DatasetError, IGNORE_LABEL};

/// Number of problems of a split that are all written out.
const PROBLEMS: usize = 24;
/// Number of problems of all splits that are written out if a split has more: a report of three splits and 20 classes then
/// fits on a screen. Each kind of a split has one at least.
const OF_MANY: usize = 12;
/// Number of pairs of the same picture that are written out.
const SAME: usize = 3;
/// Number of values of masks that are written out.
const VALUES: usize = 64;

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for split in &self.splits {
            let labelled = if split.labelled {
                ""
            } else {
                ", without labels"
            };
            if split.items == 0 && !split.files.is_empty() {
                writeln!(f, "{}: nothing of it can be used, see below", split.name)?;
                continue;
            }
            writeln!(f, "{}: {} images{labelled}", split.name, split.items)?;
            let sizes = split
                .sizes
                .iter()
                .map(|(size, count)| format!("{size} ({count})"));
            writeln!(f, "  sizes (height x width): {}", shortened(sizes))?;
            if let Some(bands) = &split.bands {
                let numbers = |values: &[f64]| {
                    let values: Vec<String> =
                        values.iter().map(|value| format!("{value:.4}")).collect();
                    values.join(", ")
                };
                writeln!(
                    f,
                    "  bands: mean [{}], std [{}], of 0 to 1",
                    numbers(&bands.mean),
                    numbers(&bands.std)
                )?;
            }
            if !split.mask_formats.is_empty() {
                let formats = split
                    .mask_formats
                    .iter()
                    .map(|(format, count)| format!("{format} ({count})"));
                writeln!(f, "  masks: {}", shortened(formats))?;
            }
            if !split.raw_values.is_empty() {
                let values = split
                    .raw_values
                    .iter()
                    .map(|(value, count)| format!("{value} ({count})"));
                writeln!(f, "  values: {}", first_few(values, VALUES))?;
            }
        }
        for (name, error) in &self.missing {
            writeln!(f, "{name}: not there; {error}")?;
        }
        if let Some(classes) = &self.classes {
            self.fmt_classes(classes, f)?;
        }
        // Those in two splits come first: they are problems.
        let (leaks, others): (Vec<_>, Vec<_>) = self.duplicates.iter().partition(|it| it.leaks());
        for Duplicate { first, second } in leaks.into_iter().chain(others).take(SAME) {
            writeln!(
                f,
                "same picture: {}/{} and {}/{}",
                first.0, first.1, second.0, second.1
            )?;
        }
        let more = self.duplicates.len().saturating_sub(SAME);
        if more > 0 {
            writeln!(f, "same picture: and {more} more pairs")?;
        }
        let many = |split: &&SplitReport| split.problem_count() > PROBLEMS;
        let of_many = OF_MANY / self.splits.iter().filter(many).count().max(1);
        for split in &self.splits {
            split.fmt_problems(f, of_many)?;
            if let Some(useless) = split.useless() {
                writeln!(f, "{}: {useless}", split.name)?;
            }
        }
        let problems: usize = self.splits.iter().map(SplitReport::problem_count).sum();
        let useless = self.splits.iter().filter(|split| split.useless().is_some());
        let problems = problems + useless.count();
        match (problems, self.leaks().count()) {
            (0, 0) if self.is_ok() => writeln!(f, "no problems"),
            (0, 0) => writeln!(f, "classes that no training label shows cannot be learned"),
            (problems, 0) => writeln!(f, "{}", counted(problems, "problem")),
            (problems, leaks) => {
                let (problems, leaks) = (counted(problems, "problem"), counted(leaks, "picture"));
                writeln!(f, "{problems}, {leaks} in two splits")
            }
        }
    }
}

impl CheckReport {
    /// Writes the share of pixels in percent and the number of images for each split and each class that some split shows,
    /// and the absent classes.
    fn fmt_classes(&self, classes: &ClassTable, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labelled: Vec<&SplitReport> = self
            .splits
            .iter()
            .filter(|split| split.labelled && split.items > 0)
            .collect();
        if labelled.is_empty() {
            return Ok(());
        }
        let names = classes.names();
        let rows: Vec<(u8, &str)> = (0_u8..)
            .zip(names.iter().copied())
            .chain([(IGNORE_LABEL, "ignored")])
            .filter(|(label, _)| {
                let shown = |split: &&SplitReport| split.pixels[usize::from(*label)] > 0;
                labelled.iter().any(shown)
            })
            .collect();
        let lengths = rows.iter().map(|(_, name)| name.chars().count());
        let width = lengths.chain(["class".len()]).max().unwrap_or(0);
        write!(f, "{:width$}", "class")?;
        for split in &labelled {
            write!(f, "  {:>8} % {:>7}", split.name, "images")?;
        }
        writeln!(f)?;
        for (label, name) in rows {
            write!(f, "{name:width$}")?;
            for split in &labelled {
                let images = split
                    .images
                    .get(usize::from(label))
                    .map_or(String::new(), usize::to_string);
                write!(f, "  {:10.4} {images:>7}", 100.0 * split.share(label))?;
            }
            writeln!(f)?;
        }
        for same in labelled.chunk_by(|a, b| a.absent() == b.absent()) {
            let splits: Vec<&str> = same.iter().map(|split| split.name.as_str()).collect();
            let absent = same[0].absent().into_iter();
            let absent: Vec<&str> = absent.map(|class| names[usize::from(class)]).collect();
            if !absent.is_empty() {
                writeln!(
                    f,
                    "{}: no pixel of {}",
                    splits.join(", "),
                    absent.join(", ")
                )?;
            }
        }
        for split in labelled {
            if let Some(hint) = split.counted_from_one(names.len()) {
                writeln!(f, "  {hint}")?;
            }
            let holds_255 = split.raw_values.contains_key(&255);
            let ignores_255 = split.pixels[usize::from(IGNORE_LABEL)] > 0;
            if let [only] = split.absent()[..]
                && split.lacks_classes()
                && holds_255
                && ignores_255
            {
                writeln!(
                    f,
                    "  value 255 is ignored; is it `{}`? then set `id = 255` for the class, and `ignored = []`",
                    names[usize::from(only)]
                )?;
            }
        }
        Ok(())
    }
}

impl SplitReport {
    /// Writes the problems out, kind by kind, and says how many of each kind are left out. Of more than [`PROBLEMS`] it
    /// writes about `of_many`.
    fn fmt_problems(&self, f: &mut fmt::Formatter<'_>, of_many: usize) -> fmt::Result {
        let files = self.files.iter().map(|problem| (None, problem));
        let items = self.problems.iter();
        let items = items.map(|(name, problem)| (Some(name.as_str()), problem));
        let mut kinds: Vec<Vec<(Option<&str>, &DatasetError)>> = Vec::new();
        for found in files.chain(items) {
            let kind = discriminant(found.1);
            match kinds.iter_mut().find(|it| discriminant(it[0].1) == kind) {
                Some(same) => same.push(found),
                None => kinds.push(vec![found]),
            }
        }
        let shown = match self.problem_count() {
            ..=PROBLEMS => PROBLEMS,
            _ => (of_many / kinds.len()).max(1),
        };
        for same in kinds {
            for (name, problem) in same.iter().take(shown) {
                match name {
                    None => writeln!(f, "{}: {problem}", self.name)?,
                    Some(name) => writeln!(f, "{}/{name}: {problem}", self.name)?,
                }
            }
            if same.len() > shown {
                writeln!(f, "{}: and {} more like it", self.name, same.len() - shown)?;
            }
        }
        Ok(())
    }
}

/// `1 problem`, `2 problems`.
fn counted(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

/// Joins the first few items of a list.
fn shortened(items: impl ExactSizeIterator<Item = String>) -> String {
    first_few(items, 8)
}

fn first_few(items: impl ExactSizeIterator<Item = String>, shown: usize) -> String {
    let count = items.len();
    let mut items: Vec<String> = items.take(shown).collect();
    if count > shown {
        items.push(format!("and {} more", count - shown));
    }
    items.join(", ")
}
