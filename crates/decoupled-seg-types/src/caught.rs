use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs what may panic on a stranger's file or a lost device. `Err` is what the panic said. Whatever was left half-done has to
/// be dropped with it.
///
/// ```
/// use decoupled_seg_types::caught;
///
/// assert_eq!(caught(|| 3), Ok(3));
/// assert_eq!(caught(|| -> u8 { panic!("7 MiB") }), Err("7 MiB".to_string()));
/// ```
///
/// # Errors
///
/// The text of the panic.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic without a message").to_string()
    })
}
