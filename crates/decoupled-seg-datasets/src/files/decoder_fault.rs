//! Decoders of other crates that panic on a file, in place of refusing it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::DatasetError;

/// Runs a decoder. One bad file must not end what others wait for, so a panic becomes an error of that file.
pub(super) fn decoding<T>(
    path: &Path,
    decode: impl FnOnce() -> Result<T, DatasetError>,
) -> Result<T, DatasetError> {
    // Whatever the decoder left half-done is dropped with it.
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| {
        Err(DatasetError::DecoderFault {
            path: path.to_path_buf(),
            said: said(&*panic),
        })
    })
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no reason").to_string()
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
