use decoupled_seg_nn::ConfigError;
use serde::{Deserialize, Serialize};

use super::{SaveOptions, WeightsFile};
use crate::network::DecoupledSegNetConfig;

/// What a program has to know to use the weights of a network: it stands as JSON beside the tensors of a `.safetensors`
/// file, under [`KEY`](Self::KEY).
///
/// # Example
///
/// ```
/// use burn::tensor::Device;
/// use decoupled_seg::prelude::*;
/// use decoupled_seg::weights::{NamedClass, NetworkDescription, WeightsFile};
///
/// let classes = ["road", "car"].map(|name| NamedClass { name: name.to_string(), color: [0, 0, 142] });
/// let description = NetworkDescription {
///     network: DecoupledSegNetConfig::tiny(2),
///     classes: classes.to_vec(),
///     mean: vec![0.5; 3],
///     std: vec![0.5; 3],
/// };
/// # let path = std::env::temp_dir().join(format!("described-{}.safetensors", std::process::id()));
/// let network = description.network.init(&Device::default());
/// network.save_weights_with(&path, &description.options())?;
///
/// let file = WeightsFile::open(&path)?;
/// let read = NetworkDescription::of(&file)?.expect("it was written");
/// assert_eq!(read.classes, description.classes);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NetworkDescription {
    /// The network.
    pub network: DecoupledSegNetConfig,
    /// The classes, by index.
    pub classes: Vec<NamedClass>,
    /// Mean of each channel (red, green, blue) that is taken off images, in `0..=1`.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel by which images are divided.
    pub std: Vec<f32>,
}

/// Why the description in a file is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// It is none of this version.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Its network cannot be built.
    #[error(transparent)]
    Network(#[from] ConfigError),
}

/// A class, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedClass {
    /// Its name.
    pub name: String,
    /// Its colour in pictures: red, green, blue.
    pub color: [u8; 3],
}

impl NetworkDescription {
    /// The name of the description in a file.
    pub const KEY: &str = "decoupled_seg";

    /// The description in a file; `None` if it has none.
    ///
    /// # Errors
    ///
    /// The description is none of this version, or its network cannot be built.
    pub fn of(file: &WeightsFile) -> Result<Option<Self>, DescriptionError> {
        let Some(text) = file.metadata(Self::KEY) else {
            return Ok(None);
        };
        let description: Self = serde_json::from_str(text)?;
        description.network.validate()?;
        Ok(Some(description))
    }

    /// The names of the classes, by index.
    pub fn class_names(&self) -> Vec<&str> {
        self.classes
            .iter()
            .map(|class| class.name.as_str())
            .collect()
    }

    /// Writes the description beside the tensors.
    pub fn options(&self) -> SaveOptions {
        let text = serde_json::to_string(self).expect("a description is plain data");
        SaveOptions::default().with_metadata(Self::KEY, text)
    }
}
