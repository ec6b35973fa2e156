use std::path::Path;

use decoupled_seg::datasets::CustomDataset;
use decoupled_seg::engine::RecipePreset;
use decoupled_seg::metrics::BoundaryThreshold;
use decoupled_seg::synthetic::{self, SyntheticConfig};

use crate::Project;

impl Project {
    /// A data set of your own: folders or lists of images and masks, described by a `dataset.toml`. The project is named
    /// as the folder of the description.
    pub(crate) fn described_by(description: &Path) -> Self {
        let root = match description.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let folder = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
        let text =
            |part: Option<&std::ffi::OsStr>| part.map(|it| it.to_string_lossy().into_owned());
        let name = text(folder.file_name()).unwrap_or_else(|| "custom".to_string());
        let file = text(description.file_name()).unwrap_or_else(|| "dataset.toml".to_string());
        let recipe = RecipePreset::Paper.recipe();
        Self::new(name, root, recipe, move |root, split| {
            let description = root.join(&file);
            // What `--synthetic` makes has a description of the usual name.
            let description = match description.exists() {
                true => description,
                false => root.join("dataset.toml"),
            };
            CustomDataset::open_partially(description, split.as_str()).shared()
        })
        // The paper's fractions of the diagonal are all one or two pixels on small pictures.
        .with_boundary([1, 2, 3].map(BoundaryThreshold::Pixels))
        .with_synthetic(|root| synthetic::write_custom(root, &SyntheticConfig::default()))
    }
}
