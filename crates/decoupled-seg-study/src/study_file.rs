use std::collections::HashSet;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::StudyError;
use crate::error::at;

/// A study as it stands in a file.
///
/// # Example
///
/// ```
/// use decoupled_seg_study::StudyFile;
///
/// let file = StudyFile::parse(
///     r#"
///     title = "Does the module help?"
///     baseline = "plain"
///     seeds = [1, 2, 3]
///
///     [base]                      # whatever the training reads: data, network, recipe
///     data = "camvid"
///     recipe = { epochs = 50, optimizer = { sgd = { momentum = 0.9 } } }
///
///     [[folds]]                   # optional; pictures whose name fits are left out of the training
///     name = "0001TP"
///     validate = "0001TP_*"
///
///     [[variants]]
///     name = "plain"
///
///     [[variants]]
///     name = "module-adam"
///     replace = ["recipe.optimizer"]
///     changes = { module = true, recipe = { optimizer = { adam = {} } } }
///     "#,
/// )?;
/// let settings = file.settings(&file.variants[1]);
/// assert_eq!(
///     toml::to_string(&settings["recipe"]).unwrap(),
///     "epochs = 50\n\n[optimizer.adam]\n"
/// );
/// # Ok::<(), decoupled_seg_study::StudyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyFile {
    /// Heading of the report.
    pub title: String,
    /// Paragraphs below the heading: data, protocol, what counts as success.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Name of the variant that the others are compared with.
    pub baseline: String,
    /// Each variant is trained once with each of them.
    pub seeds: Vec<u64>,
    /// Confidence of the intervals, between 0 and 1.
    #[serde(default = "default_confidence")]
    pub confidence: f64,
    /// Settings of all variants, read by whoever trains.
    #[serde(default)]
    pub base: Table,
    /// Parts of the data that are left out in turn. None: the data's own validation part judges.
    #[serde(default)]
    pub folds: Vec<Fold>,
    /// What is compared.
    pub variants: Vec<Variant>,
}

/// One variant: the base, and what is different.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Name in the report and of the folders.
    pub name: String,
    /// How it differs, for the report.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Name of the variant that this one is compared with; the study's baseline unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// Laid over the base: tables are merged key by key, everything else takes the place of what was there. A table with
    /// another `kind` takes the place of the old one.
    #[serde(default)]
    pub changes: Table,
    /// Tables of the base, as dotted paths, that are not merged but emptied first: `recipe.optimizer` for a change of the
    /// kind of optimizer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replace: Vec<String>,
}

/// A part of the data that is left out of the training and judges it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fold {
    /// Name in the report and of the folders.
    pub name: String,
    /// Pattern of the names (without folder and extension) that are left out; `*` and `?` as in a shell.
    pub validate: String,
}

impl Fold {
    /// Whether the picture called `name` is left out of the training. The pattern is that of a file that was read.
    pub fn leaves_out(&self, name: &str) -> bool {
        glob::Pattern::new(&self.validate).is_ok_and(|pattern| pattern.matches(name))
    }
}

/// Confidence of intervals unless a file says another.
pub(crate) const DEFAULT_CONFIDENCE: f64 = 0.95;

fn default_confidence() -> f64 {
    DEFAULT_CONFIDENCE
}

