use std::io::{Cursor, ErrorKind};
use std::path::Path;

use decoupled_seg_types::{FileKind, Size};
use image::metadata::Orientation;
use png::{ColorType, DecodingError, Info, Limits, Reader, Transformations};

use super::decoder_fault::decoding;
use super::{MAX_PIXELS, check_size, truncated};
use crate::DatasetError;

/// The first bytes of a PNG.
pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Deflate cannot shrink data more: 258 bytes take at least 2 bits.
const MAX_DEFLATE_RATIO: u64 = 1032;

/// Returns an error for files that are no PNG.
pub(super) fn check_kind(
    path: &Path,
    bytes: &[u8],
    expected: &'static str,
) -> Result<(), DatasetError> {
    if bytes.starts_with(SIGNATURE) || SIGNATURE.starts_with(bytes) {
        return Ok(());
    }
    Err(DatasetError::OtherKind {
        path: path.to_path_buf(),
        found: FileKind::of(bytes),
        expected,
    })
}

/// Opens a PNG and checks its header against the file's length before any pixel memory is reserved.
pub(super) fn open<'a>(
    path: &Path,
    bytes: &'a [u8],
    transformations: Transformations,
    expected: &'static str,
) -> Result<Reader<Cursor<&'a [u8]>>, DatasetError> {
    let reader = decoding(path, || read_info(path, bytes, transformations, expected))?;
    check_palette(path, reader.info())?;
    Ok(reader)
}

/// The decoder slices palettes without a look at their length.
fn check_palette(path: &Path, info: &Info<'_>) -> Result<(), DatasetError> {
    // In pictures of colours a palette is a proposal that nobody looks at; masks need none.
    let palette = info.palette.as_deref();
    let Some(palette) = palette.filter(|_| info.color_type == ColorType::Indexed) else {
        return Ok(());
    };
    let bytes = palette.len();
    match bytes.is_multiple_of(3) && (1..=256).contains(&(bytes / 3)) {
        true => Ok(()),
        false => Err(DatasetError::PngPalette {
            path: path.to_path_buf(),
            bytes,
        }),
    }
}

fn read_info<'a>(
    path: &Path,
    bytes: &'a [u8],
    transformations: Transformations,
    expected: &'static str,
) -> Result<Reader<Cursor<&'a [u8]>>, DatasetError> {
    // Three channels of two bytes a pixel, and room for the decoder's own rows.
    let limits = Limits {
        bytes: usize::try_from(MAX_PIXELS)
            .unwrap_or(usize::MAX)
            .saturating_mul(8),
    };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(transformations);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let info = decoder
        .read_header_info()
        .map_err(|error| describe(path, bytes, error, expected))?;
    check_size(path, size(info))?;
    let raw = info.raw_bytes() as u64;
    if raw > MAX_DEFLATE_RATIO * bytes.len() as u64 {
        return Err(truncated(path, bytes, expected));
    }
    decoder
        .read_info()
        .map_err(|error| describe(path, bytes, error, expected))
}

pub(super) fn size(info: &Info<'_>) -> Size {
    Size::new(info.height as usize, info.width as usize)
}

/// The orientation in the tag; unturned if there is no readable tag.
pub(super) fn orientation(info: &Info<'_>) -> Orientation {
    let tag = info.exif_metadata.as_deref();
    tag.and_then(Orientation::from_exif_chunk)
        .unwrap_or(Orientation::NoTransforms)
}

/// Decodes the image. Its bytes are packed as the transformations leave them.
pub(super) fn pixels(
    path: &Path,
    bytes: &[u8],
    reader: &mut Reader<Cursor<&[u8]>>,
    expected: &'static str,
) -> Result<Vec<u8>, DatasetError> {
    let size = reader
        .output_buffer_size()
        .expect("the header was checked against MAX_PIXELS");
    let mut pixels = vec![0; size];
    decoding(path, || {
        let frame = reader
            .next_frame(&mut pixels)
            .map_err(|error| describe(path, bytes, error, expected))?;
        pixels.truncate(frame.buffer_size());
        // Checksum and end chunk follow the pixels. Without them the file was cut.
        reader
            .finish()
            .map_err(|error| describe(path, bytes, error, expected))
    })?;
    Ok(pixels)
}

fn describe(
    path: &Path,
    bytes: &[u8],
    error: DecodingError,
    expected: &'static str,
) -> DatasetError {
    match error {
        DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            truncated(path, bytes, expected)
        }
        source => DatasetError::Png {
            path: path.to_path_buf(),
            expected,
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rstest::rstest;

    use crate::DatasetError;
    use crate::files::{RawMask, read_bands, read_image, read_image_size};

    /// A PNG of one pixel of 8 bits with a palette of so many bytes.
    fn with_palette(bytes: usize) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, 1, 1);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_palette(vec![9; bytes]);
        let mut writer = encoder.write_header().expect("in memory");
        writer.write_image_data(&[0]).expect("in memory");
        writer.finish().expect("in memory");
        file
    }

    #[rstest]
    #[case(3, true)]
    #[case(768, true)]
    #[case(1, false)]
    #[case(265, false)]
    #[case(266, false)]
    #[case(771, false)]
    fn palettes_that_are_none_are_refused(#[case] bytes: usize, #[case] is_one: bool) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.png");
        fs::write(&path, with_palette(bytes)).expect("writable");
        let errors = [
            read_image(&path).err(),
            read_image_size(&path).err(),
            read_bands(&path, 3).err(),
            RawMask::read(&path).err(),
        ];
        for error in errors {
            let Some(error) = error else {
                assert!(is_one, "read");
                continue;
            };
            let refused = match &error {
                DatasetError::PngPalette { bytes: found, .. } => *found == bytes,
                // The decoder knows that there are at least one colour and at most 256.
                DatasetError::Png { .. } => !(3..=768).contains(&bytes),
                _ => false,
            };
            assert!(refused && !is_one, "{error}");
        }
    }
}
