//! Decoders of other crates that panic on a file, in place of refusing it.

use std::path::Path;

use decoupled_seg_types::caught;

use crate::DatasetError;

/// Runs a decoder. One bad file must not end what others wait for, so a panic becomes an error of that file.
pub(super) fn decoding<T>(
    path: &Path,
    decode: impl FnOnce() -> Result<T, DatasetError>,
) -> Result<T, DatasetError> {
    caught(decode).unwrap_or_else(|said| {
        Err(DatasetError::DecoderFault {
            path: path.to_path_buf(),
            said,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_of_the_file() {
        let path = Path::new("a.jpg");
        let result: Result<u8, DatasetError> = decoding(path, || panic!("a slice"));
        let error = result.expect_err("a panic").to_string();
        assert_eq!(
            error,
            "`a.jpg`: the decoder fails on this file (a slice); save the picture anew, or leave it out"
        );
        assert_eq!(decoding(path, || Ok(1)).expect("no panic"), 1);
    }
}
