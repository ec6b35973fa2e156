//! What of a folder is not predicted: pictures of other formats, and folders below.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use decoupled_seg::datasets::files::READ_FORMATS;
use decoupled_seg::engine::Inputs;

/// Pictures that were left out, counted by their endings, and folders that were not looked into.
#[derive(Default)]
pub(crate) struct LeftOut {
    by_ending: BTreeMap<String, usize>,
    folders: Vec<PathBuf>,
}

impl LeftOut {
    /// Counts those that an input passes over.
    pub fn add(&mut self, inputs: &Inputs) {
        for path in &inputs.other_pictures {
            let ending = path
                .extension()
                .map(|it| it.to_string_lossy().to_lowercase());
            let ending = ending.map_or("without an ending".to_string(), |it| format!(".{it}"));
            *self.by_ending.entry(ending).or_default() += 1;
        }
        self.folders.extend(inputs.folders.iter().cloned());
    }

    pub fn is_empty(&self) -> bool {
        self.by_ending.is_empty() && self.folders.is_empty()
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: usize = self.by_ending.values().sum();
        if total > 0 {
            let list: Vec<String> = self
                .by_ending
                .iter()
                .map(|(ending, count)| format!("{count} {ending}"))
                .collect();
            let list = list.join(", ");
            write!(
                f,
                "{total} pictures left out: {list}; expected {READ_FORMATS}s"
            )?;
        }
        if let [first, ..] = &self.folders[..] {
            let line = if total > 0 { "\n" } else { "" };
            let folders = match self.folders.len() {
                1 => "1 folder".to_string(),
                count => format!("{count} folders"),
            };
            write!(
                f,
                "{line}{folders} below with images left out, such as `{}`; name them, or write a pattern: '{}'",
                first.display(),
                first.with_file_name("**").display()
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        let mut left_out = LeftOut::default();
        assert!(left_out.is_empty());
        left_out.add(&Inputs {
            other_pictures: ["ph/a.cr2", "ph/b.CR2", "ph/c"].map(PathBuf::from).into(),
            ..Inputs::default()
        });
        let told =
            format!("3 pictures left out: 2 .cr2, 1 without an ending; expected {READ_FORMATS}s");
        assert_eq!(left_out.to_string(), told);
        left_out.add(&Inputs {
            folders: vec!["ph/day".into()],
            ..Inputs::default()
        });
        let told = format!(
            "{told}\n1 folder below with images left out, such as `ph/day`; name them, or write a pattern: 'ph/**'"
        );
        assert_eq!(left_out.to_string(), told);
    }
}
