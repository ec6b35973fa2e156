use std::collections::HashMap;
use std::path::Path;

/// How far a computed tensor may be from its golden values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tolerance {
    /// Equal, element by element.
    Exact,
    /// `max|a - b| <= t * max(max|b|, floor)`, the maxima over the whole tensor.
    Scaled {
        /// The relative part, `t`.
        relative: f64,
        /// What the largest golden magnitude counts as at least.
        floor: f64,
    },
}

impl Tolerance {
    /// Reads `exact`, `given` (an input: exact) or `scaled(t, floor)`, with an optional ` where smooth` behind it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "exact" || text == "given" {
            return Some(Self::Exact);
        }
        let inner = text.strip_prefix("scaled(")?.split(')').next()?;
        let (relative, floor) = inner.split_once(',')?;
        Some(Self::Scaled {
            relative: relative.trim().parse().ok()?,
            floor: floor.trim().parse().ok()?,
        })
    }

    /// The largest absolute difference allowed beside golden values of this magnitude.
    pub fn allowance(&self, golden_max: f64) -> f64 {
        match *self {
            Self::Exact => 0.0,
            Self::Scaled { relative, floor } => relative * golden_max.max(floor),
        }
    }
}

/// Tolerances of one group: by full name, and by last path component for names that the table does not list.
#[derive(Debug, Default)]
pub(crate) struct Table {
    by_name: HashMap<String, Tolerance>,
    by_leaf: HashMap<String, Tolerance>,
}

impl Table {
    pub(crate) fn read(folder: &Path, group: &str) -> Self {
        let mut path = folder.join("TENSORS.tsv");
        if !path.exists() {
            path = crate::default_folder().join("TENSORS.tsv");
        }
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        let file = format!("{group}.safetensors");
        let mut table = Self::default();
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            let [name_of_file, name, _dtype, _shape, tolerance] = columns[..] else {
                panic!("{}: expected 5 columns, found `{line}`", path.display());
            };
            if name_of_file != file {
                continue;
            }
            let tolerance = Tolerance::parse(tolerance)
                .unwrap_or_else(|| panic!("{}: unknown tolerance `{tolerance}`", path.display()));
            let leaf = name.rsplit('/').next().unwrap_or(name).to_string();
            table.by_leaf.entry(leaf).or_insert(tolerance);
            table.by_name.insert(name.to_string(), tolerance);
        }
        table
    }

    pub(crate) fn of(&self, name: &str) -> Option<Tolerance> {
        let leaf = name.rsplit('/').next().unwrap_or(name);
        self.by_name
            .get(name)
            .or_else(|| self.by_leaf.get(leaf))
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_every_form_of_the_table() {
        assert_eq!(Tolerance::parse("exact"), Some(Tolerance::Exact));
        assert_eq!(Tolerance::parse("given"), Some(Tolerance::Exact));
        let scaled = Some(Tolerance::Scaled {
            relative: 2e-5,
            floor: 1.0,
        });
        assert_eq!(Tolerance::parse("scaled(2e-5, 1)"), scaled);
        assert_eq!(Tolerance::parse("scaled(2e-5, 1) where smooth"), scaled);
        assert_eq!(Tolerance::parse("about right"), None);
    }

    #[test]
    fn the_floor_carries_small_tensors() {
        let tolerance = Tolerance::Scaled {
            relative: 1e-3,
            floor: 0.5,
        };
        assert_eq!(tolerance.allowance(0.1), 5e-4);
        assert_eq!(tolerance.allowance(2.0), 2e-3);
    }
}