impl StudyFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`StudyError::Io`], [`StudyError::Parse`], and what [`check`](StudyFile::check) finds.
    pub fn read(path: &Path) -> Result<Self, StudyError> {
        let text = fs::read_to_string(path).map_err(at(path, "reading"))?;
        Self::parse_named(&text, path)
    }

    /// Reads a text.
    ///
    /// # Errors
    ///
    /// [`StudyError::Parse`], and what [`check`](StudyFile::check) finds.
    pub fn parse(text: &str) -> Result<Self, StudyError> {
        Self::parse_named(text, Path::new("study.toml"))
    }

    fn parse_named(text: &str, path: &Path) -> Result<Self, StudyError> {
        let file: Self = toml::from_str(text).map_err(|source| StudyError::Parse {
            path: path.to_path_buf(),
            source: Box::new(source),
        })?;
        file.check()?;
        Ok(file)
    }

    /// Checks what the types do not say.
    ///
    /// # Errors
    ///
    /// [`StudyError::Invalid`] and [`StudyError::Pattern`].
    pub fn check(&self) -> Result<(), StudyError> {
        let variants: Vec<&str> = self.variants.iter().map(|variant| &*variant.name).collect();
        let folds: Vec<&str> = self.folds.iter().map(|fold| &*fold.name).collect();
        check_names("variants", &variants)?;
        check_names("folds", &folds)?;
        let patterns: Vec<&str> = self.folds.iter().map(|fold| &*fold.validate).collect();
        if patterns.iter().collect::<HashSet<_>>().len() < patterns.len() {
            return Err(invalid("folds", &patterns, "each pattern once"));
        }
        if self.seeds.is_empty() {
            return Err(invalid("seeds", &self.seeds, "at least one"));
        }
        if self.seeds.iter().collect::<HashSet<_>>().len() < self.seeds.len() {
            return Err(invalid("seeds", &self.seeds, "each seed once"));
        }
        let own = self.variants.iter().filter_map(|it| it.baseline.as_ref());
        if let Some(unknown) = own
            .chain([&self.baseline])
            .find(|name| !variants.contains(&&***name))
        {
            return Err(invalid("baseline", unknown, "the name of a variant"));
        }
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            return Err(invalid(
                "confidence",
                &self.confidence,
                "a number between 0 and 1, such as 0.95",
            ));
        }
        for fold in &self.folds {
            glob::Pattern::new(&fold.validate).map_err(|source| StudyError::Pattern {
                fold: fold.name.clone(),
                pattern: fold.validate.clone(),
                source,
            })?;
        }
        for variant in &self.variants {
            for path in &variant.replace {
                if table_at(&mut self.base.clone(), path).is_none() {
                    let field = format!("variants.{}.replace", variant.name);
                    return Err(invalid(
                        &field,
                        path,
                        "the dotted path of a table in the base",
                    ));
                }
            }
        }
        Ok(())
    }

    /// The base with the changes of `variant`.
    pub fn settings(&self, variant: &Variant) -> Table {
        let mut settings = self.base.clone();
        for path in &variant.replace {
            if let Some(table) = table_at(&mut settings, path) {
                table.clear();
            }
        }
        merge(&mut settings, &variant.changes);
        settings
    }
}

/// Names are parts of folders' names.
fn check_names(field: &str, names: &[&str]) -> Result<(), StudyError> {
    if field == "variants" && names.is_empty() {
        return Err(invalid(field, names, "at least one"));
    }
    let plain = |name: &&&str| {
        !name.is_empty()
            && !name.starts_with(['.', '-'])
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    if let Some(name) = names.iter().find(|name| !plain(name)) {
        return Err(invalid(
            field,
            name,
            "names of letters, digits, `-`, `_` and `.` that begin with a letter or digit",
        ));
    }
    // Some file systems do not tell capitals from small letters.
    let different: HashSet<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    if different.len() < names.len() {
        return Err(invalid(
            field,
            names,
            "names that are told apart by more than capitals",
        ));
    }
    Ok(())
}

fn invalid(field: &str, found: &(impl Debug + ?Sized), expected: &'static str) -> StudyError {
    StudyError::Invalid {
        field: field.to_string(),
        found: format!("{found:?}"),
        expected,
    }
}

fn table_at<'a>(table: &'a mut Table, path: &str) -> Option<&'a mut Table> {
    path.split('.')
        .try_fold(table, |table, key| table.get_mut(key)?.as_table_mut())
}

