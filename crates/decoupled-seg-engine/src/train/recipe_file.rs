use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::EngineError;
use crate::files::{self, at};
use crate::recipe::Recipe;

const NAME: &str = "recipe.toml";

/// Writes the recipe of a run into its folder. What somebody else wrote there under that name, with comments or a preset, is
/// kept beside it; its new path is returned. `goes_on`: the run was there before, so that a recipe as runs write it is its own.
pub(super) fn write_recipe(
    folder: &Path,
    recipe: &Recipe,
    goes_on: bool,
) -> Result<Option<PathBuf>, EngineError> {
    let path = folder.join(NAME);
    let kept = match path.exists() {
        true => {
            let before = files::read(&path)?;
            let text = std::str::from_utf8(&before).unwrap_or_default();
            let as_written = |it: Recipe| it.to_toml() == text;
            let is_own = goes_on && Recipe::from_toml(text).is_ok_and(as_written);
            match is_own || text == recipe.to_toml() {
                true => None,
                false => Some(keep(folder, &before)?),
            }
        }
        false => None,
    };
    recipe.write(&path)?;
    Ok(kept)
}

/// Writes what was there to the first free name.
fn keep(folder: &Path, before: &[u8]) -> Result<PathBuf, EngineError> {
    let mut number = 1;
    loop {
        let path = folder.join(format!("recipe.before-{number}.toml"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                let written = file.write_all(before).and_then(|()| file.sync_all());
                written.map_err(at(&path, "writing"))?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(at(&path, "creating the file")(error).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_recipe_of_somebody_is_kept() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path();
        let text = || fs::read_to_string(folder.join(NAME)).expect("written");
        let recipe = Recipe::default();
        assert_eq!(
            write_recipe(folder, &recipe, false).expect("writable"),
            None
        );
        // The run's own, the same or with other free fields.
        assert_eq!(
            write_recipe(folder, &recipe, false).expect("writable"),
            None
        );
        let other = recipe.with("log_every", "3").expect("a key");
        assert_eq!(write_recipe(folder, &other, true).expect("writable"), None);
        assert_eq!(text(), other.to_toml());

        let notes = "# my notes of Friday\npreset = \"paper\"\n";
        let full = recipe.with("batch", "3").expect("a key").to_toml();
        // Without a run in the folder, a full one is somebody's too.
        for (number, (before, goes_on)) in [(notes, false), (notes, true), (full.as_str(), false)]
            .into_iter()
            .enumerate()
        {
            fs::write(folder.join(NAME), before).expect("writable");
            let kept = write_recipe(folder, &recipe, goes_on).expect("writable");
            let expected = folder.join(format!("recipe.before-{}.toml", number + 1));
            assert_eq!(kept, Some(expected.clone()));
            assert_eq!(fs::read_to_string(expected).expect("kept"), before);
            assert_eq!(text(), recipe.to_toml());
        }
    }
}
