use std::path::Path;

use image::RgbImage;
use png::{ColorType, Transformations};

use super::{jpeg, png_file, read_bytes};
use crate::DatasetError;

const EXPECTED: &str = "PNG or JPEG image";

/// Reads a PNG or JPEG image (told apart by content, not by name) as 8-bit RGB; grey is repeated, alpha dropped.
///
/// # Errors
///
/// Returns a [`DatasetError`] that names the file if it cannot be read, is empty, truncated, damaged, of another
/// format, or larger than [`MAX_PIXELS`](crate::MAX_PIXELS).
pub fn read_image(path: impl AsRef<Path>) -> Result<RgbImage, DatasetError> {
    let path = path.as_ref();
    let bytes = read_bytes(path, EXPECTED)?;
    match kind(path, &bytes)? {
        Kind::Png => decode_png(path, &bytes),
        Kind::Jpeg => jpeg::decode(path, &bytes),
    }
}

/// Width and height of a PNG or JPEG image, without decoding its pixels.
///
/// # Errors
///
/// As [`read_image`], of what the header shows.
pub fn read_image_size(path: impl AsRef<Path>) -> Result<[usize; 2], DatasetError> {
    let path = path.as_ref();
    let bytes = read_bytes(path, EXPECTED)?;
    match kind(path, &bytes)? {
        Kind::Png => {
            let reader = png_file::open(path, &bytes, Transformations::IDENTITY, EXPECTED)?;
            Ok([reader.info().width as usize, reader.info().height as usize])
        }
        Kind::Jpeg => jpeg::size(path, &bytes),
    }
}

enum Kind {
    Png,
    Jpeg,
}

fn kind(path: &Path, bytes: &[u8]) -> Result<Kind, DatasetError> {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
    const JPEG: &[u8] = b"\xFF\xD8\xFF";
    if bytes.starts_with(PNG) {
        return Ok(Kind::Png);
    }
    if bytes.starts_with(JPEG) {
        return Ok(Kind::Jpeg);
    }
    if PNG.starts_with(bytes) || JPEG.starts_with(bytes) {
        return Err(super::truncated(path, bytes, EXPECTED));
    }
    let start = bytes
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(" ");
    Err(DatasetError::Decode {
        path: path.to_path_buf(),
        expected: EXPECTED,
        source: format!("the file starts with {start}, neither PNG nor JPEG").into(),
    })
}

fn decode_png(path: &Path, bytes: &[u8]) -> Result<RgbImage, DatasetError> {
    let mut reader = png_file::open(
        path,
        bytes,
        Transformations::EXPAND | Transformations::STRIP_16,
        EXPECTED,
    )?;
    let pixels = png_file::pixels(path, bytes, &mut reader, EXPECTED)?;
    let (width, height) = (reader.info().width, reader.info().height);
    let rgb = match reader.output_color_type().0 {
        ColorType::Rgb => pixels,
        ColorType::Rgba => pixels
            .chunks_exact(4)
            .flat_map(|p| [p[0], p[1], p[2]])
            .collect(),
        ColorType::Grayscale => pixels.iter().flat_map(|&grey| [grey; 3]).collect(),
        ColorType::GrayscaleAlpha => pixels.chunks_exact(2).flat_map(|p| [p[0]; 3]).collect(),
        ColorType::Indexed => unreachable!("EXPAND turns palettes into RGB"),
    };
    Ok(RgbImage::from_raw(width, height, rgb).expect("three bytes a pixel were decoded"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageFormat};
    use rstest::rstest;

    use super::*;

    fn encoded(format: ImageFormat) -> (RgbImage, Vec<u8>) {
        let image = RgbImage::from_fn(40, 30, |x, y| {
            image::Rgb([(x * 6) as u8, (y * 8) as u8, 128])
        });
        let mut bytes = Vec::new();
        DynamicImage::from(image.clone())
            .write_to(&mut Cursor::new(&mut bytes), format)
            .expect("in memory");
        (image, bytes)
    }

    fn read(bytes: &[u8]) -> Result<RgbImage, DatasetError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("image");
        std::fs::write(&path, bytes).expect("writable");
        read_image(&path)
    }

    #[test]
    fn reads_both_formats_whatever_the_name() {
        let (image, bytes) = encoded(ImageFormat::Png);
        assert_eq!(read(&bytes).expect("a whole PNG"), image);
        let (image, bytes) = encoded(ImageFormat::Jpeg);
        let decoded = read(&bytes).expect("a whole JPEG");
        let worst = decoded
            .iter()
            .zip(image.iter())
            .map(|(a, b)| a.abs_diff(*b))
            .max();
        assert!(
            worst.expect("pixels") < 40,
            "JPEG is lossy, but not that much: {worst:?}"
        );
    }

    #[rstest]
    #[case(ImageFormat::Png)]
    #[case(ImageFormat::Jpeg)]
    fn every_truncation_is_an_error(#[case] format: ImageFormat) {
        let (_, bytes) = encoded(format);
        for length in 0..bytes.len() {
            let error = read(&bytes[..length]).expect_err("a part is no image");
            let fits = match error {
                DatasetError::EmptyFile { .. } => length == 0,
                DatasetError::Truncated { bytes, .. } => bytes == length as u64,
                // A cut inside a JPEG header segment is told by the decoder.
                DatasetError::Decode { .. } => format == ImageFormat::Jpeg,
                _ => false,
            };
            assert!(fits, "{length} of {} bytes: {error}", bytes.len());
        }
    }

    #[test]
    fn a_huge_header_is_refused_before_memory_is_reserved() {
        let (_, mut bytes) = encoded(ImageFormat::Jpeg);
        let frame = bytes
            .windows(2)
            .position(|pair| pair == [0xFF, 0xC0])
            .expect("a baseline frame");
        bytes[frame + 5..frame + 9].copy_from_slice(&[0xFF; 4]);
        assert!(matches!(
            read(&bytes),
            Err(DatasetError::TooLarge {
                width: 65535,
                height: 65535,
                ..
            })
        ));
        bytes[frame + 5..frame + 9].copy_from_slice(&[0x10, 0, 0x10, 0]);
        assert!(
            matches!(read(&bytes), Err(DatasetError::Truncated { .. })),
            "4096x4096 in a kilobyte"
        );
    }

    #[test]
    fn other_formats_are_named() {
        let error = read(b"GIF89a..").expect_err("not supported");
        let source = std::error::Error::source(&error)
            .expect("a cause")
            .to_string();
        assert_eq!(
            source,
            "the file starts with 47 49 46 38 39 61 2e 2e, neither PNG nor JPEG"
        );
    }
}
