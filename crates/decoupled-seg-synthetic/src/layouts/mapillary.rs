use std::path::Path;

use decoupled_seg_datasets::files::{write_image, write_index_mask};
use decoupled_seg_datasets::{DatasetError, Split};

use super::{Coding, SyntheticConfig, write_text};
use crate::StreetScenes;

/// Writes the layout of version 1.2 that [`MapillaryVistas`](decoupled_seg_datasets::MapillaryVistas) reads, with the
/// 10 classes of the scenes in place of the 65 of the release.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_mapillary(
    root: impl AsRef<Path>,
    config: &SyntheticConfig,
) -> Result<(), DatasetError> {
    let root = root.as_ref();
    let classes = StreetScenes::classes();
    let label = |name: &str, color: [u8; 3]| {
        serde_json::json!({
            "color": color, "instances": false, "readable": name, "name": format!("scene--{name}"), "evaluate": true,
        })
    };
    let mut labels: Vec<_> = classes
        .classes
        .iter()
        .map(|class| label(&class.name, class.color))
        .collect();
    labels.push(label("Unlabeled", [0, 0, 0]));
    let text = serde_json::json!({ "labels": labels, "version": 1.1, "mapping": "public", "folder_structure": {} });
    write_text(&root.join("config.json"), &text.to_string())?;
    let mut palette = classes.colors();
    palette.push([0, 0, 0]);
    let coding = Coding {
        values: std::array::from_fn(|label| label as u8),
        ignored: 10,
    };
    for (split, folder) in [
        (Split::Train, "training"),
        (Split::Val, "validation"),
        (Split::Test, "testing"),
    ] {
        for (number, sample) in config.scenes(split).enumerate() {
            let name = format!("{folder}_{number:05}");
            write_image(
                root.join(format!("{folder}/images/{name}.jpg")),
                &sample.image,
            )?;
            if split != Split::Test {
                let path = root.join(format!("{folder}/labels/{name}.png"));
                write_index_mask(path, &coding.encode(&sample.labels), &palette)?;
            }
        }
    }
    Ok(())
}
