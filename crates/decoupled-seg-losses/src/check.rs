//! Checks of configurations: said as an error to who reads one from a file, as a panic to who builds a loss from it.

/// `Ok` where `fine`, else what is wrong.
pub(crate) fn ensure(fine: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    if fine { Ok(()) } else { Err(wrong()) }
}

/// Panics with what is wrong.
#[track_caller]
pub(crate) fn required(valid: Result<(), String>) {
    if let Err(wrong) = valid {
        panic!("{wrong}");
    }
}
