use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use decoupled_seg_types::write_atomic;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use png::{BitDepth, ColorType, Compression};

use crate::{DatasetError, InstanceMap, LabelMap};

/// Writes an image as PNG or, if the name ends in `.jpg` or `.jpeg`, as JPEG of quality 95. Makes missing folders.
///
/// # Errors
///
/// Returns [`DatasetError::Suffix`] for a name with the ending of another format, [`DatasetError::Io`] if the file
/// cannot be written.
pub fn write_image(path: impl AsRef<Path>, image: &RgbImage) -> Result<(), DatasetError> {
    let path = path.as_ref();
    let suffix = path.extension().unwrap_or_default().to_string_lossy();
    match suffix.to_lowercase().as_str() {
        "png" => write(path, |out| encode_image(out, image)),
        "jpg" | "jpeg" => write(path, |out| {
            let (width, height) = image.dimensions();
            JpegEncoder::new_with_quality(out, 95)
                .write_image(image.as_raw(), width, height, ExtendedColorType::Rgb8)
                .map_err(io::Error::other)
        }),
        _ => Err(DatasetError::Suffix {
            path: path.to_path_buf(),
        }),
    }
}

/// Writes a label map as 8-bit grey PNG whose values are the labels. Makes missing folders.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if the file cannot be written.
pub fn write_mask(path: impl AsRef<Path>, labels: &LabelMap) -> Result<(), DatasetError> {
    write(path.as_ref(), |out| encode_mask(out, labels))
}

/// Writes a label map as palette PNG whose indices are the labels. Makes missing folders.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if the file cannot be written.
pub fn write_index_mask(
    path: impl AsRef<Path>,
    labels: &LabelMap,
    palette: &[[u8; 3]],
) -> Result<(), DatasetError> {
    write(path.as_ref(), |out| {
        let mut encoder = encoder(out, labels.width, labels.height);
        encoder.set_color(ColorType::Indexed);
        encoder.set_palette(palette.as_flattened().to_vec());
        finish(encoder, &labels.data)
    })
}

/// Writes an instance map as 16-bit grey PNG. Makes missing folders.
///
/// # Errors
///
/// Returns [`DatasetError::Io`] if the file cannot be written.
pub fn write_instances(
    path: impl AsRef<Path>,
    instances: &InstanceMap,
) -> Result<(), DatasetError> {
    let numbers = instances.data.iter();
    let bytes: Vec<u8> = numbers.flat_map(|number| number.to_be_bytes()).collect();
    write(path.as_ref(), |out| {
        let mut encoder = encoder(out, instances.width, instances.height);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(BitDepth::Sixteen);
        finish(encoder, &bytes)
    })
}

/// Encodes an image as PNG.
pub(crate) fn encode_image(out: &mut dyn Write, image: &RgbImage) -> io::Result<()> {
    let mut encoder = encoder(out, image.width() as usize, image.height() as usize);
    encoder.set_color(ColorType::Rgb);
    finish(encoder, image.as_raw())
}

/// Encodes a label map as PNG of 8-bit grey.
pub(crate) fn encode_mask(out: &mut dyn Write, labels: &LabelMap) -> io::Result<()> {
    let mut encoder = encoder(out, labels.width, labels.height);
    encoder.set_color(ColorType::Grayscale);
    finish(encoder, &labels.data)
}

fn encoder(out: &mut dyn Write, width: usize, height: usize) -> png::Encoder<'_, &mut dyn Write> {
    let mut encoder = png::Encoder::new(out, width as u32, height as u32);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    encoder
}

fn finish(encoder: png::Encoder<'_, &mut dyn Write>, data: &[u8]) -> io::Result<()> {
    let mut writer = encoder.write_header()?;
    writer.write_image_data(data)?;
    Ok(writer.finish()?)
}

/// Writes a file whole or not at all. Makes missing folders.
pub(crate) fn write_whole(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), DatasetError> {
    make_folder(path)?;
    write_atomic(path, content).map_err(|source| DatasetError::io(path, source))
}

fn write(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), DatasetError> {
    make_folder(path)?;
    let written = File::create(path).and_then(|file| {
        let mut file = BufWriter::new(file);
        content(&mut file)?;
        file.flush()
    });
    written.map_err(|source| DatasetError::io(path, source))
}

fn make_folder(path: &Path) -> Result<(), DatasetError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).map_err(|source| DatasetError::io(folder, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_lie_about_the_format() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let starts = |name: &str, magic: &[u8]| {
            let path = folder.path().join(name);
            write_image(&path, &RgbImage::new(2, 1)).expect("writable");
            fs::read(path).expect("just written").starts_with(magic)
        };
        assert!(starts("a.png", b"\x89PNG") && starts("a.PNG", b"\x89PNG"));
        assert!(starts("a.jpg", b"\xFF\xD8") && starts("a.JPEG", b"\xFF\xD8"));
        let path = folder.path().join("a.webp");
        let error = write_image(&path, &RgbImage::new(2, 1)).expect_err("another format");
        assert!(matches!(error, DatasetError::Suffix { .. }), "{error}");
        assert!(!path.exists());
    }
}
