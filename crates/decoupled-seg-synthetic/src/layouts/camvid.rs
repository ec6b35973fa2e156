use std::path::Path;

use decoupled_seg_datasets::files::{write_image, write_mask};
use decoupled_seg_datasets::{CAMVID_COLORS, CamVid, DatasetError, IGNORE_LABEL, Split};
use image::RgbImage;

use super::{Coding, SPLITS, SyntheticConfig};

/// CamVid's values for the classes of the scenes; 11 is void.
const CAMVID: Coding = Coding {
    values: [3, 4, 1, 7, 2, 6, 5, 0, 9, 8],
    ignored: 11,
};

/// Writes the layout that [`CamVid::open`] reads, without lists.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_camvid(root: impl AsRef<Path>, config: &SyntheticConfig) -> Result<(), DatasetError> {
    let root = root.as_ref();
    for split in SPLITS {
        for (number, sample) in config.scenes(split).enumerate() {
            let name = format!("{}.png", camvid_name(split, number));
            write_image(root.join(split.as_str()).join(&name), &sample.image)?;
            write_mask(
                root.join(format!("{split}annot")).join(&name),
                &CAMVID.encode(&sample.labels),
            )?;
        }
    }
    Ok(())
}

/// Writes the layout that [`CamVid::open_original`] reads: one folder of images and one of colour labels.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if a file cannot be written.
pub fn write_camvid_original(
    root: impl AsRef<Path>,
    config: &SyntheticConfig,
) -> Result<(), DatasetError> {
    let root = root.as_ref();
    let classes = CamVid::classes();
    let void = CAMVID_COLORS
        .iter()
        .find(|class| class.label == IGNORE_LABEL)
        .expect("the table has void")
        .color;
    for split in SPLITS {
        for (number, sample) in config.scenes(split).enumerate() {
            let name = camvid_name(split, number);
            let labels = CAMVID.encode(&sample.labels);
            let colors = RgbImage::from_fn(labels.width as u32, labels.height as u32, |x, y| {
                let label = labels.get(x as usize, y as usize);
                image::Rgb(if label == CAMVID.ignored {
                    void
                } else {
                    classes.color(label)
                })
            });
            write_image(
                root.join(format!("701_StillsRaw_full/{name}.png")),
                &sample.image,
            )?;
            write_image(
                root.join(format!("LabeledApproved_full/{name}_L.png")),
                &colors,
            )?;
        }
    }
    Ok(())
}

/// A frame's name as in the release, where each split has names of its own.
fn camvid_name(split: Split, number: usize) -> String {
    match split {
        Split::Train | Split::TrainVal => format!("0006R0_f{:05}", 930 + 30 * number),
        Split::Val => format!("0016E5_{:05}", 7959 + 2 * number),
        Split::Test => format!("Seq05VD_f{:05}", 30 * number),
    }
}
