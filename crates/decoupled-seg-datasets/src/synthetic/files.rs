use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use image::{ExtendedColorType, ImageEncoder, RgbImage};
use png::{BitDepth, ColorType, Compression};

use crate::{DatasetError, InstanceMap, LabelMap};

/// Writes an image as PNG or, if the name ends in `.jpg`, as JPEG of quality 95; makes the folders.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if the file cannot be written.
pub fn write_image(path: impl AsRef<Path>, image: &RgbImage) -> Result<(), DatasetError> {
    let path = path.as_ref();
    let [width, height] = [image.width(), image.height()];
    if path.extension().is_some_and(|extension| extension == "jpg") {
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(create(path)?, 95);
        let written = encoder.write_image(image.as_raw(), width, height, ExtendedColorType::Rgb8);
        return written.map_err(|error| DatasetError::io(path, std::io::Error::other(error)));
    }
    write_png(path, [width, height], ColorType::Rgb, None, image.as_raw())
}

/// Writes a label map as 8-bit grey PNG, values as they are; makes the folders.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if the file cannot be written.
pub fn write_mask(path: impl AsRef<Path>, labels: &LabelMap) -> Result<(), DatasetError> {
    let size = [labels.width as u32, labels.height as u32];
    write_png(
        path.as_ref(),
        size,
        ColorType::Grayscale,
        None,
        &labels.data,
    )
}

/// Writes a label map as palette PNG whose indices are the values; makes the folders.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if the file cannot be written.
pub fn write_index_mask(
    path: impl AsRef<Path>,
    labels: &LabelMap,
    palette: &[[u8; 3]],
) -> Result<(), DatasetError> {
    let size = [labels.width as u32, labels.height as u32];
    write_png(
        path.as_ref(),
        size,
        ColorType::Indexed,
        Some(palette.as_flattened()),
        &labels.data,
    )
}

/// Writes an instance map as 16-bit grey PNG; makes the folders.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if the file cannot be written.
pub fn write_instances(
    path: impl AsRef<Path>,
    instances: &InstanceMap,
) -> Result<(), DatasetError> {
    let size = [instances.width as u32, instances.height as u32];
    let bytes: Vec<u8> = instances
        .data
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect();
    let path = path.as_ref();
    let mut encoder = png::Encoder::new(create(path)?, size[0], size[1]);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Sixteen);
    finish(path, encoder, &bytes)
}

fn write_png(
    path: &Path,
    [width, height]: [u32; 2],
    color: ColorType,
    palette: Option<&[u8]>,
    data: &[u8],
) -> Result<(), DatasetError> {
    let mut encoder = png::Encoder::new(create(path)?, width, height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    if let Some(palette) = palette {
        encoder.set_palette(palette.to_vec());
    }
    finish(path, encoder, data)
}

fn finish(
    path: &Path,
    mut encoder: png::Encoder<'_, BufWriter<File>>,
    data: &[u8],
) -> Result<(), DatasetError> {
    encoder.set_compression(Compression::Fast);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(data)?;
        writer.finish()
    });
    written.map_err(|error| DatasetError::io(path, std::io::Error::other(error)))
}

fn create(path: &Path) -> Result<BufWriter<File>, DatasetError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| DatasetError::io(folder, source))?;
    }
    let file = File::create(path).map_err(|source| DatasetError::io(path, source))?;
    Ok(BufWriter::new(file))
}

/// Writes a text file; makes the folders.
pub(super) fn write_text(path: &Path, text: &str) -> Result<(), DatasetError> {
    use std::io::Write;
    create(path)?
        .write_all(text.as_bytes())
        .map_err(|source| DatasetError::io(path, source))
}