fn merge(base: &mut Table, changes: &Table) {
    for (key, change) in changes {
        match (base.get_mut(key), change) {
            (Some(Value::Table(base)), Value::Table(change)) if same_kind(base, change) => {
                merge(base, change);
            }
            _ => {
                base.insert(key.clone(), change.clone());
            }
        }
    }
}

/// Whether both are the same choice of several.
fn same_kind(base: &Table, change: &Table) -> bool {
    match (base.get("kind"), change.get("kind")) {
        (Some(base), Some(change)) => base == change,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "title = 't'\nbaseline = 'a'\nseeds = [1]\n[[variants]]\nname = 'a'\n";

    fn error(text: &str) -> String {
        let error = StudyFile::parse(text).expect_err(text);
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error} {}", cause.unwrap_or_default())
    }

    #[test]
    fn what_makes_no_study_is_told() {
        StudyFile::parse(GOOD).expect("a study");
        for (from, to, part) in [
            ("[1]", "[]", "seeds is []"),
            ("[1]", "[1, 1]", "each seed once"),
            ("[1]", "[-1]", "invalid value"),
            ("baseline = 'a'", "baseline = 'b'", "baseline is \"b\""),
            (
                "name = 'a'",
                "name = 'a'\nbaseline = 'c'",
                "baseline is \"c\"",
            ),
            ("name = 'a'", "name = '../a'", "names of letters"),
            ("name = 'a'", "name = ''", "names of letters"),
            (
                "name = 'a'",
                "name = 'a'\n[[variants]]\nname = 'A'",
                "more than capitals",
            ),
            (
                "name = 'a'",
                "name = 'a'\nchange = {}",
                "unknown field `change`",
            ),
            (
                "name = 'a'",
                "name = 'a'\nreplace = ['recipe']",
                "dotted path",
            ),
            (
                "title = 't'",
                "title = 't'\nconfidence = 95.0",
                "between 0 and 1",
            ),
            (
                "[[var",
                "[[folds]]\nname = 'f'\nvalidate = '[a'\n[[var",
                "fold `f`",
            ),
        ] {
            let text = error(&GOOD.replace(from, to));
            assert!(text.contains(part), "{to}: {text}");
        }
    }

    #[test]
    fn changes_are_merged_key_by_key() {
        let file = StudyFile::parse(
            "title = 't'\nbaseline = 'a'\nseeds = [1]\n[base]\nx = { p = 1, q = [1, 2] }\ny = 1\n\
             [[variants]]\nname = 'a'\nchanges = { x = { q = [3] }, y = { z = 2 }, w = 0.5 }\n",
        )
        .expect("a study");
        let expected: Table = "x = { p = 1, q = [3] }\ny = { z = 2 }\nw = 0.5"
            .parse()
            .expect("TOML");
        assert_eq!(file.settings(&file.variants[0]), expected);
    }

    #[test]
    fn another_kind_takes_the_place_of_the_old_one() {
        let file = StudyFile::parse(
            "title = 't'\nbaseline = 'a'\nseeds = [1]\n[base]\nx = { kind = 'sgd', momentum = 0.9, rate = 1 }\n\
             [[variants]]\nname = 'a'\nchanges = { x = { kind = 'adam', rate = 2 } }\n\
             [[variants]]\nname = 'b'\nchanges = { x = { rate = 3 } }\n",
        )
        .expect("a study");
        let [adam, sgd]: [Table; 2] = [
            "x = { kind = 'adam', rate = 2 }",
            "x = { kind = 'sgd', momentum = 0.9, rate = 3 }",
        ]
        .map(|text| text.parse().expect("TOML"));
        assert_eq!(file.settings(&file.variants[0]), adam);
        assert_eq!(file.settings(&file.variants[1]), sgd);
    }

    #[test]
    fn folds_leave_out_what_fits() {
        let fold = Fold {
            name: "drive".into(),
            validate: "0001TP_*".into(),
        };
        assert!(fold.leaves_out("0001TP_006690"));
        assert!(!fold.leaves_out("0006R0_f00930"));
    }
}
