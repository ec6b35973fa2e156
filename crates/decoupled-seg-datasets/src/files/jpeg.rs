use std::io::Cursor;
use std::path::Path;

use decoupled_seg_types::Size;
use image::codecs::jpeg::JpegDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, RgbImage};

use super::{check_size, pixels, truncated};
use crate::DatasetError;

const EXPECTED: &str = "JPEG image";

/// A block of 8x8 pixels takes at least one bit. The factor 4 allows for subsampled blocks.
const MAX_PIXELS_PER_BYTE: u64 = 4 * 8 * 64;

pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<(RgbImage, Orientation), DatasetError> {
    let mut decoder = open(path, bytes)?;
    // The decoder fills missing pixels with grey and reports success.
    if !has_end(bytes) {
        return Err(truncated(path, bytes, EXPECTED));
    }
    let orientation = orientation(&mut decoder);
    let image = DynamicImage::from_decoder(decoder).map_err(|error| describe(path, error))?;
    Ok((image.into_rgb8(), orientation))
}

pub(super) fn size(path: &Path, bytes: &[u8]) -> Result<(Size, Orientation), DatasetError> {
    let mut decoder = open(path, bytes)?;
    let (width, height) = decoder.dimensions();
    let size = Size::new(height as usize, width as usize);
    Ok((size, orientation(&mut decoder)))
}

/// The orientation in the photo's tag; unturned if there is no readable tag.
fn orientation(decoder: &mut JpegDecoder<Cursor<&[u8]>>) -> Orientation {
    decoder.orientation().unwrap_or(Orientation::NoTransforms)
}

fn open<'a>(path: &Path, bytes: &'a [u8]) -> Result<JpegDecoder<Cursor<&'a [u8]>>, DatasetError> {
    let Some(size) = frame_size(bytes) else {
        return Err(truncated(path, bytes, EXPECTED));
    };
    check_size(path, size)?;
    if pixels(size) > MAX_PIXELS_PER_BYTE * bytes.len() as u64 {
        return Err(truncated(path, bytes, EXPECTED));
    }
    JpegDecoder::new(Cursor::new(bytes)).map_err(|error| describe(path, error))
}

fn describe(path: &Path, source: image::ImageError) -> DatasetError {
    DatasetError::Jpeg {
        path: path.to_path_buf(),
        source,
    }
}

/// Walks the markers up to the frame header; `None` if the file ends before it.
fn frame_size(bytes: &[u8]) -> Option<Size> {
    let mut at = 2;
    loop {
        let (marker, segment) = next_segment(bytes, &mut at)?;
        // SOF0 to SOF15, without DHT (C4), JPG (C8) and DAC (CC).
        if matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC) {
            let side = |at: usize| {
                let bytes = segment.get(at..at + 2)?;
                Some(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
            };
            return Some(Size::new(side(1)?, side(3)?));
        }
    }
}

/// Whether the file has the end marker after its last scan. The marker inside an embedded thumbnail does not count.
fn has_end(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        let Some((marker, _)) = next_segment(bytes, &mut at) else {
            return false;
        };
        match marker {
            0xD9 => return true,
            0xDA => {
                // Skip entropy-coded data up to the next marker that is neither a stuffed zero nor a restart.
                while at + 1 < bytes.len() {
                    if bytes[at] == 0xFF && !matches!(bytes[at + 1], 0x00 | 0xD0..=0xD7 | 0xFF) {
                        break;
                    }
                    at += 1;
                }
            }
            _ => {}
        }
    }
}

/// The marker at `at` and its payload; moves `at` behind it.
fn next_segment<'a>(bytes: &'a [u8], at: &mut usize) -> Option<(u8, &'a [u8])> {
    while *bytes.get(*at)? != 0xFF {
        *at += 1; // Padding that some writers leave between segments.
    }
    while *bytes.get(*at)? == 0xFF {
        *at += 1;
    }
    let marker = bytes[*at];
    *at += 1;
    if matches!(marker, 0x01 | 0xD0..=0xD9) {
        return Some((marker, &[]));
    }
    let length = usize::from(u16::from_be_bytes([*bytes.get(*at)?, *bytes.get(*at + 1)?])).max(2);
    let segment = bytes.get(*at + 2..*at + length)?;
    *at += length;
    Some((marker, segment))
}
