//! The report in words, short enough for a screen.

use std::fmt;
use std::mem::discriminant;

use super::report::{CheckReport, Duplicate, SplitReport};
use crate::check::DARK;
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
            split.fmt_images(f)?;
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
        // Those in two splits, or with two labels, come first: they are problems.
        let mut duplicates: Vec<&Duplicate> = self.duplicates.iter().collect();
        duplicates.sort_by_key(|it| (!it.leaks(), !it.contradicts()));
        for it in duplicates.into_iter().take(SAME) {
            let ((split, name), (other_split, other)) = (&it.first, &it.second);
            write!(f, "same picture: {split}/{name} and {other_split}/{other}")?;
            match it.differing {
                0 => writeln!(f)?,
                pixels => writeln!(
                    f,
                    ", but their labels differ on {}",
                    counted(pixels, "pixel")
                )?,
            }
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
        let problems = problems + useless.count() + self.strange_splits().count();
        let pictures = [
            (self.leaks().count(), "in two splits"),
            (self.contradictions().count(), "with two labels"),
        ];
        if problems == 0 && pictures.iter().all(|(count, _)| *count == 0) {
            return match self.is_ok() {
                true => writeln!(f, "no problems"),
                false => writeln!(f, "classes that no training label shows cannot be learned"),
            };
        }
        write!(f, "{}", counted(problems, "problem"))?;
        for (count, what) in pictures.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {} {what}", counted(count, "picture"))?;
        }
        writeln!(f)
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
            let is_strange = self.strange_splits().any(|it| it.name == split.name);
            if let Some(class) = self.class_of_255(split) {
                let name = names[usize::from(class)];
                match is_strange {
                    false => writeln!(
                        f,
                        "  value 255 is ignored; is it `{name}`? then set `id = 255` for the class, and `ignored = []`"
                    )?,
                    // Another id would not fit the training masks.
                    true => writeln!(
                        f,
                        "  value 255 of {} is ignored; is it `{name}`? then save these masks with its id {}, as those of train",
                        split.name,
                        classes.id(class)
                    )?,
                }
            }
            if let Some((class, of_255, shown)) = split.two_conventions(classes) {
                let name = names[usize::from(class)];
                let (of_255, shown) = (counted(of_255, "mask"), counted(shown, "mask"));
                writeln!(
                    f,
                    "  {}: {of_255} with 255, which is ignored, and no `{name}`; {shown} with `{name}` and no 255: two conventions?",
                    split.name
                )?;
            }
        }
        Ok(())
    }
}

impl SplitReport {
    /// Writes what is noteworthy about the images.
    fn fmt_images(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.turned > 0 && self.labelled {
            writeln!(
                f,
                "  turned by their orientation tag: {}; masks must fit the turned pictures, see the overlays",
                counted(self.turned, "photo")
            )?;
        }
        // If all are, it is a problem of its own.
        let is_told = matches!(self.useless(), Some(DatasetError::AllDark { .. }));
        if let Some(example) = self.dark_example.as_ref().filter(|_| !is_told) {
            writeln!(
                f,
                "  nearly black: {} such as `{example}`, without a value above {DARK} of 255; at night, or of 12 bits in a file of 16?",
                counted(self.dark, "image")
            )?;
        }
        Ok(())
    }

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
