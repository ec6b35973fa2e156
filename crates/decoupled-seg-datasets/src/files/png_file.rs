use std::io::{Cursor, ErrorKind};
use std::path::Path;

use decoupled_seg_types::{FileKind, Size};
use image::metadata::Orientation;
use png::{DecodingError, Info, Limits, Reader, Transformations};

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
    let frame = reader
        .next_frame(&mut pixels)
        .map_err(|error| describe(path, bytes, error, expected))?;
    pixels.truncate(frame.buffer_size());
    // Checksum and end chunk follow the pixels. Without them the file was cut.
    reader
        .finish()
        .map_err(|error| describe(path, bytes, error, expected))?;
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
