//! The data sets that `--data` knows by name.

mod bdd100k;
mod camvid;
mod cityscapes;
mod custom;
mod kitti;
mod mapillary;
mod street_scenes;

use std::path::Path;

use crate::{CliError, Project};
pub(crate) use street_scenes::Scenes;

/// A project and the name by which `--data` finds it.
type Named = (&'static str, fn() -> Project);

const ALL: [Named; 6] = [
    ("bdd100k", Project::bdd100k),
    ("camvid", Project::camvid),
    ("cityscapes", Project::cityscapes),
    ("kitti", Project::kitti),
    ("mapillary", Project::mapillary),
    (Project::STREET_SCENES, Project::street_scenes),
];

/// What `--data` may be, in words.
pub(crate) fn known() -> String {
    let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
    format!("{}, or the path of a dataset.toml", names.join(", "))
}

impl Project {
    /// The project of a name, or of the `dataset.toml` at a path.
    ///
    /// # Errors
    ///
    /// Returns [`CliError::UnknownData`] if it is neither.
    pub fn of(data: &str) -> Result<Self, CliError> {
        if let Some((_, project)) = ALL.iter().find(|(name, _)| *name == data) {
            return Ok(project());
        }
        let path = Path::new(data);
        let description = match path.is_dir() {
            true => path.join("dataset.toml"),
            false => path.to_path_buf(),
        };
        if path.is_dir() && !description.exists() {
            return Err(CliError::NoDescription {
                folder: data.to_string(),
                expected: known(),
            });
        }
        if !description.is_file() {
            return Err(CliError::UnknownData {
                found: data.to_string(),
                expected: known(),
            });
        }
        Ok(Self::described_by(&description))
    }
}
