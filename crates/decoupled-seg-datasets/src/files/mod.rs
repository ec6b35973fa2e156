//! Image and mask files. A file of an unexpected kind or a damaged file is an error: nothing is reinterpreted, and no
//! half of a file is used.

mod band_file;
mod decoder_fault;
mod image_file;
mod instances;
mod jpeg;
mod left_out;
mod list_file;
mod list_line;
mod list_text;
mod listing;
mod mask;
mod other_format;
mod pairs;
mod png_file;
mod write;

pub use crate::mask_format::MaskFormat;
pub use band_file::read_bands;
pub(crate) use band_file::read_turned_bands;
pub(crate) use image_file::{is_lying, read_turned_image};
pub use image_file::{read_image, read_image_size};
pub use left_out::PICTURE_ENDINGS;
pub use list_file::{read_list, read_names};
pub use listing::Listing;
pub use mask::{IdMap, MaskEncoding, MaskReader, RawMask, RawValues};
pub(crate) use mask::{MaskHead, Meanings, may_be_train_ids};
pub use other_format::EXPECTED as READ_FORMATS;
pub use pairs::IMAGE_SUFFIXES;
pub use pairs::{Folders, Pair};
pub(crate) use pairs::{
    ending_there, file_ending_in, list_folder, list_subfolders, missing_folder,
};
pub(crate) use write::{encode_image, encode_mask, write_whole};
pub use write::{write_image, write_index_mask, write_instances, write_mask};

use std::path::Path;

use decoupled_seg_types::Size;

use crate::DatasetError;

/// Images with more pixels than this are refused before memory is reserved for them: 64 Mi, about 8192x8192.
pub const MAX_PIXELS: u64 = 1 << 26;

/// What is neither a file nor a folder.
const PIPE: &str = "a pipe, a socket or a device";

/// Reads a whole file. A pipe may never end, and neither do some devices.
pub(crate) fn read_file(path: &Path, expected: &'static str) -> Result<Vec<u8>, DatasetError> {
    let kind = std::fs::metadata(path).map_err(|source| DatasetError::io(path, source))?;
    if !kind.is_file() {
        return Err(DatasetError::NotAFile {
            path: path.to_path_buf(),
            found: match kind.is_dir() {
                true => "a folder",
                false => PIPE,
            },
            expected,
        });
    }
    std::fs::read(path).map_err(|source| DatasetError::io(path, source))
}

/// Reads a whole file that must not be empty.
fn read_bytes(path: &Path, expected: &'static str) -> Result<Vec<u8>, DatasetError> {
    let bytes = read_file(path, expected)?;
    if bytes.is_empty() {
        return Err(DatasetError::EmptyFile {
            path: path.to_path_buf(),
            expected,
        });
    }
    Ok(bytes)
}

/// Pixels as `u64`: with a `usize` of 32 bits, the product of two sides may overflow.
fn pixels(size: Size) -> u64 {
    size.height as u64 * size.width as u64
}

fn check_size(path: &Path, size: Size) -> Result<(), DatasetError> {
    if pixels(size) > MAX_PIXELS {
        return Err(DatasetError::TooLarge {
            path: path.to_path_buf(),
            size,
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
