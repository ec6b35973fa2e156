use std::path::{Path, PathBuf};

use super::Cityscapes;
use super::cityscapes::{CityscapesConfig, instance_file};
use crate::files::{list_folder, list_subfolders};
use crate::{DatasetError, Split};

const SUFFIX: &str = "_gtFine_labelIds.png";

/// The ground truth files for one image of Cityscapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CityscapesTruth {
    /// City, sequence and frame: `frankfurt_000000_000294`.
    pub name: String,
    /// `{name}_gtFine_labelIds.png`.
    pub labels: PathBuf,
    /// `{name}_gtFine_instanceIds.png` beside it, whether or not it exists.
    pub instances: PathBuf,
}

impl Cityscapes {
    /// Lists the fine annotation of an official split by city and name. The images are not needed.
    ///
    /// # Errors
    ///
    /// Returns a [`DatasetError`] if the folder does not exist or has no label files, or if a name is not UTF-8.
    pub fn ground_truth(
        root: impl AsRef<Path>,
        split: Split,
    ) -> Result<Vec<CityscapesTruth>, DatasetError> {
        let config = CityscapesConfig::new(root.as_ref(), split);
        let mut truths = Vec::new();
        for part in split.parts() {
            let folder = config.labels_of(part.as_str())?;
            for city in list_subfolders(&folder, "a folder for each city")? {
                for labels in list_folder(&city, "label files")? {
                    let Some(file) = labels.file_name().and_then(|name| name.to_str()) else {
                        return Err(DatasetError::NonUtf8Name { path: labels });
                    };
                    let name = file.strip_suffix(SUFFIX).map(str::to_string);
                    if let (Some(name), Some(instances)) = (name, instance_file(&labels)) {
                        truths.push(CityscapesTruth {
                            name,
                            labels,
                            instances,
                        });
                    }
                }
            }
        }
        if truths.is_empty() {
            return Err(DatasetError::Empty {
                path: config.root,
                looked_for: format!("`gtFine/{split}/*/*{SUFFIX}`"),
            });
        }
        Ok(truths)
    }
}
