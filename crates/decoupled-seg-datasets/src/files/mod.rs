//! Image and mask files, read with their traps in view: nothing is reinterpreted, nothing half-read is used.

mod image_file;
mod jpeg;
mod list_file;
mod listing;
mod mask;
mod pairs;
mod png_file;

pub use image_file::{read_image, read_image_size};
pub use list_file::read_list;
pub use listing::Listing;
pub use mask::{IdMap, MaskEncoding, MaskFormat, MaskReader, RawMask, RawValues};
pub use pairs::{Folders, IMAGE_SUFFIXES, Pair, list_folder, list_subfolders};

use std::path::Path;

use crate::DatasetError;

/// Images with more pixels than this are refused before memory is reserved for them: 64 Mi, about 8192x8192.
pub const MAX_PIXELS: u64 = 1 << 26;

/// Reads a whole file that must not be empty.
fn read_bytes(path: &Path, expected: &'static str) -> Result<Vec<u8>, DatasetError> {
    let bytes = std::fs::read(path).map_err(|source| DatasetError::io(path, source))?;
    if bytes.is_empty() {
        return Err(DatasetError::EmptyFile {
            path: path.to_path_buf(),
            expected,
        });
    }
    Ok(bytes)
}

fn check_size(path: &Path, width: u32, height: u32) -> Result<(), DatasetError> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(DatasetError::TooLarge {
            path: path.to_path_buf(),
            width,
            height,
            limit: MAX_PIXELS,
        });
    }
    Ok(())
}

fn truncated(path: &Path, bytes: &[u8], expected: &'static str) -> DatasetError {
    DatasetError::Truncated {
        path: path.to_path_buf(),
        bytes: bytes.len() as u64,
        expected,
    }
}
